/* wants.h - which devices this guest wants and where, as its user data and its configuration file say (AGT-6): pure. The server's answer
 * goes before both, user data before the file. */
#ifndef AGENT_GUEST_WANTS_H
#define AGENT_GUEST_WANTS_H

#include "agent/common/conf.h"
#include "proto/message.h"

struct want {
	char id[PROTO_ID_MAX + 1];
	int access;                              /* enum proto_access */
	char mount_point[PROTO_PATH_MAX + 1];
	int by_user_data;                        /* else by the file */
};

struct wants {
	int count;
	struct want list[PROTO_DEVICES_MAX];
};

/* Adds what "devices=[id,access,mountpoint]..." in TEXT says, wherever it stands in it; access is read-only, ro, read-write or rw. What
 * cannot be read is left out and described in COMPLAINTS, a line each. */
void wants_add_user_data(struct wants *w, const char *text, struct buf *complaints);
/* Adds the "mount" lines of the file for devices that are not in it yet. What differs is described in COMPLAINTS. */
void wants_add_file(struct wants *w, const struct agent_conf *c, struct buf *complaints);
/* The one for device ID, or NULL. */
const struct want *wants_find(const struct wants *w, const char *id);

#endif
