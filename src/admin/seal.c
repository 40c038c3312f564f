/* seal.c - `keyward unseal` and `keyward seal`: the root key that is under a passphrase is told to the key service, or taken back. */
#include <stdio.h>
#include <string.h>

#include "admin/command.h"
#include "base/err.h"
#include "base/prompt.h"
#include "keys/client.h"

#define TIMEOUT_MS 60000         /* a passphrase is slow to try, on purpose */
#define PASSPHRASE_MAX 1024

static int ask(const char *question, struct secret **out)
{
	int rc = prompt_secret(question, PASSPHRASE_MAX, out);

	if (rc == 0 && (*out)->len == 0)
		rc = err_set(ERR_INVALID, "no passphrase: type it, or give it as a line of standard input");
	return rc;
}

static int waits_for_word(const struct keys_root *r)
{
	return r->sealed && (strcmp(r->provider, "passphrase") == 0 || strcmp(r->provider, "pkcs11") == 0);
}

/* Which root key the next passphrase is for, in the key service's order (keys/hierarchy.h): the one in use, then the oldest. -1: none. */
static int next_sealed(const struct keys_roots *roots)
{
	int last = (int)roots->count - 1;

	if (last >= 0 && waits_for_word(&roots->roots[last]))
		return last;
	for (int i = 0; i < last; i++)
		if (waits_for_word(&roots->roots[i]))
			return i;
	return -1;
}

/* While root keys are replaced there are two, each under a word of its own. */
static int unseal_one(struct keys_client *keys, const struct keys_root *root)
{
	const struct uuid request = uuid_new();
	struct secret *typed = NULL;
	char id[UUID_TEXT_SIZE], question[128];
	int rc;

	uuid_text(&root->id, id);
	snprintf(question, sizeof question, "%s of the %sroot key %s: ", strcmp(root->provider, "pkcs11") == 0 ? "PIN of the token" : "Passphrase",
		root->active ? "" : "former ", id);
	rc = ask(question, &typed);
	if (rc == 0)
		rc = keys_unseal(keys, &request, typed);
	secret_free(typed);
	return rc;
}

int admin_unseal(struct admin *a, int argc, char **argv)
{
	struct keys_client keys;
	struct keys_roots roots = { .count = 0 };
	int done = 0, which = -1, rc;

	(void)argc;
	(void)argv;
	keys_client_init(&keys, conf_get(&a->conf, CONF_KEYD_SOCKET), TIMEOUT_MS);
	rc = keys_roots(&keys, &roots);
	while (rc == 0 && (which = next_sealed(&roots)) >= 0) {
		rc = unseal_one(&keys, &roots.roots[which]);
		if (rc == 0)
			rc = keys_roots(&keys, &roots);
		done += rc == 0;
	}
	if (rc < 0 && done)
		rc = err_wrap(rc, "the root key in use is unsealed and keys are delivered; the former one is sealed still");
	else if (rc == 0 && (roots.count == 0 || !roots.roots[roots.count - 1].active))
		rc = err_set(ERR_SEALED, "the root key in use is not there, and no passphrase brings it back: see keyward status");
	else if (rc == 0 && roots.roots[roots.count - 1].sealed)
		rc = err_set(ERR_SEALED, "no passphrase opens the root key of provider %s: see keyward status",
			roots.roots[roots.count - 1].provider);
	else if (rc == 0)
		puts(done ? "unsealed: keys are delivered again" : "it is not sealed");
	keys_client_close(&keys);
	return rc;
}

int admin_seal(struct admin *a, int argc, char **argv)
{
	const struct uuid request = uuid_new();
	struct keys_client keys;
	int rc;

	(void)argc;
	(void)argv;
	keys_client_init(&keys, conf_get(&a->conf, CONF_KEYD_SOCKET), TIMEOUT_MS);
	rc = keys_seal(&keys, &request);
	keys_client_close(&keys);
	if (rc == 0)
		puts("sealed: no key is delivered until `keyward unseal`; open volumes stay open");
	return rc;
}
