/* sign_directory.c - signing in as somebody of the directory: who is not local is looked for there, and is who the directory's stable id says,
 * whatever name or address was typed. The role is looked up each time. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "shared/directory.h"
#include "shared/sign_step.h"
#include "store/browser.h"
#include "store/user_outside.h"
#include "web/ask.h"
#include "web/doc.h"
#include "web/sign.h"

#define HOW "directory"

/* What the person at the page is told. Who has not proven the password learns nothing of any account. */
static const struct {
	int code;
	const char *text;
} words[] = {
	{ ERR_UNAUTHENTICATED, SIGN_REFUSAL },
	{ ERR_NOT_FOUND, SIGN_REFUSAL },
	{ ERR_CONFLICT, "The directory has several entries for this name. Sign in with your user name there, or ask your administrator." },
	{ ERR_TIMEOUT, "Your organisation's directory did not answer in time, so its people cannot sign in now. Try again in a minute. Local accounts "
		"are not affected." },
	{ ERR_TOO_MANY, "Many people are signing in at your organisation's directory, which is slow to answer. Try again in a minute." },
	{ ERR_BUSY, "Many people are signing in at your organisation's directory, which is slow to answer. Try again in a minute." },
	{ 0, "Your organisation's directory cannot be used at present, so its people cannot sign in. Your administrator finds the reason in the log. "
		"Local accounts are not affected." },
};

static const char *words_for(int code)
{
	size_t i = 0;

	while (words[i].code && words[i].code != code)
		i++;
	return words[i].text;
}

struct joining {
	const struct uuid *tenant;
	enum store_side side;
	struct directory_kept kept;
	struct directory_person p;
	const char *role;
	struct user user;
	int known;                       /* USER is filled */
	uint8_t hash[TOKEN_HASH_SIZE];
	const uint8_t *browser;          /* the hash of this browser's token, where the user has signed in with it before; else NULL */
};

/* WHY goes into the log, TEXT to the page. */
static int refuse(struct call *c, const struct joining *j, const struct user *u, const char *why, const char *text, int count, int end)
{
	char *reason = mem_strdup(why);
	int rc = sign_begin(c, j->tenant);

	if (rc == 0)
		rc = user_refused(c->db, j->side, u, &(struct user_refusal){ .typed = call_text(c, "email"), .source = USER_OF_DIRECTORY, .why = reason,
			.count = count, .browser = j->browser, .end = end });
	rc = call_end(c, rc);
	sign_wait(c);
	if (rc == 0) {
		call_refuse(c, ERR_INVALID, text == why ? reason : text);
		rc = err_set(c->api ? ERR_UNAUTHENTICATED : ERR_INVALID, "directory: %s", reason);
	}
	free(reason);
	return rc;
}

/* The first run. */
static int ask(struct call *c, const struct joining *j)
{
	const char *password = call_text(c, "password");
	struct buf question = BUF_INIT;
	int rc = directory_question(c, SSO_directory_sign_in, j->kept.settings, &j->kept.password, NULL, &question);

	if (rc < 0)
		return rc;
	wire_put_string(&question, call_text(c, "email"));
	wire_put_string(&question, password);
	return call_ask(c, &question);
}

static struct user_outside outside(const struct joining *j)
{
	return (struct user_outside){ .source = USER_OF_DIRECTORY, .external_id = j->p.id, .email = j->p.mail, .name = j->p.name, .role = j->role };
}

/* In the transaction: the user is found or made, and as the directory has it. */
static int take_in(struct call *c, struct joining *j)
{
	struct user_outside o = outside(j);
	struct uuid id = uuid_new();
	int rc;

	if (j->known)
		return user_refresh(c->db, j->side, &j->user, &o);
	rc = user_join(c->db, j->side, &id, &o);
	return rc < 0 ? rc : user_by_id(c->db, j->side, &id, &j->user);
}

static int find_user(struct call *c, struct joining *j)
{
	int rc = sign_begin(c, j->tenant);

	if (rc == 0)
		rc = user_by_external(c->db, j->side, USER_OF_DIRECTORY, j->p.id, &j->user);
	j->known = rc == 0;
	/* Whatever name was typed, it is this person's. */
	j->browser = NULL;
	if (rc == 0 && sign_browser(c, j->hash)) {
		rc = browser_known(c->db, j->side, &j->user.id, j->hash);
		j->browser = rc > 0 ? j->hash : NULL;
	}
	db_rollback(c->db);
	return rc == ERR_NOT_FOUND || rc > 0 ? 0 : rc;
}

/* NULL: may come in; else why not, for the page. *END: open sessions are over too. */
static const char *objection(const struct joining *j, int *end)
{
	*end = 0;
	if (j->known && strcmp(j->user.state, "active") != 0)
		return "Your user is disabled here. Ask your administrator.";
	if (j->known && j->user.locked_until > clock_now() && j->browser == NULL)
		return SIGN_REFUSAL;
	if (!j->known && !j->kept.d.create)
		return "You are known to the directory but are no user here yet. Ask your administrator to add you.";
	if (strchr(j->p.mail, '@') == NULL)
		return "The directory does not say your e-mail address, which is needed here. Ask your administrator.";
	*end = j->known;
	return *j->role || (j->known && j->user.role_fixed) ? NULL : "None of your groups in the directory gives you a role here. Ask your administrator.";
}

static int come_in(struct call *c, struct joining *j)
{
	int end, rc = find_user(c, j);
	const char *why = rc == 0 ? objection(j, &end) : NULL;

	if (rc < 0)
		return rc;
	if (why)
		return refuse(c, j, j->known ? &j->user : NULL, why, why, 0, end);
	rc = sign_begin(c, j->tenant);
	if (rc == 0)
		rc = take_in(c, j);
	rc = call_end(c, rc);
	if (rc == ERR_CONFLICT)
		return refuse(c, j, NULL, "a local user has this e-mail address", "There is a local user or invitation with your e-mail address here. Sign in "
			"with that user's password, or ask your administrator to remove it.", 0, 0);
	return rc < 0 ? rc : sign_accept(c, j->tenant, &j->user, HOW, call_text(c, "return_to"), NULL);
}

/* The answer; a wrong password is an error whose person *ANSWER names. */
static int take_answer(struct call *c, json_t **answer)
{
	int rc = call_answer(c, answer);

	return rc == 0 && doc_optional(*answer, "wrong") ? err_set(ERR_UNAUTHENTICATED, "%s", doc_text(*answer, "why")) : rc;
}

/* Whose password was wrong, where it is a user: by whatever name, it is the same door that closes. */
static const struct user *find_wrong(struct call *c, struct joining *j, const json_t *answer)
{
	char *why = mem_strdup(err_text());

	j->p.id = doc_text(answer, "wrong");
	if (find_user(c, j) < 0)
		j->known = 0;
	err_set(ERR_UNAUTHENTICATED, "%s", why);
	free(why);
	return j->known ? &j->user : NULL;
}

/* The second run. */
static int answered(struct call *c, struct joining *j, const struct user *known)
{
	json_t *person = NULL;
	int rc = take_answer(c, &person);

	if (rc == ERR_UNAUTHENTICATED && person && known == NULL)
		known = find_wrong(c, j, person);
	if (rc == 0)
		rc = directory_person(person, &j->p);
	if (rc == ERR_SUSPENDED)
		rc = refuse(c, j, known, err_text(), err_text(), 0, 1);
	else if (rc < 0)
		rc = refuse(c, j, known, err_text(), words_for(rc), rc == ERR_UNAUTHENTICATED, 0);
	else {
		j->role = directory_role_of(c, &j->kept.d, &j->p, NULL);
		rc = come_in(c, j);
	}
	user_release(&j->user);
	json_decref(person);
	return rc;
}

int directory_sign_in(struct call *c, const struct uuid *tenant, const struct user *known, const uint8_t *browser)
{
	struct joining j = { .tenant = tenant, .side = sign_side(c), .browser = browser };
	int rc = sign_begin(c, tenant), answer = 0;

	if (rc == 0)
		rc = directory_kept(c, 1, &j.kept);
	/* As for a local user: while others' wrong passwords keep the door closed it is open to browsers that the user has come with before. */
	if (rc == 0 && known && known->locked_until > c->now && browser == NULL)
		answer = -1;
	else if (rc == 0 && call_has_answer(c))
		answer = 1;
	else if (rc == 0)
		rc = ask(c, &j);
	db_rollback(c->db);
	if (answer)
		rc = answer > 0 ? answered(c, &j, known) : refuse(c, &j, known, "locked after failed sign-ins", SIGN_REFUSAL, 0, 0);
	else if (rc == ERR_NOT_FOUND)
		rc = 1;
	directory_release(&j.kept);
	return rc;
}

int directory_confirm(struct call *c, const struct user *u, const char *password)
{
	struct directory_kept k = { .settings = NULL };
	struct buf question = BUF_INIT;
	json_t *person = NULL;
	int rc;

	if (call_has_answer(c)) {
		rc = take_answer(c, &person);
		json_decref(person);
		if (rc == 0 || rc == ERR_UNAUTHENTICATED)
			return rc == 0;
		return call_field_error(c, "current", rc == ERR_SUSPENDED ? err_text() : words_for(rc));
	}
	rc = sign_begin(c, &c->tenant);
	if (rc == 0)
		rc = directory_kept(c, 1, &k);
	if (rc == 0)
		rc = directory_question(c, SSO_directory_prove, k.settings, &k.password, NULL, &question);
	db_rollback(c->db);
	directory_release(&k);
	if (rc == ERR_NOT_FOUND)
		return call_field_error(c, "current", "The directory that knows your password is not in use here any more.");
	if (rc < 0)
		return rc;
	wire_put_string(&question, u->external_id);
	wire_put_string(&question, password);
	return call_ask(c, &question);
}
