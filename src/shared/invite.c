/* invite.c - accepting an invitation or choosing a new password by a single-use link. */
#include "shared/invite.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "identity/token.h"
#include "shared/letter.h"
#include "shared/sign_step.h"
#include "store/invitation.h"
#include "store/saml.h"
#include "store/user.h"
#include "web/brand.h"
#include "web/sign.h"

#define GONE "This link is not valid any more: it was used, has expired, or a newer one took its place. Ask for a new one."

/* The account is missing in an operator's link. */
const struct route_param invite_query[] = {
	{ "account", "Account name", PARAM_TEXT, 0, 0, 63, NULL },
	{ "token", "Link", PARAM_TEXT, 0, 0, 64, NULL },
	PARAM_END
};

const struct route_param invite_fields[] = {
	{ "account", "Account name", PARAM_TEXT, 0, 0, 63, NULL },
	{ "token", "Link", PARAM_TEXT, PARAM_REQUIRED, 0, 64, NULL },
	{ "password", "New password", PARAM_PASSWORD, PARAM_REQUIRED, 0, 0, NULL },
	{ "repeat", "Repeat the new password", PARAM_PASSWORD, PARAM_REQUIRED, 0, 0, NULL },
	PARAM_END
};

struct link {
	enum store_side side;
	struct uuid tenant;              /* nil: the operator's side */
	char *tenant_name;
	uint8_t token[TOKEN_HASH_SIZE];
	json_t *found;                   /* kind, user, email, name */
};

static void release(struct link *l)
{
	free(l->tenant_name);
	json_decref(l->found);
}

static int gone(struct call *c, int rc)
{
	return rc == ERR_NOT_FOUND || rc == ERR_INVALID || rc == ERR_SUSPENDED ? call_refuse(c, ERR_NOT_FOUND, GONE) : rc;
}

#define OUTSIDE "The people of this account sign in through its identity provider. Passwords do not open it."

/* A link is a way round the identity provider where nothing else is to be one (IDN-3). In an open transaction of the account's. */
static int check_way(struct call *c, const struct link *l)
{
	struct uuid user;
	int rc = json_get_uuid(l->found, "user", &user);

	if (rc == 0)
		rc = saml_password_allowed(c->db, l->side, &user);
	return rc < 0 ? rc : rc ? 0 : call_refuse(c, ERR_FORBIDDEN, OUTSIDE);
}

/* Whose account; no transaction is open afterwards. */
static int find_account(struct call *c, struct link *l)
{
	*l = (struct link){ .side = sign_side(c) };
	token_hash(call_text(c, "token"), l->token);
	return sign_account(c, &l->tenant, &l->tenant_name);
}

static int find(struct call *c, struct link *l)
{
	int rc = find_account(c, l);

	if (rc == 0)
		rc = sign_begin(c, &l->tenant);
	if (rc == 0)
		rc = invitation_find(c->db, l->side, l->token, &l->found);
	if (rc == 0)
		rc = check_way(c, l);
	db_rollback(c->db);
	return gone(c, rc);
}

int invite_page(struct call *c)
{
	const char *kind, *name, *email;
	struct brand_look look;
	struct link l;
	char *action;
	int rc = find(c, &l);

	if (rc < 0) {
		release(&l);
		return rc;
	}
	kind = json_string_value(json_object_get(l.found, "kind"));
	name = json_string_value(json_object_get(l.found, "name"));
	email = json_string_value(json_object_get(l.found, "email"));
	brand_look(&look);
	action = mem_printf("/invitation?account=%s&token=%s", call_text(c, "account"), call_text(c, "token"));
	call_set(c, "invitation", json_pack("{s:s, s:s, s:s, s:s?, s:b, s:s}", "name", name, "email", email, "tenant",
		l.tenant_name ? l.tenant_name : look.is.name, "account", l.tenant_name ? call_text(c, "account") : NULL, "reset", strcmp(kind, "reset") == 0, "action", action));
	free(action);
	release(&l);
	return 0;
}

/* In the name of the user, who is known only now. */
static int use(struct call *c, struct link *l, const char *hash, int (*joined)(struct call *c), struct user *u)
{
	uint8_t browser[TOKEN_HASH_SIZE];
	int rc = json_get_uuid(l->found, "user", &c->user);

	c->tenant = l->tenant;
	c->user_name = call_keep(c, json_string_value(json_object_get(l->found, "name")));
	c->user_email = call_keep(c, json_string_value(json_object_get(l->found, "email")));
	if (rc == 0)
		rc = sign_begin(c, &l->tenant);
	if (rc == 0)
		rc = check_way(c, l);
	if (rc == 0)
		rc = invitation_use(c->db, l->side, l->token, hash, sign_browser(c, browser) ? browser : NULL, NULL);
	if (rc == 0 && joined)
		rc = joined(c);
	if (rc == 0)
		rc = user_by_id(c->db, l->side, &c->user, u);
	if (rc == 0 && strcmp(json_string_value(json_object_get(l->found, "kind")), "reset") == 0)
		rc = letter_send(c, LETTER_PASSWORD_CHANGED, u, l->tenant_name, NULL);
	return rc >= 0 ? call_end(c, rc) : gone(c, call_end(c, rc));
}

int invite_accept(struct call *c, int (*joined)(struct call *c))
{
	char hash[PASSWORD_HASH_SIZE];
	struct user u = { .email = NULL };
	struct link l;
	int rc = find(c, &l);

	/* Only for a link that is good: the hash costs a tenth of a second. */
	if (rc == 0)
		rc = sign_new_password(c, json_string_value(json_object_get(l.found, "name")),
			json_string_value(json_object_get(l.found, "email")), hash);
	if (rc == 0)
		rc = use(c, &l, hash, joined, &u);
	/* A mailbox is one proof: a second factor is asked for as ever. */
	if (rc == 0)
		rc = sign_accept(c, &l.tenant, &u, "link", "/", NULL);
	user_release(&u);
	release(&l);
	if (rc == 0)
		call_notice(c, "success", "Your password is set.");
	return rc;
}
