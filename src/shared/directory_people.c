/* directory_people.c - choosing somebody of the directory as a user: search, then a role of one's own or that of the groups. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "shared/directory.h"
#include "store/user_outside.h"
#include "web/ask.h"
#include "web/doc.h"
#include "web/sign.h"

#define FOUND_MOST 25
#define BY_GROUPS "groups"
#define NO_DIRECTORY "There is no directory, or its people may not sign in yet."

const struct route_param directory_people_query[] = {
	{ "search", "Search", PARAM_TEXT, 0, 0, 100, NULL },
	PARAM_END
};

const struct route_param directory_people_fields[] = {
	{ "person", "Person", PARAM_TEXT, PARAM_REQUIRED, 1, DIRECTORY_ID_MAX, NULL },
	{ "role", "Role", PARAM_TEXT, PARAM_REQUIRED, 1, 100, NULL },
	{ "search", "Search", PARAM_TEXT, 0, 0, 100, NULL },
	PARAM_END
};

static void offer_roles(struct call *c)
{
	call_form_option(c, "role", BY_GROUPS, call_translate(c, "As the groups say"),
		call_translate(c, "Looked up in the directory at each sign-in."), 1);
#define X(id, name, label, text) call_form_option(c, "role", name, call_translate(c, label), call_translate(c, text), 0);
	if (c->site == WEB_CENTRAL) {
		OPERATOR_ROLES(X)
	} else {
		ROLES(X)
	}
#undef X
}

static int ask_people(struct call *c, const struct directory_kept *k)
{
	struct buf question = BUF_INIT;
	int rc = directory_question(c, SSO_directory_find, k->settings, &k->password, NULL, &question);

	if (rc < 0)
		return rc;
	wire_put_string(&question, call_text(c, "search"));
	wire_put_u8(&question, FOUND_MOST);
	return call_ask(c, &question);
}

/* What to say where the person is a user already; "" else. */
static int is_user(struct call *c, const char *id, int *out)
{
	struct user u = { .email = NULL };
	int rc = user_by_external(c->db, sign_side(c), USER_OF_DIRECTORY, id, &u);

	*out = rc == 0;
	user_release(&u);
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

static int show_people(struct call *c, const json_t *answer, json_t *rows)
{
	const json_t *row;
	size_t i;
	int rc = 0, user;

	json_array_foreach(json_object_get(answer, "people"), i, row) {
		struct directory_person p;

		if (directory_person(row, &p) < 0)
			continue;
		rc = is_user(c, p.id, &user);
		if (rc < 0)
			break;
		json_array_append_new(rows, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b}", "id", p.id, "name", p.name, "login", p.login, "mail", p.mail, "dn",
			p.dn, "state", p.state == DIRECTORY_active ? "" : call_translate(c, directory_state_label(p.state)), "user", user));
	}
	return rc;
}

/* Without an answer: the form alone, or why there is none. */
static int show(struct call *c, int found)
{
	json_t *answer = NULL, *rows = json_array();
	int rc = found ? call_answer(c, &answer) : 0;
	const char *error = rc < 0 ? err_text() : "";

	call_set(c, "error", *error ? doc_reason(c, error) : json_string(""));
	rc = answer ? show_people(c, answer, rows) : 0;
	call_set(c, "search", json_string(call_text(c, "search")));
	call_set(c, "searched", json_boolean(found));
	call_set(c, "has_people", json_boolean(json_array_size(rows) > 0));
	call_set(c, "more", json_boolean(json_is_true(json_object_get(answer, "more"))));
	call_set(c, "people", rows);
	offer_roles(c);
	call_form(c, "person", json_string(""));
	json_decref(answer);
	return rc;
}

int directory_people_page(struct call *c)
{
	struct directory_kept k = { .settings = NULL };
	int rc, wanted = *call_text(c, "search") != '\0';

	/* A form that is drawn again asks nothing: the search is begun once more. */
	if (!wanted || call_is_redrawn(c))
		return show(c, 0);
	rc = directory_kept(c, 1, &k);
	if (rc == ERR_NOT_FOUND) {
		rc = show(c, 0);
		call_set(c, "error", json_string(call_translate(c, NO_DIRECTORY)));
	} else if (rc == 0)
		rc = call_has_answer(c) ? show(c, 1) : ask_people(c, &k);
	directory_release(&k);
	return rc;
}

/* Adding */

static int ask_person(struct call *c, const struct directory_kept *k)
{
	struct buf question = BUF_INIT;
	int rc = directory_question(c, SSO_directory_look, k->settings, &k->password, NULL, &question);

	if (rc < 0)
		return rc;
	wire_put_string(&question, call_text(c, "person"));
	return call_ask(c, &question);
}

static int add(struct call *c, const struct directory_kept *k, const struct directory_person *p)
{
	const char *wanted = call_text(c, "role");
	int by_groups = strcmp(wanted, BY_GROUPS) == 0, rc;
	struct uuid id = uuid_new();
	struct user_outside o = { .source = USER_OF_DIRECTORY, .external_id = p->id, .email = p->mail, .name = p->name, .role_fixed = !by_groups,
		.role = by_groups ? directory_role_of(c, &k->d, p, NULL) : wanted };
	enum role role;

	if (strchr(p->mail, '@') == NULL)
		return call_refuse(c, ERR_CONFLICT, "The directory does not say this person's e-mail address, which is needed here.");
	if (role_parse(o.role, c->site == WEB_CENTRAL, &role) < 0)
		return call_field_error(c, "role", by_groups ? "None of this person's groups gives a role here: choose one." : "There is no such role.");
	rc = user_join(c->db, sign_side(c), &id, &o);
	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, "There is a user with this e-mail address, or for this person, already.");
	if (rc < 0)
		return rc;
	call_notice(c, "success", "The user is added, and signs in with the password of the directory.");
	call_redirect(c, c->site == WEB_CENTRAL ? "/directory/people" : "/users");
	return 0;
}

int directory_people_add(struct call *c)
{
	struct directory_kept k = { .settings = NULL };
	struct directory_person p;
	json_t *person = NULL;
	int rc = directory_kept(c, 1, &k);

	if (rc == ERR_NOT_FOUND)
		return call_refuse(c, ERR_CONFLICT, NO_DIRECTORY);
	if (rc == 0 && !call_has_answer(c)) {
		rc = ask_person(c, &k);
	} else if (rc == 0) {
		rc = call_answer(c, &person);
		if (rc == 0)
			rc = directory_person(person, &p);
		rc = rc == 0 ? add(c, &k, &p) : call_field_error(c, "person", err_text());
	}
	json_decref(person);
	directory_release(&k);
	return rc;
}
