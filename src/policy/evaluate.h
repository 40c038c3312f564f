/* evaluate.h - what a policy says to a machine: a pure function of the policy, the facts and the time (RUL-26).
 *
 * Three answers per rule, joined as Kleene does: satisfied, not satisfied, unknown. Unknown never releases. Rules of a source that is
 * switched off are skipped: they count neither way. */
#ifndef POLICY_EVALUATE_H
#define POLICY_EVALUATE_H

#include <jansson.h>

#include "base/clock.h"
#include "policy/facts.h"
#include "policy/request_state.h"
#include "policy/rule.h"

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

/* What came of one rule or group, and of a list of them. */
#define RULE_STATUSES(X) \
	X(FAILED, "failed")           /* not satisfied */ \
	X(PASSED, "passed") \
	X(UNKNOWN, "unknown")         /* a fact is missing or cannot be read (RUL-24) */ \
	X(SKIPPED, "skipped")         /* its source is switched off (ADM-4) */

enum rule_status {
#define X(id, name) RULE_##id,
	RULE_STATUSES(X)
#undef X
	RULE_STATUS_COUNT
};

struct verdict {
	enum policy_action action;
	enum integrity integrity;    /* Good: all pass; Bad: one does not, or nobody can say; Unknown: there was nothing to evaluate */
	clock_us approve_at;         /* of MANUAL_TIMEOUT; else 0 */
	json_t *rules;               /* the rows of rules_explain; NULL after policy_decide; the caller's reference */
	/* Of the rules and groups at the top. Failed ones include the unknown: failed - unknown of them say no for certain. */
	int passed, failed, unknown, informational, skipped;
};

/* Compiles, decides and explains. A policy without rules, or with all of them skipped, is Manual Approve whatever its actions say
 * (POL-4); "approve" on a mismatch is for rules that say no, never for doubt: with an unknown rule it is Manual Approve (RUL-24). */
void policy_evaluate(const struct policy *policy, const struct facts *facts, clock_us now, struct verdict *out);
/* Same without the rows, of POLICY with its rules compiled before: for many evaluations. */
void policy_decide(const struct policy *policy, const struct rules *rules, const struct facts *facts, clock_us now,
	struct verdict *out);
/* A row per rule or group: {rule (label), type, condition, actual, status, reason, fact, source (label), at (RFC 3339 or null)}; rule,
 * condition, actual and reason are phrases (base/phrase.h), kept in no language; reason is null for what passed, condition for a group. A rule
 * of several conditions has "conditions": [{condition, actual, status, reason}], a group "rows": [row...] and "join": "all", "any" or
 * "not". The caller's. */
json_t *rules_explain(const struct rules *rules, const struct facts *facts, clock_us now);
/* What keeps the rules from matching, of the rows of rules_explain: phrases "Region: it is eu-west-2", also of rules within groups; at most MOST, and then
 * how many more there are. An empty list where all match. The caller's. */
json_t *rules_reasons(const json_t *rows, size_t most);
/* RUL-25: appends to OUT a row, status "info", for every rule type that the policy does not use and whose fact is known. */
void policy_informational(const struct policy *policy, const struct facts *facts, json_t *out);
/* {action, passed, failed, unknown, informational, skipped, rules}: as it is kept with a request. The caller's. */
json_t *verdict_json(const struct verdict *v);
void verdict_release(struct verdict *v);

const char *policy_action_name(enum policy_action a);
const char *policy_action_label(enum policy_action a);
int policy_action_parse(const char *name, enum policy_action *out);
const char *rule_status_name(enum rule_status s);

#endif
