/* export.c - devices whose keys are exported. */
#include "store/export.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/json.h"
#include "store/audit.h"
#include "store/device.h"
#include "store/device_step.h"

/* An element of the row for each field up to EXPORTED_ACCESS and RAID_MEMBERS, in the order of EXPORTED_FIELDS. */
#define FIELDS "t.id, t.name, d.id, coalesce(nullif(d.name, ''), d.provider_device), d.provider, d.provider_device, d.size_bytes::text," \
	" k.version::text, k.made_for, k.made_version::text, d.luks_uuid, coalesce(nullif(a.filesystem, ''), d.filesystem)," \
	" coalesce(nullif(a.mount_point, ''), d.mount_point), coalesce(a.access, d.access), a.id, a.provider_device, d.raid_index::text," \
	" case when a.id is not null then (select count(*) from device n where n.tenant = d.tenant and n.raid = d.raid) end::text"
#define KNOWN (EXPORTED_RAID_MEMBERS + 1)

static int too_many(void)
{
	return err_set(ERR_TOO_LARGE, "more than %d keys at once", EXPORTED_FILES_MAX);
}

static int add_page(json_t *ids, const json_t *page)
{
	const json_t *row;
	size_t i;

	json_array_foreach(json_object_get(page, "rows"), i, row)
		json_array_append(ids, json_object_get(row, "id"));
	return json_array_size(ids) > EXPORTED_FILES_MAX ? too_many() : 0;
}

int export_choose(struct db *db, const struct list_query *query, json_t **out)
{
	struct list_query q = *query;
	json_t *ids = json_array(), *page = NULL, *before = NULL;
	int rc;

	q.limit = LIST_LIMIT_MAX;
	q.cursor = NULL;
	do {
		rc = device_list(db, &q, &page);
		if (rc == 0) {
			rc = add_page(ids, page);
			q.cursor = json_string_value(json_object_get(page, "next"));
			json_decref(before);
			before = page;
		}
	} while (rc == 0 && q.cursor);
	json_decref(before);
	if (rc == 0)
		*out = ids;
	else
		json_decref(ids);
	return rc;
}

/* What was chosen and can be exported, as "chosen": its number is held against what was asked for. */
#define CHOSEN "with chosen as (select d.id, d.kind from device d where d.id in (select x::uuid from json_array_elements_text($1) x)" \
	" and d.status in ('encrypted', 'in-use') and d.raid is null)"

#define PARTS CHOSEN ", parts as (select id from chosen where kind <> '" DEVICE_KIND_RAID "' union all select m.id from chosen c" \
	" join device m on m.raid = c.id where c.kind = '" DEVICE_KIND_RAID "') select " FIELDS ", t.wrapped_key, k.wrapped"
#define FROM_PARTS " from parts join device d on d.id = parts.id join tenant t on t.id = d.tenant left join device_key k on k.tenant = d.tenant" \
	" and k.device = d.id and k.state = 'active' left join device a on a.tenant = d.tenant and a.id = d.raid" \
	" order by a.provider_device, d.raid_index, d.id limit $2"

static int check_complete(struct db *db, const json_t *ids)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, CHOSEN " select (select count(*) from chosen), (select count(distinct x) from json_array_elements_text($1) x)",
		DB_ARGS(db_json_arg(ids)));
	int complete;

	if (rc < 0)
		return rc;
	complete = db_int(r, 0, 0) == db_int(r, 0, 1);
	db_result_free(r);
	return complete ? 0 : err_set(ERR_CONFLICT, "a device is not Encrypted or In-use");
}

/* REQUEST NULL: without tickets. */
static int find(struct db *db, const json_t *ids, const struct uuid *request, const uint8_t *digest, struct db_result **out)
{
	int rc = check_complete(db, ids);

	if (rc == 0 && request == NULL)
		rc = db_query(db, out, PARTS FROM_PARTS, DB_ARGS(db_json_arg(ids), db_int_arg(EXPORTED_FILES_MAX + 1)));
	else if (rc == 0)
		rc = db_query(db, out, PARTS ", export_ticket($3, d.id, k.version, $4)" FROM_PARTS, DB_ARGS(db_json_arg(ids),
			db_int_arg(EXPORTED_FILES_MAX + 1), db_uuid_arg(request), db_bytes_arg(digest, EXPORTED_DIGEST_SIZE)));
	if (rc == 0 && db_rows(*out) > EXPORTED_FILES_MAX) {
		db_result_free(*out);
		rc = too_many();
	}
	return rc;
}

static int read_key(struct db_result *r, size_t i, struct export_key *k)
{
	int rc;

	*k = (struct export_key) { .wrapped_tenant = db_bytes(r, i, KNOWN), .wrapped = db_bytes(r, i, KNOWN + 1) };
	if (db_columns(r) > KNOWN + 2)
		k->ticket = db_bytes(r, i, KNOWN + 2);
	for (int f = 0; f < KNOWN; f++)
		k->fields[f] = db_text(r, i, f);
	if (k->fields[EXPORTED_VERSION] == NULL || k->wrapped_tenant.len == 0)
		return err_set(ERR_CONFLICT, "%s has no key here", k->fields[EXPORTED_DEVICE_NAME]);
	k->label.version = (uint32_t)strtoul(k->fields[EXPORTED_VERSION], NULL, 10);
	rc = uuid_parse(k->fields[EXPORTED_ACCOUNT], &k->label.tenant);
	return rc < 0 ? rc : uuid_parse(k->fields[EXPORTED_DEVICE], &k->label.device);
}

static int log_key(struct db *db, const struct uuid *export, const char *file, const struct export_key *k)
{
	json_t *detail = json_pack("{s:I}", "version", (json_int_t)k->label.version);

	int rc = db_queue(db, "update device set exports = exports + 1 where id = $1", DB_ARGS(db_uuid_arg(&k->label.device)));

	json_set_uuid(detail, "export", export);
	json_set_string(detail, "file", file);
	json_set_string(detail, "raid", k->fields[EXPORTED_RAID_NAME]);
	if (rc < 0) {
		json_decref(detail);
		return rc;
	}
	return audit_log(db, AUDIT_KEY_EXPORTED, &(struct audit_object) { "device", &k->label.device, k->fields[EXPORTED_DEVICE_NAME] }, detail);
}

int export_ask(struct db *db, const struct uuid *export, const char *file, const json_t *ids)
{
	struct db_result *r = NULL;
	struct export_key k;
	size_t rows = 0;
	int rc = db_queue(db, DEVICE_LOCK("d.id in (select x::uuid from json_array_elements_text($1) x) or d.raid in"
		" (select x::uuid from json_array_elements_text($1) x)"), DB_ARGS(db_json_arg(ids)));

	if (rc == 0)
		rc = find(db, ids, NULL, NULL, &r);
	if (rc < 0)
		return rc;
	rows = db_rows(r);
	for (size_t i = 0; rc == 0 && i < rows; i++) {
		rc = read_key(r, i, &k);
		if (rc == 0)
			rc = log_key(db, export, file, &k);
	}
	db_result_free(r);
	return rc < 0 ? rc : audit_log(db, AUDIT_KEY_EXPORT, &(struct audit_object) { "export", export, file }, json_pack("{s:I, s:I}", "keys",
		(json_int_t)rows, "devices", (json_int_t)json_array_size(ids)));
}

int export_keys(struct db *db, const struct uuid *request, const json_t *ids, const uint8_t digest[static EXPORTED_DIGEST_SIZE], export_each *each, void *ctx)
{
	struct db_result *r = NULL;
	struct export_key k;
	int rc = find(db, ids, request, digest, &r);

	if (rc < 0)
		return rc;
	for (size_t i = 0; rc == 0 && i < db_rows(r); i++) {
		rc = read_key(r, i, &k);
		if (rc == 0)
			rc = each(ctx, &k);
	}
	db_result_free(r);
	return rc;
}

int export_failed(struct db *db, const struct uuid *export, const char *file, const char *why)
{
	return audit_log(db, AUDIT_KEY_EXPORT_FAILED, &(struct audit_object) { "export", export, file }, json_pack("{s:s}", "reason", why));
}
