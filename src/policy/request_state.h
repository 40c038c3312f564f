/* request_state.h - the life of a key request (RUN-2): one table of legal transitions, used by every caller.
 *
 * A request also ends ("closed") when its volume is closed, the agent asks anew, or it expires; that is not a status but
 * a date beside it, so that the last status stays readable. */
#ifndef POLICY_REQUEST_STATE_H
#define POLICY_REQUEST_STATE_H

#include "base/clock.h"

#define REQUEST_STATES(X) \
	X(PENDING, "pending", "Pending") \
	X(APPROVED, "approved", "Approved") \
	X(DELIVERED, "delivered", "Delivered") \
	X(DENIED, "denied", "Denied") \
	X(REVOKING, "revoking", "Revoking") \
	X(REVOKED, "revoked", "Revoked")

#define REQUEST_EVENTS(X) \
	X(APPROVE, "approve") /* by policy or person */ \
	X(DENY, "deny") \
	X(DELIVER, "deliver") /* the key is sealed to the agent */ \
	X(ANNOUNCE, "announce") /* the agent is to give it back after a time, unless a check is good before that */ \
	X(REVOKE, "revoke")   /* the agent is to give it back now */ \
	X(RELEASED, "released") /* the agent has closed the volume and wiped the key */ \
	X(RESTORE, "restore") /* a good check cancels what was announced, or lets the agent ask again after a revocation */

/* So long a person's denial answers a machine that asks again although nothing has changed. */
#define REQUEST_DENIAL_HOLDS (24 * 3600 * CLOCK_SECOND)

enum request_state {
#define X(id, name, label) REQUEST_##id,
	REQUEST_STATES(X)
#undef X
	REQUEST_STATE_COUNT
};

enum request_event {
#define X(id, name) REQUEST_EVENT_##id,
	REQUEST_EVENTS(X)
#undef X
	REQUEST_EVENT_COUNT
};

/* The state after EVENT, or ERR_CONFLICT with a text that says why it is not legal. */
int request_next(enum request_state from, enum request_event event);

/* An agent asks anew while its request is open and decided. */
struct request_again {
	enum request_state status;
	int by_person;               /* decided it */
	int delivered;               /* at any time */
	int unchanged;               /* the same agent asks for the same, and its machine is as it was */
	int by_itself;               /* because time has passed: no order, no restart */
	clock_us age;                /* of the decision */
};

/* Whether the decision holds for the new question too, so that nobody is asked twice: an approval whose one-time key was lost before
 * the key was fetched, a denial that nothing speaks against. Otherwise the question is a new request. */
int request_holds(const struct request_again *a);
/* The agent rests in this state until it is ordered to ask again. */
int request_rests(enum request_state s);
const char *request_state_name(enum request_state s);        /* "pending": database and protocol */
const char *request_state_label(enum request_state s);       /* "Pending": pages */
const char *request_event_name(enum request_event e);
int request_state_parse(const char *name, enum request_state *out);

/* How the machine's state compares with the policy (RUN-2). */
#define INTEGRITIES(X) \
	X(GOOD, "good", "Good") \
	X(BAD, "bad", "Bad") \
	X(UNKNOWN, "unknown", "Unknown") \
	X(FAILED, "failed", "Failed")

enum integrity {
#define X(id, name, label) INTEGRITY_##id,
	INTEGRITIES(X)
#undef X
	INTEGRITY_COUNT
};
const char *integrity_name(enum integrity i);
const char *integrity_label(enum integrity i);
int integrity_parse(const char *name, enum integrity *out);

#endif
