/* service.h - what ssod does with one question, in a process of its own that ends with it. Knows nothing of sockets to clients; the
 * loop around it is ssod.c. */
#ifndef SSO_SERVICE_H
#define SSO_SERVICE_H

#include "base/buf.h"
#include "base/uuid.h"
#include "base/wire.h"

/* One question on its way. A handler reads IN, adds its results to OUT and returns 0, or an ERR_ code with err_set's reason. */
struct sso_act {
	struct uuid request, tenant;
	struct wire_reader in;
	struct buf *out;
};

struct sso_kind {
	unsigned char type;
	const char *name;
	int limit_ms;
	int (*answer)(struct sso_act *a);    /* NULL: the service's own */
};

/* What ssod was started with, for handlers. */
struct sso_options {
	int local;                   /* addresses that settings name may be this machine's own */
	int private;                 /* metadata may be fetched from private networks */
	int most_ms;                 /* no question takes or waits longer; 0: as long as its kind may */
};
extern struct sso_options sso_options;
/* MS, or the most that there may be of anything. */
int service_ms(int ms);
/* The same of a limit inside of a question: in seconds, before the question's own time is over. */
int service_seconds(int seconds);

/* Reads the head of IN. ERR_TRUNCATED, ERR_VERSION; ERR_UNSUPPORTED with *REQUEST filled. */
int service_head(const struct buf *in, const struct sso_kind **kind, struct uuid *request, struct uuid *tenant);
/* Makes OUT the answer to IN, or an error answer: in the question's own process. The code, for the log. */
int service_answer(const struct buf *in, struct buf *out);
/* Makes OUT an error answer with the thread's error text; CODE 0: the beginning of a good one. */
void service_begin(struct buf *out, int code, const struct uuid *request);
/* Has libraries load what they will need, before the process is locked in: what forked processes can no longer do. */
int service_rehearse(void);

/* Empties B and makes room for a whole message, so that a secret in it leaves no copy behind when it grows; wipes what it held. */
void service_room(struct buf *b);
void service_wipe(struct buf *b);

#endif
