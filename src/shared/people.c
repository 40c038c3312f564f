/* people.c - those who sign in, of both consoles (IDN-1, ADM-1, ADM-2): list, invitation by mail and by a link that is shown once, name and
 * role, disabling, removing, and ending a second factor whose device is lost. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "shared/people.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/secret.h"
#include "identity/token.h"
#include "shared/directory.h"
#include "shared/letter.h"
#include "store/factor.h"
#include "store/invitation.h"
#include "store/saml.h"
#include "store/user_outside.h"
#include "web/doc.h"
#include "web/list.h"
#include "web/sign.h"

#define INVITATION_LIFE (7 * CLOCK_DAY)

#define NAMES(id, name, label, text) name,
static const char *const tenant_roles[] = { ROLES(NAMES) NULL };
static const char *const operator_roles[] = { OPERATOR_ROLES(NAMES) NULL };
/* Of a user of the directory also: what its groups say. */
#define BY_GROUPS "groups"
static const char *const tenant_roles_or_groups[] = { ROLES(NAMES) BY_GROUPS, NULL };
static const char *const operator_roles_or_groups[] = { OPERATOR_ROLES(NAMES) BY_GROUPS, NULL };
#undef NAMES
static const char *const states[] = { "invited", "active", "disabled", NULL };
static const char *const filters[] = { "state", "role", NULL };
static const char *const sorts[] = { "name", "email", "role", "state", "last_sign_in", NULL };
static const struct list_chip chips[] = { { "active", "Active" }, { "invited", "Invited" }, { "disabled", "Disabled" }, { NULL, NULL } };

/* What differs between the two consoles. */
static const struct people {
	const char *url;
	enum permission edit;
	const char *const *roles;
	struct list_view view;
	const char *csv, *last;
} kinds[] = {
	[STORE_TENANT] = { "/users", PERMISSION_USERS_EDIT, tenant_roles, { .url = "/users", .filters = filters, .chip = "state", .chips = chips,
		.sorts = sorts, .export = "/users.csv" }, "users.csv", "This is the last active Account Administrator. Give another active user "
		"this role first, so that the account stays manageable." },
	[STORE_OPERATOR] = { "/operators", PERMISSION_OPERATORS_EDIT, operator_roles, { .url = "/operators", .filters = filters, .chip = "state",
		.chips = chips, .sorts = sorts, .export = "/operators.csv" }, "operators.csv", "This is the last active MSP Administrator. Give "
		"another active operator this role first, so that the installation stays manageable." },
};

static const struct people *people(const struct call *c)
{
	return &kinds[sign_side(c)];
}

#define QUERY(roles) { LIST_PARAMS, { "state", "State", PARAM_ENUM, 0, 0, 0, states }, { "role", "Role", PARAM_ENUM, 0, 0, 0, roles }, PARAM_END }
const struct route_param users_query[] = QUERY(tenant_roles), operators_query[] = QUERY(operator_roles);

#define NAME { "name", "Name", PARAM_TEXT, PARAM_REQUIRED, 1, 200, NULL }
#define ROLE(roles) { "role", "Role", PARAM_ENUM, PARAM_REQUIRED, 0, 0, roles }
#define NEW(roles) { NAME, { "email", "E-mail address", PARAM_EMAIL, PARAM_REQUIRED, 0, 0, NULL }, ROLE(roles), PARAM_END }
const struct route_param user_new_fields[] = NEW(tenant_roles), operator_new_fields[] = NEW(operator_roles);

static const char *const yes_no[] = { "yes", "no", NULL };

#define MAILS { "mail", "Mails", PARAM_ENUM, 0, 0, 0, yes_no }
const struct route_param user_edit_fields[] = { NAME, ROLE(tenant_roles_or_groups), MAILS, PARAM_END };
const struct route_param operator_edit_fields[] = { NAME, ROLE(operator_roles_or_groups), PARAM_END };

const struct route_param person_link_fields[] = {
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

	return role_parse(role, c->site == WEB_CENTRAL, &r) < 0 ? role : call_translate(c, role_label(r));
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

/* Who has not joined and cannot any more with the link that was sent. */
static int is_over(const struct call *c, const json_t *row)
{
	clock_us until = 0;

	clock_parse(doc_text(row, "invited_until"), &until);
	return strcmp(doc_text(row, "state"), "invited") == 0 && until <= c->now;
}

static json_t *show_row(struct call *c, json_t *row)
{
	json_t *out = json_pack("{s:s, s:s, s:s, s:o, s:s, s:s, s:o, s:o, s:o, s:b}", "id", doc_text(row, "id"), "name",
		doc_text(row, "name"), "email", doc_text(row, "email"), "initials", initials_of(doc_text(row, "name")), "role",
		label_of(c, doc_text(row, "role")), "role_name", doc_text(row, "role"), "state", state_badge(c, row), "last_sign_in",
		doc_when(c, row, "last_sign_in"), "created", doc_when(c, row, "created"), "self", is_self(c, row));

	json_object_set_new(out, "url", json_sprintf("%s/%s", people(c)->url, doc_text(row, "id")));
	json_object_set_new(out, "directory", json_boolean(is_of_directory(row)));
	json_object_set_new(out, "saml", json_boolean(strcmp(doc_text(row, "source"), USER_OF_SAML) == 0));
	json_object_set(out, "link", json_object_get(row, "link"));
	json_object_set_new(out, "factor", doc_when(c, row, "factor"));
	json_object_set_new(out, "invited_until", doc_when(c, row, "invited_until"));
	json_object_set_new(out, "invitation_over", json_boolean(is_over(c, row)));
	return out;
}

static int fetch(struct call *c, const struct list_query *q, json_t **page)
{
	return user_list(c->db, sign_side(c), q, page);
}

int people_page(struct call *c)
{
	struct list_query q;
	json_t *page;
	int rc;

	list_read(c, &people(c)->view, &q);
	rc = fetch(c, &q, &page);
	if (rc < 0)
		return rc;
	rc = directory_used(c);
	if (rc < 0) {
		json_decref(page);
		return rc;
	}
	call_set(c, "can", json_pack("{s:b, s:b}", "invite", call_may(c, people(c)->edit), "directory", rc && call_may(c, people(c)->edit)));
	return list_show(c, &people(c)->view, page, show_row);
}

int people_csv(struct call *c)
{
	static const struct list_csv columns[] = { { "ID", "id" }, { "Name", "name" }, { "E-mail address", "email" }, { "Role", "role" },
		{ "State", "state" }, { "Last sign-in", "last_sign_in" }, { "Second factor since", "factor" }, { "Created", "created" }, { NULL, NULL } };

	return list_export(c, &people(c)->view, fetch, show_row, columns, people(c)->csv);
}

/* Inviting */

static void offer_roles(struct call *c, const char *chosen)
{
	enum role r;

	for (const char *const *name = people(c)->roles; *name; name++)
		if (role_parse(*name, c->site == WEB_CENTRAL, &r) == 0)
			call_form_option(c, "role", *name, call_translate(c, role_label(r)), call_translate(c, role_text(r)),
				strcmp(chosen, *name) == 0);
}

int person_new_page(struct call *c)
{
	call_form(c, "name", json_string(""));
	call_form(c, "email", json_string(""));
	offer_roles(c, "");
	return letter_say(c);
}

static int offer_mail(struct call *c, const struct uuid *id)
{
	int wanted = 0, rc = sign_side(c) == STORE_TENANT ? user_mail(c->db, id, &wanted) : 0;

	if (sign_side(c) == STORE_OPERATOR)
		return 0;
	call_form(c, "mail", json_string(wanted ? "yes" : "no"));
	call_form_option(c, "mail", "yes", call_translate(c, "As the role has it"), NULL, wanted);
	call_form_option(c, "mail", "no", call_translate(c, "None"), NULL, !wanted);
	return rc;
}

static int show(struct call *c, const struct uuid *id)
{
	int rc, edit = call_may(c, people(c)->edit), disabled;
	json_t *row = NULL;
	const char *state;

	rc = user_get(c->db, sign_side(c), id, &row);
	if (rc < 0)
		return rc;
	state = doc_text(row, "state");
	disabled = strcmp(state, "disabled") == 0;
	call_set(c, "can", json_pack("{s:b, s:b, s:b, s:b, s:b, s:b, s:b}", "link", edit && strcmp(state, "active") == 0 &&
		!is_from_outside(row), "edit", edit, "disable", edit && !disabled, "enable", edit && disabled,
		"remove", edit && disabled, "reinvite", edit && strcmp(state, "invited") == 0, "factor", edit && *doc_text(row, "factor")));
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
		rc = doc_history(c, doc_text(row, "id"), doc_text(row, "email"));
	json_decref(row);
	return rc;
}

int person_page(struct call *c)
{
	struct uuid id = call_uuid(c, "id");

	return show(c, &id);
}

/* The link goes out by mail where there is a mail server, and stands on the answer itself: it is kept nowhere, and a page to be led to would
 * not know it. */
static int send_link(struct call *c, const struct uuid *id, const char *token, clock_us expires)
{
	int operators = sign_side(c) == STORE_OPERATOR, rc;
	char *path = operators ? mem_printf("/invitation?token=%s", token) : mem_printf("/invitation?account=%s&token=%s", c->tenant_slug, token);
	char *link = call_address(c, c->site, path);
	struct user u = { .email = NULL };

	rc = user_by_id(c->db, sign_side(c), id, &u);
	if (rc == 0)
		rc = letter_send(c, LETTER_INVITATION, &u, c->tenant_name, path);
	if (rc >= 0)
		call_set(c, "invitation", json_pack("{s:s, s:o, s:b, s:s}", "link", link, "expires", call_when(c, expires), "mailed", rc > 0, "email",
			u.email));
	user_release(&u);
	secret_wipe(link, strlen(link));
	secret_wipe(path, strlen(path));
	free(link);
	free(path);
	return rc < 0 ? rc : show(c, id);
}

int person_new(struct call *c)
{
	char token[TOKEN_TEXT_SIZE];
	uint8_t hash[TOKEN_HASH_SIZE];
	struct uuid id = uuid_new();
	clock_us expires = c->now + INVITATION_LIFE;
	int rc;

	token_new(token);
	token_hash(token, hash);
	rc = user_invite(c->db, sign_side(c), &id, call_text(c, "email"), call_text(c, "name"), call_text(c, "role"), hash, expires);
	if (rc == ERR_CONFLICT)
		return call_field_error(c, "email", "There is a user with this e-mail address already.");
	if (rc == ERR_TOO_MANY)
		return call_refuse(c, rc, err_text());
	return rc < 0 ? rc : send_link(c, &id, token, expires);
}

/* Nobody gets a link for somebody else's password: only who has not joined yet is invited again. */
int person_invite(struct call *c)
{
	char token[TOKEN_TEXT_SIZE];
	uint8_t hash[TOKEN_HASH_SIZE];
	struct uuid id = call_uuid(c, "id");
	clock_us expires = c->now + INVITATION_LIFE;
	struct user user = { 0 };
	int rc = user_by_id(c->db, sign_side(c), &id, &user);

	if (rc == 0 && strcmp(user.state, "invited") != 0)
		rc = call_refuse(c, ERR_CONFLICT, "This person has joined already.");
	user_release(&user);
	if (rc < 0)
		return rc;
	token_new(token);
	token_hash(token, hash);
	rc = invitation_create(c->db, sign_side(c), &id, hash, expires);
	return rc < 0 ? rc : send_link(c, &id, token, expires);
}

/* Changing */

static int back(struct call *c, const struct uuid *id, const char *done)
{
	char text[UUID_TEXT_SIZE];

	uuid_text(id, text);
	call_notice(c, "success", done);
	call_redirect(c, "%s/%s", people(c)->url, text);
	return 0;
}

/* What is given here to a user of the directory stays, until the groups are to say it again. */
static int change_role(struct call *c, const struct uuid *id)
{
	const char *role = strcmp(call_text(c, "role"), BY_GROUPS) == 0 ? NULL : call_text(c, "role");
	struct user u = { .email = NULL };
	int rc = user_by_id(c->db, sign_side(c), id, &u), outside = rc == 0 && strcmp(u.source, USER_LOCAL) != 0;

	user_release(&u);
	if (rc < 0)
		return rc;
	if (outside)
		return user_fix_role(c->db, sign_side(c), id, role);
	return role ? user_change(c->db, sign_side(c), id, NULL, role, NULL) : call_field_error(c, "role", "Choose a role.");
}

int person_edit(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	int rc = change_role(c, &id);

	if (rc == 0)
		rc = user_change(c->db, sign_side(c), &id, call_text(c, "name"), NULL, NULL);

	if (rc == 0 && sign_side(c) == STORE_TENANT && call_has(c, "mail"))
		rc = user_set_mail(c->db, &id, strcmp(call_text(c, "mail"), "yes") == 0);
	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, people(c)->last);
	return rc < 0 ? rc : back(c, &id, "The user is saved.");
}

int person_enable(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	struct user u = { .email = NULL };
	int rc = user_change(c->db, sign_side(c), &id, NULL, NULL, "active"), invited;

	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, "This person has not accepted the invitation yet.");
	if (rc == 0)
		rc = user_by_id(c->db, sign_side(c), &id, &u);
	if (rc < 0)
		return rc;
	invited = strcmp(u.state, "invited") == 0;
	user_release(&u);
	return back(c, &id, invited ? "The user is enabled and has no password yet: send an invitation." : "The user can sign in again.");
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

int person_disable_ask(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL, *confirm;
	int rc = user_get(c->db, sign_side(c), &id, &row), invited;

	if (rc < 0)
		return rc;
	invited = strcmp(doc_text(row, "state"), "invited") == 0;
	confirm = json_pack("{s:s, s:s, s:s, s:b, s:s, s:{s:o}}", "text", doc_text(row, "email"), "icon", "user-off", "colour", "red",
		"danger", 1, "button", call_translate(c, invited ? "Withdraw invitation" : "Disable user"), "points", "items",
		disable_points(c, invited));
	json_object_set_new(confirm, "title", doc_question(c, invited ? "Withdraw the invitation of" : "Disable", doc_text(row, "name")));
	json_object_set_new(confirm, "action", json_sprintf("%s/%s/disable", people(c)->url, doc_text(row, "id")));
	json_object_set_new(confirm, "cancel", json_sprintf("%s/%s", people(c)->url, doc_text(row, "id")));
	call_set(c, "confirm", confirm);
	json_decref(row);
	return 0;
}

static int withdraw(struct call *c, const struct uuid *id)
{
	int rc = user_delete(c->db, sign_side(c), id);

	if (rc < 0)
		return rc;
	call_notice(c, "success", "The invitation is withdrawn.");
	call_redirect(c, "%s", people(c)->url);
	return 0;
}

int person_disable(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	struct user user = { 0 };
	int rc = user_by_id(c->db, sign_side(c), &id, &user), invited = rc == 0 && strcmp(user.state, "invited") == 0;

	user_release(&user);
	if (invited)
		return withdraw(c, &id);
	if (rc == 0)
		rc = user_change(c->db, sign_side(c), &id, NULL, NULL, "disabled");
	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, people(c)->last);
	return rc < 0 ? rc : back(c, &id, "The user is disabled and signed out.");
}

/* To the identity provider */

int person_link(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	int rc = identity_allow_link(c->db, sign_side(c), &id, call_bool(c, "allow"));

	return rc < 0 ? rc : doc_done(c, people(c)->url, &id, call_bool(c, "allow") ?
		"The next person whom the identity provider sends with this address is this user." : "No link is allowed any more.");
}

/* For good */

int person_remove_ask(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL;
	int rc = user_get(c->db, sign_side(c), &id, &row);

	if (rc == 0)
		doc_confirm(c, &(struct doc_confirm){ .folder = people(c)->url, .id = doc_text(row, "id"), .act = "remove", .title = "Remove",
			.name = doc_text(row, "name"), .text = doc_text(row, "email"), .icon = "trash", .colour = "red", .button = "Remove user", .danger = 1,
			.points = json_pack("[s, s]", call_translate(c, "The user is gone for good; the address can be invited anew"),
				call_translate(c, "The user's entries in the log stay")) });
	json_decref(row);
	return rc;
}

int person_remove(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	struct user user = { 0 };
	int rc = user_by_id(c->db, sign_side(c), &id, &user);

	if (rc == 0 && strcmp(user.state, "active") == 0)
		rc = call_refuse(c, ERR_CONFLICT, "Disable the user first.");
	user_release(&user);
	if (rc == 0)
		rc = user_delete(c->db, sign_side(c), &id);
	if (rc < 0)
		return rc;
	call_notice(c, "success", "The user is removed.");
	call_redirect(c, "%s", people(c)->url);
	return 0;
}

/* A second factor whose device is lost */

int person_factor_ask(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL;
	int rc = user_get(c->db, sign_side(c), &id, &row);

	if (rc == 0)
		doc_confirm(c, &(struct doc_confirm){ .folder = people(c)->url, .id = doc_text(row, "id"), .act = "factor", .title = "Remove the second "
			"factor of", .name = doc_text(row, "name"), .text = doc_text(row, "email"), .icon = "shield-off", .colour = "red",
			.button = "Remove second factor", .danger = 1, .warning = call_translate(c, "Make sure that it is really this person who asks: "
			"without the second factor the password alone opens the console."), .points = json_pack("[s, s, s]",
				call_translate(c, "The user is signed out everywhere"), call_translate(c, "The user is told by mail"),
				call_translate(c, "Where the role must have a second factor, a new one is set up at the next sign-in")) });
	json_decref(row);
	return rc;
}

int person_factor(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	struct user user = { 0 };
	int rc = user_by_id(c->db, sign_side(c), &id, &user);

	if (rc == 0 && uuid_equal(&id, &c->user))
		rc = call_refuse(c, ERR_CONFLICT, "Your own you remove on the page Second factor, with a code.");
	if (rc == 0) {
		rc = factor_remove(c->db, sign_side(c), &user);
		if (rc == ERR_NOT_FOUND)
			rc = call_refuse(c, ERR_CONFLICT, "The user has no second factor.");
	}
	if (rc == 0)
		rc = user_sign_out(c->db, sign_side(c), &id);
	if (rc == 0)
		rc = letter_send(c, LETTER_FACTOR_REMOVED, &user, c->tenant_name, NULL);
	user_release(&user);
	return rc < 0 ? rc : back(c, &id, "The second factor is removed, and the user is told.");
}
