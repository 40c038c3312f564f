/* signup.h - self-registration in the tenants' console of a SaaS installation (TEN-5). */
#ifndef SHARED_SIGNUP_H
#define SHARED_SIGNUP_H

#include "web/call.h"

int signup_page(struct call *c), signup_send(struct call *c), signup_confirm_page(struct call *c), signup_confirm(struct call *c);
extern const struct route_param signup_fields[], signup_query[], signup_confirm_fields[];
/* Whether this installation takes registrations: for a link on the sign-in page. */
int signup_is_open(const struct call *c);

#define SHARED_SIGNUP_ROWS \
	{ WEB_GET, "/register", PERMISSION_PUBLIC, "console/register", signup_page }, \
	{ WEB_POST, "/register", PERMISSION_PUBLIC, "console/register_sent", signup_send, signup_fields, ROUTE_NO_TRANSACTION | ROUTE_SIGN_IN }, \
	{ WEB_GET, "/register/confirm", PERMISSION_PUBLIC, "console/register_confirm", signup_confirm_page, signup_query, ROUTE_NO_TRANSACTION }, \
	{ WEB_POST, "/register/confirm", PERMISSION_PUBLIC, NULL, signup_confirm, signup_confirm_fields, ROUTE_NO_TRANSACTION | ROUTE_SIGN_IN }

#endif
