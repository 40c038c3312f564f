/* tool_credentials.c - keyward-config gives the image credentials of its provider, or replaces them (CFG-3). The plug-in's check must
 * succeed first: until then the old ones stay, for this guest and for every other. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/common/private.h"
#include "agent/guest/credentials.h"
#include "agent/tool/tool.h"
#include "base/err.h"
#include "base/json.h"

int tool_take_credentials(struct tool *t)
{
	int rc = private_secret("new credentials", t->o.new_credentials, t->o.new_credentials_file, "KEYWARD_CREDENTIALS",
		&t->new_credentials);

	t->o.new_credentials = NULL;
	if (rc == 0)
		rc = private_secret("original credentials", t->o.original_credentials, t->o.original_credentials_file,
			"KEYWARD_ORIGINAL_CREDENTIALS", &t->original_credentials);
	t->o.original_credentials = NULL;
	t->o.give_credentials = t->new_credentials != NULL;
	if (rc == 0 && t->o.update_credentials && t->new_credentials == NULL)
		rc = err_set(ERR_INVALID, "--update-credentials needs new ones: --new-credentials, --new-credentials-file or KEYWARD_CREDENTIALS");
	return rc;
}

/* Whoever replaces credentials shows that he knows them: a mistyped account id is noticed before it does harm. */
static enum tool_exit check_original(struct tool *t)
{
	struct secret *original = NULL;
	char label[PROTO_TEXT_MAX + 1];
	enum tool_exit code = TOOL_OK;
	int rc;

	if (t->original_credentials == NULL)
		return TOOL_OK;
	rc = credentials_parse(&t->g.provider->about, t->original_credentials, &original, label);
	if (rc < 0)
		return tool_failed(t, rc, "the original credentials cannot be used");
	if (t->g.credentials == NULL)
		code = tool_complain(t, TOOL_REFUSED, "the image has no credentials that could be the original ones");
	else if (!secret_equal(original, t->g.credentials))
		code = tool_complain(t, TOOL_REFUSED, "the original credentials are not those of the image; nothing was changed");
	secret_free(original);
	return code;
}

static enum tool_exit check_present(struct tool *t)
{
	if (t->o.update_credentials && t->g.credentials == NULL)
		return tool_complain(t, TOOL_FAILURE, "the image has no credentials yet; give it some without --update-credentials");
	if (!t->o.update_credentials && t->g.credentials)
		return tool_complain(t, TOOL_FAILURE, "the image has credentials already (%s); replace them with --update-credentials",
			t->g.credentials_label);
	return check_original(t);
}

static enum tool_exit check_and_give(struct tool *t, const struct secret *new, const char *label)
{
	struct provider_context ctx = guest_provider_context(&t->g);
	struct plugin_account account;
	json_t *o = json_object();
	int rc;

	ctx.credentials = new;
	rc = provider_ask(t->g.provider, &ctx, PLUGIN_CHECK, NULL, &account);
	/* The provider's refusal, not our server's: none of the advice for that one. */
	if (rc < 0) {
		json_decref(o);
		return tool_complain(t, TOOL_FAILURE, "the provider does not accept the credentials; nothing was changed: %s", err_text());
	}
	rc = credentials_give(&t->g, new, label, t->g.credentials_version);
	if (rc < 0) {
		json_decref(o);
		return tool_failed(t, rc, "the credentials were not taken");
	}
	tool_say(t, "The image has the credentials %s%s%s%s; its agents fetch them.", label, account.account[0] ? " (" : "", account.account,
		account.account[0] ? ")" : "");
	json_set_string(o, "credentials", label);
	json_set_string(o, "account", account.account);
	json_object_set_new(t->result, "credentials", o);
	return TOOL_OK;
}

enum tool_exit tool_give_credentials(struct tool *t)
{
	enum tool_exit code = tool_link(t);
	char label[PROTO_TEXT_MAX + 1];
	struct secret *new = NULL;
	int rc;

	if (code != TOOL_OK)
		return code;
	rc = credentials_parse(&t->g.provider->about, t->new_credentials, &new, label);
	if (rc < 0)
		return tool_failed(t, rc, "the new credentials cannot be used");
	rc = credentials_fetch(&t->g);
	code = rc < 0 ? tool_failed(t, rc, "the image's credentials cannot be fetched") : check_present(t);
	if (code == TOOL_OK)
		code = check_and_give(t, new, label);
	secret_free(new);
	credentials_drop(&t->g);
	return code;
}
