/* enrol.c - registering: the passphrase's ways in, the enrolment, the state. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/common/host.h"
#include "agent/common/pem.h"
#include "agent/common/private.h"
#include "agent/tool/tool.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"

#define PASSPHRASE_TRIES 3

static const char *first(const char *a, const char *b)
{
	return a && *a ? a : b;
}

/* What is missing is said all at once. */
static int collect(struct tool *t, struct registration *s)
{
	const char *url = first(t->o.url, agent_conf_text(&t->g.conf, AGENT_URL));
	const char *account = first(t->o.account, agent_conf_text(&t->g.conf, AGENT_ACCOUNT));

	if (t->passphrase == NULL && tool_may_ask(t))
		ask_passphrase("Provisioning passphrase: ", &t->passphrase);
	if (!*url || !*account || t->passphrase == NULL)
		return err_set(ERR_INVALID, "needed:%s%s%s", *url ? "" : " --url", *account ? "" : " --guid",
			t->passphrase ? "" : " a passphrase (--passphrase-file, KEYWARD_PASSPHRASE or --passphrase)");
	if (uuid_parse(account, &s->account) < 0)
		return err_set(ERR_INVALID, "\"%s\" is no account ID: it looks like 0190a5c4-7d10-7abc-8123-456789abcdef",
			account);
	if (strlen(url) > REGISTRATION_URL_MAX)
		return err_set(ERR_INVALID, "the URL is too long");
	snprintf(s->url, sizeof s->url, "%s", url);
	snprintf(s->ca_file, sizeof s->ca_file, "%.*s", REGISTRATION_PATH_MAX, agent_conf_text(&t->g.conf, AGENT_CA_FILE));
	snprintf(s->provider, sizeof s->provider, "%s", t->g.provider->name);
	snprintf(s->instance_id, sizeof s->instance_id, "%s", t->g.who.instance_id);
	s->ignore_ssl_errors = agent_conf_flag(&t->g.conf, AGENT_IGNORE_SSL_ERRORS);
	return 0;
}

static void describe(const struct tool *t, struct proto_description *d)
{
	memset(d, 0, sizeof *d);
	snprintf(d->provider, sizeof d->provider, "%s", t->g.provider->name);
	snprintf(d->instance_id, sizeof d->instance_id, "%s", t->g.who.instance_id);
	snprintf(d->image_id, sizeof d->image_id, "%s", t->g.who.image_id);
	host_describe(&d->host);
}

static int speak(struct tool *t, struct registration *s)
{
	struct proto_description description;
	struct proto_transport transport;
	struct proto_enrolled enrolled;
	struct proto_signer signer;
	int rc = guest_connect(&t->g, s->url, s->ca_file, s->ignore_ssl_errors);

	if (rc < 0)
		return rc;
	link_set_limit(t->g.link, LINK_SECONDS, 1);
	describe(t, &description);
	transport = link_transport(t->g.link);
	signer = proto_signer_of(s->key);
	rc = proto_enrol(&transport, &s->account, (const char *)t->passphrase->data, s->public_key, &signer, &description,
		&enrolled);
	if (rc == 0) {
		s->agent = enrolled.agent;
		memcpy(s->server_key, enrolled.server_key, sizeof s->server_key);
	}
	return rc;
}

/* An attempt whose last answer was lost is repeated with the same key: the server then knows who it is
 * (docs/protocol.md, section 4). So the key is kept from before the first word until the registration is. */
static char *pending_path(const struct tool *t)
{
	return mem_printf("%s/pending.pem", t->g.state_dir);
}

static int take_key(const struct tool *t, struct registration *s, int anew)
{
	char *path = pending_path(t);
	int rc = anew ? ERR_NOT_FOUND : pem_read(path, &s->key, s->public_key);

	if (rc == ERR_NOT_FOUND || rc == ERR_INVALID) {
		secret_free(s->key);
		s->key = proto_key_new(s->public_key);
		rc = s->key ? pem_write(path, s->key) : ERR_CRYPTO;
	}
	free(path);
	return rc;
}

static int keep(const struct tool *t, const struct registration *s)
{
	char *path = pending_path(t);
	int rc = registration_save(t->g.state_dir, s);

	if (rc == 0)
		unlink(path);
	free(path);
	return rc;
}

static enum tool_exit done(struct tool *t, int kept)
{
	json_set_string(t->result, "registration", kept ? "kept" : "new");
	json_set_string(t->result, "url", t->g.reg.url);
	json_set_uuid(t->result, "account", &t->g.reg.account);
	json_set_uuid(t->result, "agent", &t->g.reg.agent);
	return TOOL_OK;
}

static enum tool_exit keep_old(struct tool *t)
{
	char account[UUID_TEXT_SIZE];

	uuid_text(&t->g.reg.account, account);
	if (t->o.account && strcasecmp(t->o.account, account) != 0)
		return tool_complain(t, TOOL_FAILURE,
			"this machine is registered with account %s at %s. To move it to another account, add --force.", account,
			t->g.reg.url);
	tool_say(t,
		"This machine is registered already (account %s at %s); its identity is kept. --force makes a new one.",
		account, t->g.reg.url);
	return done(t, 1);
}

/* A person who has mistyped the passphrase need not begin anew. 1: there is another one. */
static int ask_again(struct tool *t)
{
	static int left = PASSPHRASE_TRIES;

	if (!t->asks || --left == 0)
		return 0;
	fprintf(tool_screen(), "The server does not take it: the passphrase is wrong, or the account ID. The console shows both under Account.\n");
	secret_free(t->passphrase);
	t->passphrase = NULL;
	return ask_passphrase("Provisioning passphrase: ", &t->passphrase) == 0;
}

enum tool_exit enrol(struct tool *t)
{
	struct registration s = { .key = NULL };
	char id[UUID_TEXT_SIZE];
	enum tool_exit code = TOOL_OK;
	int rc;

	if (t->g.registered && !t->o.force)
		return keep_old(t);
	rc = collect(t, &s);
	if (rc == 0)
		rc = take_key(t, &s, 0);
	if (rc == 0)
		do
			rc = speak(t, &s);
		while (rc == ERR_UNAUTHENTICATED && ask_again(t));
	/* Whom a former attempt has registered with this key has been removed or replaced meanwhile. */
	if (rc == ERR_CONFLICT) {
		rc = take_key(t, &s, 1);
		rc = rc == 0 ? speak(t, &s) : rc;
	}
	if (rc == 0)
		rc = keep(t, &s);
	if (rc < 0)
		code = tool_failed(t, rc, "this machine was not registered");
	guest_unlink(&t->g);
	registration_clear(&s);
	secret_free(t->passphrase);
	t->passphrase = NULL;
	if (code != TOOL_OK)
		return code;
	rc = guest_refresh(&t->g);
	if (rc < 0)
		return tool_failed(t, rc, "the new registration cannot be read");
	uuid_text(&t->g.reg.agent, id);
	tool_say(t, "Registered as agent %s.", id);
	tool_wake_agent(&t->g);
	return done(t, 0);
}
