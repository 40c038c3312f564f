/* rate.h - how often one address may try something: a small table of buckets in memory that all workers share.
 *
 * An address has RATE_BURST tries, and gets one back every RATE_REFILL. The table never grows: a new address takes the place of
 * the one unseen for longest among a few, so a flood from many addresses makes the limit weaker, never the server larger. */
#ifndef WEB_RATE_H
#define WEB_RATE_H

#include <stddef.h>

#include "base/clock.h"
#include "base/uuid.h"

#define RATE_BURST 30
#define RATE_REFILL (10 * CLOCK_SECOND)
#define RATE_ASKED 200                   /* of what is no try, and costs something: many people can sit behind one address */
#define RATE_ASKED_REFILL (2 * CLOCK_SECOND)

struct rate;

/* Made before the workers fork; lasts as long as the processes. */
struct rate *rate_new(void);
/* Takes one try of ADDRESS (IPv6: of its /64): 0, or ERR_TOO_MANY. NOW in clock_ticks. */
int rate_take(struct rate *r, const char *address, clock_us now);
/* Gives it back: the try was good. */
void rate_give(struct rate *r, const char *address, clock_us now);
/* Takes one of RATE_ASKED requests of ADDRESS, likewise. In a table of its own. */
int rate_ask(struct rate *r, const char *address, clock_us now);
/* One request of ACCOUNT, which may have PER_SECOND, as many at once as in one second: 0, or ERR_TOO_MANY that says so. */
int rate_account(struct rate *r, const struct uuid *account, int64_t per_second, clock_us now);
void rate_free(struct rate *r);

#endif
