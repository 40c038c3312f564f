/* people.h - pages about those who sign in, and their roles: the same for both consoles. */
#ifndef SHARED_PEOPLE_H
#define SHARED_PEOPLE_H

#include "web/call.h"

/* Rows for a site's table: SHARED_PEOPLE_ROWS("console", "/users", PERMISSION_USERS_VIEW, PERMISSION_USERS_EDIT, user). WHO: prefix of the
 * parameters below. */
#define SHARED_PEOPLE_ROWS(site, url, view, edit, who) \
	{ WEB_GET, url, view, site "/users", people_page, who##s_query, .change = edit }, \
	{ WEB_GET, url ".csv", view, NULL, people_csv, who##s_query }, \
	{ WEB_GET, url "/new", edit, site "/user_new", person_new_page }, \
	{ WEB_POST, url "/new", edit, site "/user", person_new, who##_new_fields }, \
	{ WEB_GET, url "/{id}", view, site "/user", person_page, .change = edit }, \
	{ WEB_POST, url "/{id}", edit, NULL, person_edit, who##_edit_fields }, \
	{ WEB_POST, url "/{id}/invitation", edit, site "/user", person_invite, .form = url "/{id}" }, \
	{ WEB_POST, url "/{id}/enable", edit, NULL, person_enable, .form = url "/{id}" }, \
	{ WEB_GET, url "/{id}/disable", edit, site "/confirm", person_disable_ask }, \
	{ WEB_POST, url "/{id}/disable", edit, NULL, person_disable, NULL, ROUTE_DESTROYS, .form = url "/{id}" }, \
	{ WEB_POST, url "/{id}/link", edit, NULL, person_link, person_link_fields, .form = url "/{id}" }, \
	{ WEB_GET, url "/{id}/remove", edit, site "/confirm", person_remove_ask }, \
	{ WEB_POST, url "/{id}/remove", edit, NULL, person_remove, NULL, ROUTE_DESTROYS, .form = url "/{id}" }, \
	{ WEB_GET, url "/{id}/factor", edit, site "/confirm", person_factor_ask }, \
	{ WEB_POST, url "/{id}/factor", edit, NULL, person_factor, NULL, ROUTE_DESTROYS, .form = url "/{id}" }, \
	{ WEB_GET, "/roles", view, site "/roles", roles_page, roles_query, .change = edit }

/* people.c */
int people_page(struct call *c), people_csv(struct call *c), person_new_page(struct call *c), person_new(struct call *c);
int person_page(struct call *c), person_edit(struct call *c), person_invite(struct call *c), person_enable(struct call *c);
int person_disable_ask(struct call *c), person_disable(struct call *c), person_remove_ask(struct call *c), person_remove(struct call *c);
int person_factor_ask(struct call *c), person_factor(struct call *c), person_link(struct call *c);
extern const struct route_param person_link_fields[];
extern const struct route_param users_query[], user_new_fields[], user_edit_fields[];
extern const struct route_param operators_query[], operator_new_fields[], operator_edit_fields[];

/* roles.c */
int roles_page(struct call *c);
extern const struct route_param roles_query[];

#endif
