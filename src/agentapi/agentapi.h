/* agentapi.h - the agent service as the server's glue drives it: one frame in, one frame out (docs/protocol.md).
 *
 * Runs in the worker itself, not in a task thread: its statements are short. Enrolments and sessions live in memory that all
 * workers share, made before they fork. */
#ifndef AGENTAPI_AGENTAPI_H
#define AGENTAPI_AGENTAPI_H

#include "web/web.h"

#define AGENTAPI_SESSIONS 65536          /* at once, per server; one more pushes out the one used longest ago */

/* Bytes of zeroed shared memory that agentapi_init wants. */
size_t agentapi_shared_size(void);
/* Once, in the parent, before the workers fork. */
void agentapi_init(void *shared);
/* Answers POST PROTO_PATH; anything else is 404 or 405. *OUT starts empty. */
void agentapi_answer(struct web_thread *t, const struct web_request *request, struct web_response *out);
/* Called by a timer of each worker, about once a second: writes the heartbeats gathered since. */
void agentapi_tick(struct web_thread *t);

#endif
