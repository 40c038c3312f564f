/* request_list.c - key requests as pages show them. */
#include "base/json.h"
#include "store/request.h"

#define COLUMNS "r.id, r.status, r.integrity, r.device, coalesce(nullif(d.name, ''), d.provider_device) as device_name, d.kind," \
	" r.image, coalesce(nullif(m.name, ''), m.provider_image) as image_name, r.instance," \
	" coalesce(nullif(i.host_name, ''), i.provider_instance) as instance_name, i.provider, provider_label(i.provider) as provider_name, d.policy, p.name as policy_name," \
	" r.requested, r.decided, r.delivered, r.approve_at, r.revoke_at, r.revoke_ordered, r.revoked, coalesce(nullif(r.mount_point, ''), d.mount_point) as mount_point, r.access, r.closed, r.closed_reason," \
	" exists (select 1 from agent a where a.tenant = r.tenant and a.id = r.agent and a.insecure_tls) as insecure_tls"
#define FROM "key_request r join device d on d.tenant = r.tenant and d.id = r.device" \
	" join instance i on i.tenant = r.tenant and i.id = r.instance" \
	" join policy p on p.tenant = d.tenant and p.id = d.policy" \
	" left join image m on m.tenant = r.tenant and m.id = r.image"

static const struct list_column sorts[] = {
	{ "requested", "r.requested", "timestamptz", 1 },
	{ "status", "r.status", "text", 0 },
	{ "integrity", "r.integrity", "text", 0 },
	{ "device", LIST_NAME("coalesce(nullif(d.name, ''), d.provider_device)"), "text", 0 },
	{ "image", LIST_NAME("coalesce(nullif(m.name, ''), m.provider_image, '')"), "text", 0 },
	{ "instance", "coalesce(nullif(i.host_name, ''), i.provider_instance)", "text", 0 },
	{ "provider", "i.provider", "text", 0 },
	{ "policy", LIST_NAME("p.name"), "text", 0 },
	{ NULL },
};
static const char *const searches[] = {
	"d.name", "d.provider_device", "i.host_name", "i.provider_instance", "coalesce(m.name, '')", "coalesce(m.provider_image, '')",
	"p.name", "d.mount_point", NULL,
};
static const struct list_way open_ways[] = {
	{ "device", "select id from key_request where closed is null and device = any ($::uuid[])" },
	{ "instance", "select id from key_request where closed is null and instance = any ($::uuid[])" },
	/* A machine's image does not change. */
	{ "image", "select r.id from instance i join key_request r on r.tenant = i.tenant and r.instance = i.id and r.closed is null"
		" where i.image = any ($::uuid[])" },
	{ "policy", "select r.id from device d join key_request r on r.tenant = d.tenant and r.device = d.id and r.closed is null"
		" where d.policy = any ($::uuid[])" },
	{ NULL },
};
#define FILTERS \
	{ "integrity", "r.integrity = $" }, \
	{ "policy", "d.policy = $::uuid" }, \
	{ "image", "r.image = $::uuid" }, \
	{ "instance", "r.instance = $::uuid" }, \
	{ "device", "r.device = $::uuid" }, \
	{ "provider", "i.provider = $" }, \
	{ NULL }
/* No index tells approved from delivered (sql/0016). */
static const struct list_filter open_filters[] = {
	{ "status", "r.status = $ and r.id in (select w.request from key_waiting w)", "approved" },
	{ "status", "r.phase = 'approved' and r.status = $", "delivered" },
	{ "status", "r.phase = $" },
	FILTERS
};
static const struct list_filter filters[] = { { "status", "r.status = $" }, FILTERS };
static const struct list_spec open_spec = {
	.columns = COLUMNS, .from = FROM, .where = "r.closed is null", .id = "r.id", .sorts = sorts, .searches = searches,
	.ways = open_ways, .filters = open_filters,
};
static const struct list_spec history_spec = {
	.columns = COLUMNS, .from = FROM, .id = "r.id", .sorts = sorts, .searches = searches, .filters = filters,
};

/* Pending ones; $2: a list of ids, or null for all. */
static const struct list_spec pending_spec = {
	.columns = COLUMNS, .from = FROM, .where = "r.closed is null and r.phase = 'pending' and ($2::json is null or r.id in"
		" (select x::uuid from json_array_elements_text($2::json) as x))", .id = "r.id", .sorts = sorts, .searches = searches,
	.filters = open_filters,
};

/* One to look at twice: rules say no or nothing, or no rules are asked although there are some to ask. */
#define DOUBTFUL "coalesce((r.verdict ->> 'failed')::int, 0) > 0 or (r.integrity = 'unknown' and exists (select 1 from policy q" \
	" where q.tenant = r.tenant and jsonb_array_length(q.rules) > 0))"

int request_choose(struct db *db, const struct uuid *bulk, const struct list_query *query, const json_t *ids)
{
	return list_run(db, &pending_spec, query, "insert into bulk_request (tenant, bulk, request, gist, doubtful) ",
		"r.tenant, $1::uuid, r.id, r.gist, " DOUBTFUL, "", DB_ARGS(db_uuid_arg(bulk), db_json_arg(ids)));
}

int request_list(struct db *db, const struct list_query *query, json_t **page)
{
	return list_page(db, &open_spec, query, page);
}

int request_history(struct db *db, const struct list_query *query, json_t **page)
{
	return list_page(db, &history_spec, query, page);
}

static int one(struct db *db, json_t **out, const char *sql, struct db_arg *args, size_t count)
{
	return db_get_row(db, out, sql, args, count);
}

#define OPEN(phase) LIST_COUNT("key_request where closed is null and phase = '" phase "'") " as " phase

int request_totals(struct db *db, json_t **out)
{
	return one(db, out, "select " LIST_COUNT("instance where state = 'running'") " as instances, "
		OPEN("pending") ", " LIST_COUNT("key_waiting") " as approved, " LIST_COUNT("key_request where closed is null and phase = 'approved'"
		" and status = 'delivered'") " as delivered, " OPEN("denied") ", " OPEN("revoking") ", " OPEN("revoked"), DB_NONE);
}

int request_pending(struct db *db, int64_t *out)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select " OPEN("pending"), DB_NONE);

	if (rc < 0)
		return rc;
	*out = db_int(r, 0, 0);
	db_result_free(r);
	return 0;
}

int request_get(struct db *db, const struct uuid *id, json_t **out)
{
	return one(db, out, "select " COLUMNS ", d.description, d.size_bytes, d.os, d.filesystem, d.cipher, d.mode, d.key_bits,"
		" d.hash, d.status as device_status, d.provider_device, r.asked_device, (select coalesce(nullif(a.name, ''), a.provider_device)"
		" from device a where a.tenant = r.tenant and a.id = r.asked_device) as asked_name, r.facts, r.verdict, r.address, r.reason, r.comment, r.decided_by, r.gist, r.waits,"
		" r.decided_by_name, r.policy_version, r.policy_name as judged_by, r.opened, r.key_version, r.agent,"
		" (select coalesce(json_agg(json_build_object('decision', k.decision, 'at', to_char(k.at at time zone 'UTC',"
		" 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), 'by_kind', k.by_kind, 'by_name', k.by_name, 'comment', k.comment) order by k.at, k.id),"
		" '[]') from (select id, decision, at, by_kind, by_name, comment from key_decision where tenant = r.tenant and request = r.id"
		" union all select r.id, 'deliver', r.delivered, 'agent', null, null where r.delivered is not null and not exists (select 1 from"
		" key_decision o where o.tenant = r.tenant and o.request = r.id and o.decision = 'deliver' and o.at = r.delivered)) k) as decisions"
		" from " FROM " where r.id = $1", DB_ARGS(db_uuid_arg(id)));
}
