/* health.h - /healthz: the process answers; /readyz: so do what it needs, the database and an unsealed key service (OPS-2). */
#ifndef WEB_HEALTH_H
#define WEB_HEALTH_H

#include "web/web.h"

/* 1 when the request was for one of the two and *OUT is the answer. */
int health_answer(struct web_thread *t, const struct web_request *request, struct web_response *out);

#endif
