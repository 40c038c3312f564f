/* health.h - /healthz: the process answers; /readyz: so do what it needs, the database and an unsealed key service (OPS-2); a sign-on service
 * that is away is said there, and keeps the server ready. */
#ifndef WEB_HEALTH_H
#define WEB_HEALTH_H

#include "web/web.h"

/* What is the matter with the key service, in words for everybody who is signed in; NULL: nothing. Found out anew after some
 * seconds, so that a page does not pay for it. */
const char *health_keys_trouble(struct web_thread *t);
/* What the operator does about it, where that is known; NULL otherwise. */
const char *health_keys_advice(struct web_thread *t);
/* 1 when the request was for one of the two and *OUT is the answer. */
int health_answer(struct web_thread *t, const struct web_request *request, struct web_response *out);

#endif
