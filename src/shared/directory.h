/* directory.h - people of a directory on both consoles (IDN-2): settings, test, sign-in, choosing one as a user. The directory itself is
 * asked by the sign-on service alone (ask.h). */
#ifndef SHARED_DIRECTORY_H
#define SHARED_DIRECTORY_H

#include "identity/directory.h"
#include "sso/client.h"
#include "store/user.h"
#include "web/call.h"

/* Rows that both sites have; USERS is where users are listed ("/users"). */
#define SHARED_DIRECTORY_ROWS(site, view, edit, users_edit) \
	{ WEB_GET, "/directory", view, site "/directory", directory_page, directory_query, .change = edit }, \
	{ WEB_POST, "/directory", edit, NULL, directory_save_run, directory_fields }, \
	{ WEB_POST, "/directory/test", edit, site "/directory", directory_test_run, directory_test_fields, .form = "/directory" }, \
	{ WEB_GET, "/directory/remove", edit, site "/confirm", directory_remove_ask }, \
	{ WEB_POST, "/directory/remove", edit, NULL, directory_remove_run, NULL, ROUTE_DESTROYS, .form = "/directory" }, \
	{ WEB_GET, "/directory/people", users_edit, site "/directory_people", directory_people_page, directory_people_query }, \
	{ WEB_POST, "/directory/people", users_edit, NULL, directory_people_add, directory_people_fields }

int directory_page(struct call *c), directory_save_run(struct call *c), directory_test_run(struct call *c);
int directory_remove_ask(struct call *c), directory_remove_run(struct call *c);
int directory_people_page(struct call *c), directory_people_add(struct call *c);
extern const struct route_param directory_query[], directory_fields[], directory_test_fields[], directory_people_query[], directory_people_fields[];

/* A directory as it is kept, with the password of the account that searches still wrapped. */
struct directory_kept {
	json_t *settings;
	struct directory d;
	struct buf password;
};

void directory_release(struct directory_kept *k);
/* In a transaction of TENANT (nil: the operator's). ERR_NOT_FOUND: none is set, not all of it, or it is not ENABLED. */
int directory_kept(struct call *c, int enabled, struct directory_kept *out);
/* 1 where people of a directory may sign in; 0; an error. In a transaction. */
int directory_used(struct call *c);
/* Begins a question: settings and password, TYPED instead of the kept one where it is not NULL. Within the same transaction. */
int directory_question(struct call *c, enum sso_type type, const json_t *settings, const struct buf *kept, const char *typed, struct buf *out);
/* The role of P on this side by its groups; "" for none, or one that this side does not have. */
const char *directory_role_of(const struct call *c, const struct directory *d, const struct directory_person *p, const json_t **by);

/* Signs in whoever the form names, when the directory says so: 0, signed in; 1: there is no directory to ask; an error: refused, said and
 * logged. KNOWN: the user of that address here, who is not local; NULL: none. BROWSER: its token's hash where KNOWN has signed in with it, else
 * NULL. In no transaction. TENANT nil: an operator. */
int directory_sign_in(struct call *c, const struct uuid *tenant, const struct user *known, const uint8_t *browser);
/* Whether PASSWORD is that of U, who is signed in and of the directory: 1, 0, or an error, said where it is not the password's. In no
 * transaction; asks (ask.h). */
int directory_confirm(struct call *c, const struct user *u, const char *password);

#endif
