/* check.h - what an integrity check's result does to a key that was handed out (INT-2 to INT-4): a pure function of where its
 * request stands, the policy's choice and the time. docs/policy.md has the same table for people.
 *
 *                               the check is good                     the check fails
 *     delivered                 -                                     by the policy: notify, announce, or order
 *     announced                 the announcement is cancelled         - (the time that was announced stays)
 *     ordered                   - (it goes through; then "revoked")   -
 *     revoked, by a check       within the period: granted again      -
 *     ... by a person           -                                     -
 *
 * Announced and ordered are both "Revoking": until its time comes the agent knows nothing and the volume stays open. What a
 * person revoked, no check gives back. A request that waits for a decision is judged when it is decided, not here. */
#ifndef POLICY_CHECK_H
#define POLICY_CHECK_H

#include "base/clock.h"
#include "policy/request_state.h"

/* What a policy does when a check fails. */
#define CHECK_FAILURES(X) \
	X(NOTIFY, "notify", "Notify") \
	X(REVOKE, "revoke", "Notify and revoke the key at once") \
	X(REVOKE_AFTER, "revoke-after", "Notify and revoke the key after a time")

enum check_failure {
#define X(id, name, label) CHECK_##id,
	CHECK_FAILURES(X)
#undef X
	CHECK_FAILURE_COUNT
};

enum check_act {
	CHECK_NOTHING,
	CHECK_ANNOUNCE,          /* Delivered -> Revoking, at now + grace */
	CHECK_ORDER,             /* Delivered -> Revoking, and the order to the agent */
	CHECK_CANCEL,            /* Revoking -> Delivered */
	CHECK_GRANT,             /* Revoked -> Pending: the agent may ask again, and is judged on what it says then */
};

struct check_subject {
	enum request_state status;
	int ordered;             /* while Revoking: the agent has been told */
	int by_person;           /* a person took the key back */
	clock_us revoked;        /* when it was closed; 0: it is not */
	clock_us regrant;        /* how long after that it may be asked for again */
	enum check_failure on_failure;
	clock_us grace;
};

/* RESULT is the policy's verdict on the facts of the check: GOOD; BAD and FAILED are failures; UNKNOWN (a policy that has nothing to
 * check) does nothing. */
enum check_act check_decide(const struct check_subject *s, enum integrity result, clock_us now);

/* When to look again at an instance whose key is being or was taken away: a quarter of the time that has passed (or is left), within
 * bounds. */
clock_us check_again_in(clock_us span);

const char *check_failure_name(enum check_failure f);
const char *check_failure_label(enum check_failure f);
int check_failure_parse(const char *name, enum check_failure *out);

#endif
