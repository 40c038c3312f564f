/* tickets.c - `keyward tickets`: the key service's key for proofs of approval (docs/keys.md) is given to the database, which makes them. */
#include <stdio.h>
#include <string.h>

#include "admin/command.h"
#include "base/err.h"
#include "base/secret.h"
#include "keys/client.h"
#include "store/migrate.h"

#define TIMEOUT_MS 10000

_Static_assert(MIGRATE_TICKET_KEY_SIZE == KEYS_TICKET_KEY_SIZE, "one key");

static int ask_keyd(void *ctx, uint32_t generation, uint8_t key[static MIGRATE_TICKET_KEY_SIZE])
{
	const struct uuid request = uuid_new();

	return keys_ticket_key(ctx, &request, generation, 0, key);
}

/* First the database has it, then the key service takes no other: what fails between leaves the former one in force. */
static int give(struct admin *a, struct keys_client *keys, int renew, uint32_t *generation)
{
	const struct uuid request = uuid_new();
	uint8_t key[KEYS_TICKET_KEY_SIZE];
	struct keys_status status;
	int rc = keys_status(keys, &status);

	if (rc == 0)
		rc = migrate_tickets(conf_get(&a->conf, CONF_DATABASE_OWNER), renew ? status.ticket_generation + 1 : 0, ask_keyd, keys, generation);
	if (rc == 0)
		rc = keys_ticket_key(keys, &request, *generation, 1, key);
	secret_wipe(key, sizeof key);
	return rc == ERR_CONFLICT ? err_wrap(rc, "the database has an older key; `keyward tickets renew` makes another") : rc;
}

static int run(struct admin *a, int renew, uint32_t *generation)
{
	struct keys_client keys;
	int rc;

	keys_client_init(&keys, conf_get(&a->conf, CONF_KEYD_SOCKET), TIMEOUT_MS);
	rc = give(a, &keys, renew, generation);
	keys_client_close(&keys);
	return rc;
}

int admin_tickets(struct admin *a, int argc, char **argv)
{
	uint32_t generation = 0;
	int rc = argc && strcmp(argv[0], "renew") != 0 ? err_set(ERR_INVALID, "`keyward tickets` or `keyward tickets renew`")
		: run(a, argc, &generation);

	if (rc == 0)
		printf("the database has the key of proofs of approval, generation %u\n", (unsigned)generation);
	return rc;
}

int admin_tickets_give(struct admin *a)
{
	uint32_t generation;
	int rc = run(a, 0, &generation);

	if (rc == ERR_UNAVAILABLE || rc == ERR_SEALED || rc == ERR_TIMEOUT) {
		printf("no key goes out until the database has the key of proofs of approval: run `keyward tickets` once the key service is there"
			" (%s)\n", err_text());
		rc = 0;
	}
	return rc;
}
