/* guard.c - cookies, origins, tokens and return paths judged. */
#include "web/guard.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "web/form.h"

int guard_is_token(const char *s, size_t len)
{
	if (len != TOKEN_TEXT_SIZE - 1)
		return 0;
	for (size_t i = 0; i < len; i++)
		if (!((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z') || (s[i] >= '0' && s[i] <= '9') || s[i] == '-' ||
			s[i] == '_'))
			return 0;
	return 1;
}

int guard_cookie_read(enum web_site site, const char *header, struct guard_cookie *out)
{
	struct guard_cookie c = { .tenant = { { 0 } } };
	size_t len = 0;
	const char *value = form_cookie(header, GUARD_COOKIE_PREFIX GUARD_SESSION_COOKIE, &len);

	if (value && site == WEB_CONSOLE) {
		char tenant[UUID_TEXT_SIZE] = "";

		if (len < UUID_TEXT_SIZE || value[UUID_TEXT_SIZE - 1] != '.')
			return err_set(ERR_UNAUTHENTICATED, "the session's cookie is malformed");
		memcpy(tenant, value, UUID_TEXT_SIZE - 1);
		if (uuid_parse(tenant, &c.tenant) < 0 || uuid_is_nil(&c.tenant))
			return err_set(ERR_UNAUTHENTICATED, "the session's cookie is malformed");
		value += UUID_TEXT_SIZE;
		len -= UUID_TEXT_SIZE;
	}
	if (value == NULL)
		return err_set(ERR_UNAUTHENTICATED, "no session");
	if (!guard_is_token(value, len))
		return err_set(ERR_UNAUTHENTICATED, "the session's cookie is malformed");
	memcpy(c.token, value, len);
	*out = c;
	return 0;
}

void guard_cookie_text(const struct guard_cookie *c, char out[static GUARD_COOKIE_SIZE])
{
	char tenant[UUID_TEXT_SIZE];

	uuid_text(&c->tenant, tenant);
	if (uuid_is_nil(&c->tenant))
		snprintf(out, GUARD_COOKIE_SIZE, "%s", c->token);
	else
		snprintf(out, GUARD_COOKIE_SIZE, "%s.%s", tenant, c->token);
}

int guard_origin(const char *own, const char *origin, const char *fetch_site)
{
	if (fetch_site && strcmp(fetch_site, "same-origin") != 0)
		return err_set(ERR_FORBIDDEN, "the request comes from another site");
	if (origin && strcmp(origin, own) != 0)
		return err_set(ERR_FORBIDDEN, "the request comes from another origin");
	if (origin == NULL && fetch_site == NULL)
		return err_set(ERR_FORBIDDEN, "the request does not say where it comes from");
	return 0;
}

int guard_csrf(const char *session_token, const char *sent)
{
	if (sent == NULL || *session_token == '\0' || !token_equal(session_token, sent))
		return err_set(ERR_FORBIDDEN, "the form's token is missing or wrong");
	return 0;
}

const char *guard_return(const char *path)
{
	/* "//host" and "/\host" lead to another host in browsers. */
	if (path == NULL || path[0] != '/' || path[1] == '/' || path[1] == '\\' || strlen(path) > 1000)
		return "/";
	for (const char *s = path; *s; s++)
		if ((unsigned char)*s <= ' ' || (unsigned char)*s >= 0x7f || *s == '\\')
			return "/";
	return path;
}

void guard_filename(const char *name, struct buf *out)
{
	for (; *name; name++) {
		int plain = (*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') || (*name >= '0' && *name <= '9');

		buf_putc(out, plain || strchr("-_.", *name) ? *name : '-');
	}
}
