/* log_forward.h - the page "Log Forwarding" (LOG-4), which both consoles have: what is bound decides whose log it is. */
#ifndef SHARED_LOG_FORWARD_H
#define SHARED_LOG_FORWARD_H

#include "web/call.h"

/* Rows for a site's table. */
#define SHARED_LOG_FORWARD_ROWS(site, url, view, edit) \
	{ WEB_GET, url, view, site "/log_forward", log_forward_page, .fragment = "part/log_forward_state", .change = edit }, \
	{ WEB_POST, url, edit, NULL, log_forward_save, log_forward_fields }, \
	{ WEB_POST, url "/test", edit, NULL, log_forward_test, .form = url }, \
	{ WEB_GET, url "/remove", edit, site "/confirm", log_forward_remove_ask }, \
	{ WEB_POST, url "/remove", edit, NULL, log_forward_forget, NULL, ROUTE_DESTROYS, .form = url }
extern const struct route_param log_forward_fields[];
int log_forward_page(struct call *c), log_forward_save(struct call *c), log_forward_test(struct call *c), log_forward_remove_ask(struct call *c),
	log_forward_forget(struct call *c);

#endif
