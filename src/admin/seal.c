/* seal.c - `keyward unseal` and `keyward seal`: the root key that is under a passphrase is told to the key service, or taken back. */
#include <stdio.h>

#include "admin/command.h"
#include "base/err.h"
#include "base/prompt.h"
#include "keys/client.h"

#define TIMEOUT_MS 60000         /* a passphrase is slow to try, on purpose */
#define PASSPHRASE_MAX 1024

static int ask(struct secret **out)
{
	int rc = prompt_secret("Passphrase of the root key: ", PASSPHRASE_MAX, out);

	if (rc == 0 && (*out)->len == 0)
		rc = err_set(ERR_INVALID, "no passphrase: type it, or give it as the first line of standard input");
	return rc;
}

int admin_unseal(struct admin *a, int argc, char **argv)
{
	const struct uuid request = uuid_new();
	struct secret *passphrase = NULL;
	struct keys_client keys;
	struct keys_status status = { .sealed = 1 };
	int rc;

	(void)argc;
	(void)argv;
	keys_client_init(&keys, conf_get(&a->conf, CONF_KEYD_SOCKET), TIMEOUT_MS);
	rc = keys_status(&keys, &status);
	if (rc == 0 && status.sealed)
		rc = ask(&passphrase);
	if (rc == 0 && status.sealed)
		rc = keys_unseal(&keys, &request, passphrase);
	if (rc == 0)
		puts(status.sealed ? "unsealed: keys are delivered again" : "it is not sealed");
	secret_free(passphrase);
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
