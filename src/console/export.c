/* export.c - keys as files that open without any server (KEY-5), for one device or several at once. The passphrase is typed here, so it is made
 * into a key here; keyd, which alone has the device keys, encrypts each under that and answers with what nobody without it can read.
 *
 * A browser that was answered with a file would stay on the form, with the passphrases in it and without a word. So it gets a page that holds the
 * file, as a link: the server keeps none. Whoever does not ask for a page gets the file. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/encode.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/secret.h"
#include "console/export_file.h"
#include "console/pages.h"
#include "identity/password.h"
#include "shared/key_server.h"
#include "shared/sign_step.h"
#include "store/device.h"
#include "store/export.h"
#include "web/doc.h"
#include "web/gate.h"
#include "web/list.h"
#include "web/vault.h"

#define TOO_MANY "At most 1,000 keys can be exported at once: choose fewer devices."
#define NOT_THESE "Only devices that are Encrypted or In-use can be exported, and members of a RAID with their RAID. One of these is not, or " \
	"has no key here."

static const char *const sorts[] = { "name", "status", "size", "policy", "image", "instance", NULL };
static const struct list_view view = { .sorts = sorts };

#define NAMED_MOST 20            /* devices whose names the page says */

#define SECRETS \
	{ "current", "Your own password", PARAM_PASSWORD, 0, 0, 0, NULL }, \
	SIGN_CODE_FIELD, \
	{ "passphrase", "Passphrase of the export", PARAM_PASSWORD, PARAM_REQUIRED, 0, 512, NULL }, \
	{ "repeat", "The passphrase again", PARAM_PASSWORD, PARAM_REQUIRED, 0, 512, NULL }, \
	PARAM_END

const struct route_param export_query[] = {
	LIST_PARAMS,
	{ "device", "Devices", PARAM_UUIDS, 0, 0, 0, NULL },
	PARAM_END
};
const struct route_param export_fields[] = {
	{ "search", "Search", PARAM_TEXT, 0, 0, LIST_SEARCH_MAX, NULL },
	{ "device", "Devices", PARAM_UUIDS, 0, 0, 0, NULL },
	{ "scope", "Which devices", PARAM_ENUM, PARAM_REQUIRED, 0, 0, list_scopes },
	SECRETS
};
const struct route_param export_one_fields[] = { SECRETS };

/* The pages */

static int is_ticked(const struct call *c, const char *id)
{
	char text[UUID_TEXT_SIZE];

	for (size_t i = 0; i < call_count(c, "device"); i++) {
		struct uuid one = call_uuid_at(c, "device", i);

		uuid_text(&one, text);
		if (strcmp(text, id) == 0)
			return 1;
	}
	return 0;
}

static json_t *show_row(struct call *c, json_t *row)
{
	json_t *out = json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:b}", "id", doc_text(row, "id"), "name", doc_text(row, "name"), "url",
		json_sprintf("/devices/%s", doc_text(row, "id")), "status", device_badge(c, doc_text(row, "status")), "size",
		doc_size(c, json_integer_value(json_object_get(row, "size_bytes"))), "policy", policy_link(c, row), "instance", doc_link("/instances", doc_text(row, "instance"), doc_text(row, "instance_name")),
		"ticked", is_ticked(c, doc_text(row, "id")));

	json_object_set(out, "members", json_object_get(row, "members"));
	return out;
}

/* "exportable" is no choice of the user's. */
static void read_query(const struct call *c, struct list_query *q)
{
	list_read(c, &view, q);
	list_only(q, "exportable", "true");
}

int export_page(struct call *c)
{
	struct list_query q;
	json_t *page;
	int rc;

	read_query(c, &q);
	q.count = LIST_COUNTED;
	rc = device_list(c->db, &q, &page);
	if (rc < 0)
		return rc;
	list_show(c, &view, page, show_row);
	call_set(c, "device", json_null());
	list_offer_scope(c, "All that match the search");
	return sign_confirm_ask(c);
}

static int is_exportable(const json_t *row)
{
	const char *status = doc_text(row, "status");

	return *doc_text(row, "raid") == '\0' && (strcmp(status, "encrypted") == 0 || strcmp(status, "in-use") == 0);
}

int export_one_page(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL;
	int rc = device_get(c->db, &id, &row);

	if (rc == 0 && !is_exportable(row))
		rc = call_refuse(c, ERR_CONFLICT, NOT_THESE);
	if (rc == 0)
		call_set(c, "device", json_pack("{s:s, s:o, s:O}", "name", doc_text(row, "name"), "url", json_sprintf("/devices/%s",
			doc_text(row, "id")), "members", json_object_get(row, "members")));
	call_set(c, "list", json_null());
	json_decref(row);
	return rc < 0 ? rc : sign_confirm_ask(c);
}

/* An export */

struct export {
	struct call *call;
	struct uuid id;
	const struct uuid *one;          /* the only device, by the path; NULL: what the form says */
	struct exported_cost cost;
	struct secret *key;              /* export key */
	struct export_zip *zip;
	json_t *names;                   /* devices with a file in it */
	char id_text[UUID_TEXT_SIZE], at[CLOCK_TEXT_SIZE], file[64], passes[16], memory[16], *salt;
};

static void release(struct export *e)
{
	secret_free(e->key);
	export_zip_free(e->zip);
	json_decref(e->names);
	free(e->salt);
}

static int check_passphrase(struct call *c)
{
	const char *passphrase = call_text(c, "passphrase");
	int rc = password_check(passphrase);

	if (rc < 0)
		return call_field_error(c, "passphrase", err_text());
	if (password_length(passphrase) < EXPORTED_PASSPHRASE_LEAST)
		return call_field_error(c, "passphrase", "The passphrase must have 12 to 128 characters: whoever has the file can try any number of them.");
	if (strcmp(passphrase, call_text(c, "current")) == 0)
		return call_field_error(c, "passphrase", "This is your own password: take another one.");
	return strcmp(passphrase, call_text(c, "repeat")) == 0 ? 0 : call_field_error(c, "repeat", "The two passphrases are not the same.");
}

/* As a password, it takes memory and a core for a while, so a few at a time do it. */
static int derive(struct export *e)
{
	struct secret *passphrase;
	int rc = gate_enter();

	if (rc < 0)
		return rc;
	passphrase = vault_typed(e->call, "passphrase");
	exported_cost_new(&e->cost);
	rc = exported_derive(passphrase, &e->cost, &e->key);
	secret_free(passphrase);
	gate_leave();
	return rc;
}

static void describe(struct export *e)
{
	time_t at = (time_t)(e->call->now / CLOCK_SECOND);
	struct tm tm;

	strftime(e->file, sizeof e->file, "KeywardDeviceKeys-%Y%m%dT%H%M%SZ.zip", gmtime_r(&at, &tm));
	e->id = uuid_new();
	uuid_text(&e->id, e->id_text);
	clock_text(e->call->now, e->at);
	snprintf(e->passes, sizeof e->passes, "%u", e->cost.passes);
	snprintf(e->memory, sizeof e->memory, "%u", e->cost.memory_kib);
	e->salt = encode_hex(e->cost.salt, sizeof e->cost.salt);
}

/* Some are a guest's words: one that holds what XML does not would make the whole export unreadable. */
static void fill(const struct export *e, const struct export_key *k, char *own[static EXPORTED_FIELD_COUNT],
	const char *fields[static EXPORTED_FIELD_COUNT])
{
	for (int i = 0; i < EXPORTED_FIELD_COUNT; i++) {
		own[i] = k->fields[i] ? mem_strdup(k->fields[i]) : NULL;
		if (own[i])
			exported_make_plain(own[i]);
		fields[i] = own[i];
	}
	fields[EXPORTED_EXPORT] = e->id_text;
	fields[EXPORTED_EXPORTED_AT] = e->at;
	fields[EXPORTED_EXPORTED_BY] = e->call->user_email;
	fields[EXPORTED_FUNCTION] = EXPORTED_ARGON2ID;
	fields[EXPORTED_SALT] = e->salt;
	fields[EXPORTED_PASSES] = e->passes;
	fields[EXPORTED_MEMORY] = e->memory;
}

static int export_one(void *ctx, const struct export_key *k)
{
	struct export *e = ctx;
	struct keys_device device = { .tenant = k->label.tenant, .wrapped_tenant = k->wrapped_tenant, .device = k->label.device,
		.version = k->label.version };
	const char *fields[EXPORTED_FIELD_COUNT];
	char *own[EXPORTED_FIELD_COUNT];
	struct buf context = BUF_INIT, sealed = BUF_INIT;
	int rc;

	fill(e, k, own, fields);
	exported_put_fields(fields, &context);
	rc = keys_device_export(e->call->keys, &e->call->id, &device, k->wrapped, e->key, &context,
		&(struct keys_asked) { e->call->user, k->ticket }, &sealed);
	if (rc == 0)
		rc = export_zip_add(e->zip, fields, &sealed);
	json_array_append_new(e->names, json_string(fields[EXPORTED_DEVICE_NAME]));
	for (int i = 0; i < EXPORTED_FIELD_COUNT; i++)
		free(own[i]);
	buf_free(&context);
	buf_free(&sealed);
	return rc;
}

/* IDS: what the path names; NULL: what the form says. */
static int choose(struct call *c, const struct uuid *one, json_t **ids)
{
	struct list_query q = { .search = one ? NULL : call_text(c, "search"), .filters = { { "exportable", "true" } } };
	char text[UUID_TEXT_SIZE];

	if (one == NULL && list_is_all(c))
		return export_choose(c->db, &q, ids);
	if (one == NULL) {
		*ids = list_ticked(c, "device");
		return 0;
	}
	uuid_text(one, text);
	*ids = json_pack("[s]", text);
	return 0;
}

/* First it is in the log, for good; by that the database knows that a person has asked, and the key service wants its word for it. */
static int ask(struct export *e, const struct uuid *one, json_t **ids)
{
	struct keys_status status;
	int rc = keys_status(e->call->keys, &status);

	if (rc == 0 && status.sealed)
		rc = err_set(ERR_SEALED, "the key service is sealed");
	if (rc == 0)
		rc = call_begin(e->call, &e->call->tenant);
	if (rc < 0)
		return rc;
	rc = choose(e->call, one, ids);
	if (rc == 0)
		rc = export_ask(e->call->db, &e->id, e->file, *ids);
	if (rc == 0)
		return db_commit(e->call->db);
	db_rollback(e->call->db);
	return rc;
}

static int give(struct export *e, const json_t *ids, struct buf *out)
{
	uint8_t digest[EXPORTED_DIGEST_SIZE];
	int rc = call_begin(e->call, &e->call->tenant);

	exported_digest(e->key->data, digest);
	if (rc == 0)
		rc = key_server_tell_keyd(e->call);
	if (rc == 0)
		rc = export_keys(e->call->db, &e->call->id, ids, digest, export_one, e);
	db_rollback(e->call->db);
	if (rc < 0)
		return rc;
	rc = export_zip_finish(e->zip, out);
	e->zip = NULL;
	return rc;
}

/* What the log has announced has not come about. */
static int tell_failure(struct export *e, int rc)
{
	char *why = mem_strdup(err_text());
	int told = call_begin(e->call, &e->call->tenant);

	if (told == 0)
		told = export_failed(e->call->db, &e->id, e->file, why);
	if (told == 0)
		db_commit(e->call->db);
	else
		db_rollback(e->call->db);
	rc = err_set(rc, "%s", why);
	free(why);
	return rc;
}

static int export_all(struct export *e, const struct uuid *one, struct buf *out)
{
	json_t *ids = NULL;
	int rc = ask(e, one, &ids);

	if (rc == 0) {
		rc = give(e, ids, out);
		if (rc < 0)
			rc = tell_failure(e, rc);
	}
	json_decref(ids);
	return rc;
}

static int wants_page(const struct call *c)
{
	return !c->api && c->request->accept && strstr(c->request->accept, "text/html");
}

static json_t *first_names(const struct export *e)
{
	json_t *out = json_array();

	for (size_t i = 0; i < json_array_size(e->names) && i < NAMED_MOST; i++)
		json_array_append(out, json_array_get(e->names, i));
	return out;
}

/* The page that the form was about. */
static json_t *page_before(const struct export *e)
{
	char id[UUID_TEXT_SIZE];

	if (e->one == NULL)
		return json_pack("{s:s, s:s}", "name", call_translate(e->call, "Devices"), "url", "/devices");
	uuid_text(e->one, id);
	return json_pack("{s:s, s:o}", "name", json_array_size(e->names) == 1 ? json_string_value(json_array_get(e->names, 0)) : call_translate(e->call, "Device"),
		"url", json_sprintf("/devices/%s", id));
}

/* The zip has been encrypted: it is no secret by itself. */
static int answer_page(const struct export *e, struct buf *zip)
{
	size_t keys = json_array_size(e->names);
	struct call *c = e->call;
	int rc = call_large(c, zip->len * 2);
	char *data;

	if (rc < 0)
		return rc;
	data = encode_base64(zip->data, zip->len);
	call_set(c, "exported", json_pack("{s:s, s:s, s:o, s:o, s:i, s:o}", "file", e->file, "data", data, "title", call_counted(c, (int64_t)keys,
		"%{n} key was exported", "%{n} keys were exported"), "names", first_names(e), "more", (int)(keys > NAMED_MOST ? keys - NAMED_MOST : 0),
		"at", call_when(c, c->now)));
	call_set(c, "back", page_before(e));
	free(data);
	return 0;
}

static int answer(const struct export *e, struct buf *zip)
{
	if (wants_page(e->call))
		return answer_page(e, zip);
	call_download(e->call, "application/zip", e->file, zip);
	return 0;
}

static int run(struct call *c, const struct uuid *one)
{
	struct export e = { .call = c, .one = one, .names = json_array() };
	struct buf out = BUF_INIT;
	int rc = check_passphrase(c);

	if (rc == 0)
		rc = sign_confirm(c);
	if (rc == 0)
		rc = derive(&e);
	if (rc == 0)
		rc = export_zip_new(&e.zip);
	if (rc == 0) {
		describe(&e);
		rc = export_all(&e, one, &out);
	}
	if (rc == 0)
		rc = answer(&e, &out);
	release(&e);
	buf_free(&out);
	if (rc == ERR_TOO_LARGE)
		return call_refuse(c, ERR_CONFLICT, TOO_MANY);
	return rc == ERR_CONFLICT ? call_refuse(c, rc, NOT_THESE) : rc;
}

int export_run(struct call *c)
{
	if (!list_is_all(c) && call_count(c, "device") == 0)
		return call_field_error(c, "scope", "Tick the devices, or choose all that match.");
	return run(c, NULL);
}

int export_one_run(struct call *c)
{
	struct uuid id = call_uuid(c, "id");

	return run(c, &id);
}
