/* tenant.c - `keyward tenant ...`: what the operator's console does, for scripts and first installations. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/command.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "identity/token.h"
#include "keys/client.h"
#include "store/tenant.h"

#define INVITATION_LIFE (7 * CLOCK_DAY)

static int new_key(struct admin *a, const struct uuid *tenant, struct buf *wrapped)
{
	struct uuid request = uuid_new();
	struct keys_client keys;
	int rc;

	admin_keys(a, &keys);
	rc = keys_tenant_create(&keys, &request, tenant, wrapped);
	keys_client_close(&keys);
	return rc < 0 ? err_wrap(rc, "key service") : 0;
}

static int invite(struct db *db, const struct uuid *tenant, const char *email, char token[static TOKEN_TEXT_SIZE])
{
	uint8_t hash[TOKEN_HASH_SIZE];
	struct uuid user = uuid_new();

	token_new(token);
	token_hash(token, hash);
	return tenant_invite_admin(db, tenant, &user, email, email, hash, clock_now() + INVITATION_LIFE);
}

static void print_link(const struct admin *a, const char *slug, const char *token)
{
	char *path = mem_printf("/invitation?account=%s&token=%s", slug, token);
	char *address = admin_address(a, CONF_DOMAIN_CONSOLE, path);

	printf("invitation: %s\n", address);
	free(address);
	free(path);
}

int admin_tenant_create(struct admin *a, int argc, char **argv)
{
	char token[TOKEN_TEXT_SIZE], text[UUID_TEXT_SIZE];
	struct buf wrapped = BUF_INIT;
	struct uuid id = uuid_new();
	struct db *db;
	int rc = new_key(a, &id, &wrapped);

	(void)argc;
	if (rc == 0)
		rc = admin_begin(a, CONF_DATABASE_CENTRAL, NULL, &db);
	if (rc == 0) {
		if (strcmp(conf_get(&a->conf, CONF_MODE), "on-premise") == 0)
			rc = tenant_first(db);
		if (rc == 0)
			rc = tenant_create(db, &id, argv[0], argv[1], (struct wire_view){ (uint8_t *)wrapped.data, wrapped.len });
		if (rc == 0)
			rc = invite(db, &id, argv[2], token);
		rc = admin_end(db, rc);
	}
	buf_free(&wrapped);
	if (rc == ERR_CONFLICT)
		return err_set(rc, "an account is called \"%s\" already", argv[0]);
	if (rc < 0)
		return rc;
	uuid_text(&id, text);
	printf("account id: %s\n", text);
	print_link(a, argv[0], token);
	return 0;
}

int admin_tenant_invite(struct admin *a, int argc, char **argv)
{
	char token[TOKEN_TEXT_SIZE];
	struct uuid id;
	struct db *db;
	int rc = admin_find_tenant(a, argv[0], &id);

	(void)argc;
	if (rc == 0)
		rc = admin_begin(a, CONF_DATABASE_CENTRAL, NULL, &db);
	if (rc < 0)
		return rc;
	rc = admin_end(db, invite(db, &id, argv[1], token));
	if (rc == ERR_FORBIDDEN)
		return err_set(rc, "somebody of this account has joined already: its own administrators invite from now on");
	if (rc == 0)
		print_link(a, argv[0], token);
	return rc;
}

static void print_row(const json_t *row)
{
	printf("%s  %-10s %-24s %s\n", json_string_value(json_object_get(row, "id")), json_string_value(json_object_get(row, "state")),
		json_string_value(json_object_get(row, "slug")), json_string_value(json_object_get(row, "name")));
}

int admin_tenant_list(struct admin *a, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return admin_list(a, tenant_list, print_row);
}
