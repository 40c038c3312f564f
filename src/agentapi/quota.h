/* quota.h - how many messages an account's agents may send a second (store/quota.h), whichever worker they come to. */
#ifndef AGENTAPI_QUOTA_H
#define AGENTAPI_QUOTA_H

#include "agentapi/service.h"

/* In a transaction bound to ACCOUNT. 0, or ERR_TOO_MANY with what an agent is told: it asks again later. */
int quota_take(struct frame_call *c, const struct uuid *account);

#endif
