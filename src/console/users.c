/* users.c - people of the tenant (IDN-1): list, invitation by a link that is shown once, name and role, disabling. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "console/pages.h"
#include "identity/token.h"
#include "store/invitation.h"
#include "store/saml.h"
#include "store/user_outside.h"
#include "web/directory.h"
#include "web/doc.h"
#include "web/list.h"

#define INVITATION_LIFE (7 * CLOCK_DAY)
#define LAST_ADMINISTRATOR "This is the last active Account Administrator. Give another active user this role first, so that the " \
	"account stays manageable."

static const char *const roles[] = {
#define X(id, name, label, text) name,
	ROLES(X)
#undef X
	NULL
};
/* Of a user of the directory also: what its groups say. */
#define BY_GROUPS "groups"
static const char *const roles_or_groups[] = {
#define X(id, name, label, text) name,
	ROLES(X)
#undef X
	BY_GROUPS, NULL
};
static const char *const states[] = { "invited", "active", "disabled", NULL };
static const char *const filters[] = { "state", "role", NULL };
static const char *const sorts[] = { "name", "email", "role", "state", "last_sign_in", NULL };
static const struct list_chip chips[] = { { "active", "Active" }, { "invited", "Invited" }, { "disabled", "Disabled" }, { NULL, NULL } };
static const struct list_view view = { .url = "/users", .filters = filters, .chip = "state", .chips = chips, .sorts = sorts,
	.export = "/users.csv" };

const struct route_param users_query[] = {
	LIST_PARAMS,
	{ "state", "State", PARAM_ENUM, 0, 0, 0, states },
	{ "role", "Role", PARAM_ENUM, 0, 0, 0, roles },
	PARAM_END
};

const struct route_param user_new_fields[] = {
	{ "name", "Name", PARAM_TEXT, PARAM_REQUIRED, 1, 200, NULL },
	{ "email", "E-mail address", PARAM_EMAIL, PARAM_REQUIRED, 0, 0, NULL },
	{ "role", "Role", PARAM_ENUM, PARAM_REQUIRED, 0, 0, roles },
	PARAM_END
};

static const char *const yes_no[] = { "yes", "no", NULL };

const struct route_param user_edit_fields[] = {
	{ "name", "Name", PARAM_TEXT, PARAM_REQUIRED, 1, 200, NULL },
	{ "role", "Role", PARAM_ENUM, PARAM_REQUIRED, 0, 0, roles_or_groups },
	{ "mail", "Mails", PARAM_ENUM, 0, 0, 0, yes_no },
	PARAM_END
};

const struct route_param user_link_fields[] = {
	{ "allow", "Allow", PARAM_BOOL, 0, 0, 0, NULL },
	PARAM_END
};

/* What lists and pages show of a row */

static json_t *state_badge(const struct call *c, const json_t *row)
{
	const char *state = doc_text(row, "state");
	clock_us locked = 0;

	if (strcmp(state, "disabled") == 0)
		return doc_badge(c, "Disabled", "gray");
	if (strcmp(state, "invited") == 0)
		return doc_badge(c, "Invited", "yellow");
	if (clock_parse(doc_text(row, "locked_until"), &locked) == 0 && locked > c->now)
		return doc_badge(c, "Locked", "red");
	return doc_badge(c, "Active", "green");
}

static const char *label_of(const struct call *c, const char *role)
{
	enum role r;

	return role_parse(role, 0, &r) < 0 ? role : call_translate(c, role_label(r));
}

/* Adds the whole UTF-8 character at S. */
static void add_initial(struct buf *out, const char *s)
{
	if ((unsigned char)*s < 0x80)
		buf_putc(out, (char)toupper((unsigned char)*s));
	else
		do
			buf_putc(out, *s++);
		while (((unsigned char)*s & 0xc0) == 0x80);
}

/* Of the first and the last word of a name. */
static json_t *initials_of(const char *name)
{
	const char *last = strrchr(name, ' ');
	struct buf out = BUF_INIT;
	json_t *text;

	if (*name)
		add_initial(&out, name);
	if (last && last[1])
		add_initial(&out, last + 1);
	text = json_string(buf_str(&out));
	buf_free(&out);
	return text;
}

static int is_self(const struct call *c, const json_t *row)
{
	struct uuid id;

	return json_get_uuid(row, "id", &id) == 0 && uuid_equal(&id, &c->user);
}

static int is_of_directory(const json_t *row)
{
	return strcmp(doc_text(row, "source"), USER_OF_DIRECTORY) == 0;
}

static int is_from_outside(const json_t *row)
{
	return strcmp(doc_text(row, "source"), USER_LOCAL) != 0;
}

static json_t *show_row(struct call *c, json_t *row)
{
	json_t *out = json_pack("{s:s, s:s, s:s, s:o, s:s, s:s, s:o, s:o, s:o, s:b}", "id", doc_text(row, "id"), "name",
		doc_text(row, "name"), "email", doc_text(row, "email"), "initials", initials_of(doc_text(row, "name")), "role",
		label_of(c, doc_text(row, "role")), "role_name", doc_text(row, "role"), "state", state_badge(c, row), "last_sign_in",
		doc_when(c, row, "last_sign_in"), "created", doc_when(c, row, "created"), "self", is_self(c, row));

	json_object_set_new(out, "url", json_sprintf("/users/%s", doc_text(row, "id")));
	json_object_set_new(out, "directory", json_boolean(is_of_directory(row)));
	json_object_set_new(out, "saml", json_boolean(strcmp(doc_text(row, "source"), USER_OF_SAML) == 0));
	json_object_set(out, "link", json_object_get(row, "link"));
	return out;
}

static int fetch(struct call *c, const struct list_query *q, json_t **page)
{
	return user_list(c->db, STORE_TENANT, q, page);
}

int users_page(struct call *c)
{
	struct list_query q;
	json_t *page;
	int rc;

	list_read(c, &view, &q);
	rc = fetch(c, &q, &page);
	if (rc < 0)
		return rc;
	rc = directory_used(c);
	if (rc < 0) {
		json_decref(page);
		return rc;
	}
	call_set(c, "can", json_pack("{s:b, s:b}", "invite", call_may(c, PERMISSION_USERS_EDIT), "directory", rc && call_may(c, PERMISSION_USERS_EDIT)));
	return list_show(c, &view, page, show_row);
}

int users_csv(struct call *c)
{
	static const struct list_csv columns[] = { { "ID", "id" }, { "Name", "name" }, { "E-mail address", "email" }, { "Role", "role" },
		{ "State", "state" }, { "Last sign-in", "last_sign_in" }, { "Created", "created" }, { NULL, NULL } };

	return list_export(c, &view, fetch, show_row, columns, "users.csv");
}

/* Inviting */

static void offer_roles(struct call *c, const char *chosen)
{
#define X(id, name, label, text) call_form_option(c, "role", name, call_translate(c, label), call_translate(c, text), \
	strcmp(chosen, name) == 0);
	ROLES(X)
#undef X
}

int user_new_page(struct call *c)
{
	call_form(c, "name", json_string(""));
	call_form(c, "email", json_string(""));
	offer_roles(c, "");
	return 0;
}

static int offer_mail(struct call *c, const struct uuid *id)
{
	int wanted = 0, rc = user_mail(c->db, id, &wanted);

	call_form(c, "mail", json_string(wanted ? "yes" : "no"));
	call_form_option(c, "mail", "yes", call_translate(c, "As the role has it"), NULL, wanted);
	call_form_option(c, "mail", "no", call_translate(c, "None"), NULL, !wanted);
	return rc;
}

static int show(struct call *c, const struct uuid *id)
{
	int rc, edit = call_may(c, PERMISSION_USERS_EDIT);
	json_t *row = NULL;
	const char *state;

	rc = user_get(c->db, STORE_TENANT, id, &row);
	if (rc < 0)
		return rc;
	state = doc_text(row, "state");
	call_set(c, "can", json_pack("{s:b, s:b, s:b, s:b, s:b}", "link", edit && strcmp(state, "active") == 0 &&
		strcmp(doc_text(row, "source"), USER_LOCAL) == 0, "edit", edit, "disable", edit && strcmp(state, "disabled") != 0, "enable",
		edit && strcmp(state, "disabled") == 0, "reinvite", edit && strcmp(state, "invited") == 0));
	call_set(c, "person", show_row(c, row));
	call_form(c, "name", json_string(doc_text(row, "name")));
	offer_roles(c, is_from_outside(row) && !json_is_true(json_object_get(row, "role_fixed")) ? BY_GROUPS : doc_text(row, "role"));
	if (is_from_outside(row))
		call_form_option(c, "role", BY_GROUPS, call_translate(c, is_of_directory(row) ? "As the groups say" : "As the identity provider says"),
			call_translate(c, is_of_directory(row) ? "Looked up in the directory at each sign-in." : "Decided at each sign-in."), !json_is_true(json_object_get(row, "role_fixed")));
	if (json_object_get(c->doc, "invitation") == NULL)
		call_set(c, "invitation", json_null());
	rc = offer_mail(c, id);
	if (rc == 0)
		rc = doc_history(c, doc_text(row, "id"));
	json_decref(row);
	return rc;
}

int user_page(struct call *c)
{
	struct uuid id = call_uuid(c, "id");

	return show(c, &id);
}

/* The link stands on the answer itself: it is kept nowhere, and a page to be led to would not know it. */
static int show_link(struct call *c, const struct uuid *id, const char *token, clock_us expires)
{
	char *path = mem_printf("/invitation?account=%s&token=%s", c->tenant_slug, token);
	char *link = call_address(c, WEB_CONSOLE, path);

	call_set(c, "invitation", json_pack("{s:s, s:o}", "link", link, "expires", call_when(c, expires)));
	free(link);
	free(path);
	return show(c, id);
}

int user_new(struct call *c)
{
	char token[TOKEN_TEXT_SIZE];
	uint8_t hash[TOKEN_HASH_SIZE];
	struct uuid id = uuid_new();
	clock_us expires = c->now + INVITATION_LIFE;
	int rc;

	token_new(token);
	token_hash(token, hash);
	rc = user_invite(c->db, STORE_TENANT, &id, call_text(c, "email"), call_text(c, "name"), call_text(c, "role"), hash, expires);
	if (rc == ERR_CONFLICT)
		return call_field_error(c, "email", "There is a user with this e-mail address already.");
	return rc < 0 ? rc : show_link(c, &id, token, expires);
}

/* Nobody gets a link for somebody else's password: only who has not joined yet is invited again. */
int user_reinvite(struct call *c)
{
	char token[TOKEN_TEXT_SIZE];
	uint8_t hash[TOKEN_HASH_SIZE];
	struct uuid id = call_uuid(c, "id");
	clock_us expires = c->now + INVITATION_LIFE;
	struct user user = { 0 };
	int rc = user_by_id(c->db, STORE_TENANT, &id, &user);

	if (rc == 0 && strcmp(user.state, "invited") != 0)
		rc = call_refuse(c, ERR_CONFLICT, "This person has joined already.");
	user_release(&user);
	if (rc < 0)
		return rc;
	token_new(token);
	token_hash(token, hash);
	rc = invitation_create(c->db, STORE_TENANT, &id, hash, expires);
	return rc < 0 ? rc : show_link(c, &id, token, expires);
}

/* Changing */

static int back(struct call *c, const struct uuid *id, const char *done)
{
	char text[UUID_TEXT_SIZE];

	uuid_text(id, text);
	call_notice(c, "success", done);
	call_redirect(c, "/users/%s", text);
	return 0;
}

/* What is given here to a user of the directory stays, until the groups are to say it again. */
static int change_role(struct call *c, const struct uuid *id)
{
	const char *role = strcmp(call_text(c, "role"), BY_GROUPS) == 0 ? NULL : call_text(c, "role");
	struct user u = { .email = NULL };
	int rc = user_by_id(c->db, STORE_TENANT, id, &u), outside = rc == 0 && strcmp(u.source, USER_LOCAL) != 0;

	user_release(&u);
	if (rc < 0)
		return rc;
	if (outside)
		return user_fix_role(c->db, STORE_TENANT, id, role);
	return role ? user_change(c->db, STORE_TENANT, id, NULL, role, NULL) : call_field_error(c, "role", "Choose a role.");
}

int user_edit(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	int rc = change_role(c, &id);

	if (rc == 0)
		rc = user_change(c->db, STORE_TENANT, &id, call_text(c, "name"), NULL, NULL);

	if (rc == 0 && call_has(c, "mail"))
		rc = user_set_mail(c->db, &id, strcmp(call_text(c, "mail"), "yes") == 0);
	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, LAST_ADMINISTRATOR);
	return rc < 0 ? rc : back(c, &id, "The user is saved.");
}

int user_enable(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	int rc = user_change(c->db, STORE_TENANT, &id, NULL, NULL, "active");

	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, "This person has not accepted the invitation yet.");
	return rc < 0 ? rc : back(c, &id, "The user can sign in again.");
}

/* An invitation that nobody has accepted is not disabled but withdrawn. */
static json_t *disable_points(const struct call *c, int invited)
{
	if (invited)
		return json_pack("[s, s]", call_translate(c, "The link stops working"),
			call_translate(c, "The person can be invited again at any time"));
	return json_pack("[s, s, s]", call_translate(c, "The user is signed out everywhere and cannot sign in"),
		call_translate(c, "The user's entries in the log stay"), call_translate(c, "The user can be enabled again at any time"));
}

int user_disable_ask(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL, *confirm;
	int rc = user_get(c->db, STORE_TENANT, &id, &row), invited;

	if (rc < 0)
		return rc;
	invited = strcmp(doc_text(row, "state"), "invited") == 0;
	confirm = json_pack("{s:s, s:s, s:s, s:b, s:s, s:{s:o}}", "text", doc_text(row, "email"), "icon", "user-off", "colour", "red",
		"danger", 1, "button", call_translate(c, invited ? "Withdraw invitation" : "Disable user"), "points", "items",
		disable_points(c, invited));
	json_object_set_new(confirm, "title", json_sprintf("%s %s?", call_translate(c, invited ? "Withdraw the invitation of" : "Disable"),
		doc_text(row, "name")));
	json_object_set_new(confirm, "action", json_sprintf("/users/%s/disable", doc_text(row, "id")));
	json_object_set_new(confirm, "cancel", json_sprintf("/users/%s", doc_text(row, "id")));
	call_set(c, "confirm", confirm);
	json_decref(row);
	return 0;
}

static int withdraw(struct call *c, const struct uuid *id)
{
	int rc = user_delete(c->db, STORE_TENANT, id);

	if (rc < 0)
		return rc;
	call_notice(c, "success", "The invitation is withdrawn.");
	call_redirect(c, "/users");
	return 0;
}

int user_disable(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	struct user user = { 0 };
	int rc = user_by_id(c->db, STORE_TENANT, &id, &user), invited = rc == 0 && strcmp(user.state, "invited") == 0;

	user_release(&user);
	if (invited)
		return withdraw(c, &id);
	if (rc == 0)
		rc = user_change(c->db, STORE_TENANT, &id, NULL, NULL, "disabled");
	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, LAST_ADMINISTRATOR);
	return rc < 0 ? rc : back(c, &id, "The user is disabled and signed out.");
}

int user_link(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	int rc = identity_allow_link(c->db, STORE_TENANT, &id, call_bool(c, "allow"));

	return rc < 0 ? rc : doc_done(c, "/users", &id, call_bool(c, "allow") ?
		"The next person whom the identity provider sends with this address is this user." : "No link is allowed any more.");
}
