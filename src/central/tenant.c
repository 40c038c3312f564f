/* tenant.c - one tenant: what an operator may know of it, suspend and resume, the first administrator's invitation. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "central/pages.h"
#include "identity/token.h"
#include "store/audit.h"
#include "store/tenant.h"

#define INVITATION_LIFE (7 * CLOCK_DAY)
#define HISTORY_MAX 20

const struct route_param tenant_comment[] = {
	{ "comment", "Comment", PARAM_LINES, 0, 0, 1000, NULL },
	PARAM_END
};

const struct route_param tenant_invite_fields[] = {
	{ "name", "Name", PARAM_TEXT, PARAM_REQUIRED, 1, 200, NULL },
	{ "email", "E-mail address", PARAM_EMAIL, PARAM_REQUIRED, 0, 0, NULL },
	PARAM_END
};

static const struct {
	const char *name, *label, *colour;
} states[] = {
	{ "active", "Active", "green" }, { "suspended", "Suspended", "yellow" }, { "closing", "Closing", "orange" },
	{ "closed", "Closed", "gray" },
};

json_t *tenant_state_badge(const struct call *c, const char *state)
{
	for (size_t i = 0; i < ARRAY_LEN(states); i++)
		if (strcmp(states[i].name, state) == 0)
			return json_pack("{s:s, s:s}", "name", call_translate(c, states[i].label), "colour", states[i].colour);
	return json_pack("{s:s, s:s}", "name", state, "colour", "gray");
}

static const char *text(const json_t *row, const char *name)
{
	const char *s = json_string_value(json_object_get(row, name));

	return s ? s : "";
}

static void set_address(const struct call *c, json_t *o, const char *name, enum web_site site, const char *path)
{
	char *address = call_address(c, site, path);

	json_set_string(o, name, address);
	free(address);
}

static json_t *history_row(struct call *c, const json_t *entry)
{
	const char *event = text(entry, "event");
	const json_t *detail = json_object_get(entry, "detail");
	const char *reason = json_string_value(json_object_get(detail, "reason"));
	const char *colour = strcmp(event, "tenant.suspended") == 0 ? "yellow" : strcmp(event, "tenant.resumed") == 0 ? "green" : "blue";
	clock_us at = 0;

	clock_parse(text(entry, "at"), &at);
	return json_pack("{s:s, s:s, s:s, s:o, s:s?, s:n}", "title", call_translate(c, text(entry, "label")), "colour", colour, "by",
		text(entry, "actor_name"), "at", call_when(c, at), "comment", reason, "detail");
}

/* What the operators did with this tenant: the installation's own log, nothing of the tenant's. */
static int set_history(struct call *c, const char *id)
{
	struct list_query q = { .limit = HISTORY_MAX, .filters = { { "object", id } } };
	json_t *page, *entry, *out = json_array();
	const char *created_by = "";
	size_t i;
	int rc = audit_list(c->db, &q, &page);

	if (rc < 0) {
		json_decref(out);
		return rc;
	}
	json_array_foreach(json_object_get(page, "rows"), i, entry) {
		json_array_append_new(out, history_row(c, entry));
		if (strcmp(text(entry, "event"), "tenant.created") == 0)
			created_by = text(entry, "actor_name");
	}
	json_set_string(json_object_get(c->doc, "account"), "created_by", created_by);
	json_decref(page);
	call_set(c, "history", out);
	return 0;
}

static json_t *account_member(const struct call *c, const json_t *row)
{
	const char *state = text(row, "state");
	json_t *account = json_pack("{s:s, s:s, s:s, s:o, s:b}", "id", text(row, "id"), "name", text(row, "name"), "account",
		text(row, "slug"), "state", tenant_state_badge(c, state), "suspended", strcmp(state, "suspended") == 0);
	char *sign_in = mem_printf("/sign-in?account=%s", text(row, "slug"));
	clock_us created = 0;

	json_object_set_new(account, "url", json_sprintf("/tenants/%s", text(row, "id")));
	clock_parse(text(row, "created"), &created);
	json_object_set_new(account, "created", call_when(c, created));
	set_address(c, account, "web_service", WEB_AGENTS, "");
	set_address(c, account, "console", WEB_CONSOLE, sign_in);
	free(sign_in);
	return account;
}

static int show(struct call *c, const struct uuid *id)
{
	char id_text[UUID_TEXT_SIZE];
	json_t *row = NULL;
	const char *state;
	int rc = tenant_get(c->db, id, &row), edit = call_may(c, PERMISSION_TENANTS_EDIT);

	if (rc < 0)
		return rc;
	state = text(row, "state");
	uuid_text(id, id_text);
	call_set(c, "can", json_pack("{s:b, s:b, s:b}", "suspend", edit && strcmp(state, "active") == 0, "resume",
		edit && strcmp(state, "suspended") == 0, "invite", edit && strcmp(state, "active") == 0));
	call_set(c, "account", account_member(c, row));
	if (json_object_get(c->doc, "invitation") == NULL)
		call_set(c, "invitation", json_null());
	json_decref(row);
	return set_history(c, id_text);
}

int tenant_page(struct call *c)
{
	struct uuid id = call_uuid(c, "id");

	return show(c, &id);
}

int tenant_new_invitation(struct call *c, const struct uuid *tenant, const char *slug, const char *name, const char *email)
{
	char token[TOKEN_TEXT_SIZE];
	uint8_t hash[TOKEN_HASH_SIZE];
	struct uuid user = uuid_new();
	clock_us expires = c->now + INVITATION_LIFE;
	json_t *invitation;
	char *path;
	int rc;

	token_new(token);
	token_hash(token, hash);
	rc = tenant_invite_admin(c->db, tenant, &user, email, name, hash, expires);
	if (rc == ERR_FORBIDDEN)
		return call_refuse(c, ERR_CONFLICT, "Somebody of this tenant has joined already. From now on its own administrators invite.");
	if (rc < 0)
		return rc;
	path = mem_printf("/invitation?account=%s&token=%s", slug, token);
	invitation = json_pack("{s:s, s:s, s:o}", "name", name, "email", email, "expires", call_when(c, expires));
	set_address(c, invitation, "link", WEB_CONSOLE, path);
	call_set(c, "invitation", invitation);
	free(path);
	return show(c, tenant);
}

int tenant_invite(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL;
	int rc = tenant_get(c->db, &id, &row);

	if (rc == 0)
		rc = tenant_new_invitation(c, &id, text(row, "slug"), call_text(c, "name"), call_text(c, "email"));
	json_decref(row);
	return rc;
}

/* Suspend and resume */

static int ask(struct call *c, const char *act, const char *title, const char *words, const char *button, json_t *points)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL, *confirm;
	int rc = tenant_get(c->db, &id, &row), suspends = strcmp(act, "suspend") == 0;

	if (rc < 0) {
		json_decref(points);
		return rc;
	}
	confirm = json_pack("{s:s, s:s, s:s, s:b, s:b, s:s, s:{s:o}}", "text", call_translate(c, words), "icon",
		suspends ? "player-pause" : "player-play", "colour", suspends ? "yellow" : "green", "danger", suspends, "comment", 1,
		"button", call_translate(c, button), "points", "items", points);
	json_object_set_new(confirm, "title", json_sprintf("%s %s?", call_translate(c, title), text(row, "name")));
	json_object_set_new(confirm, "action", json_sprintf("/tenants/%s/%s", text(row, "id"), act));
	json_object_set_new(confirm, "cancel", json_sprintf("/tenants/%s", text(row, "id")));
	call_set(c, "confirm", confirm);
	call_form(c, "comment", json_string(""));
	json_decref(row);
	return 0;
}

int tenant_suspend_ask(struct call *c)
{
	return ask(c, "suspend", "Suspend", "The tenant stays as it is and can be resumed at any time.", "Suspend tenant",
		json_pack("[s, s, s]", call_translate(c, "Its users are signed out and cannot sign in"),
			call_translate(c, "Its agents get no keys when they start"), call_translate(c, "Volumes that are open stay open")));
}

int tenant_resume_ask(struct call *c)
{
	return ask(c, "resume", "Resume", "The tenant works again as before.", "Resume tenant",
		json_pack("[s, s]", call_translate(c, "Its users can sign in"), call_translate(c, "Its agents get keys as its policies say")));
}

static int set_state(struct call *c, const char *state, const char *done)
{
	struct uuid id = call_uuid(c, "id");
	char id_text[UUID_TEXT_SIZE];
	const char *comment = call_text(c, "comment");
	int rc = tenant_set_state(c->db, &id, state, *comment ? comment : NULL);

	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, "The tenant's state has changed in the meantime.");
	if (rc < 0)
		return rc;
	uuid_text(&id, id_text);
	call_notice(c, "success", done);
	call_redirect(c, "/tenants/%s", id_text);
	return 0;
}

int tenant_suspend(struct call *c)
{
	return set_state(c, "suspended", "The tenant is suspended.");
}

int tenant_resume(struct call *c)
{
	return set_state(c, "active", "The tenant is active again.");
}
