/* ask.h - how a page asks the sign-on service without waiting for it: no thread is held while a directory thinks.
 *
 *     if (call_has_answer(c))
 *         rc = call_answer(c, &person);
 *     else
 *         rc = call_ask(c, &question);
 *
 * call_ask ends the handler: its code is returned at once, and the transaction is rolled back. When the answer is there, the whole request
 * is run again from its beginning, in any thread, and then call_has_answer is true. So what comes before call_ask must change nothing, and a
 * request asks once. */
#ifndef WEB_ASK_H
#define WEB_ASK_H

#include <jansson.h>

#include "web/call.h"

/* Takes QUESTION (sso/client.h) over, and wipes it in the end; the code to return. */
int call_ask(struct call *c, struct buf *question);
int call_has_answer(const struct call *c);
/* The JSON object that was answered, the caller's reference; or the error, as sso_result_json, and ERR_UNAVAILABLE, ERR_TIMEOUT, ERR_BUSY
 * when the service itself could not be asked. */
int call_answer(const struct call *c, json_t **out);

/* Whether this is the page of a form that was refused: it asks nothing, as the request has asked already. */
int call_is_redrawn(const struct call *c);

/* For the pipeline and pool.h */

struct pool_job;
struct asker;

/* What goes with a request between its two runs. */
struct web_ask {
	struct buf question, answer;
	int code;                                /* 0: ANSWER is there; else WHY there is none */
	char *why;
};

void web_ask_free(struct web_ask *a);            /* NULL is fine */
/* One thread, and at most MOST questions on their way to the service at SOCKET; each goes back by DONE, in that thread. */
struct asker *asker_new(const char *socket, int most, void (*done)(void *ctx, struct pool_job *job), void *ctx);
/* Puts the question of JOB's request. */
void asker_add(struct asker *a, struct pool_job *job);

#endif
