/* setup.c - the key service's own files, made and changed while it does not run. */
#include "keys/setup.h"

#include <stdio.h>

#include "base/err.h"
#include "base/prompt.h"
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

static int make(struct service *s, const char *root_key, const char *identity)
{
	struct provider_options options = { .location = root_key, .may_create = 1 };
	struct secret *passphrase = NULL;
	int rc = 0;

	if (signer_exists(identity))
		return err_set(ERR_CONFLICT, "%s exists already: what it belongs to would be lost", identity);
	if (s->keys.provider->unseal)
		rc = read_new(&passphrase);
	options.passphrase = passphrase;
	if (rc == 0)
		rc = s->keys.provider->open(&options, &s->keys.root);
	/* Ended half-way before: the root key is there, and goes on if it is under this passphrase. */
	if (rc == 0 && hierarchy_is_sealed(&s->keys))
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

int setup_create(const char *provider, const char *root_key, const char *identity)
{
	struct service s = { .clients = 0 };
	int rc = provider_find(provider, &s.keys.provider);

	if (rc == 0)
		rc = make(&s, root_key, identity);
	return finish(&s, rc, "Root key and identity key made. Without the passphrase nobody can use them: keep it in two places.");
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
