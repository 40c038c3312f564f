/* policy_draft.c - drafts of policies, and what they choose. */
#include "store/policy_draft.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/json.h"
#include "store/policy_row.h"

/* Of an image or device as pickers show it. */
struct kind {
	const char *name;            /* column kind of policy_draft_member */
	struct list_spec spec;
};

#define IS_IMAGE "exists (select 1 from policy_image x where x.tenant = d.tenant and x.policy = d.policy and x.image = m.id)"
#define IS_DEVICE "coalesce(m.policy = d.policy, false)"
#define CHOICE(member) "coalesce(c.chosen, " member ")"
#define FROM(table, kind) "policy_draft d join " table " m on m.tenant = d.tenant left join policy_draft_member c on c.tenant = d.tenant" \
	" and c.draft = d.id and c.kind = '" kind "' and c.member = m.id"
#define COLUMNS(provider_id, member) "m.id, coalesce(nullif(m.name, ''), " provider_id ") as name, m.description, m.provider, provider_label(m.provider) as provider_name, " provider_id \
	" as provider_id, " CHOICE(member) " as chosen, " CHOICE(member) " <> " member " as changed, "
#define IMAGE_POLICIES "(select coalesce(json_agg(p.name order by p.name collate \"und-x-icu\"), '[]') from policy_image x join policy p" \
	" on p.tenant = x.tenant and p.id = x.policy where x.tenant = m.tenant and x.image = m.id) as policies"
#define DEVICE_POLICIES "(select json_build_array(p.name) from policy p where p.tenant = m.tenant and p.id = m.policy) as policies"
/* A device is where its machine is. */
#define PLACE " left join instance i on i.tenant = m.tenant and i.id = m.instance"
#define DEVICE_PLACE ", nullif(i.region, '') as region, nullif(i.zone, '') as zone"
#define MATCHING(from, provider_id, more) "select m.id from " from " where (m.name ilike $1 or m.description ilike $1 or " provider_id \
	" ilike $1" more ")"

static const struct list_column image_sorts[] = {
	{ "name", LIST_NAME("coalesce(nullif(m.name, ''), m.provider_image)"), "text", 0 },
	{ "provider", "m.provider", "text", 0 },
	{ NULL },
};
static const struct list_column device_sorts[] = {
	{ "name", LIST_NAME("coalesce(nullif(m.name, ''), m.provider_device)"), "text", 0 },
	{ "provider", "m.provider", "text", 0 },
	{ NULL },
};
static const char *const image_searches[] = { "m.name", "m.description", "m.provider_image", NULL };
static const char *const device_searches[] = { "m.name", "m.description", "m.provider_device", "coalesce(i.region, '')", "coalesce(i.zone, '')", NULL };
static const struct list_filter image_filters[] = {
	{ "draft", "d.id = $::uuid" },
	{ "show", CHOICE(IS_IMAGE) " = ($ = 'chosen')" },
	{ NULL },
};
static const struct list_filter device_filters[] = {
	{ "draft", "d.id = $::uuid" },
	{ "show", CHOICE(IS_DEVICE) " = ($ = 'chosen')" },
	{ NULL },
};
/* The root disk of a machine is never encrypted, so nobody needs to look for it here. */
#define NO_SYSTEM " and not m.is_system and m.raid is null"

static const struct kind kinds[] = {
	[POLICY_IMAGE] = { "image", { .columns = COLUMNS("m.provider_image", IS_IMAGE) IMAGE_POLICIES, .from = FROM("image", "image"),
		.id = "m.id", .sorts = image_sorts, .searches = image_searches, .filters = image_filters } },
	[POLICY_DEVICE] = { "device", { .columns = COLUMNS("m.provider_device", IS_DEVICE) DEVICE_POLICIES DEVICE_PLACE,
		.from = FROM("device", "device") PLACE, .where = "not m.is_system and m.raid is null", .id = "m.id", .sorts = device_sorts, .searches = device_searches,
		.filters = device_filters } },
};

#define MINE "d.id = $1 and d.owner = $2"

static struct db_arg owner(const struct db *db)
{
	return db_uuid_arg(&db_actor(db)->id);
}

static int take_id(struct db_result *r, int rc, struct uuid *out)
{
	if (rc < 0)
		return rc;
	if (db_rows(r))
		*out = db_uuid(r, 0, 0);
	rc = db_rows(r) ? 0 : ERR_NOT_FOUND;
	db_result_free(r);
	return rc;
}

static int count_new(struct db *db)
{
	struct db_result *r;
	int count, rc = db_query_row(db, &r, "select count(*) from policy_draft d where d.owner = $1 and d.policy is null",
		DB_ARGS(owner(db)));

	if (rc < 0)
		return rc;
	count = (int)db_int(r, 0, 0);
	db_result_free(r);
	return count;
}

int policy_draft_new(struct db *db, const json_t *document, struct uuid *out)
{
	struct uuid id = uuid_new();
	struct db_result *r = NULL;
	int rc = db_query(db, &r, "select d.id from policy_draft d where d.owner = $1 and d.policy is null and d.changed = d.created"
		" order by d.created desc limit 1", DB_ARGS(owner(db)));

	rc = take_id(r, rc, out);
	if (rc != ERR_NOT_FOUND)
		return rc;
	rc = count_new(db);
	if (rc >= POLICY_DRAFTS_MAX)
		return err_set(ERR_TOO_MANY, "%d policies are in the making", POLICY_DRAFTS_MAX);
	if (rc >= 0)
		rc = db_run_one(db, "insert into policy_draft (tenant, id, owner, document) values (current_tenant(), $1, $2, $3)",
			DB_ARGS(db_uuid_arg(&id), owner(db), db_json_arg(document)));
	if (rc == 0)
		*out = id;
	return rc;
}

int policy_draft_open(struct db *db, const struct uuid *policy, struct uuid *out)
{
	struct uuid id = uuid_new();
	struct db_result *r = NULL;
	int rc = db_run(db, "insert into policy_draft (tenant, id, owner, policy, base_version, document) select p.tenant, $1, $2, p.id,"
		" p.version, " POLICY_NAMED("policy_document(p)") " from policy p where p.id = $3 on conflict (tenant, owner, policy) do nothing",
		DB_ARGS(db_uuid_arg(&id), owner(db), db_uuid_arg(policy)));

	if (rc >= 0)
		rc = db_query(db, &r, "select d.id from policy_draft d where d.owner = $1 and d.policy = $2",
			DB_ARGS(owner(db), db_uuid_arg(policy)));
	rc = take_id(r, rc, out);
	return rc == ERR_NOT_FOUND ? err_set(rc, "no such policy") : rc;
}

#define CHANGED(kind, chosen) "(select count(*) from policy_draft_member c where c.tenant = d.tenant and c.draft = d.id and c.kind = '" \
	kind "' and c.chosen = " chosen ")"
#define DRAFT "select d.id, d.policy, d.base_version, d.document, d.why, d.created, d.changed, p.version, p.name, p.is_default," \
	" p.changed_by, p.changed as policy_changed, case when p.id is not null then " POLICY_NAMED("policy_document(p)") " end as saved," \
	" (select count(*) from policy_image x where x.tenant = d.tenant and x.policy = d.policy) + " CHANGED("image", "true") " - " \
	CHANGED("image", "false") " as images," \
	" (select count(*) from device x where x.tenant = d.tenant and x.policy = d.policy and x.raid is null) + " CHANGED("device", "true") " - " \
	CHANGED("device", "false") " as devices" \
	" from policy_draft d left join policy p on p.tenant = d.tenant and p.id = d.policy where " MINE

int policy_draft_get(struct db *db, const struct uuid *id, int lock, json_t **out)
{
	int rc = lock ? db_get_row(db, out, DRAFT " for update of d", DB_ARGS(db_uuid_arg(id), owner(db))) :
		db_get_row(db, out, DRAFT, DB_ARGS(db_uuid_arg(id), owner(db)));

	return rc == ERR_NOT_FOUND ? err_set(rc, "no such draft") : rc;
}

int policy_draft_list(struct db *db, json_t **out)
{
	return db_get_rows(db, out, "select d.id, d.document->>'name' as name, d.changed, d.created from policy_draft d where d.owner = $1"
		" and d.policy is null and d.changed > d.created order by d.changed desc", DB_ARGS(owner(db)));
}

int policy_draft_save(struct db *db, const struct uuid *id, const json_t *document, const char *why)
{
	/* The clock, not the transaction's time: the first change may come with the draft itself. */
	return db_run_one(db, "update policy_draft d set document = $3, why = coalesce($4, d.why), changed = clock_timestamp() where " MINE,
		DB_ARGS(db_uuid_arg(id), owner(db), db_json_arg(document), db_text_arg(why)));
}

int policy_draft_rebase(struct db *db, const struct uuid *id, int64_t version)
{
	return db_run_one(db, "update policy_draft d set base_version = $3, changed = now() where " MINE,
		DB_ARGS(db_uuid_arg(id), owner(db), db_int_arg(version)));
}

int policy_draft_delete(struct db *db, const struct uuid *id)
{
	return db_run_one(db, "delete from policy_draft d where " MINE, DB_ARGS(db_uuid_arg(id), owner(db)));
}

int policy_draft_pick(struct db *db, enum policy_member kind, const struct list_query *query, json_t **page)
{
	return list_page(db, &kinds[kind].spec, query, page);
}

#define PUT "insert into policy_draft_member (tenant, draft, kind, member, chosen) select d.tenant, d.id, $3, m.id, $4 from policy_draft d"

/* What is as it is saved is no change. */
static int tidy(struct db *db, const struct uuid *id, enum policy_member kind)
{
	return kind == POLICY_IMAGE ? db_run(db, "delete from policy_draft_member c using policy_draft d join image m on m.tenant = d.tenant"
		" where " MINE " and c.tenant = d.tenant and c.draft = d.id and c.kind = 'image' and c.member = m.id and c.chosen = " IS_IMAGE,
		DB_ARGS(db_uuid_arg(id), owner(db))) :
		db_run(db, "delete from policy_draft_member c using policy_draft d join device m on m.tenant = d.tenant where " MINE
			" and c.tenant = d.tenant and c.draft = d.id and c.kind = 'device' and c.member = m.id and c.chosen = " IS_DEVICE,
			DB_ARGS(db_uuid_arg(id), owner(db)));
}

static int put(struct db *db, const struct uuid *id, enum policy_member kind, const json_t *ids, int on)
{
	static const char *const sql[] = {
		[POLICY_IMAGE] = PUT " join image m on m.tenant = d.tenant where " MINE " and m.id in " POLICY_IDS(5)
			" on conflict (tenant, draft, kind, member) do update set chosen = excluded.chosen",
		[POLICY_DEVICE] = PUT " join device m on m.tenant = d.tenant where " MINE NO_SYSTEM " and m.id in " POLICY_IDS(5)
			" on conflict (tenant, draft, kind, member) do update set chosen = excluded.chosen",
	};

	if (json_array_size(ids) == 0)
		return 0;
	return db_run(db, sql[kind], DB_ARGS(db_uuid_arg(id), owner(db), db_text_arg(kinds[kind].name), db_bool_arg(on), db_json_arg(ids)));
}

int policy_draft_choose(struct db *db, const struct uuid *id, enum policy_member kind, const json_t *on, const json_t *off)
{
	int rc = put(db, id, kind, on, 1);

	if (rc >= 0)
		rc = put(db, id, kind, off, 0);
	if (rc >= 0)
		rc = tidy(db, id, kind);
	return rc < 0 ? rc : 0;
}

int policy_draft_choose_all(struct db *db, const struct uuid *id, enum policy_member kind, const char *search, int on)
{
	static const char *const sql[] = {
		[POLICY_IMAGE] = "select coalesce(json_agg(m.id), '[]') from (" MATCHING("image m", "m.provider_image", "") ") m",
		[POLICY_DEVICE] = "select coalesce(json_agg(m.id), '[]') from (" MATCHING("device m" PLACE, "m.provider_device", " or i.region ilike $1 or i.zone ilike $1") NO_SYSTEM ") m",
	};
	struct db_result *r;
	char *pattern = list_pattern(search);
	json_t *ids = NULL;
	int rc = db_query(db, &r, sql[kind], DB_ARGS(db_text_arg(pattern)));

	free(pattern);
	if (rc < 0)
		return rc;
	ids = db_json(r, 0, 0);
	db_result_free(r);
	rc = on ? policy_draft_choose(db, id, kind, ids, NULL) : policy_draft_choose(db, id, kind, NULL, ids);
	json_decref(ids);
	return rc;
}

int policy_draft_moves(struct db *db, const struct uuid *id, enum policy_member kind, json_t **add, json_t **remove)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select coalesce(json_agg(c.member) filter (where c.chosen), '[]'),"
		" coalesce(json_agg(c.member) filter (where not c.chosen), '[]') from policy_draft_member c join policy_draft d"
		" on d.tenant = c.tenant and d.id = c.draft where " MINE " and c.kind = $3",
		DB_ARGS(db_uuid_arg(id), owner(db), db_text_arg(kinds[kind].name)));

	if (rc < 0)
		return rc;
	*add = db_json(r, 0, 0);
	*remove = db_json(r, 0, 1);
	db_result_free(r);
	return 0;
}
