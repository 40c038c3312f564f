/* metrics.h - /metrics of the operator's site: what Prometheus reads (OPS-2), for whoever has the token of the setting metrics.token. */
#ifndef WEB_METRICS_H
#define WEB_METRICS_H

#include "web/web.h"

/* 1 when the request was for it and *OUT is the answer. */
int metrics_answer(struct web_thread *t, const struct web_request *request, struct web_response *out);

#endif
