/* notification.h - pages of notifications (NTF-1), for both consoles: groups of recipients, and the table of events. Whose groups they are is what the
 * transaction is bound to; the events are those of the side that the role may see (notice/event.h). */
#ifndef SHARED_NOTIFICATION_H
#define SHARED_NOTIFICATION_H

#include "store/notice_group.h"
#include "web/call.h"

#define SHARED_NOTIFICATION_ROWS(site, view, edit) \
	{ WEB_GET, "/notifications", view, site "/notifications", notifications_page, notifications_query, .change = edit }, \
	{ WEB_GET, "/notifications.csv", view, NULL, notifications_csv, notifications_query }, \
	{ WEB_GET, "/notifications/events", view, site "/notification_events", notification_events_page }, \
	{ WEB_GET, "/notifications/new", edit, site "/notification", notification_new_page }, \
	{ WEB_POST, "/notifications/new", edit, NULL, notification_new, notification_fields }, \
	{ WEB_POST, "/notifications/preview", edit, site "/notification_preview", notification_preview, notification_fields, \
		.form = "/notifications/new" }, \
	{ WEB_GET, "/notifications/{id}", view, site "/notification", notification_page, .change = edit }, \
	{ WEB_POST, "/notifications/{id}", edit, NULL, notification_save, notification_fields }, \
	{ WEB_POST, "/notifications/{id}/switch", edit, NULL, notification_switch, notification_switch_fields, .form = "/notifications/{id}" }, \
	{ WEB_POST, "/notifications/{id}/test", edit, NULL, notification_test, .form = "/notifications/{id}" }, \
	{ WEB_GET, "/notifications/{id}/delete", edit, site "/confirm", notification_delete_ask }, \
	{ WEB_POST, "/notifications/{id}/delete", edit, NULL, notification_delete, NULL, ROUTE_DESTROYS }

int notifications_page(struct call *c), notifications_csv(struct call *c), notification_events_page(struct call *c);
int notification_new_page(struct call *c), notification_new(struct call *c), notification_page(struct call *c), notification_save(struct call *c);
int notification_switch(struct call *c), notification_delete_ask(struct call *c), notification_delete(struct call *c);
int notification_preview(struct call *c), notification_test(struct call *c);
extern const struct route_param notifications_query[], notification_fields[], notification_switch_fields[];
void notification_tabs(struct call *c, const char *here);        /* Groups, Webhooks, Events, above their pages */
void notification_offer_events(struct call *c, const json_t *chosen);    /* the field "events", with what the user's role may see */
json_t *notification_events(struct call *c);     /* what was ticked, the caller's; NULL: the field says what is wrong */

/* The form of a group. G borrows from C; its recipients and events go with notification_release, whatever is returned. */
int notification_read(struct call *c, struct notice_group *g);
void notification_release(struct notice_group *g);

#endif
