/* agentapi.h - the agent service as the server's glue drives it: one frame in, one frame out (docs/protocol.md).
 *
 * Runs in the worker itself, not in a thread of web/pool.h: its statements are short. Enrolments and sessions live in memory that all
 * workers share, made before they fork. */
#ifndef AGENTAPI_AGENTAPI_H
#define AGENTAPI_AGENTAPI_H

#include "web/web.h"

#define AGENTAPI_SESSIONS 65536          /* at once, per server; one more pushes out the one used longest ago */

/* Bytes of zeroed shared memory that agentapi_init wants. */
size_t agentapi_shared_size(void);
/* Once, in the parent, before the workers fork. */
void agentapi_init(void *shared);
/* What a worker does for answers that are held back. */
struct agentapi_hooks {
	void (*wake)(void *owner);       /* agentapi_finish is to be called for it, in the worker's own time */
	void (*watch)(int fd);           /* agentapi_notified is to be called whenever FD can be read or has failed, until it is closed */
	void (*soon)(void);              /* agentapi_together is to be called once, as soon as what has come in until now is read */
};

/* In each worker, before its first request. */
void agentapi_start(struct web_thread *t, const struct agentapi_hooks *hooks);
/* At its end: writes what is gathered, and wakes all that is held. */
void agentapi_stop(struct web_thread *t);

/* An answer that is held back: a heartbeat's, until there is an order; one to a poll for a key, to be answered with others'. */
struct agentapi_held;

/* Answers POST PROTO_PATH; anything else is 404 or 405. *OUT starts empty. NULL, or the answer comes later: then *OUT means nothing,
 * and OWNER is woken when it is time. The caller ends it with one of the two below. */
struct agentapi_held *agentapi_answer(struct web_thread *t, const struct web_request *request, void *owner, struct web_response *out);
void agentapi_finish(struct web_thread *t, struct agentapi_held *h, struct web_response *out);      /* after its owner was woken */
void agentapi_drop(struct agentapi_held *h);     /* its client has gone; NULL is fine */

void agentapi_notified(void);
/* Answers those that wait for keys, many in one transaction, and wakes their owners. */
void agentapi_together(struct web_thread *t);
/* Called by a timer of each worker, about once a second: writes the heartbeats gathered since, ends waits that are over. */
void agentapi_tick(struct web_thread *t);

#endif
