/* token_sign.c - outside systems at the operator's API: who sends a token is that token, with its scope and nothing else. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/secret.h"
#include "identity/token.h"
#include "store/operator_token.h"
#include "web/state.h"

#define SCHEME "Bearer "

const char *token_sent(const struct call *c)
{
	const char *header = c->request->authorization;

	if (!c->api || c->site != WEB_CENTRAL || header == NULL || strncasecmp(header, SCHEME, strlen(SCHEME)) != 0)
		return NULL;
	return header + strlen(SCHEME);
}

static int find(struct call *c, const char *text, json_t **row)
{
	uint8_t hash[TOKEN_HASH_SIZE];
	size_t prefix = strlen(API_TOKEN_PREFIX);
	int rc;

	if (strncmp(text, API_TOKEN_PREFIX, prefix) != 0 || strlen(text) != prefix + TOKEN_TEXT_SIZE - 1)
		return err_set(ERR_UNAUTHENTICATED, "this is no token of this API");
	token_hash(text, hash);
	rc = call_begin(c, NULL);
	if (rc == 0)
		rc = operator_token_use(c->db, hash, c->address, row);
	if (rc == 0)
		rc = db_commit(c->db);
	else
		db_rollback(c->db);
	secret_wipe(hash, sizeof hash);
	return rc == ERR_NOT_FOUND ? err_set(ERR_UNAUTHENTICATED, "the token is unknown, revoked, or has expired") : rc;
}

int token_load(struct call *c)
{
	json_t *row = NULL;
	char *name;
	int rc = find(c, token_sent(c), &row);

	if (rc == 0)
		rc = scope_parse(json_string_value(json_object_get(row, "scope")), &c->scope);
	if (rc == 0)
		rc = json_get_uuid(row, "id", &c->user);
	if (rc == 0) {
		name = mem_printf("API token “%s”", json_string_value(json_object_get(row, "name")));
		c->user_name = c->user_email = call_keep(c, name);
		free(name);
	}
	json_decref(row);
	return rc;
}
