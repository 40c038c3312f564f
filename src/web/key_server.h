/* key_server.h - the page "Key server" (KEY-3), which both consoles have: the form, how the server does, a test, its removal. */
#ifndef WEB_KEY_SERVER_H
#define WEB_KEY_SERVER_H

#include "store/key_server.h"
#include "web/call.h"

/* Has keyd know whatever server may keep keys of C's tenant; one that is away is its users' affair. */
int key_server_tell_keyd(struct call *c);

extern const struct route_param key_server_fields[];
/* Members server (null: none is set), state, live, form.*. URL: the page's path. */
int key_server_show_page(struct call *c, enum key_server_owner o, const char *url);
int key_server_save_page(struct call *c, enum key_server_owner o, const char *url);
int key_server_test_page(struct call *c, enum key_server_owner o, const char *url);
int key_server_remove_ask_page(struct call *c, enum key_server_owner o, const char *url);
int key_server_remove_page(struct call *c, enum key_server_owner o, const char *url);

#endif
