/* notice_group.c - groups of recipients. */
#include "store/notice_group.h"

#include "base/err.h"
#include "base/json.h"
#include "store/audit.h"
#include "store/language.h"

#define COLUMNS "g.id, g.name, g.description, g.enabled, to_json(g.recipients) as recipients, to_json(g.events) as events, g.subject, g.header," \
	" g.content, g.footer, g.frequency, to_char(g.at, 'HH24:MI') as at, g.due, g.sent, g.changed, g.changed_by"
#define ZONE "notice_zone()"

static const struct list_column sorts[] = {
	{ "name", LIST_NAME("g.name"), "text", 0 },
	{ "changed", "g.changed", "timestamptz", 1 },
	{ "sent", "coalesce(g.sent, '-infinity')", "timestamptz", 1 },
	{ NULL },
};
static const char *const searches[] = { "g.name", "g.description", "array_to_string(g.recipients, ' ')", NULL };
static const struct list_filter filters[] = {
	{ "state", "g.enabled and $ = 'on'", "on" },
	{ "state", "not g.enabled and $ = 'off'", "off" },
	{ NULL },
};
static const struct list_spec spec = {
	.columns = COLUMNS, .from = "notice_group g", .id = "g.id", .sorts = sorts, .searches = searches, .filters = filters,
};

int notice_group_list(struct db *db, const struct list_query *query, json_t **page)
{
	return list_page(db, &spec, query, page);
}

int notice_group_get(struct db *db, const struct uuid *id, json_t **out)
{
	return db_get_row(db, out, "select " COLUMNS " from notice_group g where g.id = $1", DB_ARGS(db_uuid_arg(id)));
}

static int log_group(struct db *db, enum audit_event event, const struct uuid *id, const char *name, json_t *detail)
{
	return audit_log(db, event, &(struct audit_object){ "notice-group", id, name }, detail);
}

static json_t *described(const struct notice_group *g)
{
	return json_pack("{s:s, s:s, s:b, s:O, s:O, s:s, s:s, s:s, s:s, s:s, s:s}", "name", g->name, "description", g->description, "enabled", g->enabled,
		"recipients", g->recipients, "events", g->events, "subject", g->subject, "header", g->header, "content", g->content, "footer", g->footer,
		"frequency", g->frequency, "at", g->at);
}

static int check_count(struct db *db)
{
	struct db_result *r;
	int many, rc = db_query_row(db, &r, "select count(*) from notice_group", DB_NONE);

	if (rc < 0)
		return rc;
	many = db_int(r, 0, 0) >= NOTICE_GROUPS_MOST;
	db_result_free(r);
	return many ? err_set(ERR_TOO_MANY, "there are %d groups already", NOTICE_GROUPS_MOST) : 0;
}

int notice_group_gathered(struct db *db, const struct uuid *id, int64_t *out)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select count(*) from notice_group g join notice n on n.tenant = g.tenant and n.seq > g.told and n.events && g.events where"
		" g.id = $1 and g.enabled", DB_ARGS(db_uuid_arg(id)));

	if (rc < 0)
		return rc;
	*out = db_int(r, 0, 0);
	db_result_free(r);
	return 0;
}

/* A mail that should have gone by now still goes now, whoever saves the group in that moment. */
#define DUE "case when notice_group.due <= now() and (notice_group.frequency, notice_group.at) = (excluded.frequency, excluded.at) then notice_group.due" \
	" else excluded.due end"
/* What it is not told of any more: everything until now, where it was off. */
#define TOLD "case when notice_group.enabled then notice_group.told else notice_head() end"

static int write_group(struct db *db, const struct uuid *id, const struct notice_group *g)
{
	return db_run_one(db, "insert into notice_group (tenant, id, name, description, enabled, recipients, events, subject, header, content, footer,"
		" frequency, at, told, due, changed_by) values (notice_scope(), $1, $2, $3, $4, array(select json_array_elements_text($5)),"
		" array(select json_array_elements_text($6)), $7, $8, $9, $10, $11, $12::text::time, notice_head(), notice_due($11, $12::text::time, " ZONE
		", now()), $13) on conflict (tenant, id) do update set name = excluded.name, description = excluded.description, enabled = excluded.enabled,"
		" recipients = excluded.recipients, events = excluded.events, subject = excluded.subject, header = excluded.header, content ="
		" excluded.content, footer = excluded.footer, frequency = excluded.frequency, at = excluded.at, told = " TOLD ", due = " DUE ","
		" changed_by = excluded.changed_by, changed = now()", DB_ARGS(db_uuid_arg(id), db_text_arg(g->name), db_text_arg(g->description),
		db_bool_arg(g->enabled), db_json_arg(g->recipients), db_json_arg(g->events), db_text_arg(g->subject), db_text_arg(g->header),
		db_text_arg(g->content), db_text_arg(g->footer), db_text_arg(g->frequency), db_text_arg(g->at), db_text_arg(db_actor(db)->name)));
}

int notice_group_save(struct db *db, const struct uuid *id, const struct notice_group *g, struct uuid *out)
{
	json_t *before = NULL, *after = described(g), *changes;
	struct uuid use = id ? *id : uuid_new();
	int rc = id ? notice_group_get(db, id, &before) : check_count(db);

	if (rc == 0)
		rc = write_group(db, &use, g);
	changes = rc == 0 && before ? audit_changes(before, after) : NULL;
	if (rc == 0 && (before == NULL || changes))
		rc = log_group(db, before ? AUDIT_NOTICE_GROUP_CHANGED : AUDIT_NOTICE_GROUP_CREATED, &use, g->name, before ? changes : json_incref(after));
	json_decref(before);
	json_decref(after);
	if (rc == 0 && out)
		*out = use;
	return rc;
}

int notice_group_enable(struct db *db, const struct uuid *id, int enabled)
{
	struct db_result *r;
	int rc = db_query(db, &r, "update notice_group set told = " TOLD ", enabled = $2, due = notice_due(frequency, at, " ZONE ", now()), changed = now(),"
		" changed_by = $3 where id = $1 and enabled <> $2 returning name", DB_ARGS(db_uuid_arg(id), db_bool_arg(enabled),
		db_text_arg(db_actor(db)->name)));
	json_t *row = NULL;

	if (rc < 0)
		return rc;
	if (db_rows(r))
		rc = log_group(db, AUDIT_NOTICE_GROUP_CHANGED, id, db_text(r, 0, 0), json_pack("{s:{s:{s:b, s:b}}}", "changes", "enabled", "old", !enabled,
			"new", enabled));
	else
		rc = notice_group_get(db, id, &row);
	json_decref(row);
	db_result_free(r);
	return rc;
}

int notice_group_delete(struct db *db, const struct uuid *id)
{
	json_t *before = NULL;
	int rc = notice_group_get(db, id, &before);

	if (rc == 0)
		rc = db_run_one(db, "delete from notice_group where id = $1", DB_ARGS(db_uuid_arg(id)));
	if (rc == 0)
		rc = log_group(db, AUDIT_NOTICE_GROUP_DELETED, id, json_string_value(json_object_get(before, "name")), json_pack("{s:O, s:O}", "recipients",
			json_object_get(before, "recipients"), "events", json_object_get(before, "events")));
	json_decref(before);
	return rc;
}

/* Jobs */

int notice_group_tenants(struct db *db, json_t **out)
{
	return db_get_rows(db, out, "select id from notice_group_tenants()", DB_NONE);
}

static int take_notices(struct db *db, int64_t told, int64_t head, const json_t *events, int64_t most, json_t *out)
{
	json_t *rows = NULL;
	struct db_result *r;
	int rc = db_query_row(db, &r, "select count(*) from notice n where n.seq > $1 and n.seq <= $2 and n.events && array(select"
		" json_array_elements_text($3))", DB_ARGS(db_int_arg(told), db_int_arg(head), db_json_arg(events)));

	if (rc < 0)
		return rc;
	json_set_int(out, "count", db_int(r, 0, 0));
	db_result_free(r);
	rc = db_get_rows(db, &rows, "select to_json(n.events) as events, n.severity, n.item from notice n where n.seq > $1 and n.seq <= $2 and n.events &&"
		" array(select json_array_elements_text($3)) order by n.seq limit $4", DB_ARGS(db_int_arg(told), db_int_arg(head), db_json_arg(events),
		db_int_arg(most)));
	json_object_set_new(out, "notices", rows);
	return rc;
}

/* Columns whose names begin with _ are not members of what is given out. */
#define TAKE "select g.id, to_json(g.recipients) as recipients, g.subject, g.header, g.content, g.footer, coalesce(z.name, 'Central Management') as tenant, g.told as _told, h.seq as _head," \
	" to_json(g.events) as _events, coalesce(case when z.id is null then " LANGUAGE_OF_INSTALLATION " else z.settings ->> 'language' end, '') as language, " DATE_FORMAT " as date_format" \
	" from notice_group g left join tenant z on z.id = g.tenant cross join (select coalesce(max(n.seq), 0) as seq from notice n) h where" \
	" g.enabled and case when g.due is null then h.seq > g.told else g.due <= now() end order by g.id limit 1 for update of g skip locked"

int notice_group_take(struct db *db, int64_t most, int mails, json_t **out)
{
	struct db_result *r;
	json_t *group, *events;
	int64_t told, head;
	struct uuid id;
	int rc = db_query_row(db, &r, TAKE, DB_NONE);

	if (rc < 0)
		return rc;
	id = db_uuid(r, 0, 0);
	told = db_int(r, 0, 7);
	head = db_int(r, 0, 8);
	events = db_json(r, 0, 9);
	group = db_row_json(r, 0);
	db_result_free(r);
	rc = take_notices(db, told, head, events, most, group);
	if (rc == 0)
		rc = db_run_one(db, "update notice_group g set told = greatest(g.told, $2), due = notice_due(g.frequency, g.at, " ZONE ", now()), sent = case when"
			" $3 > 0 then now() else g.sent end where g.id = $1", DB_ARGS(db_uuid_arg(&id), db_int_arg(head),
			db_int_arg(mails ? json_integer_value(json_object_get(group, "count")) : 0)));
	json_decref(events);
	if (rc == 0)
		*out = group;
	else
		json_decref(group);
	return rc;
}
