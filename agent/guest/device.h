/* device.h - the life of one encrypted device in this guest: a table of states and events, pure. agentd.c, request.c,
 * inventory.c and provision.c do what the states ask for.
 *
 *     waiting ── ask ──▶ requesting ── pend ──▶ pending
 *        ▲                   │  key               │ key
 *        │ retry             ▼                    ▼
 *        └──────────────  opening ── opened ──▶ open ── close ──▶ closing ── closed ──▶ closed ── retry ──▶ waiting
 *                            │ fail               │ fail
 *                            └──▶ failed ◀────────┘   (retry ──▶ waiting)
 *     requesting, pending ── deny ──▶ denied ── ask ──▶ requesting; and where somebody approves after all: ── key ──▶ opening
 *     waiting, denied, failed, closed ── provision ──▶ provisioning ── provisioned ──▶ waiting
 *
 * wake says when the state is to be looked at again; DEVICE_NEVER: only an order moves it. */
#ifndef AGENT_GUEST_DEVICE_H
#define AGENT_GUEST_DEVICE_H

#include "agent/guest/sealed.h"
#include "base/clock.h"
#include "base/uuid.h"
#include "proto/message.h"

#define DEVICE_STATES(X) \
	X(WAITING, "waiting")           /* for its turn to ask: at wake */ \
	X(REQUESTING, "requesting")     /* the request is under way */ \
	X(PENDING, "pending")           /* somebody decides; poll at wake */ \
	X(DENIED, "denied")             /* rests until an order, or wake: long after */ \
	X(OPENING, "opening")           /* the key is here */ \
	X(OPEN, "open")                 /* mounted; looked at now and then at wake */ \
	X(FAILED, "failed")             /* to be tried again at wake */ \
	X(CLOSING, "closing")           /* unmount at wake, again and again while it is in use */ \
	X(CLOSED, "closed")             /* by the server's order; rests until another */ \
	X(PROVISIONING, "provisioning")

#define DEVICE_EVENTS(X) \
	X(ASK, "ask") X(PEND, "pend") X(KEY, "key") X(OPENED, "opened") X(FOUND, "found") X(DENY, "deny") X(FAIL, "fail") \
	X(CLOSE, "close") X(GONE, "gone") X(RETRY, "retry") X(PROVISION, "provision") X(PROVISIONED, "provisioned")

enum device_state {
#define X(id, name) DEVICE_##id,
	DEVICE_STATES(X)
#undef X
	DEVICE_STATE_COUNT
};

enum device_event {
#define X(id, name) DEVICE_EVENT_##id,
	DEVICE_EVENTS(X)
#undef X
	DEVICE_EVENT_COUNT
};

#define DEVICE_NEVER INT64_MAX
#define DEVICE_NAME_SIZE 32

struct device {
	char id[PROTO_ID_MAX + 1];
	char path[PROTO_TEXT_MAX + 1];
	char given[PROTO_ID_MAX + 1];            /* by the server, in place of this one (POL-5); "": itself */
	int attached;                            /* by us, so it goes back when its volume is closed */
	char name[DEVICE_NAME_SIZE];             /* of the volume: device_name */
	enum device_state state;
	clock_us wake;                           /* by clock_ticks() */
	struct uuid key_device;                  /* the server's id of the device, from the token; nil while unknown */
	struct uuid request;                     /* nil without one */
	int undecided;                           /* the server's last word on it: somebody is to decide, and a held line is answered then */
	struct sealed *one_time;                 /* key pair of the request under way; owned */
	char mount_point[PROTO_PATH_MAX + 1];    /* as last answered, or as the configuration file wants it */
	int access;                              /* enum proto_access */
	int ask_reason, close_reason;            /* enum proto_reason */
	struct uuid close_order;                 /* to be reported once it is closed; nil without one */
	int force;                               /* close whatever is still in use */
	int untold_opened, untold_closed;        /* the server does not know yet */
	int locked;                              /* by order: no key is asked for */
	int held;                                /* something else uses the volume: no key is asked for until it is free */
	unsigned failures;                       /* in a row */
	char found[PROTO_TEXT_MAX + 1];          /* what checking its file system found and repaired; not yet told */
	char detail[PROTO_TEXT_MAX + 1];         /* why it is so, for people */
	char trouble[PROTO_TEXT_MAX / 2 + 1];     /* why it was not opened when it was tried last; "": it was not, or it was */
};

/* The state after EVENT, or ERR_CONFLICT with a text. */
int device_next(enum device_state from, enum device_event event);
/* Moves D on; an illegal event leaves it as it is and returns ERR_CONFLICT. */
int device_move(struct device *d, enum device_event event);
const char *device_state_name(enum device_state s);
const char *device_event_name(enum device_event e);
/* 1 while no key is to be asked for, whatever the state. */
int device_rests(const struct device *d);
/* 1 while the server says when there is something new about the request: until then it need not be asked. */
int device_is_told(const struct device *d);
/* enum proto_volume_status for heartbeats. */
int device_status(const struct device *d);
/* How the volume of the device ID is called here: always the same, so that it is found again without anything stored. */
void device_name(const char *id, char out[static DEVICE_NAME_SIZE]);
/* D->detail by format, cut where too long. */
void device_say(struct device *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A wait of SECONDS, or a little less or more (10 %), so that guests that booted together do not stay together. */
clock_us device_jitter(int64_t seconds);

#endif
