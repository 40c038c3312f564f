/* keyserver.h - key servers that keep device keys (KEY-3), as keyd sees them: what it has been told of each, how each does, and questions
 * to them, which its child answers (keyserver_child.h). keyd never waits: a message that needs an answer is handled again when that is there.
 *
 * A server is known by its owner: a tenant, or nil for the installation's, which any tenant may use. */
#ifndef KEYS_KEYSERVER_H
#define KEYS_KEYSERVER_H

#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/secret.h"
#include "base/uuid.h"
#include "base/wire.h"

#define KEYSERVER_KNOWN_MAX 256
#define KEYSERVER_WAITING_MAX 4      /* questions to one server at a time */
#define KEYSERVER_CALL_MS 9000       /* before the child counts as silent; it gives up by itself sooner */
#define KEYSERVER_PAUSE_FIRST_S 1    /* after a failure others fail at once for so long, doubled each time */
#define KEYSERVER_PAUSE_MOST_S 30
#define KEYSERVER_REASON_MAX 256

enum keyserver_op { KEYSERVER_CHECK = 1, KEYSERVER_TEST, KEYSERVER_CREATE, KEYSERVER_FETCH, KEYSERVER_DESTROY };

struct keyserver_known {
	struct uuid owner;
	struct secret *settings;         /* as the child reads them */
	int local, waiting;
	unsigned failures;               /* in a row */
	clock_us away_until, used;
	char reason[KEYSERVER_REASON_MAX];
};

struct keyserver {
	int fd, running;
	uint32_t number;
	struct buf in, out;
	struct keyserver_known known[KEYSERVER_KNOWN_MAX];
	size_t count;
};

/* What came back. RESULT lends keyserver.in. */
struct keyserver_reply {
	uint32_t number;
	int status;                      /* 0, or an ERR_ code with REASON */
	char reason[KEYSERVER_REASON_MAX];
	struct wire_view result;
};

/* From now on OWNER's server is this one. SETTINGS becomes keyserver's. */
void keyserver_tell(struct keyserver *s, const struct uuid *owner, struct secret *settings, int local);
/* Asks OWNER's server; *NUMBER is what the reply will bear. ARGUMENT: a name to create, an id otherwise. ERR_NOT_FOUND: nobody has told of
 * one; ERR_UNAVAILABLE: it has just failed, with the reason, or too many
 * questions wait. */
int keyserver_ask(struct keyserver *s, const struct uuid *owner, enum keyserver_op op, const char *argument, clock_us now, uint32_t *number);
/* Has the child look at SETTINGS, which no server is asked about: parsing certificates is not for keyd either. ERR_UNAVAILABLE. */
int keyserver_check(struct keyserver *s, const struct secret *settings, uint32_t *number);
/* What lies at fd. 0 or ERR_UNAVAILABLE: the child has ended. */
int keyserver_receive(struct keyserver *s, struct keyserver_reply *out);
/* A reply is there, or will not come: how OWNER's server does is kept. */
void keyserver_note(struct keyserver *s, const struct uuid *owner, const struct keyserver_reply *reply, clock_us now);
void keyserver_close(struct keyserver *s);

#endif
