/* forgotten.c - a link by mail for who has forgotten the password (IDN-1).
 *
 * An address that is known and one that is not: the same words, the same work, and not before the same moment. A link that was sent before stays
 * good, so that nobody can void other people's by asking on and on; there are only so many at a time. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/secret.h"
#include "shared/letter.h"
#include "shared/sign_pages.h"
#include "shared/sign_step.h"
#include "store/audit.h"
#include "store/invitation.h"
#include "store/saml.h"
#include "web/sign.h"

#define LINK_LIFE CLOCK_HOUR

const struct route_param forgotten_query[] = {
	{ "account", NULL, PARAM_TEXT, 0, 0, 63, NULL },
	PARAM_END
};

const struct route_param forgotten_operator_fields[] = {
	{ "email", "E-mail address", PARAM_EMAIL, PARAM_REQUIRED, 0, 0, NULL },
	PARAM_END
};

const struct route_param forgotten_tenant_fields[] = {
	{ "account", "Account name", PARAM_TEXT, PARAM_REQUIRED, 1, 63, NULL },
	{ "email", "E-mail address", PARAM_EMAIL, PARAM_REQUIRED, 0, 0, NULL },
	PARAM_END
};

int forgotten_page(struct call *c)
{
	int rc = call_begin(c, NULL), possible = rc < 0 ? rc : letter_possible(c);

	db_rollback(c->db);
	if (possible < 0)
		return possible;
	call_set(c, "possible", json_boolean(possible));
	call_form(c, "account", json_string(call_text(c, "account")));
	call_form(c, "email", json_string(""));
	return 0;
}

struct asked {
	enum store_side side;
	struct uuid tenant;
	char *tenant_name;
};

/* In the open transaction: the mail is queued, or not, for whatever reason. */
static int send_link(struct call *c, const struct asked *a, const struct user *u)
{
	char token[TOKEN_TEXT_SIZE], *path;
	uint8_t hash[TOKEN_HASH_SIZE];
	int invited = strcmp(u->state, "invited") == 0, rc;

	token_new(token);
	token_hash(token, hash);
	path = a->side == STORE_OPERATOR ? mem_printf("/invitation?token=%s", token) :
		mem_printf("/invitation?account=%s&token=%s", call_text(c, "account"), token);
	rc = invitation_ask(c->db, a->side, u, hash, c->now + LINK_LIFE);
	if (rc > 0)
		rc = letter_send(c, invited ? LETTER_INVITATION : LETTER_PASSWORD_LINK, u, a->tenant_name, path);
	secret_wipe(token, sizeof token);
	secret_wipe(path, strlen(path));
	free(path);
	return rc;
}

static int ask(struct call *c, const struct asked *a)
{
	const char *email = call_text(c, "email");
	struct user u = { .email = NULL };
	int rc = sign_begin(c, &a->tenant), known = 0, sent = 0;

	if (rc == 0)
		rc = user_by_email(c->db, a->side, email, &u);
	known = rc == 0;
	/* No password opens an account that is its identity provider's. */
	if (known)
		rc = saml_password_allowed(c->db, a->side, &u.id);
	if (known && rc > 0)
		rc = sent = send_link(c, a, &u);
	if (rc == ERR_NOT_FOUND)
		rc = 0;
	if (rc >= 0)
		rc = audit_log(c->db, AUDIT_PASSWORD_RESET_ASKED, &(struct audit_object) { "user", known ? &u.id : NULL, email },
			json_pack("{s:b}", "sent", sent > 0));
	user_release(&u);
	return call_end(c, rc);
}

int forgotten_send(struct call *c)
{
	struct asked a = { .side = sign_side(c) };
	int rc = sign_account(c, &a.tenant, &a.tenant_name);

	rc = rc == 0 ? ask(c, &a) : rc == ERR_NOT_FOUND ? 0 : rc;
	free(a.tenant_name);
	sign_wait(c);
	if (rc < 0)
		return rc;
	call_set(c, "email", json_string(call_text(c, "email")));
	return 0;
}
