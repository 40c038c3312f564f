/* sign_pages.h - pages of signing in and out, and about oneself, that both sites have (IDN-1, IDN-5, IDN-6). */
#ifndef SHARED_SIGN_PAGES_H
#define SHARED_SIGN_PAGES_H

#include "web/call.h"

/* Rows that both sites have, for their tables: SHARED_SIGN_ROWS("console", fields of the sign-in form, of that for a forgotten password). */
#define SHARED_SIGN_ROWS(site, fields, forgotten_fields) \
	{ WEB_GET, "/sign-in", PERMISSION_PUBLIC, site "/sign_in", sign_in_page, sign_in_query, ROUTE_NO_TRANSACTION }, \
	{ WEB_POST, "/sign-in", PERMISSION_PUBLIC, NULL, sign_in, fields, ROUTE_NO_TRANSACTION | ROUTE_SIGN_IN }, \
	{ WEB_GET, "/sign-in/code", PERMISSION_SIGNED_IN, "console/sign_in_code", sign_code_page, sign_code_query, \
		ROUTE_CODE | ROUTE_SUSPENDED_TOO }, \
	{ WEB_POST, "/sign-in/code", PERMISSION_SIGNED_IN, NULL, sign_code, sign_code_fields, \
		ROUTE_CODE | ROUTE_NO_TRANSACTION | ROUTE_SIGN_IN | ROUTE_SUSPENDED_TOO }, \
	{ WEB_GET, "/forgotten", PERMISSION_PUBLIC, "console/forgotten", forgotten_page, forgotten_query, ROUTE_NO_TRANSACTION }, \
	{ WEB_POST, "/forgotten", PERMISSION_PUBLIC, "console/forgotten_sent", forgotten_send, forgotten_fields, \
		ROUTE_NO_TRANSACTION | ROUTE_SIGN_IN }, \
	{ WEB_POST, "/sign-out", PERMISSION_SIGNED_IN, "console/saml_go", sign_out, NULL, ROUTE_SUSPENDED_TOO | ROUTE_CODE | ROUTE_ENROL }, \
	{ WEB_GET, "/session", PERMISSION_SIGNED_IN, NULL, sign_session, NULL, ROUTE_API_ONLY | ROUTE_SUSPENDED_TOO }, \
	{ WEB_GET, "/routes", PERMISSION_SIGNED_IN, NULL, sign_routes, NULL, ROUTE_API_ONLY }, \
	{ WEB_GET, "/sessions", PERMISSION_SIGNED_IN, site "/sessions", sign_sessions, sign_sessions_query, ROUTE_SUSPENDED_TOO }, \
	{ WEB_POST, "/sessions/others/revoke", PERMISSION_SIGNED_IN, NULL, sign_revoke_others, NULL, ROUTE_SUSPENDED_TOO }, \
	{ WEB_POST, "/sessions/{id}/revoke", PERMISSION_SIGNED_IN, NULL, sign_revoke, NULL, ROUTE_SUSPENDED_TOO }, \
	{ WEB_GET, "/password", PERMISSION_SIGNED_IN, site "/password_change", sign_password_page, NULL, ROUTE_SUSPENDED_TOO }, \
	{ WEB_POST, "/password", PERMISSION_SIGNED_IN, NULL, sign_password, sign_password_fields, \
		ROUTE_NO_TRANSACTION | ROUTE_SIGN_IN | ROUTE_SUSPENDED_TOO }, \
	{ WEB_GET, "/factor", PERMISSION_SIGNED_IN, site "/factor", factor_page, NULL, ROUTE_SUSPENDED_TOO }, \
	{ WEB_GET, "/factor/new", PERMISSION_SIGNED_IN, "console/factor_new", factor_new_page, NULL, ROUTE_ENROL | ROUTE_SUSPENDED_TOO }, \
	{ WEB_POST, "/factor/new", PERMISSION_SIGNED_IN, NULL, factor_new, factor_both_fields, \
		ROUTE_NO_TRANSACTION | ROUTE_SIGN_IN | ROUTE_SUSPENDED_TOO, .form = "/factor" }, \
	{ WEB_POST, "/factor/confirm", PERMISSION_SIGNED_IN, "console/factor_codes", factor_confirm, factor_code_fields, \
		ROUTE_ENROL | ROUTE_NO_TRANSACTION | ROUTE_SIGN_IN | ROUTE_SUSPENDED_TOO, .form = "/factor/new" }, \
	{ WEB_POST, "/factor/codes", PERMISSION_SIGNED_IN, "console/factor_codes", factor_codes, factor_both_fields, \
		ROUTE_NO_TRANSACTION | ROUTE_SIGN_IN | ROUTE_SUSPENDED_TOO, .form = "/factor" }, \
	{ WEB_POST, "/factor/remove", PERMISSION_SIGNED_IN, NULL, factor_drop, factor_both_fields, \
		ROUTE_NO_TRANSACTION | ROUTE_SIGN_IN | ROUTE_SUSPENDED_TOO, .form = "/factor" }

/* sign_in.c, sign_step.c, sign_own.c */
int sign_in_page(struct call *c), sign_in(struct call *c), sign_out(struct call *c), sign_session(struct call *c);
int sign_code_page(struct call *c), sign_code(struct call *c);
int sign_routes(struct call *c), sign_sessions(struct call *c), sign_revoke(struct call *c), sign_revoke_others(struct call *c);
int sign_password_page(struct call *c), sign_password(struct call *c);
extern const struct route_param sign_sessions_query[], sign_in_query[], sign_in_operator_fields[], sign_in_tenant_fields[], sign_password_fields[];
extern const struct route_param sign_code_query[], sign_code_fields[];

/* forgotten.c */
int forgotten_page(struct call *c), forgotten_send(struct call *c);
extern const struct route_param forgotten_query[], forgotten_operator_fields[], forgotten_tenant_fields[];

/* factor.c */
int factor_page(struct call *c), factor_new_page(struct call *c), factor_new(struct call *c), factor_confirm(struct call *c);
int factor_codes(struct call *c), factor_drop(struct call *c);
extern const struct route_param factor_code_fields[], factor_both_fields[];

#endif
