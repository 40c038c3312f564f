/* report.h - pages of reports (RPT-1 to RPT-5), for both consoles: the archive and the templates. Whose they are, an account's or the operator's, is
 * what the transaction is bound to; what they may show is by the side (store/report_data.h) and by the role. */
#ifndef SHARED_REPORT_H
#define SHARED_REPORT_H

#include "store/list.h"
#include "web/call.h"

#define SHARED_REPORT_ROWS(site, use) \
	{ WEB_GET, "/reports", use, site "/reports", reports_page, reports_query }, \
	{ WEB_POST, "/reports", use, site "/confirm", reports_many, reports_many_fields }, \
	{ WEB_GET, "/reports/delete", use, site "/confirm", reports_delete_ask, reports_chosen_fields }, \
	{ WEB_POST, "/reports/delete", use, NULL, reports_delete_run, reports_chosen_fields, ROUTE_DESTROYS, .form = "/reports" }, \
	{ WEB_GET, "/reports/templates", use, site "/report_templates", report_templates_page, report_templates_query }, \
	{ WEB_GET, "/reports/templates/new", use, site "/report_template", report_template_new_page }, \
	{ WEB_POST, "/reports/templates/new", use, NULL, report_template_new, report_template_fields }, \
	{ WEB_POST, "/reports/preview", use, site "/report_preview", report_template_preview, report_template_fields, \
		.form = "/reports/templates/new" }, \
	{ WEB_GET, "/reports/templates/{id}", use, site "/report_template", report_template_page }, \
	{ WEB_POST, "/reports/templates/{id}", use, NULL, report_template_save_run, report_template_fields }, \
	{ WEB_POST, "/reports/templates/{id}/make", use, NULL, report_template_make, .form = "/reports/templates/{id}" }, \
	{ WEB_GET, "/reports/templates/{id}/delete", use, site "/confirm", report_template_delete_ask }, \
	{ WEB_POST, "/reports/templates/{id}/delete", use, NULL, report_template_delete_run, NULL, ROUTE_DESTROYS }, \
	{ WEB_GET, "/reports/{id}", use, site "/report", report_page, .fragment = "part/report_live" }, \
	{ WEB_GET, "/reports/{id}/file", use, NULL, report_file, report_file_query, ROUTE_WRITES }, \
	{ WEB_GET, "/reports/{id}/delete", use, site "/confirm", report_delete_ask }, \
	{ WEB_POST, "/reports/{id}/delete", use, NULL, report_delete_run, NULL, ROUTE_DESTROYS }

/* report_archive.c */
int reports_page(struct call *c), reports_many(struct call *c), reports_delete_ask(struct call *c), reports_delete_run(struct call *c), report_page(struct call *c), report_file(struct call *c);
int report_delete_ask(struct call *c), report_delete_run(struct call *c);
extern const struct route_param reports_query[], report_file_query[], reports_many_fields[], reports_chosen_fields[];

/* report_template.c */
int report_templates_page(struct call *c), report_template_new_page(struct call *c), report_template_new(struct call *c);
int report_template_page(struct call *c), report_template_save_run(struct call *c), report_template_make(struct call *c);
int report_template_delete_ask(struct call *c), report_template_delete_run(struct call *c), report_template_preview(struct call *c);
extern const struct route_param report_templates_query[], report_template_fields[];

/* What a report and its template have in common: one with a part that the role may not see is not there for it (RPT-2), and both can go. */
struct report_thing {
	const char *folder;
	int (*get)(struct db *db, const struct uuid *id, json_t **out);
	int (*remove)(struct db *db, const struct uuid *id);
	const char *button, *text, *gone;        /* of the page that asks; what is said afterwards */
};
int report_fetch(struct call *c, const struct report_thing *thing, const struct uuid *id, json_t **row);
int report_remove_ask(struct call *c, const struct report_thing *thing), report_remove(struct call *c, const struct report_thing *thing);

struct report_criterion;
int report_may(const struct call *c, const struct report_criterion *k);          /* K NULL: 0 */
/* A filter of lists: only what the role may see; the caller frees what it returns when the list is read. */
char *report_hide(const struct call *c, struct list_query *q, size_t filter);
void report_tabs(struct call *c, int templates);         /* Archive and Templates, above their lists */
int report_make_now(struct call *c, const struct uuid *template);        /* and on to its page */

#endif
