/* tenant.c - one tenant: what an operator may know of it, suspend and resume, the first administrator's invitation. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "central/pages.h"
#include "identity/token.h"
#include "shared/letter.h"
#include "store/tenant.h"
#include "web/doc.h"

#define INVITATION_LIFE (7 * CLOCK_DAY)

const struct route_param tenant_comment[] = {
	{ "comment", "Comment", PARAM_LINES, 0, 0, 1000, NULL },
	PARAM_END
};

const struct route_param tenant_invite_fields[] = {
	{ "name", "Name", PARAM_TEXT, PARAM_REQUIRED, 1, 200, NULL },
	{ "email", "E-mail address", PARAM_EMAIL, PARAM_REQUIRED, 0, 0, NULL },
	PARAM_END
};

const struct route_param tenant_edit_fields[] = {
	{ "name", "Display name", PARAM_TEXT, PARAM_REQUIRED, 1, 200, NULL },
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
			return doc_badge(c, states[i].label, states[i].colour);
	return doc_badge(c, state, "gray");
}

static void set_address(const struct call *c, json_t *o, const char *name, enum web_site site, const char *path)
{
	char *address = call_address(c, site, path);

	json_set_string(o, name, address);
	free(address);
}

static json_t *account_member(const struct call *c, const json_t *row)
{
	const char *state = doc_text(row, "state");
	json_t *account = json_pack("{s:s, s:s, s:s, s:o, s:b}", "id", doc_text(row, "id"), "name", doc_text(row, "name"), "account",
		doc_text(row, "slug"), "state", tenant_state_badge(c, state), "suspended", strcmp(state, "suspended") == 0);
	char *sign_in = mem_printf("/sign-in?account=%s", doc_text(row, "slug"));

	json_object_set_new(account, "url", json_sprintf("/tenants/%s", doc_text(row, "id")));
	json_object_set_new(account, "created", doc_when(c, row, "created"));
	set_address(c, account, "web_service", WEB_AGENTS, "");
	set_address(c, account, "console", WEB_CONSOLE, sign_in);
	free(sign_in);
	return account;
}

static int show(struct call *c, const struct uuid *id)
{
	char id_text[UUID_TEXT_SIZE];
	json_t *row = NULL, *closing;
	const char *state;
	int rc = tenant_get(c->db, id, &row), edit = call_may(c, PERMISSION_TENANTS_EDIT), joined, active, ends;

	if (rc < 0)
		return rc;
	state = doc_text(row, "state");
	active = strcmp(state, "active") == 0;
	ends = strncmp(state, "clos", 4) == 0;
	joined = ends ? 1 : tenant_joined(c->db, id);
	if (joined < 0) {
		json_decref(row);
		return joined;
	}
	uuid_text(id, id_text);
	closing = tenant_closing(c, id);
	call_set(c, "can", json_pack("{s:b, s:b, s:b, s:b, s:b, s:b, s:b}", "close", call_may(c, PERMISSION_TENANTS_CLOSE) && !ends && json_is_null(closing), "keep",
		call_may(c, PERMISSION_TENANTS_CLOSE) && json_is_true(json_object_get(closing, "waits")), "licences", call_may(c, PERMISSION_LICENCES_VIEW), "suspend",
		edit && active, "resume", edit && strcmp(state, "suspended") == 0, "invite", edit && active && !joined, "edit", edit && !ends));
	call_set(c, "alone", json_boolean(active && !joined));
	call_set(c, "joined", json_boolean(joined && !ends));
	call_set(c, "account", account_member(c, row));
	call_set(c, "closing", closing);
	if (json_object_get(c->doc, "invitation") == NULL)
		call_set(c, "invitation", json_null());
	json_decref(row);
	return doc_history(c, id_text, doc_text(json_object_get(c->doc, "account"), "name"));
}

int tenant_page(struct call *c)
{
	struct uuid id = call_uuid(c, "id");

	return show(c, &id);
}

/* The link goes out by mail where there is a mail server, and stands on the answer itself, once. ROW: the tenant. */
static int send_link(struct call *c, const json_t *row, const struct user *u, const char *token, clock_us expires)
{
	char *path = mem_printf("/invitation?account=%s&token=%s", doc_text(row, "slug"), token);
	int rc = letter_invite_first(c, u, doc_text(row, "name"), path);
	json_t *invitation = json_pack("{s:s, s:s, s:o, s:b}", "name", u->name, "email", u->email, "expires", call_when(c, expires), "mailed", rc > 0);

	set_address(c, invitation, "link", WEB_CONSOLE, path);
	call_set(c, "invitation", invitation);
	free(path);
	return rc < 0 ? rc : 0;
}

int tenant_new_invitation(struct call *c, const struct uuid *tenant, const char *name, const char *email)
{
	char token[TOKEN_TEXT_SIZE];
	uint8_t hash[TOKEN_HASH_SIZE];
	/* Only read by who gets it. */
	struct user u = { .id = uuid_new(), .name = (char *)(uintptr_t)name, .email = (char *)(uintptr_t)email };
	clock_us expires = c->now + INVITATION_LIFE;
	json_t *row = NULL;
	int rc = tenant_get(c->db, tenant, &row);

	token_new(token);
	token_hash(token, hash);
	if (rc == 0)
		rc = tenant_invite_admin(c->db, tenant, &u.id, email, name, hash, expires);
	if (rc == ERR_FORBIDDEN)
		rc = call_refuse(c, ERR_CONFLICT, "Somebody of this tenant has joined already. From now on its own administrators invite.");
	if (rc == 0)
		rc = send_link(c, row, &u, token, expires);
	json_decref(row);
	return rc < 0 ? rc : show(c, tenant);
}

int tenant_invite(struct call *c)
{
	struct uuid id = call_uuid(c, "id");

	return tenant_new_invitation(c, &id, call_text(c, "name"), call_text(c, "email"));
}

/* Its name */

int tenant_edit_page(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL;
	int rc = tenant_get(c->db, &id, &row);

	if (rc == 0) {
		call_set(c, "account", account_member(c, row));
		call_form(c, "name", json_string(doc_text(row, "name")));
	}
	json_decref(row);
	return rc;
}

int tenant_edit(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL;
	int rc = tenant_get(c->db, &id, &row);

	json_decref(row);
	if (rc == 0)
		rc = tenant_rename(c->db, &id, call_text(c, "name"));
	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, "The tenant is closed: its record stays as it is.");
	return rc < 0 ? rc : doc_done(c, "/tenants", &id, "The tenant is saved.");
}

/* Suspend and resume */

/* What the two acts have of their own; TENANT's id and name are filled in. */
static int ask(struct call *c, struct doc_confirm confirm)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL;
	int rc = tenant_get(c->db, &id, &row);

	if (rc < 0) {
		json_decref(confirm.points);
		return rc;
	}
	confirm.folder = "/tenants";
	confirm.id = doc_text(row, "id");
	confirm.name = doc_text(row, "name");
	confirm.comment = 1;
	doc_confirm(c, &confirm);
	json_decref(row);
	return 0;
}

int tenant_suspend_ask(struct call *c)
{
	return ask(c, (struct doc_confirm){ .act = "suspend", .title = "Suspend", .icon = "player-pause", .colour = "yellow", .danger = 1,
		.button = "Suspend tenant", .text = call_translate(c, "The tenant stays as it is and can be resumed at any time."),
		.points = json_pack("[s, s, s]", call_translate(c, "Its users are signed out and cannot sign in"),
			call_translate(c, "Its agents get no keys when they start"), call_translate(c, "Volumes that are open stay open")) });
}

int tenant_resume_ask(struct call *c)
{
	return ask(c, (struct doc_confirm){ .act = "resume", .title = "Resume", .icon = "player-play", .colour = "green",
		.button = "Resume tenant", .text = call_translate(c, "The tenant works again as before."),
		.points = json_pack("[s, s]", call_translate(c, "Its users can sign in"),
			call_translate(c, "Its agents get keys as its policies say")) });
}

static int set_state(struct call *c, const char *state, const char *done)
{
	struct uuid id = call_uuid(c, "id");
	const char *comment = call_text(c, "comment");
	int rc = tenant_set_state(c->db, &id, state, *comment ? comment : NULL);

	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, "The tenant's state has changed in the meantime.");
	if (rc < 0)
		return rc;
	return doc_done(c, "/tenants", &id, done);
}

int tenant_suspend(struct call *c)
{
	return set_state(c, "suspended", "The tenant is suspended.");
}

int tenant_resume(struct call *c)
{
	return set_state(c, "active", "The tenant is active again.");
}
