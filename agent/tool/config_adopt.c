/* config_adopt.c - keyward-config --adopt: a LUKS2 volume with data on it comes under management (VOL-7). Nothing is written but a key
 * slot and a token, so it can be open and mounted meanwhile; until it is told to, nothing that opened it before is taken away. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/tool/config_custody.h"
#include "base/err.h"
#include "base/json.h"

/* What lies on it says no. */
static enum tool_exit check(struct tool *t, struct custody *c)
{
	const struct volume_token *token = &c->look.token;
	char account[UUID_TEXT_SIZE];
	int rc = custody_look(c->device->path, t->g.engine, &c->look);

	if (rc < 0)
		return custody_complain(t, rc, "it cannot be adopted");
	if (!c->look.ours)
		return TOOL_OK;
	uuid_text(&token->account, account);
	if (!uuid_equal(&token->account, &t->g.reg.account))
		return tool_complain(t, TOOL_REFUSED, "it is managed already, by account %s on %s: it must be handed over there first", account,
			token->server);
	if (token->provisioning)
		return tool_complain(t, TOOL_REFUSED, "an encryption of it was begun here and has not ended: there are no data on it to be kept");
	return TOOL_OK;
}

/* Asked for, and tried, before the server makes a key. Not needed when a former run has come so far. */
static enum tool_exit take_passphrase(struct tool *t, struct custody *c, struct secret **old)
{
	int rc;

	if (c->look.ours && t->o.key_file == NULL)
		return TOOL_OK;
	rc = custody_passphrase(t, "Passphrase of the volume: ", 0, old);
	if (rc == 0) {
		tool_say(t, "Trying the passphrase.");
		rc = custody_opens(c->device->path, *old);
	}
	return rc < 0 ? custody_complain(t, rc, "it was not adopted") : TOOL_OK;
}

static void describe(const struct tool *t, const struct custody *c, struct proto_adopt_start *r)
{
	snprintf(r->device, sizeof r->device, "%s", c->device->id);
	snprintf(r->cipher, sizeof r->cipher, "%s", c->look.cipher);
	snprintf(r->mode, sizeof r->mode, "%s", c->look.mode);
	snprintf(r->hash, sizeof r->hash, "%s", c->look.hash);
	r->key_bits = c->look.key_bits;
	r->access = PROTO_ACCESS_READ_WRITE;
	snprintf(r->mount_point, sizeof r->mount_point, "%s", t->o.mount_point ? t->o.mount_point : "");
}

static int fetch_key(struct tool *t, struct custody *c)
{
	struct proto_adopt_start *r = proto_request_new(PROTO_ADOPT_START);
	int rc;

	describe(t, c, r);
	rc = custody_fetch_key(t, c, PROTO_ADOPT_START, r, r->recipient_key, r->signature);
	proto_request_free(PROTO_ADOPT_START, r);
	return rc;
}

static int tell_done(struct tool *t, const struct custody *c)
{
	struct proto_provision_done *d = proto_request_new(PROTO_ADOPT_DONE);
	int rc;

	snprintf(d->device, sizeof d->device, "%s", c->device->id);
	snprintf(d->luks_uuid, sizeof d->luks_uuid, "%s", c->look.uuid);
	d->key_version = c->version;
	rc = guest_tell(&t->g, PROTO_ADOPT_DONE, d, NULL);
	proto_request_free(PROTO_ADOPT_DONE, d);
	return rc;
}

static int write_slot(struct tool *t, const struct custody *c, const struct secret *old)
{
	struct volume_token token = { .account = t->g.reg.account, .device = c->id, .key_version = c->version, .keyslot = -1 };

	snprintf(token.server, sizeof token.server, "%.*s", VOLUME_SERVER_MAX - 1, t->g.reg.url);
	return custody_adopt(c->device->path, old, c->key, &token);
}

/* The entries by which the system itself would open or mount it at the next boot, before the agent can. */
static void warn_of_tables(const struct tool *t, const struct custody *c)
{
	static const char *const tables[] = { "/etc/crypttab", "/etc/fstab" };
	char line[1024];
	FILE *f;

	for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
		f = fopen(tables[i], "re");
		while (f && fgets(line, sizeof line, f))
			if (line[0] != '#' && (strstr(line, c->look.uuid) || strstr(line, c->device->path)))
				tool_say(t, "Remove this line of %s before the next boot: %.*s", tables[i], (int)strcspn(line, "\n"), line);
		if (f)
			fclose(f);
	}
}

/* After the server knows: what opened it before is then needed no more, and not before. */
static enum tool_exit finish(struct tool *t, struct custody *c)
{
	int dropped = t->o.remove_old_slots ? custody_drop_others(c->device->path, c->key) : 0;

	if (dropped < 0)
		return custody_complain(t, dropped, "it is adopted, but the old key slots remain");
	tool_say(t, "%s is adopted: its key is given by policy from its next opening on.", c->device->id);
	if (t->o.remove_old_slots)
		tool_say(t, "Key slots removed: %d.", dropped);
	else
		tool_say(t, "What opened it before still does; --remove-old-slots takes that away.");
	warn_of_tables(t, c);
	json_set_string(t->result, "adopted", c->device->id);
	json_set_int(t->result, "slots_removed", dropped);
	return TOOL_OK;
}

static enum tool_exit adopt(struct tool *t, struct custody *c)
{
	struct secret *old = NULL;
	enum tool_exit code = check(t, c);
	int rc = 0;

	if (code == TOOL_OK)
		code = take_passphrase(t, c, &old);
	if (code == TOOL_OK && (rc = fetch_key(t, c)) < 0)
		code = tool_failed(t, rc, "the server does not take it");
	if (code == TOOL_OK && (rc = write_slot(t, c, old)) < 0)
		code = custody_failed(t, c, rc, "it was not adopted");
	secret_free(old);
	if (code == TOOL_OK && (rc = tell_done(t, c)) < 0)
		code = tool_failed(t, rc, "the server does not know yet: call it again");
	return code == TOOL_OK ? finish(t, c) : code;
}

enum tool_exit adopt_volume(struct tool *t)
{
	struct custody c;
	enum tool_exit code = custody_begin(t, t->o.adopt, &c);

	if (code == TOOL_OK)
		code = adopt(t, &c);
	custody_end(&c);
	return code;
}
