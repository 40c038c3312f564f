/* config_release.c - keyward-config --hand-over and --decrypt: the way back (VOL-7). Somebody who may has to allow it in the console;
 * until then this waits. The volume's owner then has it with a passphrase of his own, or in clear. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/tool/config_custody.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"

#define POLL_SECONDS 5
#define TELL_EVERY CLOCK_SECOND

static int ask_server(struct tool *t, struct custody *c, const char *wanted)
{
	struct proto_release_start *r = proto_request_new(PROTO_RELEASE_START);
	int rc;

	snprintf(r->device, sizeof r->device, "%s", c->device->id);
	snprintf(r->release, sizeof r->release, "%s", wanted);
	rc = custody_fetch_key(t, c, PROTO_RELEASE_START, r, r->recipient_key, r->signature);
	proto_request_free(PROTO_RELEASE_START, r);
	return rc;
}

/* As long as nobody has allowed it, until the time limit. */
static enum tool_exit fetch_key(struct tool *t, struct custody *c, const char *wanted)
{
	int rc, told = 0;

	while ((rc = ask_server(t, c, wanted)) == ERR_FORBIDDEN && clock_ticks() < t->until && !tool_interrupted()) {
		if (!told)
			tool_say(t, "Waiting for it to be allowed: %s.", err_text());
		told = 1;
		tool_nap(POLL_SECONDS);
	}
	if (rc == ERR_FORBIDDEN && !tool_interrupted())
		return tool_complain(t, TOOL_TIMED_OUT, "nobody has allowed it within %ld minutes (--timeout)", t->o.timeout);
	return rc < 0 ? tool_failed(t, rc, "the server does not give the key for that") : TOOL_OK;
}

static int tell_done(struct tool *t, const struct custody *c, const char *luks_uuid)
{
	struct proto_release_done *d = proto_request_new(PROTO_RELEASE_DONE);
	int rc;

	snprintf(d->device, sizeof d->device, "%s", c->device->id);
	snprintf(d->luks_uuid, sizeof d->luks_uuid, "%s", luks_uuid);
	rc = guest_tell(&t->g, PROTO_RELEASE_DONE, d, NULL);
	proto_request_free(PROTO_RELEASE_DONE, d);
	return rc;
}

static enum tool_exit finish(struct tool *t, const struct custody *c, const char *luks_uuid, const char *said)
{
	int rc = tell_done(t, c, luks_uuid);

	if (rc < 0)
		return tool_failed(t, rc, "it is done, but the server does not know yet: call it again");
	tool_say(t, "%s %s", c->device->id, said);
	json_set_string(t->result, "released", c->device->id);
	return TOOL_OK;
}

static enum tool_exit hand_over(struct tool *t, struct custody *c)
{
	struct secret *passphrase = NULL;
	enum tool_exit code;
	int rc = custody_look(c->device->path, t->g.engine, &c->look);

	if (rc == 0)
		rc = custody_passphrase(t, "Passphrase that is to open it: ", 1, &passphrase);
	if (rc < 0)
		return custody_complain(t, rc, "it cannot be handed over");
	code = fetch_key(t, c, "hand-over");
	if (code == TOOL_OK && (rc = custody_hand_over(c->device->path, c->key, passphrase)) < 0)
		code = custody_complain(t, rc, "it was not handed over");
	secret_free(passphrase);
	return code == TOOL_OK ? finish(t, c, c->look.uuid, "is handed over: the passphrase opens it, and this server's key does not.") : code;
}

enum tool_exit hand_over_volume(struct tool *t)
{
	struct custody c;
	enum tool_exit code = custody_begin(t, t->o.hand_over, &c);

	if (code == TOOL_OK)
		code = hand_over(t, &c);
	custody_end(&c);
	return code;
}

/* Decrypting */

struct work {
	struct tool *t;
	const struct custody *c;
	clock_us told_at;
};

static int on_progress(void *ctx, const char *stage, int percent)
{
	struct work *w = ctx;
	struct proto_provision_progress *p;

	tool_progress(w->t, w->c->device->id, stage, percent);
	if (clock_ticks() - w->told_at >= TELL_EVERY) {
		w->told_at = clock_ticks();
		p = proto_request_new(PROTO_PROVISION_PROGRESS);
		snprintf(p->device, sizeof p->device, "%s", w->c->device->id);
		p->percent = percent;
		/* It goes on without the server. */
		guest_tell(&w->t->g, PROTO_PROVISION_PROGRESS, p, NULL);
		proto_request_free(PROTO_PROVISION_PROGRESS, p);
	}
	return tool_interrupted();
}

/* Once in the console, once here. */
static enum tool_exit confirm(struct tool *t, const struct custody *c)
{
	char line[PROTO_ID_MAX + 2] = "";

	if (t->o.force)
		return TOOL_OK;
	if (!tool_may_ask(t))
		return tool_complain(t, TOOL_USAGE, "this takes the encryption away from %s: say so with --force", c->device->id);
	fprintf(tool_screen(), "This takes the encryption away from %s (%s). Whoever has the disk can read it then.\nType the device's id to confirm: ",
		c->device->id, c->device->path);
	fflush(tool_screen());
	if (!tool_typed() || fgets(line, sizeof line, stdin) == NULL)
		line[0] = '\0';
	if (tool_interrupted())
		return tool_failed(t, ERR_CONFLICT, "it is not decrypted");
	line[strcspn(line, "\n")] = '\0';
	return strcmp(line, c->device->id) == 0 ? TOOL_OK : tool_complain(t, TOOL_FAILURE, "this is not its id; nothing was done");
}

static char *header_path(const struct tool *t, const struct custody *c)
{
	char name[DEVICE_NAME_SIZE];

	device_name(c->device->id, name);
	return mem_printf("%s/decrypt-%s.header", t->g.state_dir, name);
}

/* What can be seen before the server is asked. */
static enum tool_exit check_decrypt(struct tool *t, struct custody *c, const char *header)
{
	struct volume_state open;
	char name[DEVICE_NAME_SIZE];
	int rc;

	device_name(c->device->id, name);
	if (volume_status(&t->g.env, name, &open) == 0 && open.alive)
		return tool_complain(t, TOOL_FAILURE, "its volume is open: close it first (systemctl stop keyward-agent)");
	if (custody_decrypt_begun(header))
		return TOOL_OK;
	rc = custody_look(c->device->path, t->g.engine, &c->look);
	/* Nothing encrypted is left on it: all but the server's knowledge of it is done. */
	if (rc == ERR_NOT_FOUND)
		return TOOL_OK;
	if (rc == 0 && !c->look.ours)
		rc = err_set(ERR_CONFLICT, "it is no volume of this server's");
	return rc < 0 ? custody_complain(t, rc, "it cannot be decrypted") : TOOL_OK;
}

static enum tool_exit decrypt(struct tool *t, struct custody *c, const char *header)
{
	struct work w = { t, c, 0 };
	int rc = 0, begun = custody_decrypt_begun(header);
	enum tool_exit code = check_decrypt(t, c, header);

	if (code == TOOL_OK && !begun)
		code = confirm(t, c);
	if (code == TOOL_OK)
		code = fetch_key(t, c, "decrypt");
	if (code == TOOL_OK && begun)
		tool_say(t, "Going on where it was.");
	if (code == TOOL_OK && (begun || c->look.ours))
		rc = custody_decrypt(c->device->path, header, c->key, on_progress, &w);
	if (rc < 0 && tool_interrupted())
		return tool_complain(t, TOOL_INTERRUPTED, "interrupted; the same call goes on where it was. Until then the data can be read only with %s: keep it",
			header);
	if (rc < 0)
		return custody_complain(t, rc, "it is not decrypted; the same call goes on");
	if (code != TOOL_OK)
		return code;
	/* One that was killed at its very end. */
	custody_decrypt_tidy(header);
	return finish(t, c, "", "is decrypted: it can be mounted as it is.");
}

enum tool_exit decrypt_volume(struct tool *t)
{
	char *header = NULL;
	struct custody c;
	enum tool_exit code = custody_begin(t, t->o.decrypt, &c);

	if (code == TOOL_OK) {
		header = header_path(t, &c);
		code = decrypt(t, &c, header);
	}
	free(header);
	custody_end(&c);
	return code;
}
