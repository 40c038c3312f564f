/* sign_own.c - pages about oneself: sessions, password, what one may call. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "shared/letter.h"
#include "shared/sign_pages.h"
#include "shared/sign_step.h"
#include "shared/user_agent.h"
#include "store/session.h"
#include "web/list.h"
#include "web/sign.h"

const struct route_param sign_password_fields[] = {
	{ "current", "Present password", PARAM_PASSWORD, PARAM_REQUIRED, 0, 0, NULL },
	{ "password", "New password", PARAM_PASSWORD, PARAM_REQUIRED, 0, 512, NULL },
	{ "repeat", "New password, again", PARAM_PASSWORD, PARAM_REQUIRED, 0, 512, NULL },
	{ "username", NULL, PARAM_TEXT, 0, 0, 254, NULL },
	SIGN_CODE_FIELD,
	PARAM_END
};

/* Sessions */

static json_t *when_of(const struct call *c, const json_t *row, const char *name)
{
	const char *text = json_string_value(json_object_get(row, name));
	clock_us at = 0;

	if (text)
		clock_parse(text, &at);
	return call_when(c, at);
}

static json_t *session_row(const struct call *c, const json_t *row, const char *own)
{
	const char *id = json_string_value(json_object_get(row, "id")), *agent = json_string_value(json_object_get(row, "user_agent"));
	const char *browser = user_agent_browser(agent), *address = json_string_value(json_object_get(row, "address"));

	return json_pack("{s:s, s:s, s:s, s:s, s:b, s:b, s:o, s:o, s:o, s:o}", "id", id, "browser",
		*browser ? browser : call_translate(c, "Unknown browser"), "system", user_agent_system(agent), "address", address ? address : "",
		"current", strcmp(id, own) == 0, "wall", json_is_true(json_object_get(row, "wall")), "started", when_of(c, row, "created"), "active", when_of(c, row, "last_seen"), "expires",
		when_of(c, row, "expires"), "revoke_url", json_sprintf("/sessions/%s/revoke", id));
}

static const struct list_csv columns[] = { { "Device", "browser" }, { "System", "system" }, { "Address", "address" }, { "Signed in", "started" },
	{ "Last active", "active" }, { "Expires", "expires" }, { "This session", "current" }, { NULL, NULL } };
static const struct list_view view = { .url = "/sessions" };
const struct route_param sign_sessions_query[] = { LIST_PARAM_CSV, PARAM_END };

static int all_sessions(struct call *c, const struct list_query *q, json_t **page)
{
	*page = json_pack("{s:O}", "rows", json_object_get(c->doc, "sessions"));
	return 0;
}

int sign_sessions(struct call *c)
{
	json_t *rows, *row, *out;
	char own[UUID_TEXT_SIZE];
	size_t i;
	int rc = session_list(c->db, sign_side(c), &c->user, &rows);

	if (rc < 0)
		return rc;
	uuid_text(&c->session, own);
	out = json_array();
	json_array_foreach(rows, i, row)
		json_array_append_new(out, session_row(c, row, own));
	call_set(c, "several", json_boolean(json_array_size(out) > 1));
	call_set(c, "sessions", out);
	json_decref(rows);
	return call_has(c, "as") ? list_export(c, &view, all_sessions, NULL, columns, "sessions.csv") : 0;
}

int sign_revoke(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	int rc = session_revoke(c->db, sign_side(c), &c->user, &id);

	if (rc < 0)
		return rc;
	if (uuid_equal(&id, &c->session))
		sign_forget(c);
	call_notice(c, "success", "The session was ended.");
	call_redirect(c, "/sessions");
	return 0;
}

int sign_revoke_others(struct call *c)
{
	int rc = session_revoke_others(c->db, sign_side(c), &c->user, &c->session);

	if (rc < 0)
		return rc;
	call_notice(c, "success", "All your other sessions were ended.");
	call_redirect(c, "/sessions");
	return 0;
}

/* Password */

int sign_password_page(struct call *c)
{
	return sign_confirm_ask(c);
}

static int store_password(struct call *c, const char *hash)
{
	struct user own = { .id = c->user, .email = (char *)(uintptr_t)c->user_email, .name = (char *)(uintptr_t)c->user_name };
	uint8_t browser[TOKEN_HASH_SIZE];
	int rc = sign_begin(c, &c->tenant);

	if (rc == 0)
		rc = user_set_password(c->db, sign_side(c), &c->user, hash, &c->session, sign_browser(c, browser) ? browser : NULL);
	if (rc == 0)
		rc = letter_send(c, LETTER_PASSWORD_CHANGED, &own, c->tenant_name, NULL);
	return sign_renew(c, rc);
}

int sign_password(struct call *c)
{
	char hash[PASSWORD_HASH_SIZE];
	int rc = sign_confirm(c);

	if (rc == 0)
		rc = sign_new_password(c, c->user_name, c->user_email, hash);
	if (rc == 0)
		rc = store_password(c, hash);
	if (rc == ERR_NOT_FOUND)
		return call_refuse(c, ERR_CONFLICT, "Your password is not kept here: change it where you have it, in your organisation's directory.");
	if (rc < 0)
		return rc;
	call_notice(c, "success", "Your password was changed and your other sessions were ended.");
	call_redirect(c, "/sessions");
	return 0;
}

/* For programs */

int sign_session(struct call *c)
{
	json_t *user = json_pack("{s:s, s:s, s:s}", "name", c->user_name, "email", c->user_email, "role", role_name(c->role));

	json_set_uuid(user, "id", &c->user);
	call_set(c, "user", user);
	call_set(c, "csrf", json_string(sign_csrf(c)));
	if (!uuid_is_nil(&c->tenant)) {
		json_t *tenant = json_pack("{s:s, s:s, s:s}", "name", c->tenant_name, "slug", c->tenant_slug, "state", c->tenant_state);

		json_set_uuid(tenant, "id", &c->tenant);
		call_set(c, "tenant", tenant);
	}
	return 0;
}

static const char *type_name(enum param_type type)
{
	static const char *const names[] = { [PARAM_TEXT] = "text", [PARAM_LINES] = "lines", [PARAM_EMAIL] = "email",
		[PARAM_PASSWORD] = "password", [PARAM_SECRET] = "secret", [PARAM_CERTIFICATES] = "certificates", [PARAM_UUID] = "uuid", [PARAM_INT] = "int", [PARAM_BOOL] = "bool", [PARAM_TIME] = "time",
		[PARAM_ENUM] = "enum", [PARAM_UUIDS] = "uuids", [PARAM_JSON] = "json", [PARAM_TEXTS] = "texts", [PARAM_FIELDS] = "fields" };

	return names[type];
}

static json_t *param_row(const struct route_param *p)
{
	json_t *row = json_pack("{s:s, s:s, s:b}", "name", p->name, "type", type_name(p->type), "required",
		(p->flags & PARAM_REQUIRED) != 0);

	if (p->choices) {
		json_t *choices = json_array();

		for (const char *const *c = p->choices; *c; c++)
			json_array_append_new(choices, json_string(*c));
		json_object_set_new(row, "choices", choices);
	}
	return row;
}

static void add_route(const struct route *r, void *ctx)
{
	json_t *params = json_array(), *row = json_pack("{s:s, s:s, s:s, s:b, s:b, s:b}", "method", r->method == WEB_POST ? "POST" : "GET",
		"path", r->path, "permission", permission_name(r->permission), "page", (r->flags & ROUTE_API_ONLY) == 0, "api",
		(r->flags & ROUTE_PAGE_ONLY) == 0, "destroys", (r->flags & ROUTE_DESTROYS) != 0);

	for (const struct route_param *p = r->params; p && p->name; p++)
		json_array_append_new(params, param_row(p));
	json_object_set_new(row, "params", params);
	json_array_append_new(ctx, row);
}

int sign_routes(struct call *c)
{
	json_t *rows = json_array();

	web_routes_each(c->site, add_route, rows);
	call_set(c, "routes", rows);
	return 0;
}
