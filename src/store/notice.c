/* notice.c - entries of a log as notices, and what is read of them. */
#include "store/notice.h"

#include "base/err.h"
#include "base/json.h"
#include "store/language.h"

/* -1: another jobd has it. */
static int hold_cursor(struct db *db, int64_t *seq, int64_t *head)
{
	struct db_result *r;
	int rc = db_queue(db, "insert into notice_cursor (tenant, seq) values (notice_scope(), 0) on conflict do nothing", DB_NONE);

	if (rc == 0)
		rc = db_query(db, &r, "select c.seq, notice_head() from notice_cursor c for update of c skip locked", DB_NONE);
	if (rc < 0)
		return rc;
	*seq = db_rows(r) ? db_int(r, 0, 0) : -1;
	*head = db_rows(r) ? db_int(r, 0, 1) : -1;
	db_result_free(r);
	return 0;
}

#define LOCAL(column) "to_char(" column " at time zone t.time_zone, 'YYYY-MM-DD HH24:MI:SS') || ' (' || t.time_zone || ')'"

#define TENANT_ENTRIES "select e.seq, e.at as logged, e.event, e.object_id as object, e.object_name as name, e.detail, " LOCAL("e.at") " as at," \
	" e.object_kind, e.actor_name as by, coalesce(nullif(i.host_name, ''), i.provider_instance) as instance, i.id as instance_id," \
	" r.policy_name as policy, " LOCAL("r.revoke_at") " as revoke_at, t.name as tenant from audit_entry e join tenant t on t.id = e.tenant left join" \
	" key_request r on r.tenant = e.tenant and r.id = e.object_id and e.object_kind = 'request' left join instance i" \
	" on i.tenant = e.tenant and i.id = coalesce(r.instance, e.object_id) where e.seq > $1 and e.seq <= $2" \
	" and e.event = any ($3::text[]) order by e.seq limit $4"
#define INSTALLATION_ENTRIES "select e.seq, e.at as logged, e.event, e.object_id as object, e.object_name as name, e.detail, to_char(e.at at time zone" \
	" 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' (UTC)' as at, e.object_kind, e.actor_name as by, null as instance, null as policy, null as revoke_at," \
	" '' as tenant from notice_entries($1, $2, $3::text[], $4) e order by e.seq"

int notice_take(struct db *db, const char *events, json_t **out)
{
	struct db_result *r;
	int64_t seq, head, last;
	int rc = hold_cursor(db, &seq, &head);

	if (rc < 0)
		return rc;
	*out = NULL;
	if (seq < 0 || seq >= head) {
		*out = json_array();
		return 0;
	}
	rc = db_query(db, &r, db_tenant(db) ? TENANT_ENTRIES : INSTALLATION_ENTRIES, DB_ARGS(db_int_arg(seq), db_int_arg(head), db_text_arg(events),
		db_int_arg(NOTICE_ENTRIES_MOST)));
	if (rc < 0)
		return rc;
	last = db_rows(r) == NOTICE_ENTRIES_MOST ? db_int(r, NOTICE_ENTRIES_MOST - 1, 0) : head;
	*out = db_rows_json(r);
	db_result_free(r);
	return db_queue(db, "update notice_cursor set seq = $1", DB_ARGS(db_int_arg(last)));
}

int notice_add(struct db *db, const json_t *entry, const json_t *events, const char *severity, const json_t *item)
{
	struct uuid object;
	int has = json_is_string(json_object_get(entry, "object")) && json_get_uuid(entry, "object", &object) == 0;

	return db_queue(db, "insert into notice (tenant, seq, at, events, severity, object_kind, object, item) values (notice_scope(), $1, $2::text::timestamptz,"
		" array(select json_array_elements_text($3)), $4, coalesce($5, ''), $6, $7) on conflict do nothing", DB_ARGS(
		db_int_arg(json_integer_value(json_object_get(entry, "seq"))), db_text_arg(json_string_value(json_object_get(entry, "logged"))),
		db_json_arg(events), db_text_arg(severity), db_text_arg(json_string_value(json_object_get(entry, "object_kind"))),
		db_uuid_arg(has ? &object : NULL), db_json_arg(item)));
}

int notice_recipients(struct db *db, const char *roles, const char *event, json_t **out)
{
	if (db_tenant(db) == NULL)
		return db_get_rows(db, out, "select email, coalesce(language, " LANGUAGE_OF_INSTALLATION ", '') as language, " DATE_FORMAT " as date_format from notice_operators($1::text[]) u where not exists (select 1 from"
			" notice_group g where g.enabled and $2 = any (g.events) and lower(u.email) = any (g.recipients))", DB_ARGS(db_text_arg(roles), db_text_arg(event)));
	return db_get_rows(db, out, "select email, coalesce(language, (select settings ->> 'language' from tenant where id = current_tenant()), '') as language, " DATE_FORMAT " as date_format from app_user u where state = 'active' and mail and role = any ($1::text[]) and not exists"
		" (select 1 from notice_group g where g.enabled and $2 = any (g.events) and lower(u.email) = any (g.recipients)) order by id",
		DB_ARGS(db_text_arg(roles), db_text_arg(event)));
}

int notice_tenants(struct db *db, json_t **out)
{
	return db_get_rows(db, out, "select id from notice_tenants()", DB_NONE);
}

int notice_clean(struct db *db, clock_us before)
{
	int rc = db_run(db, "delete from notice_read r using notice n where n.tenant = r.tenant and n.seq = r.seq and n.at < $1", DB_ARGS(db_time_arg(before)));

	return rc < 0 ? rc : db_run(db, "delete from notice where at < $1", DB_ARGS(db_time_arg(before)));
}

/* Pages */

/* Asked once for all rows, so that an index begins there; a coalesce around it would be no condition for an index under row security. */
#define SEEN "(select coalesce(max(x.seq), 0) from notice_seen x where x.person = notice_person())"
#define UNREAD "(n.seq > " SEEN " and d.seq is null)"
#define READ " left join notice_read d on d.tenant = n.tenant and d.person = notice_person() and d.seq = n.seq"
#define SOURCE "notice n" READ
/* By the first of its events: what one entry raises is for the same people (sql/0068). */
#define VISIBLE(arg) "n.events[1] = any (" arg "::text[]) or (n.object_kind = 'user' and n.object = notice_person())"
#define COLUMNS "n.seq, n.at, to_json(n.events) as events, n.severity, n.object_kind, n.object, n.item, " UNREAD " as unread"

static const struct list_column sorts[] = {
	{ "seq", "n.seq", "bigint", 1 },
	{ NULL },
};
static const char *const searches[] = { "n.item->>'about'", "n.item->>'instance'", "n.item->>'event'", NULL };
static const struct list_filter filters[] = {
	{ "visible", VISIBLE("$") },
	{ "state", UNREAD " and $ = 'unread'" },
	{ "severity", "n.severity = $" },
	{ NULL },
};
static const struct list_spec spec = {
	.columns = COLUMNS, .from = SOURCE, .id = "n.seq", .id_type = "bigint", .sorts = sorts, .searches = searches, .filters = filters,
};

int notice_bind(struct db *db, const struct uuid *person)
{
	char text[UUID_TEXT_SIZE];

	uuid_text(person, text);
	return db_queue(db, "select set_config('keyward.person', $1, true)", DB_ARGS(db_text_arg(text)));
}

int notice_unread(struct db *db, const char *visible, int64_t *count)
{
	struct db_result *r;
	/* On every page: who may see few of very many must not wait for all of them to be looked through. */
	int rc = db_query_row(db, &r, "select count(*) from (select 1 from (select m.* from notice m where m.seq > " SEEN
		" order by m.seq desc limit $3) n" READ " where " UNREAD " and (" VISIBLE("$1") ") limit $2) as counted",
		DB_ARGS(db_text_arg(visible), db_int_arg(NOTICE_UNREAD_MOST + 1), db_int_arg(NOTICE_UNREAD_AMONG)));

	if (rc < 0)
		return rc;
	*count = db_int(r, 0, 0);
	db_result_free(r);
	return 0;
}

/* Who may see nearly all is served by another index than who may see few: planned anew for each. */
int notice_list(struct db *db, const struct list_query *query, json_t **page)
{
	int rc = db_queue(db, "set local plan_cache_mode = force_custom_plan", DB_NONE);

	return rc < 0 ? rc : list_page(db, &spec, query, page);
}

int notice_get(struct db *db, const char *visible, int64_t seq, json_t **out)
{
	return db_get_row(db, out, "select " COLUMNS " from " SOURCE " where n.seq = $1 and (" VISIBLE("$2") ")", DB_ARGS(db_int_arg(seq),
		db_text_arg(visible)));
}

int notice_mark(struct db *db, const char *visible, int64_t seq)
{
	json_t *row = NULL;
	int rc = notice_get(db, visible, seq, &row);

	json_decref(row);
	return rc < 0 ? rc : db_queue(db, "insert into notice_read (tenant, person, seq) values (notice_scope(), notice_person(), $1) on conflict do nothing",
		DB_ARGS(db_int_arg(seq)));
}

int notice_mark_all(struct db *db)
{
	int rc = db_queue(db, "insert into notice_seen (tenant, person, seq) select notice_scope(), notice_person(), coalesce(max(seq), 0) from notice"
		" on conflict (tenant, person) do update set seq = greatest(notice_seen.seq, excluded.seq)", DB_NONE);

	return rc < 0 ? rc : db_queue(db, "delete from notice_read r where r.person = notice_person()", DB_NONE);
}
