/* log_page.h - the log of both consoles, query and archive (LOG-1): what is bound decides which chain it is, a tenant's or the operator's. */
#ifndef SHARED_LOG_PAGE_H
#define SHARED_LOG_PAGE_H

#include "web/call.h"

#define SHARED_LOG_ROWS(site, template, view, erase) \
	{ WEB_GET, "/log", view, template, log_page, log_query, .fragment = "part/log_live" }, \
	{ WEB_GET, "/log.csv", view, NULL, log_csv, log_query }, \
	{ WEB_GET, "/log/key.pem", view, NULL, log_key }, \
	{ WEB_GET, "/log/archive", view, site "/log_archive", log_archive_page, log_archive_query }, \
	{ WEB_GET, "/log/archive/{id}/file", view, NULL, log_archive_file, NULL, ROUTE_WRITES }, \
	{ WEB_GET, "/log/archive/{id}/record", view, NULL, log_archive_record }, \
	{ WEB_GET, "/log/archive/{id}/signature", view, NULL, log_archive_signature }, \
	{ WEB_GET, "/log/archive/{id}/delete", erase, site "/confirm", log_archive_delete_ask }, \
	{ WEB_POST, "/log/archive/{id}/delete", erase, NULL, log_archive_delete_run, log_archive_typed, ROUTE_DESTROYS }

int log_page(struct call *c), log_csv(struct call *c), log_key(struct call *c), log_archive_page(struct call *c), log_archive_file(struct call *c),
	log_archive_record(struct call *c), log_archive_signature(struct call *c), log_archive_delete_ask(struct call *c), log_archive_delete_run(struct call *c);
extern const struct route_param log_query[], log_archive_query[], log_archive_typed[];
/* The tabs of both pages. */
void log_tabs(struct call *c, int archive);

#endif
