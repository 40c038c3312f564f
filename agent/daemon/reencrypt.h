/* reencrypt.h - another volume key for an open volume of this guest (KEY-6): keyward-reencrypt encrypts it anew, one volume at a time; the agent
 * looks after it beside everything else and tells the server how far it is. */
#ifndef AGENT_DAEMON_REENCRYPT_H
#define AGENT_DAEMON_REENCRYPT_H

#include <sys/types.h>

#include "agent/guest/guest.h"

#define REENCRYPT_LINE 320

struct reencrypt {
	pid_t pid;                               /* 0: none runs */
	int fd;                                  /* what it says; -1 */
	struct uuid order;
	char id[PROTO_ID_MAX + 1];               /* of the device, or the member of an array */
	char volume[DEVICE_NAME_SIZE];           /* of which it is a part */
	int64_t key_version;
	int percent, told;
	clock_us tell_at;                        /* clock_ticks() */
	char line[REENCRYPT_LINE];               /* what was said since the last end of a line */
	size_t line_len;
	char failed[PROTO_TEXT_MAX + 1];         /* why; "" */
	int done;
};

/* Begins by ORDER for the device ID: fetches its key and starts the process. ERR_NOT_FOUND: it is not open here; ERR_UNSUPPORTED: not by
 * dm-crypt; ERR_BUSY: another one is under way. */
int reencrypt_begin(struct guest *g, struct reencrypt *r, const struct uuid *order, const char *id);
/* Takes in what it has said. 1 when it has ended: then tell the outcome, which is in R->done and R->failed, and forget it. */
int reencrypt_look(struct reencrypt *r);
/* When the server is next to be told; DEVICE_NEVER. */
clock_us reencrypt_due(const struct reencrypt *r);
/* Tells how far it is, where that is due; stops it when the server no longer wants it. */
void reencrypt_tell(struct guest *g, struct reencrypt *r);
/* The volume is encrypted anew. */
int reencrypt_tell_done(struct guest *g, const struct reencrypt *r);
/* Stops it before VOLUME (NULL: whichever) is closed, and waits for that; it goes on when the volume is open again. */
void reencrypt_stop(struct reencrypt *r, const char *volume);

#endif
