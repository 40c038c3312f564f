/* account.c - what agents need to register (TEN-1): account ID, Web Service URL, provisioning passphrase.
 *
 * The passphrase is kept twice, both as blobs of keyd: itself, for administrators to read, and the verifier that agents are
 * enrolled with, so that the agent service never learns the passphrase. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/secret.h"
#include "console/pages.h"
#include "identity/token.h"
#include "proto/server.h"
#include "shared/invite.h"
#include "store/tenant.h"
#include "web/brand.h"
#include "web/doc.h"
#include "web/vault.h"

#define PASSPHRASE_PURPOSE "provisioning-passphrase"
#define VERIFIER_PURPOSE "spake2-verifier"
#define PASSPHRASE_LEAST 16
#define PACKAGE "keyward-agent.deb"
#define PACKAGE_END ".deb"

const struct route_param account_passphrase_fields[] = {
	{ "passphrase", "New passphrase", PARAM_PASSWORD, PARAM_REQUIRED, 0, 128, NULL },
	PARAM_END
};

/* Takes about a tenth of a second (PBKDF2). */
static int derive(const struct call *c, const struct secret *passphrase, struct secret **out)
{
	struct secret *verifier = secret_new(PROTO_VERIFIER_SIZE), *text = secret_new(passphrase->len + 1);
	int rc;

	memcpy(text->data, passphrase->data, passphrase->len);
	rc = proto_enrol_verifier(&c->tenant, (const char *)text->data, verifier->data);
	secret_free(text);
	if (rc < 0) {
		secret_free(verifier);
		return rc;
	}
	*out = verifier;
	return 0;
}

static int set_passphrase(struct call *c, const struct secret *passphrase)
{
	struct buf blob = BUF_INIT, verifier_blob = BUF_INIT;
	struct secret *verifier = NULL;
	int rc = derive(c, passphrase, &verifier);

	if (rc == 0)
		rc = vault_protect(c, PASSPHRASE_PURPOSE, passphrase, &blob);
	if (rc == 0)
		rc = vault_protect(c, VERIFIER_PURPOSE, verifier, &verifier_blob);
	if (rc == 0)
		rc = provisioning_set(c->db, wire_view_of(&blob), wire_view_of(&verifier_blob));
	secret_free(verifier);
	buf_free(&verifier_blob);
	buf_free(&blob);
	return rc;
}

static int reveal(struct call *c, struct secret **out)
{
	struct buf blob = BUF_INIT;
	clock_us changed;
	int rc = provisioning_passphrase(c->db, &blob, &changed);

	if (rc == 0)
		rc = vault_reveal(c, PASSPHRASE_PURPOSE, &blob, out);
	buf_free(&blob);
	return rc;
}

static void add_command(json_t *list, const char *id, const char *title, char *text)
{
	json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:b}", "id", id, "title", title, "text", text, "ask", 0));
	free(text);
}

static int is_file(const char *address)
{
	size_t len = strlen(address);

	return len > strlen(PACKAGE_END) && strcmp(address + len - strlen(PACKAGE_END), PACKAGE_END) == 0;
}

/* Where the operator has not named the file itself, the page says where to ask for it. */
static void add_package(struct call *c, json_t *list)
{
	struct brand_look look;

	brand_look(&look);
	add_command(list, "command-install", call_translate(c, "1. Install the agent's package"), is_file(look.is.package) ?
		mem_printf("curl -fLo " PACKAGE " '%s' && apt-get update && apt-get install ./" PACKAGE, look.is.package) :
		mem_strdup("apt-get update && apt-get install ./" PACKAGE));
	json_set_bool(json_array_get(list, 0), "ask", !is_file(look.is.package));
}

/* Text for a shell; never with the passphrase. The caller frees. */
static char *register_command(const char *url, const char *account)
{
	return mem_printf("keyward-config --url %s --guid %s --register --publish-inventory", url, account);
}

static void set_commands(struct call *c, const char *url, const char *account)
{
	json_t *list = json_array();

	add_package(c, list);
	add_command(list, "command-register", call_translate(c, "2. Register this machine and publish its devices (asks for the provisioning "
		"passphrase)"), register_command(url, account));
	add_command(list, "command-start", call_translate(c, "3. Start the agent, now and at every boot: it encrypts what is chosen under Devices"),
		mem_strdup("systemctl enable --now keyward-agent"));
	call_set(c, "commands", list);
}

int account_first_steps(struct call *c)
{
	return account_commands(c, json_is_true(json_object_get(json_object_get(c->doc, "list"), "empty")));
}

int account_commands(struct call *c, int wanted)
{
	char id[UUID_TEXT_SIZE], *url;
	clock_us changed = 0;
	int rc;

	call_set(c, "commands", json_null());
	call_set(c, "no_passphrase", json_false());
	if (!wanted || !call_may(c, PERMISSION_ACCOUNT_VIEW))
		return 0;
	rc = provisioning_changed(c->db, &changed);
	url = call_address(c, WEB_AGENTS, "");
	uuid_text(&c->tenant, id);
	set_commands(c, url, id);
	call_set(c, "no_passphrase", json_boolean(changed == 0));
	free(url);
	return rc;
}

int account_page(struct call *c)
{
	char id[UUID_TEXT_SIZE], *url = call_address(c, WEB_AGENTS, "");
	int edit = call_may(c, PERMISSION_ACCOUNT_EDIT), rc;
	clock_us changed = 0;

	uuid_text(&c->tenant, id);
	rc = provisioning_changed(c->db, &changed);
	if (rc == 0) {
		call_set(c, "account", json_pack("{s:s, s:s, s:s, s:s, s:o, s:s, s:s}", "account", c->tenant_slug, "name", c->tenant_name, "id", id,
			"web_service", url, "passphrase_set", call_when(c, changed), "time_zone", c->time_zone,
			"date_format", c->date_format));
		call_set(c, "can", json_pack("{s:b, s:b}", "reveal", edit && changed, "set_passphrase", edit));
		if (json_object_get(c->doc, "passphrase") == NULL)
			call_set(c, "passphrase", json_null());
		set_commands(c, url, id);
		rc = account_proposals_offer(c);
		if (rc == 0)
			rc = account_clock_offer(c);
	}
	free(url);
	return rc;
}

int account_reveal(struct call *c)
{
	struct secret *passphrase = NULL;
	int rc = reveal(c, &passphrase);

	if (rc == ERR_NOT_FOUND)
		return call_refuse(c, ERR_CONFLICT, "No passphrase is set.");
	if (rc < 0)
		return rc;
	call_set(c, "passphrase", json_stringn((const char *)passphrase->data, passphrase->len));
	secret_free(passphrase);
	return account_page(c);
}

/* Not a password rule: an agent types it once, and who knows it can enrol machines. */
static int check(struct call *c, const char *passphrase)
{
	int kinds = 0, last = -1;

	if (strlen(passphrase) < PASSPHRASE_LEAST)
		return call_field_error(c, "passphrase", "At least 16 characters. It is typed once per machine, so it may be long.");
	for (const char *p = passphrase; *p; p++) {
		kinds += *p != last;
		last = *p;
	}
	return kinds < PASSPHRASE_LEAST / 2 ? call_field_error(c, "passphrase", "Too simple: too many repeated characters.") : 0;
}

int account_set(struct call *c)
{
	int rc = check(c, call_text(c, "passphrase"));
	struct secret *passphrase;

	if (rc < 0)
		return rc;
	passphrase = vault_typed(c, "passphrase");
	rc = set_passphrase(c, passphrase);
	secret_free(passphrase);
	if (rc < 0)
		return rc;
	call_notice(c, "success", "The provisioning passphrase is set. Agents that are registered already are not affected.");
	call_redirect(c, "/account");
	return 0;
}

int account_joined(struct call *c)
{
	struct secret *passphrase;
	char code[TOKEN_CODE_SIZE];
	clock_us changed = 0;
	int rc = provisioning_changed(c->db, &changed);

	if (rc < 0 || changed)
		return rc;
	token_code(code);
	passphrase = secret_take(code, strlen(code));
	rc = set_passphrase(c, passphrase);
	secret_free(passphrase);
	return rc;
}

int tenant_invitation(struct call *c)
{
	return invite_accept(c, account_joined);
}
