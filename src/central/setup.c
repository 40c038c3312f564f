/* setup.c - first start (ADM-3): who has the one-time code becomes the first operator. */
#include <string.h>

#include "base/err.h"
#include "central/pages.h"
#include "identity/token.h"
#include "store/audit.h"
#include "store/setting.h"
#include "store/tenant.h"
#include "store/user.h"
#include "web/sign.h"

const struct route_param setup_query[] = {
	{ "code", "Set-up code", PARAM_TEXT, 0, 0, 64, NULL },
	PARAM_END
};

const struct route_param setup_fields[] = {
	{ "code", "Set-up code", PARAM_TEXT, PARAM_REQUIRED, 1, 64, NULL },
	{ "name", "Your name", PARAM_TEXT, PARAM_REQUIRED, 1, 200, NULL },
	{ "email", "E-mail address", PARAM_EMAIL, PARAM_REQUIRED, 0, 0, NULL },
	{ "password", "New password", PARAM_PASSWORD, PARAM_REQUIRED, 0, 0, NULL },
	{ "repeat", "Repeat the new password", PARAM_PASSWORD, PARAM_REQUIRED, 0, 0, NULL },
	{ "company", "Company", PARAM_TEXT, 0, 0, 200, NULL },
	{ "account", "Account name", PARAM_TEXT, 0, 0, 63, NULL },
	PARAM_END
};

/* There the one account is made with the first operator (TEN-5). */
static int is_on_premise(const struct call *c)
{
	return strcmp(conf_get(c->conf, CONF_MODE), "on-premise") == 0;
}

int setup_page(struct call *c)
{
	int needed = setup_needed(c->db);

	if (needed < 0)
		return needed;
	if (!needed)
		call_redirect(c, "/sign-in");
	call_form(c, "code", json_string(call_text(c, "code")));
	call_form(c, "name", json_string(""));
	call_form(c, "email", json_string(""));
	call_form(c, "company", json_string(""));
	call_form(c, "account", json_string(""));
	call_set(c, "on_premise", json_boolean(is_on_premise(c)));
	return 0;
}

/* The transaction in which the code was refused is lost; the log entry must not be. */
static int refuse(struct call *c)
{
	struct audit_object object = { "installation", NULL, NULL };
	int rc = call_begin(c, NULL);

	if (rc == 0)
		rc = audit_log(c->db, AUDIT_SETUP_REFUSED, &object, NULL);
	rc = call_end(c, rc);
	return rc < 0 ? rc : call_field_error(c, "code", "This is not the code that was printed on the server last, or it has expired. "
		"“keyward setup-code” prints a new one there.");
}

/* ACCOUNT stays nil where there is none to be made. */
static int create_account(struct call *c, const struct uuid *account, const struct buf *wrapped)
{
	int rc;

	if (uuid_is_nil(account))
		return 0;
	rc = tenant_first(c->db);
	if (rc == ERR_FORBIDDEN)
		return call_refuse(c, ERR_CONFLICT, "There is an account already, and an on-premise installation has one.");
	if (rc < 0)
		return rc;
	rc = tenant_create(c->db, account, call_text(c, "account"), call_text(c, "company"), (struct wire_view){ (const uint8_t *)wrapped->data,
		wrapped->len });
	return rc == ERR_INVALID ? call_field_error(c, "account", "Only small letters a to z, digits and hyphens; a letter or digit at both ends.") : rc;
}

static int check_account(struct call *c)
{
	int rc = 0;

	if (!is_on_premise(c))
		return 0;
	if (*call_text(c, "company") == '\0')
		rc = call_field_error(c, "company", "This is needed.");
	if (strlen(call_text(c, "account")) < 3)
		rc = call_field_error(c, "account", "At least 3 characters are needed.");
	return rc;
}

static int prepare_account(struct call *c, struct uuid *account, struct buf *wrapped)
{
	if (!is_on_premise(c))
		return 0;
	*account = uuid_new();
	return keys_tenant_create(c->keys, &c->id, account, wrapped);
}

static int create_operator(struct call *c, const char *hash, const struct uuid *account, const struct buf *wrapped)
{
	static const struct uuid no_tenant;
	uint8_t code[TOKEN_HASH_SIZE];
	struct uuid id = uuid_new();
	int rc = call_begin(c, NULL);

	token_hash(call_text(c, "code"), code);
	if (rc == 0)
		rc = setup_code_use(c->db, code);
	if (rc == 0) {
		c->user = id;
		c->user_name = call_text(c, "name");
		c->user_email = call_text(c, "email");
		rc = user_create(c->db, STORE_OPERATOR, &id, c->user_email, c->user_name, role_name(ROLE_MSP_ADMINISTRATOR), hash);
	}
	if (rc == 0)
		rc = create_account(c, account, wrapped);
	if (rc == 0)
		rc = sign_start(c, &no_tenant, &id);
	return call_end(c, rc);
}

int setup_run(struct call *c)
{
	char hash[PASSWORD_HASH_SIZE], id[UUID_TEXT_SIZE];
	struct uuid account = { { 0 } };
	struct buf wrapped = BUF_INIT;
	int wrong = check_account(c), rc = sign_new_password(c, call_text(c, "name"), call_text(c, "email"), hash);

	/* Both, so that all that is wrong is said at once. */
	if (rc == 0)
		rc = wrong;
	if (rc == 0)
		rc = prepare_account(c, &account, &wrapped);
	if (rc == 0)
		rc = create_operator(c, hash, &account, &wrapped);
	buf_free(&wrapped);
	if (rc == ERR_FORBIDDEN)
		return refuse(c);
	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, "This installation has an operator already. Sign in instead.");
	if (rc < 0)
		return rc;
	call_notice(c, "success", "The installation is set up and you are signed in.");
	uuid_text(&account, id);
	if (uuid_is_nil(&account))
		call_redirect(c, "/");
	else
		call_redirect(c, "/tenants/%s", id);
	return 0;
}
