/* limit.c - a bucket of tokens for each user and kind of message. */
#include "keys/limit.h"

#include "base/err.h"

static struct limit_bucket *find(struct limits *l, uid_t uid, int kind)
{
	int i = 0;

	while (i < l->user_count && l->users[i].uid != uid)
		i++;
	/* More than are allowed at all cannot come; if they did they would share the last. */
	if (i == LIMIT_USERS)
		i--;
	else if (i == l->user_count)
		l->users[l->user_count++].uid = uid;
	return &l->users[i].buckets[kind];
}

static void fill(struct limit_bucket *b, const struct limit_rate *rate, clock_us now)
{
	double more = b->at ? (double)(now - b->at) * rate->per_second / (double)CLOCK_SECOND : rate->burst;

	b->left = b->left + more > rate->burst ? rate->burst : b->left + more;
	b->at = now;
}

int limit_take(struct limits *l, uid_t uid, int kind, const struct limit_rate *rate, clock_us now, uint64_t *tell)
{
	struct limit_bucket *b;

	*tell = 0;
	if (uid == 0)
		return 0;
	b = find(l, uid, kind);
	fill(b, rate, now);
	if (b->left >= 1) {
		b->left -= 1;
		return 0;
	}
	b->refused++;
	if (b->told == 0 || now - b->told >= CLOCK_SECOND) {
		*tell = b->refused;
		b->refused = 0;
		b->told = now;
	}
	return err_set(ERR_TOO_MANY, "user %u asks for more than %u of these a second", (unsigned)uid, rate->per_second);
}
