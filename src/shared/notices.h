/* notices.h - notices in the console (NTF-3), for both: the list with what one has read, and the live count at the bell (bell.h). A user
 * sees the events that the role may see (notice/event.h), and what happened to the own user. */
#ifndef SHARED_NOTICES_H
#define SHARED_NOTICES_H

#include "web/call.h"

#define SHARED_NOTICES_ROWS(site) \
	{ WEB_GET, "/notices", PERMISSION_SIGNED_IN, site "/notices", notices_page, notices_query }, \
	{ WEB_GET, "/notices.csv", PERMISSION_SIGNED_IN, NULL, notices_csv, notices_query }, \
	{ WEB_GET, "/notices/bell", PERMISSION_SIGNED_IN, "part/frame", notices_bell, NULL, ROUTE_QUIET }, \
	{ WEB_POST, "/notices/read", PERMISSION_SIGNED_IN, NULL, notices_read_all, NULL, 0, "/notices" }, \
	{ WEB_GET, "/notices/{seq}", PERMISSION_SIGNED_IN, NULL, notice_open, notice_path_params, ROUTE_WRITES }, \
	{ WEB_POST, "/notices/{seq}/read", PERMISSION_SIGNED_IN, NULL, notice_mark_run, notice_path_params, 0, "/notices" }

int notices_page(struct call *c), notices_csv(struct call *c), notices_bell(struct call *c), notices_read_all(struct call *c);
int notice_open(struct call *c), notice_mark_run(struct call *c);
extern const struct route_param notices_query[], notice_path_params[];

#endif
