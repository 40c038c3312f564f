/* rotate.h - another device key for a volume of this guest (KEY-6): the server gives the old one and the new one, the new one gets a key
 * slot, the server makes it the current one, the old one's slot goes. Ended at any moment, it is begun again by the same order and goes on
 * where it was. */
#ifndef AGENT_DAEMON_ROTATE_H
#define AGENT_DAEMON_ROTATE_H

#include "agent/guest/guest.h"

/* ID: of a device, or of a member of an array. Blocks while the server answers. ERR_NOT_FOUND; or as guest_call and volume_rekey_add. */
int rotate(struct guest *g, const char *id);

/* Tells a rotate_step. */
int rotate_tell(struct guest *g, enum proto_message what, const char *id, int64_t version);

#endif
