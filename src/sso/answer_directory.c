/* answer_directory.c - questions to a directory: test, sign-in, finding people and groups. Each in a process of its own (ssod.c). */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/secret.h"
#include "sso/answer.h"
#include "sso/ldap_person.h"

#define FIND_MOST 100
#define GROUPS_ASKED_MAX DIRECTORY_ROLES_MAX

/* What every question begins with, and the connection as who searches. */
struct asking {
	json_t *settings;
	struct directory d;
	struct wire_view password;           /* points into the message */
	struct ldap_link link;
};

static int read_directory(struct sso_act *a, struct asking *q)
{
	struct wire_view text = wire_get_bytes(&a->in, DIRECTORY_SETTINGS_MAX);
	const char *member = "";
	int rc;

	q->password = wire_get_bytes(&a->in, DIRECTORY_PASSWORD_MAX);
	if (a->in.error)
		return err_set(a->in.error, "the question is cut off");
	rc = json_parse_object((const char *)text.data, text.len, DIRECTORY_SETTINGS_MAX, &q->settings);
	if (rc == 0 && directory_read(q->settings, &q->d, &member) < 0)
		rc = err_wrap(ERR_INVALID, "settings of the directory: %s", member);
	return rc;
}

/* Its own failure to sign in is one of the settings, not of whoever signs in. */
static int open_link(struct asking *q)
{
	int rc = ldap_link_open(&q->d, &q->link);

	if (rc < 0)
		return rc;
	rc = ldap_link_bind(&q->link, q->d.bind_dn, q->password);
	if (rc == ERR_UNAUTHENTICATED)
		rc = err_wrap(ERR_FORBIDDEN, "the account that searches (%s) is refused: wrong name or password", q->d.bind_dn);
	return rc;
}

static int end_fields(struct sso_act *a)
{
	int rc = wire_end(&a->in);

	return rc < 0 ? err_set(rc, "the question is not well-formed") : 0;
}

static int finish(struct sso_act *a, struct asking *q, int rc, json_t *answer)
{
	char *text = rc == 0 ? json_text(answer) : NULL;

	ldap_link_close(&q->link);
	if (text)
		wire_put_bytes(a->out, text, strlen(text));
	free(text);
	json_decref(answer);
	json_decref(q->settings);
	return rc;
}

/* Proves PASSWORD on a connection of its own: the searching one keeps its rights. */
static int prove(const struct asking *q, const char *dn, struct wire_view password)
{
	struct ldap_link l = { NULL };
	int rc = ldap_link_open(&q->d, &l);

	if (rc == 0)
		rc = ldap_link_bind(&l, dn, password);
	ldap_link_close(&l);
	return rc;
}

static int may_come_in(const json_t *person)
{
	struct directory_person p;
	int rc = directory_person(person, &p);

	if (rc == 0 && p.state != DIRECTORY_active)
		rc = err_set(ERR_SUSPENDED, "%s", directory_state_text(p.state));
	return rc;
}

/* A wrong password is said to be one even of somebody disabled; the log gets both. */
static int check_person(struct asking *q, json_t *person, struct wire_view password)
{
	const char *dn = json_string_value(json_object_get(person, "dn")), *state = json_string_value(json_object_get(person, "state"));
	int rc = prove(q, dn, password);

	if (rc == ERR_UNAUTHENTICATED && strcmp(state, directory_state_name(DIRECTORY_active)) != 0)
		err_wrap(rc, "%s in the directory", state);
	if (rc == 0)
		rc = may_come_in(person);
	return rc < 0 ? rc : ldap_person_groups(&q->link, &q->d, person);
}

/* Takes PERSON over. */
static json_t *wrong_password(json_t *person)
{
	json_t *wrong = json_pack("{s:O, s:s}", "wrong", json_object_get(person, "id"), "why", err_text());

	json_decref(person);
	return wrong;
}

/* FIND by what is in the question. */
static int prove_person(struct sso_act *a, int (*find)(struct ldap_link *l, const struct directory *d, const char *who, json_t **out))
{
	struct asking q = { .settings = NULL };
	json_t *person = NULL;
	int rc = read_directory(a, &q);
	char *who = wire_get_string(&a->in, DIRECTORY_TEXT_MAX);
	struct wire_view password = wire_get_bytes(&a->in, DIRECTORY_PASSWORD_MAX);

	if (rc == 0)
		rc = end_fields(a);
	if (rc == 0 && (*who == '\0' || password.len == 0 || memchr(password.data, 0, password.len)))
		rc = err_set(ERR_UNAUTHENTICATED, "no name, or no password");
	if (rc == 0)
		rc = open_link(&q);
	if (rc == 0)
		rc = find(&q.link, &q.d, who, &person);
	if (rc == 0)
		rc = check_person(&q, person, password);
	if (rc == ERR_UNAUTHENTICATED && person) {
		person = wrong_password(person);
		rc = 0;
	}
	free(who);
	return finish(a, &q, rc, person);
}

int answer_directory_sign_in(struct sso_act *a)
{
	return prove_person(a, ldap_person_by_login);
}

int answer_directory_prove(struct sso_act *a)
{
	return prove_person(a, ldap_person_by_id);
}

int answer_directory_test(struct sso_act *a)
{
	struct asking q = { .settings = NULL };
	json_t *answer = json_object(), *person = NULL, *people = NULL;
	int rc = read_directory(a, &q), more = 0;
	char *login = wire_get_string(&a->in, DIRECTORY_TEXT_MAX);

	if (rc == 0)
		rc = end_fields(a);
	if (rc == 0)
		rc = open_link(&q);
	if (rc == 0 && *login) {
		rc = ldap_person_by_login(&q.link, &q.d, login, &person);
		if (rc == 0)
			rc = ldap_person_groups(&q.link, &q.d, person);
		json_object_set_new(answer, "person", person ? person : json_null());
	} else if (rc == 0) {
		rc = ldap_person_like(&q.link, &q.d, "", FIND_MOST, &people, &more);
		json_object_set_new(answer, "people", json_integer((json_int_t)json_array_size(people)));
		json_set_bool(answer, "more", more);
		json_decref(people);
	}
	json_set_string(answer, "server", q.link.address);
	free(login);
	return finish(a, &q, rc, answer);
}

int answer_directory_find(struct sso_act *a)
{
	struct asking q = { .settings = NULL };
	json_t *people = NULL, *answer = NULL;
	int rc = read_directory(a, &q), more = 0;
	char *text = wire_get_string(&a->in, DIRECTORY_TEXT_MAX);
	uint8_t most = wire_get_u8(&a->in);

	if (rc == 0)
		rc = end_fields(a);
	if (rc == 0)
		rc = open_link(&q);
	if (rc == 0)
		rc = ldap_person_like(&q.link, &q.d, text, most && most < FIND_MOST ? most : FIND_MOST, &people, &more);
	if (rc == 0)
		answer = json_pack("{s:o, s:b}", "people", people, "more", more);
	free(text);
	return finish(a, &q, rc, answer);
}

int answer_directory_look(struct sso_act *a)
{
	struct asking q = { .settings = NULL };
	json_t *person = NULL;
	int rc = read_directory(a, &q);
	char *id = wire_get_string(&a->in, DIRECTORY_ID_MAX);

	if (rc == 0)
		rc = end_fields(a);
	if (rc == 0)
		rc = open_link(&q);
	if (rc == 0)
		rc = ldap_person_by_id(&q.link, &q.d, id, &person);
	if (rc == 0)
		rc = ldap_person_groups(&q.link, &q.d, person);
	free(id);
	return finish(a, &q, rc, person);
}

/* One that is not there is said so in its row; the others are found all the same. */
static int look_up_groups(struct asking *q, json_t *names, json_t *rows)
{
	const json_t *name;
	size_t i;

	json_array_foreach(names, i, name) {
		json_t *row = NULL;
		int rc = ldap_group_at(&q->link, &q->d, json_string_value(name), &row);

		if (rc == ERR_NOT_FOUND || rc == ERR_INVALID)
			row = json_pack("{s:s}", "error", err_text());
		else if (rc < 0)
			return rc;
		json_array_append_new(rows, row);
	}
	return 0;
}

int answer_directory_groups(struct sso_act *a)
{
	struct asking q = { .settings = NULL };
	json_t *rows = json_array(), *names = json_array();
	int rc = read_directory(a, &q);
	uint8_t count = wire_get_u8(&a->in);

	for (int i = 0; i < count && !a->in.error; i++) {
		char *name = wire_get_string(&a->in, DIRECTORY_TEXT_MAX);

		if (name)
			json_array_append_new(names, json_string(name));
		free(name);
	}
	if (rc == 0)
		rc = end_fields(a);
	if (rc == 0 && json_array_size(names) > GROUPS_ASKED_MAX)
		rc = err_set(ERR_TOO_LARGE, "more than %d groups", GROUPS_ASKED_MAX);
	if (rc == 0)
		rc = open_link(&q);
	if (rc == 0)
		rc = look_up_groups(&q, names, rows);
	json_decref(names);
	return finish(a, &q, rc, json_pack("{s:o}", "groups", rows));
}

int rehearse_directory(void)
{
	int fresh = 0, rc;
	LDAP *ld = NULL;

	rc = ldap_initialize(&ld, "ldap://127.0.0.1");
	/* Loads the TLS library's tables; connects to nothing. */
	if (rc == LDAP_SUCCESS)
		rc = ldap_set_option(ld, LDAP_OPT_X_TLS_NEWCTX, &fresh);
	if (ld)
		ldap_unbind_ext_s(ld, NULL, NULL);
	return rc == LDAP_SUCCESS ? 0 : err_set(ERR_INTERNAL, "libldap does not start: %s", ldap_err2string(rc));
}
