/* quota.c - the limit of each account is looked up every few seconds at the most; what is used of it is in memory that all workers share. */
#include "agentapi/quota.h"

#include <string.h>

#include "base/err.h"
#include "store/agent.h"
#include "web/rate.h"

#define KNOWN 1024               /* accounts whose limit this worker remembers */
#define KNOWN_FOR (5 * CLOCK_SECOND)

/* A worker answers its agents one after the other: this is its own. */
static struct {
	struct uuid account;
	clock_us until;
	int64_t rate;
} known[KNOWN];

static int limit_of(struct frame_call *c, const struct uuid *account, int64_t *rate)
{
	size_t at = (account->bytes[14] << 8 | account->bytes[15]) % KNOWN;
	clock_us now = clock_ticks();
	int rc = 0;

	if (!uuid_equal(&known[at].account, account) || known[at].until < now) {
		rc = agent_quota(c->db, rate);
		if (rc < 0)
			return rc;
		known[at].account = *account;
		known[at].until = now + KNOWN_FOR;
		known[at].rate = *rate;
	}
	*rate = known[at].rate;
	return rc;
}

int quota_take(struct frame_call *c, const struct uuid *account)
{
	int64_t rate = 0;
	int rc = limit_of(c, account, &rate);

	if (rc < 0 || rate == 0)
		return rc;
	return rate_account(c->thread->web->agents, account, rate, clock_ticks());
}
