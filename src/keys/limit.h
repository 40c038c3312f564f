/* limit.h - how often each user may ask for each kind of message, and how often each was asked for. What is over is refused at once, and
 * costs nobody else anything: a process that was taken over cannot ask for all keys in a moment. */
#ifndef KEYS_LIMIT_H
#define KEYS_LIMIT_H

#include <stdint.h>
#include <sys/types.h>

#include "base/clock.h"

#define LIMIT_KINDS 64               /* of messages, by their place in the table of service.c */
#define LIMIT_USERS 16               /* that keyd answers; root is one, and has no limit: it decides what the limits are */

struct limit_rate {
	unsigned per_second, burst;  /* BURST: at once, after a quiet time */
};

struct limit_bucket {
	double left;
	clock_us at;                 /* when LEFT was so; 0: never asked */
	uint64_t refused;            /* since that was told last */
	clock_us told;
};

struct limits {
	struct {
		uid_t uid;
		struct limit_bucket buckets[LIMIT_KINDS];
	} users[LIMIT_USERS];
	int user_count;
};

/* 0, or ERR_TOO_MANY. NOW: clock_ticks. *TELL (written then): how many have been refused since that was logged last, once a second; else 0. */
int limit_take(struct limits *l, uid_t uid, int kind, const struct limit_rate *rate, clock_us now, uint64_t *tell);

#endif
