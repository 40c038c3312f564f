/* webhook.h - pages of webhooks (NTF-3), for both consoles: whose they are is what the transaction is bound to. */
#ifndef SHARED_WEBHOOK_H
#define SHARED_WEBHOOK_H

#include "shared/notification.h"

#define SHARED_WEBHOOK_ROWS(site, view, edit) \
	{ WEB_GET, "/webhooks", view, site "/webhooks", webhooks_page, webhooks_query, .change = edit }, \
	{ WEB_GET, "/webhooks.csv", view, NULL, webhooks_csv, webhooks_query }, \
	{ WEB_GET, "/webhooks/new", edit, site "/webhook_edit", webhook_new_page }, \
	{ WEB_POST, "/webhooks/new", edit, site "/webhook_secret", webhook_new, webhook_fields }, \
	{ WEB_GET, "/webhooks/{id}", view, site "/webhook", webhook_page, webhook_query, .fragment = "part/webhook_live", .change = edit }, \
	{ WEB_GET, "/webhooks/{id}/edit", edit, site "/webhook_edit", webhook_edit_page }, \
	{ WEB_POST, "/webhooks/{id}/edit", edit, NULL, webhook_edit, webhook_fields }, \
	{ WEB_POST, "/webhooks/{id}/switch", edit, NULL, webhook_switch, notification_switch_fields, .form = "/webhooks/{id}" }, \
	{ WEB_POST, "/webhooks/{id}/test", edit, NULL, webhook_test_run, .form = "/webhooks/{id}" }, \
	{ WEB_GET, "/webhooks/{id}/secret", edit, site "/confirm", webhook_secret_ask }, \
	{ WEB_POST, "/webhooks/{id}/secret", edit, site "/webhook_secret", webhook_secret_run, NULL, ROUTE_DESTROYS }, \
	{ WEB_GET, "/webhooks/{id}/delete", edit, site "/confirm", webhook_delete_ask }, \
	{ WEB_POST, "/webhooks/{id}/delete", edit, NULL, webhook_delete_run, NULL, ROUTE_DESTROYS }

int webhooks_page(struct call *c), webhooks_csv(struct call *c), webhook_new_page(struct call *c), webhook_new(struct call *c);
int webhook_page(struct call *c), webhook_edit_page(struct call *c), webhook_edit(struct call *c), webhook_switch(struct call *c);
int webhook_secret_ask(struct call *c), webhook_secret_run(struct call *c), webhook_delete_ask(struct call *c), webhook_delete_run(struct call *c);
int webhook_test_run(struct call *c);
extern const struct route_param webhooks_query[], webhook_query[], webhook_fields[];

#endif
