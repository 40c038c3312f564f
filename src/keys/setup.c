/* setup.c - the key service's own files, made and changed while it does not run. */
#include "keys/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/prompt.h"
#include "base/mem.h"
#include "keys/keeper.h"
#include "keys/roots.h"
#include "keys/service.h"

/* A slip of the finger would lock everybody out for ever. */
static int read_new(struct secret **out)
{
	struct secret *again = NULL;
	int rc = prompt_secret("New passphrase: ", PROVIDER_PASSPHRASE_MAX, out);

	if (rc == 0 && prompt_is_person())
		rc = prompt_secret("Once more: ", PROVIDER_PASSPHRASE_MAX, &again);
	if (rc == 0 && again && !secret_equal(*out, again))
		rc = err_set(ERR_INVALID, "the two are not the same");
	secret_free(again);
	return rc;
}

/* A token whose PIN is in a file needs none from here. */
static int takes_passphrase(const struct provider *p, const char *location)
{
	return p->unseal && strstr(location, "pin-source=") == NULL;
}

static int open_here(const struct provider *p, const struct provider_options *options, struct provider_root **out)
{
	int rc = p->prepare ? p->prepare(options) : 0;

	return rc < 0 ? rc : p->open(options, out);
}

/* *P becomes the one by which the key is used then. USER: keyd's, may be NULL. */
static int make_root(const struct provider **p, const char *location, const char *user, struct secret **passphrase, struct provider_root **out)
{
	struct provider_options options = { .location = location, .may_create = 1, .by_person = 1 };
	int rc = takes_passphrase(*p, location) ? read_new(passphrase) : 0;

	options.passphrase = *passphrase;
	if (rc < 0)
		return rc;
	return (*p)->apart && user ? keeper_open(*p, &options, user, p, out) : open_here(*p, &options, out);
}

static int make(struct service *s, const char *root_key, const char *identity, const char *user)
{
	struct secret *passphrase = NULL;
	int rc;

	if (signer_exists(identity))
		return err_set(ERR_CONFLICT, "%s exists already: what it belongs to would be lost", identity);
	rc = make_root(&s->keys.provider, root_key, user, &passphrase, &s->keys.root);
	/* Ended half-way before: the root key is there, and goes on if it is under this passphrase. */
	if (rc == 0 && passphrase && hierarchy_is_sealed(&s->keys))
		rc = s->keys.provider->unseal(s->keys.root, passphrase);
	if (rc == 0)
		rc = signer_create(&s->keys, identity);
	secret_free(passphrase);
	return rc;
}

static int finish(struct service *s, int rc, const char *done)
{
	if (rc < 0)
		fprintf(stderr, "keyward-keyd: %s\n", err_text());
	else
		puts(done);
	service_close(s);
	return rc;
}

int setup_create(const char *provider, const char *root_key, const char *identity, const char *user)
{
	struct service s = { .clients = 0 };
	int rc = provider_find(provider, &s.keys.provider);

	if (rc == 0)
		rc = make(&s, root_key, identity, user);
	return finish(&s, rc, strcmp(provider, "passphrase") != 0 ? "Root key and identity key made."
		: "Root key and identity key made. Without the passphrase nobody can use them: keep it in two places.");
}

int setup_change_passphrase(const char *root_key)
{
	struct service s = { .keys.provider = &provider_passphrase };
	struct provider_options options = { .location = root_key };
	struct secret *old = NULL, *new = NULL;
	int rc = s.keys.provider->open(&options, &s.keys.root);

	if (rc == 0)
		rc = prompt_secret("Present passphrase: ", PROVIDER_PASSPHRASE_MAX, &old);
	if (rc == 0)
		rc = s.keys.provider->unseal(s.keys.root, old);
	if (rc == 0)
		rc = read_new(&new);
	if (rc == 0)
		rc = s.keys.provider->change(s.keys.root, root_key, new);
	secret_free(old);
	secret_free(new);
	return finish(&s, rc, "The passphrase is changed. Backups of the root key file open with the old one still.");
}

/* The one that has been in use alone. */
static int begin_list(const struct setup_root *s, struct roots *out)
{
	char *provider = mem_strdup(s->present), *id = strchr(provider, ':');
	struct uuid parsed;
	int rc = ERR_INVALID;

	if (id)
		*id++ = '\0';
	if (id == NULL || uuid_parse(id, &parsed) < 0)
		err_set(rc, "--present wants PROVIDER:ID");
	else
		rc = roots_add(out, &parsed, provider, s->present_location);
	free(provider);
	return rc;
}

/* What wraps, unwraps: before anything relies on it. */
static int try_root(const struct provider *p, struct provider_root *root)
{
	static const struct blob_label label = { .purpose = "rehearsal" };
	struct secret *plain = secret_random(32), *again = NULL;
	struct buf blob = BUF_INIT;
	int rc = p->wrap(root, &label, plain, &blob);

	if (rc == 0)
		rc = p->unwrap(root, &label, wire_view_of(&blob), &again);
	if (rc == 0 && !secret_equal(plain, again))
		rc = err_set(ERR_CRYPTO, "unwrapping does not give what was wrapped");
	secret_free(plain);
	secret_free(again);
	buf_free(&blob);
	return rc;
}

static int add_root(const struct setup_root *s, struct roots *list, struct uuid *id)
{
	struct provider_root *root = NULL;
	struct secret *passphrase = NULL;
	const struct provider *p;
	int rc = provider_find(s->provider, &p);

	if (rc == 0)
		rc = make_root(&p, s->location, s->user, &passphrase, &root);
	secret_free(passphrase);
	if (rc < 0)
		return rc;
	p->describe(root, id);
	rc = roots_add(list, id, p->name, s->location);
	if (rc == ERR_CONFLICT)
		rc = err_set(rc, "at %s is the root key that is in use: name another place for the new one", s->location);
	if (rc == 0)
		rc = try_root(p, root);
	if (rc == 0)
		rc = roots_write(s->roots, list);
	p->close(root);
	return rc;
}

int setup_new_root(const struct setup_root *s)
{
	struct roots list = { .count = 0 };
	char id[UUID_TEXT_SIZE];
	struct uuid made;
	int rc = roots_read(s->roots, &list);

	if (rc == ERR_NOT_FOUND)
		rc = begin_list(s, &list);
	if (rc == 0)
		rc = add_root(s, &list, &made);
	roots_free(&list);
	if (rc < 0) {
		fprintf(stderr, "keyward-keyd: %s\n", err_text());
		return rc;
	}
	uuid_text(&made, id);
	puts(id);
	return 0;
}

/* Overwriting reaches the old blocks where the file system writes in place; copies and backups are for their owners to destroy. One that is
 * gone already, by a run that was ended, is as wanted. */
static int destroy_file(const char *path)
{
	struct stat st;
	int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW), rc = 0;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		rc = err_set(ERR_IO, "%s cannot be opened", path);
	for (off_t at = 0; rc == 0 && at < st.st_size; at++)
		if (pwrite(fd, "", 1, at) != 1)
			rc = err_set(ERR_IO, "%s cannot be overwritten", path);
	if (rc == 0 && (fsync(fd) < 0 || unlink(path) < 0))
		rc = err_set(ERR_IO, "%s cannot be removed", path);
	if (fd >= 0)
		close(fd);
	return rc;
}

static const struct roots_row *find_row(const struct roots *list, const struct uuid *id)
{
	for (size_t i = 0; i < list->count; i++)
		if (uuid_equal(&list->rows[i].id, id))
			return &list->rows[i];
	return NULL;
}

/* The file first: a run that is ended in between finds its place in the list once more. */
static int drop(const char *path, struct roots *list, const struct uuid *id, int destroy)
{
	const struct roots_row *row = find_row(list, id);
	int is_file = row && *row->location == '/', rc;
	char *location;

	if (row == NULL) {
		puts("it is out of the list already; its file, if it is still there, is for you to destroy");
		return 0;
	}
	location = mem_strdup(row->location);
	rc = roots_remove(list, id);
	if (rc == 0 && destroy && is_file)
		rc = destroy_file(location);
	if (rc == 0)
		rc = roots_write(path, list);
	if (rc == 0)
		printf("%s %s\n", location, destroy && is_file ? "is destroyed" : is_file ? "is not used any more: destroy it and its copies "
			"when no backup from before is needed" : "is not used any more: destroy the key there by that provider's own tools");
	free(location);
	return rc;
}

int setup_drop_root(const char *roots, const char *id, int destroy)
{
	struct roots list = { .count = 0 };
	struct uuid parsed;
	int rc = uuid_parse(id, &parsed);

	if (rc == 0)
		rc = roots_read(roots, &list);
	if (rc == 0)
		rc = drop(roots, &list, &parsed, destroy);
	if (rc < 0)
		fprintf(stderr, "keyward-keyd: %s\n", err_text());
	roots_free(&list);
	return rc;
}
