/* evaluate.h - what a policy says to a key request: a pure function of the policy, the facts and the time. */
#ifndef POLICY_EVALUATE_H
#define POLICY_EVALUATE_H

#include <jansson.h>

#include "base/clock.h"
#include "policy/request_state.h"

/* What the policy does when all rules match, or when one does not (POL-4). */
#define POLICY_ACTIONS(X) \
	X(APPROVE, "approve", "Approve") \
	X(MANUAL, "manual", "Manual Approve") \
	X(MANUAL_TIMEOUT, "manual-timeout", "Manual Approve, automatically after a time") \
	X(DENY, "deny", "Deny")

enum policy_action {
#define X(id, name, label) POLICY_ACTION_##id,
	POLICY_ACTIONS(X)
#undef X
	POLICY_ACTION_COUNT
};

struct policy {
	enum policy_action on_match;
	enum policy_action on_mismatch;
	int64_t timeout_s;           /* of MANUAL_TIMEOUT */
	const json_t *rules;         /* list; borrowed */
};

struct verdict {
	enum policy_action action;
	enum integrity integrity;
	clock_us approve_at;         /* of MANUAL_TIMEOUT; else 0 */
	json_t *rules;               /* list of {rule, condition, actual, status, reason}; the caller's reference */
	int passed, failed, informational;
};

/* Never releases on doubt: a policy without rules is Manual Approve whatever its actions say (POL-4), and a rule that this
 * build cannot evaluate is Unknown and not satisfied (RUL-24). */
void policy_evaluate(const struct policy *policy, const json_t *facts, clock_us now, struct verdict *out);
void verdict_release(struct verdict *v);
const char *policy_action_name(enum policy_action a);
const char *policy_action_label(enum policy_action a);
int policy_action_parse(const char *name, enum policy_action *out);

#endif
