/* directory_page.c - settings of a directory, the same page for both consoles: kept as they are typed once groups were found by their ids,
 * tested with the name of anybody. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "shared/directory.h"
#include "store/directory.h"
#include "web/ask.h"
#include "web/doc.h"
#include "web/sign.h"
#include "web/vault.h"

#define SPARE_ROWS 3             /* empty rows below the groups that are there */
#define GROUPS_SHOWN 60          /* of the person in a test */

static const char *const nestings[] = { "none", "walk", "chain", NULL };
static const char *const nesting_labels[] = { "Only groups that list the person", "Groups in groups too, step by step",
	"Groups in groups too, found by the server (Active Directory)" };
static const char *const presets[] = { "ldap", "active-directory", NULL };

#define TEXTS(X) X(base) X(filter) X(id) X(login) X(name) X(mail) X(group_base) X(group_filter) X(member) X(bind_dn) X(ca)

const struct route_param directory_query[] = {
	{ "preset", "Preset", PARAM_ENUM, 0, 0, 0, presets },
	{ "group", "Group", PARAM_TEXTS, 0, 0, DIRECTORY_ROLES_MAX, NULL },
	{ "role", "Role", PARAM_TEXTS, 0, 0, DIRECTORY_ROLES_MAX, NULL },
	PARAM_END
};

const struct route_param directory_fields[] = {
	{ "enabled", "People of the directory may sign in", PARAM_BOOL, 0, 0, 0, NULL },
	{ "create", "Add users at their first sign-in", PARAM_BOOL, 0, 0, 0, NULL },
	{ "servers", "Servers", PARAM_LINES, PARAM_REQUIRED, 1, 2000, NULL },
	{ "ca", "Trusted certificates", PARAM_CERTIFICATES, 0, 0, DIRECTORY_CA_MAX, NULL },
	{ "bind_dn", "Account that searches", PARAM_TEXT, 0, 0, DIRECTORY_TEXT_MAX, NULL },
	{ "password", "Its password", PARAM_PASSWORD, 0, 0, DIRECTORY_PASSWORD_MAX, NULL },
	{ "base", "Search below", PARAM_TEXT, PARAM_REQUIRED, 1, DIRECTORY_TEXT_MAX, NULL },
	{ "filter", "Filter for people", PARAM_TEXT, PARAM_REQUIRED, 1, DIRECTORY_TEXT_MAX, NULL },
	{ "id", "Stable id", PARAM_TEXT, PARAM_REQUIRED, 1, 100, NULL },
	{ "login", "User name", PARAM_TEXT, PARAM_REQUIRED, 1, 100, NULL },
	{ "name", "Full name", PARAM_TEXT, PARAM_REQUIRED, 1, 100, NULL },
	{ "mail", "E-mail address", PARAM_TEXT, PARAM_REQUIRED, 1, 100, NULL },
	{ "group_base", "Search groups below", PARAM_TEXT, 0, 0, DIRECTORY_TEXT_MAX, NULL },
	{ "group_filter", "Filter for groups", PARAM_TEXT, 0, 0, DIRECTORY_TEXT_MAX, NULL },
	{ "member", "Members", PARAM_TEXT, PARAM_REQUIRED, 1, 100, NULL },
	{ "nesting", "Groups in groups", PARAM_ENUM, PARAM_REQUIRED, 0, 0, nestings },
	{ "group", "Group", PARAM_TEXTS, 0, 0, DIRECTORY_ROLES_MAX, NULL },
	{ "role", "Role", PARAM_TEXTS, 0, 0, DIRECTORY_ROLES_MAX, NULL },
	{ "otherwise", "Everybody else", PARAM_TEXT, 0, 0, 100, NULL },
	PARAM_END
};

const struct route_param directory_test_fields[] = {
	{ "who", "Name of a person", PARAM_TEXT, 0, 0, DIRECTORY_LOGIN_MAX, NULL },
	PARAM_END
};

/* The page */

/* Every role of this side. */
static const char *role_at(const struct call *c, size_t i)
{
	static const char *const tenant[] = {
#define X(id, name, label, text) name,
		ROLES(X) NULL
	};
	static const char *const operators[] = {
		OPERATOR_ROLES(X) NULL
#undef X
	};

	return c->site == WEB_CENTRAL ? operators[i] : tenant[i];
}

static const char *label_of(const struct call *c, const char *name)
{
	enum role role;

	return role_parse(name, c->site == WEB_CENTRAL, &role) < 0 ? name : call_translate(c, role_label(role));
}

static json_t *role_options(const struct call *c, const char *chosen, const char *none)
{
	json_t *out = json_array();

	json_array_append_new(out, json_pack("{s:s, s:s, s:b}", "value", "", "text", call_translate(c, none), "selected", *chosen == '\0'));
	for (size_t i = 0; role_at(c, i); i++)
		json_array_append_new(out, json_pack("{s:s, s:s, s:b}", "value", role_at(c, i), "text", label_of(c, role_at(c, i)), "selected",
			strcmp(chosen, role_at(c, i)) == 0));
	return out;
}

static void add_row(const struct call *c, json_t *rows, const char *group, const char *role)
{
	json_array_append_new(rows, json_pack("{s:I, s:s, s:o}", "n", (json_int_t)json_array_size(rows) + 1, "group", group, "options",
		role_options(c, role, "No role")));
}

/* Those that were typed, where a form is drawn again. */
static json_t *group_rows(struct call *c, const json_t *settings)
{
	int typed = strcmp(c->route->path, "/directory") == 0 && call_count(c, "group") > 0;
	json_t *rows = json_array(), *row;
	size_t i;

	for (i = 0; typed && i < call_count(c, "group"); i++)
		if (*call_text_at(c, "group", i))
			add_row(c, rows, call_text_at(c, "group", i), i < call_count(c, "role") ? call_text_at(c, "role", i) : "");
	if (!typed)
		json_array_foreach(json_object_get(settings, "roles"), i, row)
			add_row(c, rows, doc_text(row, "name"), doc_text(row, "role"));
	for (i = 0; i < SPARE_ROWS && json_array_size(rows) < DIRECTORY_ROLES_MAX; i++)
		add_row(c, rows, "", "");
	return rows;
}

static json_t *server_lines(const json_t *settings, const char *between)
{
	struct buf lines = BUF_INIT;
	json_t *url, *out;
	size_t i;

	json_array_foreach(json_object_get(settings, "servers"), i, url)
		buf_printf(&lines, "%s%s", i ? between : "", json_string_value(url));
	out = json_string(buf_str(&lines));
	buf_free(&lines);
	return out;
}

static void show_form(struct call *c, const json_t *settings)
{
	json_t *options = role_options(c, doc_text(settings, "otherwise"), "No role: they cannot sign in");

#define X(member) call_form(c, #member, json_string(doc_text(settings, #member)));
	TEXTS(X)
#undef X
	doc_form_pem(c, "ca", doc_text(settings, "ca"));
	call_form(c, "enabled", json_boolean(json_is_true(json_object_get(settings, "enabled"))));
	call_form(c, "create", json_boolean(json_is_true(json_object_get(settings, "create"))));
	call_form(c, "servers", server_lines(settings, "\n"));
	call_form(c, "password", json_string(""));
	for (size_t i = 0; nestings[i]; i++)
		call_form_option(c, "nesting", nestings[i], call_translate(c, nesting_labels[i]), NULL,
			strcmp(doc_text(settings, "nesting"), nestings[i]) == 0);
	call_form(c, "otherwise", json_string(doc_text(settings, "otherwise")));
	json_object_set_new(call_form_field(c, "otherwise"), "options", options);
	call_set(c, "groups", group_rows(c, settings));
}

/* Of what is kept: it is not used before it is saved anew. */
static void say_fault(struct call *c, const json_t *settings)
{
	const char *member;
	struct directory d;

	if (directory_read(settings, &d, &member) < 0)
		call_form_error(c, strcmp(member, "roles") == 0 ? "groups" : member, call_translate(c,
			"What is kept here is not complete, so nobody of the directory can sign in. Complete it, and save."));
}

static int show(struct call *c, const char *preset)
{
	struct buf password = BUF_INIT;
	json_t *settings = NULL;
	int rc = directory_load(c->db, sign_side(c), &settings, &password), set = rc == 0, edit;

	if (rc < 0 && rc != ERR_NOT_FOUND)
		return rc;
	edit = call_may(c, c->site == WEB_CENTRAL ? PERMISSION_OPERATORS_EDIT : PERMISSION_ACCOUNT_EDIT);
	call_set(c, "directory", json_pack("{s:b, s:b, s:b, s:b}", "set", set, "enabled", set && json_is_true(json_object_get(settings, "enabled")),
		"password", password.len > 0, "service", *conf_get(c->conf, CONF_SSO_SOCKET) != '\0'));
	call_set(c, "can", json_pack("{s:b}", "edit", edit));
	if (!set || *preset) {
		json_decref(settings);
		settings = directory_preset(*preset ? preset : "ldap");
		set = 0;
	}
	show_form(c, settings);
	if (set && !call_is_redrawn(c))
		say_fault(c, settings);
	if (json_object_get(c->doc, "test") == NULL)
		call_set(c, "test", json_null());
	json_decref(settings);
	buf_free(&password);
	return 0;
}

int directory_page(struct call *c)
{
	return show(c, call_text(c, "preset"));
}

/* Saving */

static void put_servers(struct call *c, json_t *settings)
{
	char *text = mem_strdup(call_text(c, "servers")), *rest = text, *word;
	json_t *servers = json_array();

	while ((word = strsep(&rest, " \r\n\t,;")) != NULL)
		if (*word)
			json_array_append_new(servers, json_string(word));
	json_object_set_new(settings, "servers", servers);
	free(text);
}

/* What is known already keeps its id: it is not asked for again. */
static const char *known_id(const json_t *former, const char *name)
{
	const json_t *row;
	size_t i;

	json_array_foreach(json_object_get(former, "roles"), i, row)
		if (strcmp(doc_text(row, "name"), name) == 0)
			return doc_text(row, "group");
	return "";
}

static int put_roles(struct call *c, const json_t *former, json_t *settings)
{
	json_t *roles = json_array();
	enum role role;
	int rc = 0;

	for (size_t i = 0; i < call_count(c, "group"); i++) {
		const char *group = call_text_at(c, "group", i), *name = i < call_count(c, "role") ? call_text_at(c, "role", i) : "";

		if (*group == '\0')
			continue;
		if (role_parse(name, c->site == WEB_CENTRAL, &role) < 0)
			rc = call_field_error(c, "groups", "Choose a role for each group.");
		json_array_append_new(roles, json_pack("{s:s, s:s, s:s}", "group", known_id(former, group), "name", group, "role", name));
	}
	json_object_set_new(settings, "roles", roles);
	return rc;
}

/* The document of what was typed; ids of groups that are new are "" still. */
static int typed_settings(struct call *c, const json_t *former, json_t **out)
{
	json_t *s = json_pack("{s:b, s:b, s:s, s:s}", "enabled", call_bool(c, "enabled"), "create", call_bool(c, "create"), "nesting",
		call_text(c, "nesting"), "otherwise", call_text(c, "otherwise"));
	enum role role;
	int rc;

#define X(member) json_set_string(s, #member, call_text(c, #member));
	TEXTS(X)
#undef X
	put_servers(c, s);
	rc = put_roles(c, former, s);
	if (*call_text(c, "otherwise") && role_parse(call_text(c, "otherwise"), c->site == WEB_CENTRAL, &role) < 0)
		rc = call_field_error(c, "otherwise", "There is no such role.");
	*out = s;
	return rc;
}

/* Whether some group's id has to be found out; in the copy that is checked they are as if they had been. */
static int check(struct call *c, const json_t *settings, int *unknown)
{
	json_t *copy = json_deep_copy(settings), *row;
	const char *member = "";
	struct directory d;
	size_t i;
	int rc;

	*unknown = 0;
	json_array_foreach(json_object_get(copy, "roles"), i, row) {
		if (*doc_text(row, "group"))
			continue;
		++*unknown;
		json_set_string(row, "group", "?");
	}
	rc = directory_read(copy, &d, &member);
	if (rc < 0)
		rc = call_field_error(c, strcmp(member, "roles") == 0 ? "groups" : member, err_text());
	json_decref(copy);
	return rc;
}

/* A kept password must not go to another server, or be another account's. */
static int check_password(struct call *c, const json_t *former, const json_t *settings, const struct buf *kept)
{
	int same = former && json_equal(json_object_get(former, "servers"), json_object_get(settings, "servers"))
		&& strcmp(doc_text(former, "bind_dn"), doc_text(settings, "bind_dn")) == 0;

	if (*doc_text(settings, "bind_dn") == '\0' && *call_text(c, "password"))
		return call_field_error(c, "bind_dn", "Whose password was typed? Without an account the search is anonymous and needs none.");
	if (*doc_text(settings, "bind_dn") == '\0' || *call_text(c, "password") || (same && kept->len))
		return 0;
	return call_field_error(c, "password", kept->len ? "The servers or the account are others: type its password." :
		"The account that searches needs its password.");
}

static int ask_groups(struct call *c, const json_t *settings, const struct buf *kept, int unknown)
{
	const char *typed = *call_text(c, "password") ? call_text(c, "password") : *doc_text(settings, "bind_dn") ? NULL : "";
	struct buf question = BUF_INIT;
	json_t *copy = json_deep_copy(settings), *row;
	size_t i;
	int rc;

	json_object_set_new(copy, "roles", json_array());
	rc = directory_question(c, SSO_directory_groups, copy, kept, typed, &question);
	json_decref(copy);
	if (rc < 0)
		return rc;
	wire_put_u8(&question, (uint8_t)unknown);
	json_array_foreach(json_object_get(settings, "roles"), i, row)
		if (*doc_text(row, "group") == '\0')
			wire_put_string(&question, doc_text(row, "name"));
	return call_ask(c, &question);
}

/* Puts the answered ids in. */
static int take_groups(struct call *c, json_t *settings)
{
	json_t *answer = NULL, *row;
	size_t i, next = 0;
	int rc = call_answer(c, &answer);

	if (rc < 0)
		return call_field_error(c, "groups", err_text());
	json_array_foreach(json_object_get(settings, "roles"), i, row) {
		const json_t *found;
		const char *id;

		if (*doc_text(row, "group"))
			continue;
		found = json_array_get(json_object_get(answer, "groups"), next++);
		if (json_get_string(found, "id", DIRECTORY_ID_MAX, &id) == 0)
			json_set_string(row, "group", id);
		else
			rc = call_field_error(c, "groups", *doc_text(found, "error") ? doc_text(found, "error") : "The group could not be looked up.");
	}
	json_decref(answer);
	return rc;
}

static int protect(struct call *c, struct buf *blob)
{
	struct secret *typed = vault_typed(c, "password");
	int rc = c->site == WEB_CONSOLE ? vault_protect(c, DIRECTORY_PURPOSE, typed, blob) :
		keys_system_protect(c->keys, &c->id, DIRECTORY_SYSTEM_PURPOSE, typed, blob);

	secret_free(typed);
	return rc;
}

static int store(struct call *c, const json_t *settings)
{
	int anonymous = *doc_text(settings, "bind_dn") == '\0';
	struct buf blob = BUF_INIT;
	int rc = *call_text(c, "password") && !anonymous ? protect(c, &blob) : 0;

	if (rc == 0)
		rc = directory_save(c->db, sign_side(c), settings, blob.len || anonymous ? &blob : NULL);
	buf_free(&blob);
	if (rc < 0)
		return rc;
	call_notice(c, "success", "The directory is saved. Test it with the name of somebody whose role you know.");
	call_redirect(c, "/directory");
	return 0;
}

int directory_save_run(struct call *c)
{
	struct buf kept = BUF_INIT;
	json_t *former = NULL, *settings = NULL;
	int rc = directory_load(c->db, sign_side(c), &former, &kept), unknown = 0;

	if (rc == ERR_NOT_FOUND)
		rc = 0;
	if (rc == 0)
		rc = typed_settings(c, former, &settings);
	if (rc == 0)
		rc = check(c, settings, &unknown);
	if (rc == 0)
		rc = check_password(c, former, settings, &kept);
	if (rc == 0 && unknown)
		rc = call_has_answer(c) ? take_groups(c, settings) : ask_groups(c, settings, &kept, unknown);
	if (rc == 0)
		rc = store(c, settings);
	json_decref(former);
	json_decref(settings);
	buf_free(&kept);
	return rc;
}

/* Test */

static json_t *show_groups(const struct directory_person *p)
{
	json_t *out = json_array(), *group;
	size_t i;

	json_array_foreach(p->groups, i, group)
		if (i < GROUPS_SHOWN)
			json_array_append_new(out, json_pack("{s:s}", "name", doc_text(group, "dn")));
	return out;
}

static int show_person(struct call *c, const struct directory_kept *k, json_t *answer, json_t *out)
{
	const json_t *row = json_object_get(answer, "person"), *by = NULL;
	struct directory_person p;
	const char *role;
	int rc;

	if (!json_is_object(row)) {
		json_set_int(out, "people", json_integer_value(json_object_get(answer, "people")));
		json_object_set_new(out, "person", json_null());
		return 0;
	}
	rc = directory_person(row, &p);
	if (rc < 0)
		return rc;
	role = directory_role_of(c, &k->d, &p, &by);
	json_object_set_new(out, "person", json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:b, s:b}", "name", p.name, "login", p.login, "mail", p.mail,
		"dn", p.dn, "id", p.id, "role", *role ? label_of(c, role) : "", "by", by ? doc_text(by, "name") : "", "state",
		call_translate(c, directory_state_text(p.state)), "groups", show_groups(&p), "has_groups", json_array_size(p.groups) > 0, "more", p.more));
	return 0;
}

static int show_test(struct call *c, const struct directory_kept *k)
{
	json_t *answer = NULL, *out = json_pack("{s:s, s:s, s:n, s:s}", "who", call_text(c, "who"), "error", "", "person", "server", "");
	int rc = call_answer(c, &answer);

	if (rc == 0)
		rc = show_person(c, k, answer, out);
	if (rc == 0)
		json_set_string(out, "server", doc_text(answer, "server"));
	else
		json_object_set_new(out, "error", doc_reason(c, err_text()));
	json_set_bool(out, "works", rc == 0);
	json_decref(answer);
	call_set(c, "test", out);
	return show(c, "");
}

int directory_test_run(struct call *c)
{
	struct directory_kept k = { .settings = NULL };
	struct buf question = BUF_INIT;
	int rc = directory_kept(c, 0, &k);

	if (rc == ERR_NOT_FOUND)
		return call_refuse(c, ERR_CONFLICT, "Save the directory first. It can be tested before anybody may sign in.");
	if (rc == 0 && call_has_answer(c)) {
		rc = show_test(c, &k);
	} else if (rc == 0) {
		rc = directory_question(c, SSO_directory_test, k.settings, &k.password, NULL, &question);
		if (rc == 0) {
			wire_put_string(&question, call_text(c, "who"));
			rc = call_ask(c, &question);
		}
	}
	directory_release(&k);
	return rc;
}

/* Removing */

int directory_remove_ask(struct call *c)
{
	struct buf password = BUF_INIT;
	json_t *settings = NULL, *servers;
	int rc = directory_load(c->db, sign_side(c), &settings, &password);

	if (rc < 0)
		return rc;
	servers = server_lines(settings, ", ");
	doc_ask_remove(c, "/directory", "Remove the directory “%{name}”?", json_string_value(servers), "Its settings and the password of the account "
		"that searches are forgotten.", json_pack("[s, s]", call_translate(c, "People of the directory cannot sign in any more"),
			call_translate(c, "Their users stay, and work again with the same directory")), "Remove");
	json_decref(servers);
	json_decref(settings);
	buf_free(&password);
	return 0;
}

int directory_remove_run(struct call *c)
{
	int rc = directory_remove(c->db, sign_side(c));

	if (rc < 0)
		return rc;
	call_notice(c, "success", "The directory is removed.");
	call_redirect(c, "/directory");
	return 0;
}
