/* large.h - how much of large answers (exports, reports) a worker has in memory at once: from before they are read until their clients have them, or
 * are gone. One account can never take the room of all others. */
#ifndef WEB_LARGE_H
#define WEB_LARGE_H

#include <stddef.h>

#include "base/uuid.h"

#define LARGE_LEAST ((size_t)1 << 20)    /* smaller answers are not counted */
#define LARGE_MOST ((size_t)1 << 30)     /* of a worker */
#define LARGE_EACH ((size_t)600 << 20)   /* of one account: one export of the largest size, and not two */
#define LARGE_PARTS ((size_t)20 << 20)   /* of an answer in parts: it never has as much in memory, but keeps a thread busy again and again */

/* Whose room an answer takes; BYTES 0: none. */
struct large {
	struct uuid account;
	size_t bytes;
};

/* Room for BYTES in all for what LARGE stands for; what it has counts. ERR_BUSY: nothing has changed. From any thread. */
int large_take(struct large *l, const struct uuid *account, size_t bytes);
void large_give(struct large *l);        /* all of it; harmless when there is none */

#endif
