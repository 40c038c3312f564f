/* key_server.h - the page "Key Server" (KEY-3), which both consoles have: the form, how the server does, a test, its removal. */
#ifndef SHARED_KEY_SERVER_H
#define SHARED_KEY_SERVER_H

#include "store/key_server.h"
#include "web/call.h"

/* Has keyd know whatever server may keep keys of C's tenant; one that is away is its users' affair. */
int key_server_tell_keyd(struct call *c);

/* Rows for a site's table; PAGE shows the template SITE "/key_server", and begins with key_server_show_page. */
#define SHARED_KEY_SERVER_ROWS(site, url, page, view, edit) \
	{ WEB_GET, url, view, site "/key_server", page, .fragment = "part/key_server_state", .change = edit }, \
	{ WEB_POST, url, edit, NULL, key_server_save, key_server_fields }, \
	{ WEB_POST, url "/test", edit, NULL, key_server_test, .form = url }, \
	{ WEB_GET, url "/remove", edit, site "/confirm", key_server_remove_ask }, \
	{ WEB_POST, url "/remove", edit, NULL, key_server_forget, NULL, ROUTE_DESTROYS, .form = url }
/* What the rows name. */
extern const struct route_param key_server_fields[];
int key_server_save(struct call *c), key_server_test(struct call *c), key_server_remove_ask(struct call *c), key_server_forget(struct call *c);
/* Members server (null: none is set), state, live, url, can, form.*. */
int key_server_show_page(struct call *c);

#endif
