/* setup.c - first start (ADM-3): who has the one-time code becomes the first operator. */
#include "base/err.h"
#include "central/pages.h"
#include "identity/token.h"
#include "store/audit.h"
#include "store/setting.h"
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
	PARAM_END
};

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
	return rc < 0 ? rc : call_field_error(c, "code", "This is not the code that the server printed, or it has expired. "
		"“keyward setup-code” prints a new one.");
}

static int create_operator(struct call *c, const char *hash)
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
		rc = sign_start(c, &no_tenant, &id);
	return call_end(c, rc);
}

int setup_run(struct call *c)
{
	char hash[PASSWORD_HASH_SIZE];
	int rc = sign_new_password(c, call_text(c, "name"), call_text(c, "email"), hash);

	if (rc == 0)
		rc = create_operator(c, hash);
	if (rc == ERR_FORBIDDEN)
		return refuse(c);
	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, "This installation has an operator already. Sign in instead.");
	if (rc < 0)
		return rc;
	call_notice(c, "success", "The installation is set up and you are signed in.");
	call_redirect(c, "/");
	return 0;
}
