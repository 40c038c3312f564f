/* provisioning.c - `keyward tenant passphrase`: the first provisioning passphrase of an account, so that scripts can bring up
 * machines before anybody of it has signed in. Afterwards it is the tenant's own: TEN-3. */
#include <stdio.h>
#include <string.h>

#include "admin/command.h"
#include "base/err.h"
#include "base/secret.h"
#include "identity/token.h"
#include "keys/client.h"
#include "proto/server.h"
#include "store/tenant.h"

#define VERIFIER_PURPOSE "spake2-verifier"
#define PASSPHRASE_PURPOSE "provisioning-passphrase"

static int check_nobody_joined(struct db *db)
{
	struct db_result *r = NULL;
	int rc = db_query_row(db, &r, "select exists (select from app_user where state <> 'invited')", DB_NONE);

	if (rc == 0 && db_bool(r, 0, 0))
		rc = err_set(ERR_FORBIDDEN, "somebody of this account has joined already: its own administrators set the passphrase");
	db_result_free(r);
	return rc;
}

static int protect(struct keys_client *keys, const struct keys_object *object, const void *data, size_t len, struct buf *blob)
{
	struct uuid request = uuid_new();
	struct secret *plain = secret_new(len);
	int rc;

	memcpy(plain->data, data, len);
	rc = keys_protect(keys, &request, object, plain, blob);
	secret_free(plain);
	return rc;
}

static int store(struct db *db, struct keys_client *keys, const struct uuid *tenant, const char *passphrase)
{
	struct buf wrapped = BUF_INIT, shown = BUF_INIT, verified = BUF_INIT;
	uint8_t verifier[PROTO_VERIFIER_SIZE];
	int rc = tenant_key(db, &wrapped);
	struct keys_object object = { .tenant = *tenant, .wrapped_tenant = { (uint8_t *)wrapped.data, wrapped.len },
		.purpose = PASSPHRASE_PURPOSE, .object = *tenant };

	if (rc == 0)
		rc = proto_enrol_verifier(tenant, passphrase, verifier);
	if (rc == 0)
		rc = protect(keys, &object, passphrase, strlen(passphrase), &shown);
	object.purpose = VERIFIER_PURPOSE;
	if (rc == 0)
		rc = protect(keys, &object, verifier, sizeof verifier, &verified);
	if (rc == 0)
		rc = provisioning_set(db, (struct wire_view){ (uint8_t *)shown.data, shown.len },
			(struct wire_view){ (uint8_t *)verified.data, verified.len });
	secret_wipe(verifier, sizeof verifier);
	buf_free(&wrapped);
	buf_free(&shown);
	buf_free(&verified);
	return rc;
}

int admin_tenant_passphrase(struct admin *a, int argc, char **argv)
{
	char passphrase[TOKEN_CODE_SIZE];
	struct keys_client keys;
	struct uuid tenant;
	struct db *db;
	int rc = admin_begin_tenant(a, CONF_DATABASE_CONSOLE, argv[0], &tenant, &db);

	(void)argc;
	if (rc < 0)
		return rc;
	token_code(passphrase);
	admin_keys(a, &keys);
	rc = check_nobody_joined(db);
	if (rc == 0)
		rc = store(db, &keys, &tenant, passphrase);
	keys_client_close(&keys);
	rc = admin_end(db, rc);
	if (rc == 0)
		printf("provisioning passphrase: %s\n", passphrase);
	secret_wipe(passphrase, sizeof passphrase);
	return rc;
}
