/* log_page.h - the log query of both consoles (LOG-1): what is bound decides which chain it reads, a tenant's or the operator's. */
#ifndef WEB_LOG_PAGE_H
#define WEB_LOG_PAGE_H

#include "web/call.h"

#define WEB_LOG_ROWS(permission, template) \
	{ WEB_GET, "/log", permission, template, log_page, log_query }, \
	{ WEB_GET, "/log.csv", permission, NULL, log_csv, log_query }

int log_page(struct call *c), log_csv(struct call *c);
extern const struct route_param log_query[];

#endif
