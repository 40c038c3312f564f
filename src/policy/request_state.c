/* request_state.c - the transition table of key requests. */
#include "policy/request_state.h"

#include "base/err.h"
#include "base/word.h"

#define S(id) (REQUEST_##id + 1)

/* What follows; 0: not legal. Rows are the state now, columns the event. */
static const unsigned char next_state[REQUEST_STATE_COUNT][REQUEST_EVENT_COUNT] = {
	/*                      APPROVE      DENY       DELIVER       ANNOUNCE     REVOKE       RELEASED     RESTORE */
	[REQUEST_PENDING]   = { S(APPROVED), S(DENIED), 0, 0, 0, 0, 0 },
	[REQUEST_APPROVED]  = { 0, S(DENIED), S(DELIVERED), 0, 0, 0, 0 },
	/* A key that left cannot be denied any more (RUN-5), only revoked. */
	[REQUEST_DELIVERED] = { 0, 0, 0, S(REVOKING), S(REVOKING), 0, 0 },
	[REQUEST_DENIED]    = { S(APPROVED), 0, 0, 0, 0, 0, 0 },
	/* Twice: once the time that was announced has come, or a person does not wait for it; the agent is told once, then it goes
	 * through (key_request.revoke_ordered). */
	[REQUEST_REVOKING]  = { 0, 0, 0, 0, S(REVOKING), S(REVOKED), S(DELIVERED) },
	/* Granted again within the period (INT-4): the agent has no key and asks anew, and is judged on what it says then. */
	[REQUEST_REVOKED]   = { 0, 0, 0, 0, 0, 0, S(PENDING) },
};

static const char *const names[] = {
#define X(id, name, label) name,
	REQUEST_STATES(X)
#undef X
};
static const char *const labels[] = {
#define X(id, name, label) label,
	REQUEST_STATES(X)
#undef X
};
static const char *const events[] = {
#define X(id, name) name,
	REQUEST_EVENTS(X)
#undef X
};
static const char *const integrity_names[] = {
#define X(id, name, label) name,
	INTEGRITIES(X)
#undef X
};
static const char *const integrity_labels[] = {
#define X(id, name, label) label,
	INTEGRITIES(X)
#undef X
};

int request_next(enum request_state from, enum request_event event)
{
	int to = next_state[from][event];

	if (to == 0)
		return err_set(ERR_CONFLICT, "a request that is %s cannot %s", names[from], events[event]);
	return to - 1;
}

int request_holds(const struct request_again *a)
{
	if (!a->by_person || !a->unchanged)
		return 0;
	return (a->status == REQUEST_APPROVED && !a->delivered)
		|| (a->status == REQUEST_DENIED && a->by_itself && a->age < REQUEST_DENIAL_HOLDS);
}

int request_rests(enum request_state s)
{
	return s == REQUEST_DENIED || s == REQUEST_REVOKED;
}

const char *request_state_name(enum request_state s)
{
	return names[s];
}

const char *request_state_label(enum request_state s)
{
	return labels[s];
}

const char *request_event_name(enum request_event e)
{
	return events[e];
}

int request_state_parse(const char *name, enum request_state *out)
{
	int i = word_find(names, REQUEST_STATE_COUNT, name, "key status");

	if (i < 0)
		return i;
	*out = (enum request_state)i;
	return 0;
}

const char *integrity_name(enum integrity i)
{
	return integrity_names[i];
}

const char *integrity_label(enum integrity i)
{
	return integrity_labels[i];
}

int integrity_parse(const char *name, enum integrity *out)
{
	int i = word_find(integrity_names, INTEGRITY_COUNT, name, "integrity");

	if (i < 0)
		return i;
	*out = (enum integrity)i;
	return 0;
}
