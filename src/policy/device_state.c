/* device_state.c - the transition table of devices: one row per legal step. */
#include "policy/device_state.h"

#include <stddef.h>
#include "base/err.h"
#include "base/word.h"

static const struct transition {
	unsigned char from, event, to;
} transitions[] = {
#define T(from, event, to) { DEVICE_##from, DEVICE_EVENT_##event, DEVICE_##to }
	T(NOT_CONFIGURED, CONFIGURE, CONFIGURED),
	T(CONFIGURED, CONFIGURE, CONFIGURED),
	T(ERROR, CONFIGURE, CONFIGURED),
	T(CONFIGURED, UNCONFIGURE, NOT_CONFIGURED),
	T(ENCRYPTED, UNCONFIGURE, NOT_CONFIGURED),
	T(ERROR, UNCONFIGURE, NOT_CONFIGURED),
	T(CONFIGURED, ENCRYPT, PENDING),
	T(ERROR, ENCRYPT, PENDING),
	T(ENCRYPTED, REASSIGN, ENCRYPTED),
	T(NOT_CONFIGURED, CLONE, ENCRYPTED),
	T(CONFIGURED, CLONE, ENCRYPTED),
	T(ERROR, CLONE, ENCRYPTED),
	T(PENDING, CANCEL, CONFIGURED),
	T(PENDING, START, ENCRYPTING),
	T(ENCRYPTING, START, ENCRYPTING),
	T(ENCRYPTING, FINISH, ENCRYPTED),
	T(PENDING, FAIL, ERROR),
	T(ENCRYPTING, FAIL, ERROR),
	T(ENCRYPTED, OPEN, IN_USE),
	T(IN_USE, OPEN, IN_USE),
	T(IN_USE, CLOSE, ENCRYPTED),
	T(NOT_CONFIGURED, ADOPT, ENCRYPTING),
	T(CONFIGURED, ADOPT, ENCRYPTING),
	T(ERROR, ADOPT, ENCRYPTING),
	T(ENCRYPTING, ADOPT, ENCRYPTING),
	T(ENCRYPTED, DECRYPT, DECRYPTING),
	T(DECRYPTING, DECRYPT, DECRYPTING),
	T(ENCRYPTED, RELEASE, NOT_CONFIGURED),
	T(IN_USE, RELEASE, NOT_CONFIGURED),
	T(DECRYPTING, RELEASE, NOT_CONFIGURED),
	/* A volume that is open then is closed by a revocation, which the server orders in the same moment. */
	T(ENCRYPTED, DESTROY, NOT_CONFIGURED),
	T(IN_USE, DESTROY, NOT_CONFIGURED),
	T(UNDETECTED, DESTROY, UNDETECTED),
	T(MEMBER_MISSING, DESTROY, NOT_CONFIGURED),
	/* A device in use whose agent does not list it keeps its key: it is lost once closed or its instance is missing. */
	T(NOT_CONFIGURED, LOSE, UNDETECTED),
	T(CONFIGURED, LOSE, UNDETECTED),
	T(PENDING, LOSE, UNDETECTED),
	T(ENCRYPTED, LOSE, UNDETECTED),
	T(ERROR, LOSE, UNDETECTED),
	T(UNDETECTED, FIND_BARE, NOT_CONFIGURED),
	T(UNDETECTED, FIND_CONFIGURED, CONFIGURED),
	T(UNDETECTED, FIND_ENCRYPTED, ENCRYPTED),
	/* An array whose member is lost; back when all of them are. One that is not configured is just an intention. */
	T(CONFIGURED, LOSE_MEMBER, MEMBER_MISSING),
	T(PENDING, LOSE_MEMBER, MEMBER_MISSING),
	T(ENCRYPTED, LOSE_MEMBER, MEMBER_MISSING),
	T(ERROR, LOSE_MEMBER, MEMBER_MISSING),
	T(MEMBER_MISSING, FIND_CONFIGURED, CONFIGURED),
	T(MEMBER_MISSING, FIND_ENCRYPTED, ENCRYPTED),
#undef T
};

static const char *const names[] = {
#define X(id, name, label) name,
	DEVICE_STATES(X)
#undef X
};
static const char *const labels[] = {
#define X(id, name, label) label,
	DEVICE_STATES(X)
#undef X
};
static const char *const events[] = {
#define X(id, name) name,
	DEVICE_EVENTS(X)
#undef X
};

static const struct transition *find(enum device_state from, enum device_event event)
{
	for (size_t i = 0; i < sizeof transitions / sizeof transitions[0]; i++)
		if (transitions[i].from == from && transitions[i].event == event)
			return &transitions[i];
	return NULL;
}

int device_next(enum device_state from, enum device_event event)
{
	const struct transition *t = find(from, event);

	return t ? t->to : err_set(ERR_CONFLICT, "a device that is \"%s\" cannot %s", labels[from], events[event]);
}

int device_can(enum device_state from, enum device_event event)
{
	return find(from, event) != NULL;
}

int device_can_delete(enum device_state from)
{
	return from == DEVICE_UNDETECTED;
}

int device_can_delete_raid(enum device_state from)
{
	return from == DEVICE_NOT_CONFIGURED || from == DEVICE_MEMBER_MISSING;
}

const char *device_state_name(enum device_state s)
{
	return names[s];
}

const char *device_state_label(enum device_state s)
{
	return labels[s];
}

const char *device_event_name(enum device_event e)
{
	return events[e];
}

int device_state_parse(const char *name, enum device_state *out)
{
	int i = word_find(names, DEVICE_STATE_COUNT, name, "device status");

	if (i < 0)
		return i;
	*out = (enum device_state)i;
	return 0;
}
