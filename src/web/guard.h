/* guard.h - decisions about who sent a request: pure functions over headers and cookies (IDN-6). */
#ifndef WEB_GUARD_H
#define WEB_GUARD_H

#include "base/buf.h"
#include "base/uuid.h"
#include "identity/token.h"
#include "web/request.h"

/* The session's cookie. "__Host-" binds it to the one host name that set it, over TLS, for all paths; so a cookie of one
 * console never reaches the other. SameSite=Lax, not Strict: a link in a mail must open signed in, and no GET changes anything;
 * every POST is checked by guard_origin and guard_csrf besides. */
#define GUARD_COOKIE_PREFIX "__Host-"
#define GUARD_SESSION_COOKIE "keyward"
#define GUARD_COOKIE_SIZE (UUID_TEXT_SIZE + TOKEN_TEXT_SIZE)

struct guard_cookie {
	struct uuid tenant;              /* nil for an operator */
	char token[TOKEN_TEXT_SIZE];
};

/* Reads the session's cookie from a Cookie header: "<tenant>.<token>" in a tenant's console, so that the database can be bound
 * to the tenant before the session is looked up, the token alone in the Central Management Console. ERR_UNAUTHENTICATED when
 * there is none or it is not of that form. */
int guard_cookie_read(enum web_site site, const char *header, struct guard_cookie *out);
void guard_cookie_text(const struct guard_cookie *c, char out[static GUARD_COOKIE_SIZE]);

/* May a POST with these headers come from a page of OWN ("https://host[:port]")? Origin must be OWN; only where there is none,
 * Sec-Fetch-Site must say same-origin. ERR_FORBIDDEN also when there is neither: every browser of today sends one. */
int guard_origin(const char *own, const char *origin, const char *fetch_site);
/* 1 when TEXT has the form of a token (identity/token.h). */
int guard_is_token(const char *text, size_t len);
/* The token of the session against the one sent; constant time. SENT may be NULL. */
int guard_csrf(const char *session_token, const char *sent);
/* PATH when it leads to a page of this site and nowhere else, otherwise "/": for the return from sign-in. */
const char *guard_return(const char *path);
/* The text put out is safe in one path segment or header value; anything else becomes '-'. For file names of downloads. */
void guard_filename(const char *name, struct buf *out);

#endif
