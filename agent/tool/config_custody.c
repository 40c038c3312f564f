/* config_custody.c - see config_custody.h. */
#include "agent/tool/config_custody.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "agent/common/private.h"
#include "agent/guest/inventory.h"
#include "agent/guest/taskkey.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"

#define KEY_FILE_MAX 65536

static int is_same(const struct proto_device *d, const char *name, const struct stat *wanted)
{
	struct stat st;

	if (strcmp(d->id, name) == 0)
		return 1;
	if (wanted == NULL || stat(d->path, &st) < 0)
		return 0;
	return S_ISBLK(st.st_mode) ? S_ISBLK(wanted->st_mode) && st.st_rdev == wanted->st_rdev
		: st.st_dev == wanted->st_dev && st.st_ino == wanted->st_ino;
}

static const struct proto_device *find(const struct guest *g, const char *name)
{
	struct stat st;
	int known = stat(name, &st) == 0;

	for (int i = 0; i < g->found->devices_count; i++)
		if (is_same(&g->found->devices[i], name, known ? &st : NULL))
			return &g->found->devices[i];
	return NULL;
}

enum tool_exit custody_begin(struct tool *t, const char *name, struct custody *c)
{
	enum tool_exit code = tool_link(t);
	int rc;

	*c = (struct custody){ .lock = -1 };
	if (code != TOOL_OK)
		return code;
	c->lock = guest_lock(&t->g, "provision");
	t->g.tends = !tool_agent_runs(&t->g);
	rc = c->lock < 0 ? c->lock : inventory_scan(&t->g);
	if (rc < 0)
		return tool_failed(t, rc, "the devices cannot be looked at");
	c->device = find(&t->g, name);
	if (c->device == NULL)
		return tool_complain(t, TOOL_USAGE, "%s is no device of this machine: --get-device-list shows them; files and loop devices are"
			" named by \"devices\" in agent.conf", name);
	rc = inventory_publish(&t->g);
	return rc < 0 ? tool_failed(t, rc, "the inventory was not published") : TOOL_OK;
}

void custody_end(struct custody *c)
{
	secret_free(c->key);
	if (c->lock >= 0)
		close(c->lock);
}

static int read_key_file(const char *path, struct secret **out)
{
	int fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
	struct secret *s = secret_new(KEY_FILE_MAX + 1);
	size_t len = 0;
	ssize_t n = fd < 0 ? -1 : 1;

	while (n > 0 && len <= KEY_FILE_MAX) {
		n = read(fd, s->data + len, KEY_FILE_MAX + 1 - len);
		len += n > 0 ? (size_t)n : 0;
	}
	if (fd >= 0)
		close(fd);
	if (n < 0 || len == 0 || len > KEY_FILE_MAX) {
		secret_free(s);
		return err_set(ERR_INVALID, "key file %s: %s", path, n < 0 ? strerror(errno) : len ? "it is too long" : "it is empty");
	}
	*out = secret_new(len);
	memcpy((*out)->data, s->data, len);
	secret_free(s);
	return 0;
}

/* Takes TEXT, with a zero byte at its end, over: the passphrase is what stands before that. */
static struct secret *without_end(struct secret *text)
{
	size_t len = strlen((const char *)text->data);
	struct secret *s = secret_new(len);

	memcpy(s->data, text->data, len);
	secret_free(text);
	return s;
}

static int ask(const struct tool *t, const char *prompt, int new, struct secret **out)
{
	struct secret *first = NULL, *second = NULL;
	int rc;

	if (!tool_may_ask(t))
		return err_set(ERR_INVALID, "its passphrase is needed: --key-file, or KEYWARD_VOLUME_PASSPHRASE in the environment");
	rc = ask_passphrase(prompt, &first);
	if (rc == 0 && new)
		rc = ask_passphrase("The same again: ", &second);
	if (rc == 0 && new && strcmp((const char *)first->data, (const char *)second->data) != 0)
		rc = err_set(ERR_INVALID, "the two differ");
	secret_free(second);
	if (rc < 0) {
		secret_free(first);
		return rc;
	}
	*out = first;
	return 0;
}

int custody_passphrase(struct tool *t, const char *prompt, int new, struct secret **out)
{
	struct secret *text = NULL;
	int rc;

	if (t->o.key_file)
		return read_key_file(t->o.key_file, out);
	rc = private_secret("volume passphrase", NULL, NULL, "KEYWARD_VOLUME_PASSPHRASE", &text);
	if (rc == 0 && text == NULL)
		rc = ask(t, prompt, new, &text);
	if (rc < 0)
		return rc;
	*out = without_end(text);
	return 0;
}

int custody_fetch_key(struct tool *t, struct custody *c, enum proto_message type, void *request, uint8_t *public_key, uint8_t *signature)
{
	struct task_key key;
	int rc = taskkey_fetch(&t->g, type, request, c->device->id, public_key, signature, &key);

	if (rc == 0) {
		c->id = key.device;
		c->version = key.version;
		c->key = key.key;
	}
	return rc;
}

enum tool_exit custody_complain(struct tool *t, int rc, const char *what)
{
	if (tool_interrupted())
		return tool_failed(t, rc, what);
	return tool_complain(t, rc == ERR_INVALID ? TOOL_USAGE : TOOL_FAILURE, "%s: %s", what, err_text());
}

enum tool_exit custody_failed(struct tool *t, const struct custody *c, int rc, const char *what)
{
	struct proto_provision_failed *f = proto_request_new(PROTO_PROVISION_FAILED);
	char *kept = mem_strdup(err_text());

	snprintf(f->device, sizeof f->device, "%s", c->device->id);
	snprintf(f->reason, sizeof f->reason, "%s: %.*s", what, PROTO_TEXT_MAX - 64, kept);
	if (guest_tell(&t->g, PROTO_PROVISION_FAILED, f, NULL) < 0)
		log_warning("the server could not be told of it", "device", c->device->id, NULL);
	proto_request_free(PROTO_PROVISION_FAILED, f);
	err_set(rc, "%s", kept);
	free(kept);
	return custody_complain(t, rc, what);
}
