/* sessions.h - enrolments and sessions under way, in memory that all workers of one server share.
 *
 * Nothing of this is in the database: session keys live here only, and whoever reads the database learns none. A session that is
 * not found (server restarted, another server, evicted) costs the agent one new handshake.
 *
 * The table is set-associative: an id leads to one bucket of a few slots, each bucket has its own lock. A flood of half-open
 * handshakes can therefore push out only half-open ones, and never an open session of a bucket that has room otherwise. A
 * worker that dies while it holds a lock leaves the bucket in doubt: its slots are wiped, their agents shake hands again. */
#ifndef AGENTAPI_SESSIONS_H
#define AGENTAPI_SESSIONS_H

#include <stddef.h>

#include "base/clock.h"
#include "base/uuid.h"
#include "proto/server.h"

struct sessions;

/* Bytes of shared memory for at least CAPACITY sessions (and as many enrolments / 16). */
size_t sessions_size(unsigned capacity);
/* Prepares zeroed MEMORY of that size; before the workers fork. */
struct sessions *sessions_init(void *memory, unsigned capacity);

/* Copies *S in. The oldest half-open entry of a full bucket makes room, then the one used longest ago. */
void sessions_put(struct sessions *t, const struct proto_server_session *s, clock_us now);
/* Copies the half-open session out and removes it, so that its handshake can be finished once; ERR_NOT_FOUND,
 * ERR_REPLAYED when it was finished before. */
int sessions_take_half_open(struct sessions *t, const struct uuid *id, struct proto_server_session *out);
/* The open session under its lock, or NULL; every non-NULL answer needs sessions_unlock, soon. */
struct proto_server_session *sessions_lock(struct sessions *t, const struct uuid *id, clock_us now);
void sessions_unlock(struct sessions *t, struct proto_server_session *s);

void sessions_put_enrolment(struct sessions *t, const struct proto_server_enrolment *e, clock_us now);
int sessions_take_enrolment(struct sessions *t, const struct uuid *id, struct proto_server_enrolment *out);

#endif
