/* kept.c - a form that was sent when its session had ended. */
#include "web/kept.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/secret.h"
#include "store/session.h"
#include "web/doc.h"
#include "web/sign.h"
#include "web/state.h"

/* By what the route says of it, and by its name, as codes are texts too (assets/js/5-kept.js has the same list). */
static int is_secret(const struct route *row, const char *name)
{
	static const char *const parts[] = { "secret", "password", "passphrase", "code", "token", "private" };
	size_t len = strlen(name);

	for (const struct route_param *p = row->params; p && p->name; p++)
		if (strcmp(p->name, name) == 0 && (p->type == PARAM_PASSWORD || p->type == PARAM_SECRET))
			return 1;
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (strstr(name, parts[i]))
			return 1;
	return strcmp(name, "csrf") == 0 || strcmp(name, "key") == 0 || (len > 4 && strcmp(name + len - 4, "_key") == 0);
}

static void add_fields(const struct call *c, const struct form *f, struct buf *out)
{
	for (size_t i = 0; i < f->count; i++)
		if (!is_secret(c->route, f->fields[i].name))
			form_append(out, f->fields[i].name, f->fields[i].value);
}

/* A page of another site can send a form in somebody's name, who would find it here. */
static int may_keep(const struct call *c, struct guard_cookie *cookie)
{
	const struct web_request *r = c->request;

	return *c->state->step == '\0' && r->body.len && r->body.len <= KEPT_MAX && guard_origin(c->state->web->origin[c->site], r->origin, r->fetch_site) == 0
		&& guard_cookie_read(c->site, r->cookie, cookie) == 0;
}

static int write_down(struct call *c, const struct guard_cookie *cookie, const char *page, const char *fields)
{
	uint8_t hash[TOKEN_HASH_SIZE];
	json_t *kept = json_pack("{s:s, s:s, s:s}", "page", page, "path", c->request->path, "fields", fields);
	int rc = sign_begin(c, &cookie->tenant);

	token_hash(cookie->token, hash);
	if (rc == 0)
		rc = session_keep(c->db, sign_side(c), hash, kept);
	json_decref(kept);
	return call_end(c, rc);
}

void kept_leave(struct call *c, const char *page)
{
	struct guard_cookie cookie;
	struct form fields = { .count = 0 };
	struct buf text = BUF_INIT;

	if (!may_keep(c, &cookie))
		return;
	if (form_parse(&fields, c->request->body.data, c->request->body.len, FORM_BODY) == 0) {
		add_fields(c, &fields, &text);
		write_down(c, &cookie, page, buf_str(&text));
	}
	form_free(&fields);
	buf_free(&text);
	secret_wipe(&cookie, sizeof cookie);
}

int kept_take(struct call *c, struct kept *out)
{
	json_t *row = NULL;
	int rc = call_begin(c, uuid_is_nil(&c->tenant) ? NULL : &c->tenant);

	if (rc == 0)
		rc = session_kept(c->db, sign_side(c), &c->session, c->request->path, &row);
	rc = call_end(c, rc);
	if (rc == 0)
		*out = (struct kept){ mem_strdup(doc_text(row, "path")), mem_strdup(doc_text(row, "fields")) };
	json_decref(row);
	return rc;
}

void kept_free(struct kept *k)
{
	free(k->path);
	free(k->fields);
}
