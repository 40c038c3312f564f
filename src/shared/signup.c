/* signup.c - a company registers itself: a form; a mail with a link, whoever has the address; then the account, its keys and the first
 * administrator's invitation. Nothing tells whether an address or an account is known before the link has proven the address. */
#include "shared/signup.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "identity/token.h"
#include "render/template.h"
#include "shared/letter.h"
#include "store/signup.h"
#include "web/web.h"

#define LINK_LIFE (24 * CLOCK_HOUR)
#define INVITATION_LIFE CLOCK_HOUR
#define SLUG_MOST 40
#define GONE "This link is not valid any more: it was used, or a day has passed. Register once more."

const struct route_param signup_fields[] = {
	{ "company", "Company", PARAM_TEXT, PARAM_REQUIRED, 1, 200, NULL },
	{ "name", "Your name", PARAM_TEXT, PARAM_REQUIRED, 1, 200, NULL },
	{ "email", "E-mail address", PARAM_EMAIL, PARAM_REQUIRED, 0, 0, NULL },
	PARAM_END
};

const struct route_param signup_query[] = {
	{ "token", "Link", PARAM_TEXT, 0, 0, 64, NULL },
	PARAM_END
};

const struct route_param signup_confirm_fields[] = {
	{ "token", "Link", PARAM_TEXT, PARAM_REQUIRED, 0, 64, NULL },
	{ "account", "Account name", PARAM_TEXT, PARAM_REQUIRED, 3, 63, NULL },
	PARAM_END
};

int signup_is_open(const struct call *c)
{
	return strcmp(conf_get(c->conf, CONF_MODE), "saas") == 0;
}

static int closed(const struct call *c)
{
	return signup_is_open(c) ? 0 : err_set(ERR_NOT_FOUND, "this installation takes no registrations");
}

int signup_page(struct call *c)
{
	static const char *const fields[] = { "company", "name", "email" };
	int possible = letter_possible(c);

	if (possible < 0)
		return possible;
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		call_form(c, fields[i], json_string(""));
	call_set(c, "possible", json_boolean(possible));
	return closed(c);
}

/* Nobody is to wait for a mail that no server sends. */
static int check_mail(struct call *c)
{
	int rc = call_begin(c, NULL), possible = rc < 0 ? rc : letter_possible(c);

	db_rollback(c->db);
	return possible < 0 ? possible : possible ? 0 : call_refuse(c, ERR_CONFLICT, "This server sends no mail yet, so nobody can register.");
}

static json_t *mail_of(struct call *c, const char *token, int *rc)
{
	char *path = mem_printf("/register/confirm?token=%s", token), *link = call_address(c, WEB_CONSOLE, path);
	/* Nothing of what was typed is in it: whoever types another's address cannot have a message of their own mailed there. */
	json_t *doc = json_pack("{s:s}", "link", link), *mail = NULL;
	struct buf text = BUF_INIT;

	*rc = call_text_of(c, "mail/signup", doc, &text);
	if (*rc == 0)
		mail = json_pack("{s:s, s:s, s:s}", "to", call_text(c, "email"), "subject", call_translate(c, "Confirm your registration"), "text",
			buf_str(&text));
	json_decref(doc);
	buf_free(&text);
	free(link);
	free(path);
	return mail;
}

int signup_send(struct call *c)
{
	char token[TOKEN_TEXT_SIZE];
	uint8_t hash[TOKEN_HASH_SIZE];
	json_t *mail = NULL;
	int rc = closed(c);

	if (rc == 0)
		rc = check_mail(c);
	if (rc < 0)
		return rc;
	token_new(token);
	token_hash(token, hash);
	mail = mail_of(c, token, &rc);
	if (rc == 0)
		rc = call_begin(c, NULL);
	if (rc == 0)
		rc = signup_ask(c->db, hash, call_text(c, "email"), call_text(c, "name"), call_text(c, "company"), c->now + LINK_LIFE, mail);
	if (rc == 0)
		rc = db_commit(c->db);
	db_rollback(c->db);
	json_decref(mail);
	call_set(c, "email", json_string(call_text(c, "email")));
	return rc;
}

/* "Northwind Logistics" to "northwind-logistics", as a start. */
static void propose(const char *company, char out[static SLUG_MOST + 1])
{
	size_t n = 0;

	for (; *company && n < SLUG_MOST; company++) {
		if (isascii((unsigned char)*company) && isalnum((unsigned char)*company))
			out[n++] = (char)tolower((unsigned char)*company);
		else if (n && out[n - 1] != '-')
			out[n++] = '-';
	}
	while (n && out[n - 1] == '-')
		n--;
	out[n] = '\0';
}

static int find(struct call *c, uint8_t hash[static TOKEN_HASH_SIZE], json_t **row)
{
	int rc = closed(c);

	token_hash(call_text(c, "token"), hash);
	if (rc == 0)
		rc = call_begin(c, NULL);
	if (rc == 0) {
		rc = signup_find(c->db, hash, row);
		if (rc == ERR_NOT_FOUND)
			call_refuse(c, rc, GONE);
	}
	db_rollback(c->db);
	return rc;
}

int signup_confirm_page(struct call *c)
{
	uint8_t hash[TOKEN_HASH_SIZE];
	char slug[SLUG_MOST + 1];
	json_t *row = NULL;
	int rc = find(c, hash, &row);

	if (rc < 0)
		return rc;
	propose(json_string_value(json_object_get(row, "company")), slug);
	call_set(c, "registration", row);
	call_set(c, "token", json_string(call_text(c, "token")));
	call_form(c, "account", json_string(slug));
	return 0;
}

static int make(struct call *c, const uint8_t hash[static TOKEN_HASH_SIZE], const char *invitation)
{
	struct uuid account = uuid_new();
	struct buf wrapped = BUF_INIT;
	uint8_t invited[TOKEN_HASH_SIZE];
	int rc = keys_tenant_create(c->keys, &c->id, &account, &wrapped);

	token_hash(invitation, invited);
	if (rc == 0)
		rc = call_begin(c, &account);
	if (rc == 0)
		rc = signup_use(c->db, hash, &account, call_text(c, "account"), (struct wire_view){ (uint8_t *)wrapped.data, wrapped.len }, invited,
			c->now + INVITATION_LIFE, &call_web(c)->signup);
	if (rc == 0)
		rc = db_commit(c->db);
	db_rollback(c->db);
	buf_free(&wrapped);
	return rc;
}

int signup_confirm(struct call *c)
{
	char invitation[TOKEN_TEXT_SIZE];
	uint8_t hash[TOKEN_HASH_SIZE];
	json_t *row = NULL;
	int rc = find(c, hash, &row);

	json_decref(row);
	if (rc < 0)
		return rc;
	token_new(invitation);
	rc = make(c, hash, invitation);
	if (rc == ERR_CONFLICT)
		return call_field_error(c, "account", "This name is taken. Choose another.");
	if (rc == ERR_INVALID)
		return call_field_error(c, "account", "Only small letters a to z, digits and hyphens; a letter or digit at both ends.");
	if (rc == ERR_NOT_FOUND)
		return call_refuse(c, rc, GONE);
	if (rc == 0)
		call_redirect(c, "/invitation?account=%s&token=%s", call_text(c, "account"), invitation);
	return rc;
}
