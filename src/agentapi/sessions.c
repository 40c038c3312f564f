/* sessions.c - the shared table of enrolments and sessions under way. */
#include "agentapi/sessions.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/err.h"
#include "base/secret.h"

#define WAYS 8                   /* slots of a bucket */
#define ENROLMENT_SHARE 16       /* sessions per enrolment */

struct session_bucket {
	pthread_mutex_t lock;
	clock_us used[WAYS];
	struct proto_server_session slots[WAYS];
};

struct enrolment_bucket {
	pthread_mutex_t lock;
	struct proto_server_enrolment slots[WAYS];
};

struct sessions {
	unsigned buckets, enrolment_buckets;
	struct enrolment_bucket *enrolments;     /* behind the session buckets */
	struct session_bucket sessions[];
};

static unsigned buckets_for(unsigned capacity)
{
	return capacity / WAYS + 1;
}

size_t sessions_size(unsigned capacity)
{
	return sizeof(struct sessions) + buckets_for(capacity) * sizeof(struct session_bucket) +
		buckets_for(capacity / ENROLMENT_SHARE) * sizeof(struct enrolment_bucket);
}

static void lock_init(pthread_mutex_t *lock)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	if (pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED) != 0 ||
		pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST) != 0 || pthread_mutex_init(lock, &attr) != 0)
		fatal("session table: no locks");
	pthread_mutexattr_destroy(&attr);
}

struct sessions *sessions_init(void *memory, unsigned capacity)
{
	struct sessions *t = memory;

	t->buckets = buckets_for(capacity);
	t->enrolment_buckets = buckets_for(capacity / ENROLMENT_SHARE);
	t->enrolments = (struct enrolment_bucket *)(t->sessions + t->buckets);
	for (unsigned i = 0; i < t->buckets; i++)
		lock_init(&t->sessions[i].lock);
	for (unsigned i = 0; i < t->enrolment_buckets; i++)
		lock_init(&t->enrolments[i].lock);
	return t;
}

/* 1 when the last holder died inside: the slots may be half written and must be wiped by the caller. */
static int lock_bucket(pthread_mutex_t *lock)
{
	int rc = pthread_mutex_lock(lock);

	if (rc == EOWNERDEAD) {
		pthread_mutex_consistent(lock);
		return 1;
	}
	if (rc != 0)
		fatal("session table: lock: %s", strerror(rc));
	return 0;
}

/* Ids are random in their last eight bytes. */
static unsigned bucket_of(const struct uuid *id, unsigned buckets)
{
	uint64_t h = 0;

	for (int i = 8; i < 16; i++)
		h = h << 8 | id->bytes[i];
	return (unsigned)(h % buckets);
}

static struct session_bucket *enter(struct sessions *t, const struct uuid *id)
{
	struct session_bucket *b = &t->sessions[bucket_of(id, t->buckets)];

	if (lock_bucket(&b->lock))
		for (int i = 0; i < WAYS; i++)
			proto_session_wipe(&b->slots[i]);
	return b;
}

static struct enrolment_bucket *enter_enrolment(struct sessions *t, const struct uuid *id)
{
	struct enrolment_bucket *b = &t->enrolments[bucket_of(id, t->enrolment_buckets)];

	if (lock_bucket(&b->lock))
		for (int i = 0; i < WAYS; i++)
			proto_enrol_wipe(&b->slots[i]);
	return b;
}

static int find(const struct session_bucket *b, const struct uuid *id)
{
	for (int i = 0; i < WAYS; i++)
		if (b->slots[i].state != PROTO_STATE_NONE && uuid_equal(&b->slots[i].id, id))
			return i;
	return -1;
}

/* Free or over, else the half-open one that was used longest ago, else the open one. */
static int victim(const struct session_bucket *b, clock_us now)
{
	int best = -1;

	for (int i = 0; i < WAYS; i++) {
		const struct proto_server_session *s = &b->slots[i];

		if (s->state == PROTO_STATE_NONE || s->state == PROTO_STATE_DEAD || s->expires <= now)
			return i;
		if (best < 0 || (s->state == PROTO_STATE_STARTED && b->slots[best].state != PROTO_STATE_STARTED) ||
			(s->state == b->slots[best].state && b->used[i] < b->used[best]))
			best = i;
	}
	return best;
}

void sessions_put(struct sessions *t, const struct proto_server_session *s, clock_us now)
{
	struct session_bucket *b = enter(t, &s->id);
	int i = find(b, &s->id);

	if (i < 0)
		i = victim(b, now);
	proto_session_wipe(&b->slots[i]);
	b->slots[i] = *s;
	b->used[i] = now;
	pthread_mutex_unlock(&b->lock);
}

int sessions_take_half_open(struct sessions *t, const struct uuid *id, struct proto_server_session *out)
{
	struct session_bucket *b = enter(t, id);
	int i = find(b, id), rc = 0;

	if (i < 0) {
		rc = err_set(ERR_NOT_FOUND, "no such handshake under way");
	} else if (b->slots[i].state != PROTO_STATE_STARTED) {
		rc = err_set(ERR_REPLAYED, "this handshake was finished already");
	} else {
		*out = b->slots[i];
		proto_session_wipe(&b->slots[i]);
	}
	pthread_mutex_unlock(&b->lock);
	return rc;
}

struct proto_server_session *sessions_lock(struct sessions *t, const struct uuid *id, clock_us now)
{
	struct session_bucket *b = enter(t, id);
	int i = find(b, id);

	if (i < 0 || b->slots[i].state != PROTO_STATE_OPEN) {
		pthread_mutex_unlock(&b->lock);
		return NULL;
	}
	b->used[i] = now;
	return &b->slots[i];
}

void sessions_unlock(struct sessions *t, struct proto_server_session *s)
{
	size_t at = (size_t)((char *)s - (char *)t->sessions) / sizeof(struct session_bucket);

	pthread_mutex_unlock(&t->sessions[at].lock);
}

void sessions_put_enrolment(struct sessions *t, const struct proto_server_enrolment *e, clock_us now)
{
	struct enrolment_bucket *b = enter_enrolment(t, &e->id);
	int at = 0;

	for (int i = 0; i < WAYS; i++) {
		if (b->slots[i].state == PROTO_STATE_NONE || b->slots[i].expires <= now) {
			at = i;
			break;
		}
		if (b->slots[i].expires < b->slots[at].expires)
			at = i;
	}
	proto_enrol_wipe(&b->slots[at]);
	b->slots[at] = *e;
	pthread_mutex_unlock(&b->lock);
}

int sessions_take_enrolment(struct sessions *t, const struct uuid *id, struct proto_server_enrolment *out)
{
	struct enrolment_bucket *b = enter_enrolment(t, id);
	int rc = err_set(ERR_NOT_FOUND, "no such enrolment under way");

	for (int i = 0; i < WAYS; i++) {
		if (b->slots[i].state == PROTO_STATE_NONE || !uuid_equal(&b->slots[i].id, id))
			continue;
		*out = b->slots[i];
		proto_enrol_wipe(&b->slots[i]);
		rc = 0;
		break;
	}
	pthread_mutex_unlock(&b->lock);
	return rc;
}
