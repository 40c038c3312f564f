/* device.c - the transition table. */
#include "agent/guest/device.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/word.h"
#include "proto/crypto.h"

static const struct transition {
	unsigned char from, event, to;
} transitions[] = {
#define T(from, event, to) { DEVICE_##from, DEVICE_EVENT_##event, DEVICE_##to }
	T(WAITING, ASK, REQUESTING),
	T(WAITING, FOUND, OPEN),
	T(WAITING, FAIL, FAILED),
	T(WAITING, CLOSE, CLOSED),
	T(WAITING, RETRY, WAITING),
	T(WAITING, PROVISION, PROVISIONING),
	T(REQUESTING, PEND, PENDING),
	T(REQUESTING, KEY, OPENING),
	T(REQUESTING, DENY, DENIED),
	T(REQUESTING, FAIL, WAITING),
	T(REQUESTING, CLOSE, CLOSED),
	T(PENDING, PEND, PENDING),
	T(PENDING, KEY, OPENING),
	T(PENDING, DENY, DENIED),
	T(PENDING, FAIL, WAITING),
	T(PENDING, FOUND, OPEN),
	T(PENDING, CLOSE, CLOSED),
	T(PENDING, RETRY, WAITING),
	T(DENIED, ASK, REQUESTING),
	T(DENIED, PEND, PENDING),
	T(DENIED, KEY, OPENING),
	T(DENIED, FOUND, OPEN),
	T(DENIED, DENY, DENIED),
	T(DENIED, FAIL, WAITING),
	T(DENIED, CLOSE, CLOSED),
	T(DENIED, RETRY, WAITING),
	T(DENIED, PROVISION, PROVISIONING),
	T(OPENING, OPENED, OPEN),
	T(OPENING, FAIL, FAILED),
	T(OPEN, CLOSE, CLOSING),
	T(OPEN, FAIL, FAILED),
	T(OPEN, FOUND, OPEN),
	T(FAILED, RETRY, WAITING),
	T(FAILED, CLOSE, CLOSED),
	T(FAILED, FOUND, OPEN),
	T(FAILED, PROVISION, PROVISIONING),
	T(CLOSING, CLOSE, CLOSING),
	T(CLOSING, GONE, CLOSED),
	T(CLOSED, CLOSE, CLOSED),
	T(CLOSED, RETRY, WAITING),
	T(CLOSED, FOUND, OPEN),
	T(CLOSED, PROVISION, PROVISIONING),
	T(PROVISIONING, PROVISIONED, WAITING),
	T(PROVISIONING, FAIL, FAILED),
#undef T
};

static const char *const states[] = {
#define X(id, name) name,
	DEVICE_STATES(X)
#undef X
};
static const char *const events[] = {
#define X(id, name) name,
	DEVICE_EVENTS(X)
#undef X
};
static const unsigned char statuses[] = {
	[DEVICE_WAITING] = PROTO_VOLUME_WAITING,
	[DEVICE_REQUESTING] = PROTO_VOLUME_WAITING,
	[DEVICE_PENDING] = PROTO_VOLUME_WAITING,
	[DEVICE_DENIED] = PROTO_VOLUME_WAITING,
	[DEVICE_OPENING] = PROTO_VOLUME_WAITING,
	[DEVICE_OPEN] = PROTO_VOLUME_OPEN,
	[DEVICE_FAILED] = PROTO_VOLUME_FAILED,
	[DEVICE_CLOSING] = PROTO_VOLUME_OPEN,
	[DEVICE_CLOSED] = PROTO_VOLUME_CLOSED,
	[DEVICE_PROVISIONING] = PROTO_VOLUME_PROVISIONING,
};

int device_next(enum device_state from, enum device_event event)
{
	for (size_t i = 0; i < ARRAY_LEN(transitions); i++)
		if (transitions[i].from == from && transitions[i].event == event)
			return transitions[i].to;
	return err_set(ERR_CONFLICT, "a device that is %s cannot take \"%s\"", states[from], events[event]);
}

int device_move(struct device *d, enum device_event event)
{
	int to = device_next(d->state, event);

	if (to < 0)
		return err_wrap(to, "%s", d->id);
	d->state = (enum device_state)to;
	return 0;
}

const char *device_state_name(enum device_state s)
{
	return states[s];
}

const char *device_event_name(enum device_event e)
{
	return events[e];
}

int device_rests(const struct device *d)
{
	return d->locked || d->held;
}

int device_is_told(const struct device *d)
{
	return d->state == DEVICE_PENDING && d->undecided && !device_rests(d);
}

int device_status(const struct device *d)
{
	return statuses[d->state];
}

void device_name(const char *id, char out[static DEVICE_NAME_SIZE])
{
	uint8_t digest[PROTO_DIGEST_SIZE];
	char *hex;

	if (proto_sha256(id, strlen(id), digest) < 0)
		fatal("SHA-256 is missing");
	hex = encode_hex(digest, 8);
	snprintf(out, DEVICE_NAME_SIZE, "keyward-%s", hex);
	free(hex);
}

void device_say(struct device *d, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(d->detail, sizeof d->detail, fmt, ap);
	va_end(ap);
	/* It is sent with every heartbeat. */
	word_readable(d->detail);
}

clock_us device_jitter(int64_t seconds)
{
	uint32_t r = 0;
	clock_us wait = (clock_us)seconds * CLOCK_SECOND;

	proto_random(&r, sizeof r);
	return wait - wait / 10 + (clock_us)((double)r / UINT32_MAX * (double)wait / 5);
}
