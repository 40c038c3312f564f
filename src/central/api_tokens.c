/* api_tokens.c - tokens of the operator's API (LIC-4): listed, made and shown once, revoked. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/secret.h"
#include "central/pages.h"
#include "identity/token.h"
#include "store/operator_token.h"
#include "web/doc.h"
#include "web/list.h"

#define STANDARD_DAYS 365

static const char *const scopes[] = {
#define X(id, name, label) name,
	SCOPES(X)
#undef X
	NULL
};

const struct route_param api_token_fields[] = {
	{ "name", "Name", PARAM_TEXT, PARAM_REQUIRED, 1, 200, NULL },
	{ "scope", "Scope", PARAM_ENUM, PARAM_REQUIRED, 0, 0, scopes },
	{ "days", "Valid for days", PARAM_INT, PARAM_REQUIRED, 1, OPERATOR_TOKEN_DAYS_MOST, NULL },
	PARAM_END
};

static const char *const states[] = { "active", "expired", "revoked", NULL }, *const filters[] = { "state", NULL };
static const char *const sorts[] = { "present", "created", "name", "state", "scope", "expires", "used", NULL };
static const struct list_chip chips[] = { { "active", "In force" }, { "expired", "Expired" }, { "revoked", "Revoked" }, { NULL, NULL } };
static const struct list_csv columns[] = { { "ID", "id" }, { "Token", "name" }, { "State", "state" }, { "Scope", "scope" }, { "Created", "created" }, { "By", "by" },
	{ "Expires", "expires" }, { "Last used", "last_used" }, { "Address", "last_address" }, { NULL, NULL } };
static const struct list_view view = { .url = "/api-tokens", .filters = filters, .chip = "state", .chips = chips, .sorts = sorts, .columns = columns, .file =
	"api-tokens.csv" };

const struct route_param api_tokens_query[] = {
	LIST_PARAMS_CSV,
	{ "state", "State", PARAM_ENUM, 0, 0, 0, states },
	PARAM_END
};

static json_t *state_badge(const struct call *c, const char *state)
{
	return strcmp(state, "active") == 0 ? doc_badge(c, "In force", "green") : strcmp(state, "expired") == 0 ? doc_badge(c, "Expired", "red") :
		doc_badge(c, "Revoked", "gray");
}

static json_t *token_row(struct call *c, json_t *row)
{
	enum scope scope = SCOPE_NONE;
	json_t *out = json_pack("{s:s, s:s, s:o, s:s, s:o, s:o, s:s?, s:o}", "id", doc_text(row, "id"), "name", doc_text(row, "name"), "created",
		doc_when(c, row, "created"), "by", doc_text(row, "created_by"), "expires", doc_when(c, row, "expires"), "last_used",
		doc_when(c, row, "last_used"), "last_address", doc_optional(row, "last_address"), "state", state_badge(c, doc_text(row, "state")));

	scope_parse(doc_text(row, "scope"), &scope);
	json_set_string(out, "scope", scope_name(scope));
	json_set_string(out, "scope_text", call_translate(c, scope_label(scope)));
	json_set_bool(out, "active", strcmp(doc_text(row, "state"), "active") == 0);
	return out;
}

static int fetch(struct call *c, const struct list_query *q, json_t **page)
{
	return operator_token_list(c->db, q, page);
}

int api_tokens_page(struct call *c)
{
	int rc = list_answer(c, &view, fetch, token_row);

	if (rc < 0)
		return rc;
	call_set(c, "can", json_pack("{s:b}", "edit", call_may(c, PERMISSION_OPERATORS_EDIT)));
	if (json_object_get(c->doc, "made") == NULL)
		call_set(c, "made", json_null());
	call_form(c, "name", json_string(""));
	call_form(c, "days", json_integer(STANDARD_DAYS));
	call_form(c, "scope", json_string(scopes[0]));
	for (enum scope s = SCOPE_METER; s <= SCOPE_TENANTS; s++)
		call_form_option(c, "scope", scope_name(s), call_translate(c, scope_label(s)), NULL, s == SCOPE_METER);
	return 0;
}

int api_token_new(struct call *c)
{
	char random[TOKEN_TEXT_SIZE], *text;
	uint8_t hash[TOKEN_HASH_SIZE];
	struct uuid id = uuid_new();
	int rc;

	token_new(random);
	text = mem_printf(API_TOKEN_PREFIX "%s", random);
	token_hash(text, hash);
	rc = operator_token_create(c->db, &id, hash, call_text(c, "name"), call_text(c, "scope"), c->now + call_int(c, "days", 1) * CLOCK_DAY);
	/* Shown this once: the page is the answer itself. */
	if (rc == 0) {
		call_set(c, "made", json_pack("{s:s, s:s}", "name", call_text(c, "name"), "token", text));
		rc = api_tokens_page(c);
	}
	secret_wipe(random, sizeof random);
	secret_wipe(text, strlen(text));
	free(text);
	return rc;
}

#define REVOKED "This token is revoked already."

int api_token_revoke_ask(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	char text[UUID_TEXT_SIZE];
	json_t *row = NULL;
	int rc = operator_token_get(c->db, &id, &row);

	if (rc == 0 && strcmp(doc_text(row, "state"), "revoked") == 0)
		rc = call_refuse(c, err_set(ERR_CONFLICT, "revoked"), REVOKED);
	if (rc == 0) {
		uuid_text(&id, text);
		doc_confirm(c, &(struct doc_confirm){ .folder = "/api-tokens", .id = text, .act = "revoke", .title = "Revoke the token", .name =
			doc_text(row, "name"), .icon = "key-off", .colour = "red", .danger = 1, .button = "Revoke token", .text = call_translate(c,
			"Whatever uses it is refused from now on. It cannot be made valid again; another one can be made.") });
		/* There is no page of one. */
		json_set_string(json_object_get(c->doc, "confirm"), "cancel", "/api-tokens");
	}
	json_decref(row);
	return rc;
}

int api_token_revoke(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	int rc = operator_token_revoke(c->db, &id);

	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, REVOKED);
	if (rc < 0)
		return rc;
	call_notice(c, "success", "The token is revoked. It is refused from now on.");
	call_redirect(c, "/api-tokens");
	return 0;
}
