/* together.h - inside the agent service: polls for keys that have come in at the same time are answered in one transaction.
 *
 * While a worker is at one transaction, more polls arrive on its connections; each by itself would have cost its own commit and three round trips.
 * They need not be of one account: the database binds each to its own (sql/0059). What is anything but plain (key_is_plain), what
 * somebody else is at, and all of them when the transaction fails, are answered one by one, as if there had been no others. */
#ifndef AGENTAPI_TOGETHER_H
#define AGENTAPI_TOGETHER_H

#include "agentapi/hold.h"

/* Whether a poll may wait for others: a worker that is ending answers each at once. */
int together_takes(void);
/* Holds the answer to REPLY, which is taken over, to a poll for the request ASKED until agentapi_together; OWNER is what wakes it. */
struct agentapi_held *together_add(const struct uuid *account, const struct uuid *agent, const struct uuid *asked, struct proto_reply *reply,
	void *owner);
void together_forget(struct agentapi_held *h);       /* it waits no longer: its client has gone */
/* Answers what waits; from then on none is taken. */
void together_stop(struct web_thread *t);

#endif
