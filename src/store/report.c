/* report.c - templates, the archive, and what jobd notes while it makes a report. */
#include "store/report.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "store/audit.h"
#include "store/job.h"
#include "store/language.h"
#include "store/report_storage.h"

#define DUE "report_next(t.schedule, t.weekday, t.monthday, t.at, notice_zone(), now())"
#define ZONE "notice_zone()"
#define SINCE(n) "$" n "::date::timestamp at time zone " ZONE
#define UNTIL(n) "($" n "::date + 1)::timestamp at time zone " ZONE
#define LIST_OF(n) "array(select json_array_elements_text($" n "))"

/* Templates */

#define TEMPLATE_COLUMNS "t.id, t.name, to_json(t.criteria) as criteria, t.has_keys, t.period, to_char(t.since at time zone z.zone, 'YYYY-MM-DD') as since," \
	" to_char(t.until at time zone z.zone - interval '1 day', 'YYYY-MM-DD') as until, to_json(t.formats) as formats," \
	" t.schedule, t.weekday, t.monthday, to_char(t.at, 'HH24:MI') as at, t.keep_days, t.mail, t.recipients, t.owner, t.owner_name, t.stopped, t.due," \
	" t.created, t.changed, t.changed_by, (select max(r.created) from report r where r.tenant = t.tenant and r.template = t.id) as made"

#define TEMPLATES "report_template t, (select notice_zone() as zone) z"

static const struct list_column template_sorts[] = {
	{ "name", LIST_NAME("t.name"), "text", 0 },
	{ "schedule", "t.schedule", "text", 0 },
	{ "due", "coalesce(t.due, 'infinity')", "timestamptz", 0 },
	{ "changed", "t.changed", "timestamptz", 1 },
	{ NULL },
};
static const char *const template_searches[] = { "t.name", "t.owner_name", NULL };
static const struct list_filter template_filters[] = {
	{ "schedule", "t.schedule = $" },
	{ "criteria", "t.criteria <@ $::text[]" },
	{ NULL },
};
static const struct list_spec template_spec = {
	.columns = TEMPLATE_COLUMNS, .from = TEMPLATES, .id = "t.id", .sorts = template_sorts, .searches = template_searches,
	.filters = template_filters,
};

int report_template_list(struct db *db, const struct list_query *query, json_t **page)
{
	return list_page(db, &template_spec, query, page);
}

int report_template_get(struct db *db, const struct uuid *id, json_t **out)
{
	return db_get_row(db, out, "select " TEMPLATE_COLUMNS " from " TEMPLATES " where t.id = $1", DB_ARGS(db_uuid_arg(id)));
}

static int log_template(struct db *db, enum audit_event event, const struct uuid *id, const char *name, json_t *detail)
{
	return audit_log(db, event, &(struct audit_object){ "report-template", id, name }, detail);
}

static json_t *described(const struct report_template *t)
{
	return json_pack("{s:s, s:O, s:O, s:s, s:s, s:I, s:I, s:s, s:I, s:b, s:s}", "name", t->name, "criteria", t->criteria, "formats", t->formats,
		"period", t->period, "schedule", t->schedule, "weekday", (json_int_t)t->weekday, "monthday", (json_int_t)t->monthday, "at", t->at,
		"keep_days", (json_int_t)t->keep_days, "mail", t->mail, "recipients", t->recipients);
}

static int write_template(struct db *db, const struct uuid *id, const struct report_template *t)
{
	const struct db_actor *a = db_actor(db);
	int rc = db_run_one(db, "insert into report_template as t (tenant, id, name, criteria, has_keys, period, since, until, formats, schedule, weekday,"
		" monthday, at, keep_days, mail, recipients, owner, owner_name, changed_by) values (notice_scope(), $1, $2, " LIST_OF("3") ", $4, $5, " SINCE("6") ", " UNTIL("7") ", "
		LIST_OF("8") ", $9, $10, $11, $12::text::time, $13, $14, $15, $16, $17, $17) on conflict (tenant, id) do update set name = $2, criteria = "
		LIST_OF("3") ", has_keys = $4, period = $5, since = " SINCE("6") ", until = " UNTIL("7") ", formats = " LIST_OF("8") ", schedule = $9, weekday = $10, monthday = $11,"
		" at = $12::text::time, keep_days = $13, mail = $14, recipients = $15, owner = $16, owner_name = $17, changed_by = $17, changed = now(),"
		" stopped = null", DB_ARGS(db_uuid_arg(id), db_text_arg(t->name), db_json_arg(t->criteria), db_bool_arg(t->has_keys),
		db_text_arg(t->period), db_text_arg(t->since), db_text_arg(t->until), db_json_arg(t->formats), db_text_arg(t->schedule),
		db_int_arg(t->weekday), db_int_arg(t->monthday), db_text_arg(t->at), db_int_arg(t->keep_days), db_bool_arg(t->mail),
		db_text_arg(t->recipients), db_uuid_arg(&a->id), db_text_arg(a->name)));

	return rc < 0 ? rc : db_run_one(db, "update report_template t set due = " DUE " where t.id = $1", DB_ARGS(db_uuid_arg(id)));
}

int report_template_save(struct db *db, const struct uuid *id, const struct report_template *t, struct uuid *out)
{
	json_t *before = NULL, *after = described(t), *changes;
	struct uuid use = id ? *id : uuid_new();
	int rc = id ? report_template_get(db, id, &before) : 0;

	if (rc == 0)
		rc = write_template(db, &use, t);
	changes = rc == 0 && before ? audit_changes(before, after) : NULL;
	if (rc == 0 && (before == NULL || changes))
		rc = log_template(db, before ? AUDIT_REPORT_TEMPLATE_CHANGED : AUDIT_REPORT_TEMPLATE_CREATED, &use, t->name, before ? changes : json_incref(after));
	json_decref(before);
	json_decref(after);
	if (rc == 0)
		*out = use;
	return rc;
}

int report_template_delete(struct db *db, const struct uuid *id)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "delete from report_template where id = $1 returning name", DB_ARGS(db_uuid_arg(id)));

	if (rc < 0)
		return rc;
	rc = log_template(db, AUDIT_REPORT_TEMPLATE_DELETED, id, db_text(r, 0, 0), NULL);
	db_result_free(r);
	return rc;
}

/* Making */

static int check_waiting(struct db *db)
{
	struct db_result *r;
	int many, rc = db_query_row(db, &r, "select count(*) from report where state in ('waiting', 'running')", DB_NONE);

	if (rc < 0)
		return rc;
	many = db_int(r, 0, 0) >= REPORT_WAITING_MAX;
	db_result_free(r);
	return many ? err_set(ERR_TOO_MANY, "%d reports wait to be made already", REPORT_WAITING_MAX) : 0;
}

static int queue_report(struct db *db, const struct uuid *id)
{
	char text[UUID_TEXT_SIZE];

	uuid_text(id, text);
	return job_add(db, REPORT_JOB, json_pack("{s:s}", "report", text), 0, NULL);
}

static int log_report(struct db *db, enum audit_event event, const struct uuid *id, const char *name, json_t *detail)
{
	return audit_log(db, event, &(struct audit_object){ "report", id, name }, detail);
}

static int log_asked(struct db *db, const struct uuid *id)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select name, json_build_object('criteria', criteria, 'formats', formats, 'since', since, 'until', until, 'keys', case when has_keys"
		" then 'yes' else 'no' end) from report where id = $1", DB_ARGS(db_uuid_arg(id)));

	if (rc < 0)
		return rc;
	rc = log_report(db, AUDIT_REPORT_ASKED, id, db_text(r, 0, 0), db_json(r, 0, 1));
	db_result_free(r);
	return rc;
}

int report_make(struct db *db, const struct uuid *template, int scheduled, struct uuid *out)
{
	const struct db_actor *a = db_actor(db);
	struct uuid id = uuid_new();
	int rc = check_waiting(db);

	/* One of a schedule is made all the same, and says in the archive why it could not be. */
	if (rc == 0 && !scheduled)
		rc = report_storage_check(db);
	if (rc == 0)
		rc = db_run_one(db, "insert into report (tenant, id, template, name, criteria, has_keys, since, until, zone, formats, scheduled, mail, recipients,"
			" owner, owner_name, expires) select t.tenant, $2, t.id, t.name, t.criteria, t.has_keys, case t.period when 'range' then t.since else p.since"
			" end, case t.period when 'range' then t.until else p.until end, z.zone, t.formats, $3, t.mail, t.recipients, coalesce($4, t.owner),"
			" coalesce($5, t.owner_name), now() + t.keep_days * interval '1 day' from " TEMPLATES ","
			" report_period(t.period, z.zone, now()) p where t.id = $1", DB_ARGS(db_uuid_arg(template), db_uuid_arg(&id),
			db_bool_arg(scheduled), db_uuid_arg(scheduled ? NULL : &a->id), db_text_arg(scheduled ? NULL : a->name)));
	if (rc == 0)
		rc = queue_report(db, &id);
	/* One that a schedule makes is logged when it is made: nobody has asked for it. */
	if (rc == 0 && !scheduled)
		rc = log_asked(db, &id);
	if (rc == 0 && out)
		*out = id;
	return rc;
}

int report_period_now(struct db *db, const struct report_template *t, clock_us *since, clock_us *until)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select coalesce(" SINCE("2") ", p.since), coalesce(" UNTIL("3") ", p.until) from report_period($1, " ZONE ", now()) p",
		DB_ARGS(db_text_arg(t->period), db_text_arg(t->since), db_text_arg(t->until)));

	if (rc < 0)
		return rc;
	*since = db_time(r, 0, 0);
	*until = db_time(r, 0, 1);
	db_result_free(r);
	return 0;
}

int report_tenants(struct db *db, json_t **out)
{
	return db_get_rows(db, out, "select id from report_tenants()", DB_NONE);
}

/* One of those that are due, locked; another jobd takes others. */
int report_make_due(struct db *db, clock_us now)
{
	struct db_result *r;
	int rc = db_query(db, &r, "select t.id from report_template t where t.due <= $1 order by t.due limit 20 for update skip locked",
		DB_ARGS(db_time_arg(now)));
	int count = rc < 0 ? 0 : (int)db_rows(r);

	for (int i = 0; rc == 0 && i < count; i++) {
		struct uuid id = db_uuid(r, (size_t)i, 0);

		rc = report_make(db, &id, 1, NULL);
		if (rc == ERR_TOO_MANY)
			rc = 0;
		if (rc == 0)
			rc = db_run_one(db, "update report_template t set due = " DUE " where t.id = $1", DB_ARGS(db_uuid_arg(&id)));
	}
	if (rc >= 0)
		db_result_free(r);
	return rc < 0 ? rc : count;
}

/* Archive */

#define REPORT_COLUMNS "r.id, r.template, r.name, to_json(r.criteria) as criteria, r.has_keys, r.since, r.until, r.zone, to_json(r.formats) as formats," \
	" r.scheduled, r.owner_name, r.state, r.step, r.steps, r.rows, r.bytes, r.error, r.created, r.finished, r.expires"

static const struct list_column sorts[] = {
	{ "created", "r.created", "timestamptz", 1 },
	{ "name", LIST_NAME("r.name"), "text", 0 },
	{ "bytes", "r.bytes", "bigint", 1 },
	{ NULL },
};
static const char *const searches[] = { "r.name", "r.owner_name", NULL };
static const struct list_filter filters[] = {
	{ "state", "r.state in ('waiting', 'running')", "open" },
	{ "state", "r.state = $" },
	{ "template", "r.template = $::uuid" },
	{ "criteria", "r.criteria <@ $::text[]" },
	{ NULL },
};
static const struct list_spec spec = {
	.columns = REPORT_COLUMNS, .from = "report r", .id = "r.id", .sorts = sorts, .searches = searches, .filters = filters,
};

int report_list(struct db *db, const struct list_query *query, json_t **page)
{
	return list_page(db, &spec, query, page);
}

int report_get(struct db *db, const struct uuid *id, json_t **out)
{
	return db_get_row(db, out, "select " REPORT_COLUMNS " from report r where r.id = $1", DB_ARGS(db_uuid_arg(id)));
}

int report_delete(struct db *db, const struct uuid *id)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "delete from report where id = $1 returning name", DB_ARGS(db_uuid_arg(id)));

	if (rc < 0)
		return rc;
	rc = log_report(db, AUDIT_REPORT_DELETED, id, db_text(r, 0, 0), NULL);
	db_result_free(r);
	return rc;
}

/* Bytes of the file, and whether all that was made of the report is there. */
static int file_size(struct db *db, const struct uuid *id, const char *format, size_t *size)
{
	struct db_result *r;
	int whole, rc = db_query_row(db, &r, "select coalesce(sum(octet_length(p.bytes)) filter (where p.format = $2), 0)::bigint, r.bytes ="
		" coalesce(sum(octet_length(p.bytes)), 0) from report r left join report_piece p on p.tenant = r.tenant and p.report = r.id where r.id = $1"
		" and r.state = 'done' group by r.bytes", DB_ARGS(db_uuid_arg(id), db_text_arg(format)));

	if (rc < 0)
		return rc;
	*size = (size_t)db_int(r, 0, 0);
	whole = db_bool(r, 0, 1);
	db_result_free(r);
	if (!whole)
		return err_set(ERR_TRUNCATED, "a part of the report's files is missing");
	return *size ? 0 : err_set(ERR_NOT_FOUND, "no such file");
}

/* Each piece is a look of its own: the report may be deleted between two of them, and half a file is none. */
int report_read(struct db *db, const struct uuid *id, const char *format, struct buf *file)
{
	size_t size = 0, before = file->len, count = 1;
	struct db_result *r;
	int rc = file_size(db, id, format, &size);

	for (int64_t n = 0; rc == 0 && count; n++) {
		rc = db_query(db, &r, "select bytes from report_piece where report = $1 and format = $2 and n = $3", DB_ARGS(db_uuid_arg(id),
			db_text_arg(format), db_int_arg(n)));
		if (rc < 0)
			break;
		count = db_rows(r);
		if (count) {
			struct wire_view piece = db_bytes(r, 0, 0);

			buf_add(file, piece.data, piece.len);
		}
		db_result_free(r);
	}
	return rc < 0 || file->len - before == size ? rc : err_set(ERR_NOT_FOUND, "the report was deleted meanwhile");
}

/* jobd */

int report_clean(struct db *db, clock_us now)
{
	return db_run(db, "delete from report where expires < $1", DB_ARGS(db_time_arg(now)));
}

int report_take(struct db *db, const struct uuid *id, json_t **out)
{
	json_t *row = NULL;
	int rc = db_get_row(db, &row, "with taken as (update report set state = 'running' where id = $1 and state in ('waiting', 'running') returning *)"
		" select r.id, r.name, to_json(r.criteria) as criteria, to_json(r.formats) as formats, r.since, r.until, r.zone, r.has_keys, r.owner_name, r.mail,"
		" r.recipients, r.template, r.scheduled, coalesce(t.name, '') as tenant_name, coalesce(u.role, o.role) as user_role,"
		" coalesce(u.language, case when t.id is null then coalesce(report_language(r.owner), " LANGUAGE_OF_INSTALLATION ") else t.settings ->> 'language' end,"
		" '') as language, " DATE_FORMAT " as date_format,"
		" coalesce(u.state, o.state) as user_state from taken r left join tenant t on t.id = r.tenant left join app_user u on u.tenant = r.tenant"
		" and u.id = r.owner left join lateral report_operator(case when t.id is null then r.owner end) o on true", DB_ARGS(db_uuid_arg(id)));

	if (rc < 0)
		return rc;
	*out = row;
	return 0;
}

int report_progress(struct db *db, const struct uuid *id, int64_t step, int64_t steps)
{
	return db_run_one(db, "update report set step = $2, steps = $3 where id = $1 and state = 'running'", DB_ARGS(db_uuid_arg(id), db_int_arg(step),
		db_int_arg(steps)));
}

int report_add_piece(struct db *db, const struct uuid *id, const char *format, int64_t n, const void *data, size_t len)
{
	return db_queue(db, "insert into report_piece (tenant, report, format, n, bytes) values (notice_scope(), $1, $2, $3, $4)",
		DB_ARGS(db_uuid_arg(id), db_text_arg(format), db_int_arg(n), db_bytes_arg(data, len)));
}

int report_done(struct db *db, const struct uuid *id, const char *name, int64_t rows, int64_t bytes)
{
	struct db_result *r;
	int keys, rc = db_query_row(db, &r, "update report set state = 'done', finished = now(), rows = $2, bytes = $3, step = steps where id = $1 and"
		" state = 'running' returning has_keys", DB_ARGS(db_uuid_arg(id), db_int_arg(rows), db_int_arg(bytes)));

	if (rc < 0)
		return rc;
	keys = db_bool(r, 0, 0);
	db_result_free(r);
	return log_report(db, AUDIT_REPORT_MADE, id, name, json_pack("{s:I, s:I, s:s}", "rows", (json_int_t)rows, "bytes", (json_int_t)bytes, "keys",
		keys ? "yes" : "no"));
}

int report_failed(struct db *db, const struct uuid *id, const char *name, const char *why, int stop)
{
	int rc = db_run_one(db, "update report set state = 'failed', finished = now(), error = $2 where id = $1 and state = 'running'",
		DB_ARGS(db_uuid_arg(id), db_text_arg(why)));

	if (rc == 0 && stop)
		rc = db_run(db, "update report_template t set stopped = $2, due = null from report r where r.id = $1 and t.tenant = r.tenant"
			" and t.id = r.template", DB_ARGS(db_uuid_arg(id), db_text_arg(why)));
	return rc < 0 ? rc : log_report(db, stop ? AUDIT_REPORT_STOPPED : AUDIT_REPORT_FAILED, id, name, json_pack("{s:s}", "reason", why));
}
