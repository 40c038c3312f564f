/* webhook.c - webhooks and their deliveries. */
#include "store/webhook.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "store/audit.h"
#include "store/job.h"
#include "store/language.h"

#define COLUMNS "w.id, w.name, w.url, w.format, to_json(w.events) as events, w.ca, w.enabled, w.stopped, w.failures, w.changed, w.changed_by," \
	" (select json_build_object('state', d.state, 'at', coalesce(d.tried, d.created)) from webhook_delivery d where d.tenant = w.tenant and d.webhook = w.id" \
	" order by d.created desc, d.id desc limit 1) as last"

static const struct list_column sorts[] = {
	{ "name", LIST_NAME("w.name"), "text", 0 },
	{ "changed", "w.changed", "timestamptz", 1 },
	{ NULL },
};
static const char *const searches[] = { "w.name", "split_part(w.url, '/', 3)", NULL };
static const struct list_filter filters[] = {
	{ "state", "w.enabled and $ = 'on'", "on" },
	{ "state", "not w.enabled and $ = 'off'", "off" },
	{ NULL },
};
static const struct list_spec spec = {
	.columns = COLUMNS, .from = "webhook w", .id = "w.id", .sorts = sorts, .searches = searches, .filters = filters,
};

void webhook_system_purpose(const struct uuid *webhook, char out[static WEBHOOK_SYSTEM_PURPOSE_SIZE])
{
	char id[UUID_TEXT_SIZE];

	uuid_text(webhook, id);
	snprintf(out, WEBHOOK_SYSTEM_PURPOSE_SIZE, WEBHOOK_PURPOSE "-%s", id);
}

int webhook_list(struct db *db, const struct list_query *query, json_t **page)
{
	return list_page(db, &spec, query, page);
}

int webhook_get(struct db *db, const struct uuid *id, json_t **out)
{
	return db_get_row(db, out, "select " COLUMNS " from webhook w where w.id = $1", DB_ARGS(db_uuid_arg(id)));
}

static int log_hook(struct db *db, enum audit_event event, const struct uuid *id, const char *name, json_t *detail)
{
	return audit_log(db, event, &(struct audit_object){ "webhook", id, name }, detail);
}

static char *host_of(const char *url)
{
	const char *host = strstr(url, "//");
	size_t len;

	host = host ? host + 2 : url;
	len = strcspn(host, "/?#");
	return mem_printf("%.*s", (int)len, host);
}

static json_t *described(const struct webhook *w)
{
	char *host = host_of(w->url);
	json_t *out = json_pack("{s:s, s:s, s:s, s:s, s:O, s:b}", "name", w->name, "server", host, "format", w->format, "ca", w->ca, "events", w->events,
		"enabled", w->enabled);

	free(host);
	return out;
}

static int check_count(struct db *db)
{
	struct db_result *r;
	int many, rc = db_query_row(db, &r, "select count(*) from webhook", DB_NONE);

	if (rc < 0)
		return rc;
	many = db_int(r, 0, 0) >= WEBHOOKS_MOST;
	db_result_free(r);
	return many ? err_set(ERR_TOO_MANY, "there are %d webhooks already", WEBHOOKS_MOST) : 0;
}

int webhook_create(struct db *db, const struct uuid *id, const struct webhook *w, const struct buf *secret)
{
	int rc = check_count(db);

	if (rc == 0)
		rc = db_run_one(db, "insert into webhook (tenant, id, name, url, format, events, ca, secret, enabled, told, changed_by) values (notice_scope(), $1,"
			" $2, $3, $4, array(select json_array_elements_text($5)), $6, $7, $8, notice_head(), $9)", DB_ARGS(db_uuid_arg(id), db_text_arg(w->name),
			db_text_arg(w->url), db_text_arg(w->format), db_json_arg(w->events), db_text_arg(w->ca), db_bytes_arg(secret->data, secret->len),
			db_bool_arg(w->enabled), db_text_arg(db_actor(db)->name)));
	return rc < 0 ? rc : log_hook(db, AUDIT_WEBHOOK_CREATED, id, w->name, described(w));
}

/* What happened while it was off it is not told of. */
#define ENABLE "told = case when enabled then told else notice_head() end, failures = case when enabled then failures else 0 end, stopped = null"

static json_t *changes_of(const json_t *row, const struct webhook *w)
{
	const struct webhook former = { json_string_value(json_object_get(row, "name")), json_string_value(json_object_get(row, "url")),
		json_string_value(json_object_get(row, "format")), json_string_value(json_object_get(row, "ca")), json_object_get(row, "events"),
		json_is_true(json_object_get(row, "enabled")) };
	json_t *before = described(&former), *after = described(w), *out = audit_changes(before, after);

	/* The rest of the address is not for the log, that it changed is. */
	if (strcmp(former.url, w->url) != 0) {
		out = out ? out : json_object();
		json_set_bool(out, "address_changed", 1);
	}
	json_decref(before);
	json_decref(after);
	return out;
}

int webhook_save(struct db *db, const struct uuid *id, const struct webhook *w)
{
	json_t *row = NULL, *changes = NULL;
	int rc = webhook_get(db, id, &row);

	if (rc == 0)
		rc = db_run_one(db, "update webhook set name = $2, url = $3, format = $4, events = array(select json_array_elements_text($5)), ca = $6, " ENABLE ","
			" enabled = $7, changed = now(), changed_by = $8 where id = $1", DB_ARGS(db_uuid_arg(id), db_text_arg(w->name), db_text_arg(w->url),
			db_text_arg(w->format), db_json_arg(w->events), db_text_arg(w->ca), db_bool_arg(w->enabled), db_text_arg(db_actor(db)->name)));
	if (rc == 0)
		changes = changes_of(row, w);
	if (changes)
		rc = log_hook(db, AUDIT_WEBHOOK_CHANGED, id, w->name, changes);
	json_decref(row);
	return rc;
}

int webhook_enable(struct db *db, const struct uuid *id, int enabled)
{
	json_t *row = NULL;
	int rc = webhook_get(db, id, &row);

	if (rc == 0 && json_is_true(json_object_get(row, "enabled")) != enabled)
		rc = db_run_one(db, "update webhook set " ENABLE ", enabled = $2, changed = now(), changed_by = $3 where id = $1", DB_ARGS(db_uuid_arg(id),
			db_bool_arg(enabled), db_text_arg(db_actor(db)->name)));
	if (rc == 0 && json_is_true(json_object_get(row, "enabled")) != enabled)
		rc = log_hook(db, AUDIT_WEBHOOK_CHANGED, id, json_string_value(json_object_get(row, "name")), json_pack("{s:{s:{s:b, s:b}}}", "changes", "enabled",
			"old", !enabled, "new", enabled));
	json_decref(row);
	return rc;
}

static int name_of(struct db *db, const char *sql, struct db_arg *args, size_t count, char **name)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, sql, args, count);

	if (rc < 0)
		return rc;
	*name = mem_strdup(db_text(r, 0, 0));
	db_result_free(r);
	return 0;
}

int webhook_set_secret(struct db *db, const struct uuid *id, const struct buf *secret)
{
	char *name = NULL;
	int rc = name_of(db, "update webhook set secret = $2, changed = now(), changed_by = $3 where id = $1 returning name", DB_ARGS(db_uuid_arg(id),
		db_bytes_arg(secret->data, secret->len), db_text_arg(db_actor(db)->name)), &name);

	if (rc == 0)
		rc = log_hook(db, AUDIT_WEBHOOK_SECRET, id, name, NULL);
	free(name);
	return rc;
}

int webhook_delete(struct db *db, const struct uuid *id)
{
	char *name = NULL;
	int rc = name_of(db, "delete from webhook where id = $1 returning name", DB_ARGS(db_uuid_arg(id)), &name);

	if (rc == 0)
		rc = log_hook(db, AUDIT_WEBHOOK_DELETED, id, name, NULL);
	free(name);
	return rc;
}

/* Deliveries */

static int queue(struct db *db, const struct uuid *id, int away)
{
	char text[UUID_TEXT_SIZE];

	uuid_text(id, text);
	return job_add_outside(db, WEBHOOK_JOB, json_pack("{s:s}", "delivery", text), NULL, away);
}

static int add(struct db *db, const struct uuid *webhook, const struct uuid *id, const char *event, const char *body, int is_test, int away)
{
	int rc = db_queue(db, "insert into webhook_delivery (tenant, id, webhook, event, body, is_test) values (notice_scope(), $1, $2, $3, $4, $5)",
		DB_ARGS(db_uuid_arg(id), db_uuid_arg(webhook), db_text_arg(event), db_text_arg(body), db_bool_arg(is_test)));

	return rc < 0 ? rc : queue(db, id, away);
}

int webhook_test(struct db *db, const struct uuid *webhook, const struct uuid *id, const char *event, const char *body)
{
	char *name = NULL;
	int rc = name_of(db, "select name from webhook where id = $1", DB_ARGS(db_uuid_arg(webhook)), &name);

	if (rc == 0)
		rc = db_has(db, "select 1 from webhook_delivery where webhook = $1 and is_test and state = 'waiting' and created > now() - interval '1 minute'",
			DB_ARGS(db_uuid_arg(webhook)));
	if (rc > 0)
		rc = err_set(ERR_CONFLICT, "a test is under way");
	if (rc == 0)
		rc = add(db, webhook, id, event, body, 1, 0);
	if (rc == 0)
		rc = log_hook(db, AUDIT_WEBHOOK_TESTED, webhook, name, NULL);
	free(name);
	return rc;
}

int webhook_deliver(struct db *db, const struct uuid *webhook, const struct uuid *id, const char *event, const char *body, int away)
{
	return add(db, webhook, id, event, body, 0, away);
}

static const struct list_column delivery_sorts[] = {
	{ "created", "d.created", "timestamptz", 1 },
	{ "event", "d.event", "text", 0 },
	{ "state", "d.state", "text", 0 },
	{ "took", "coalesce(d.took_ms, -1)::bigint", "bigint", 1 },
	{ NULL },
};
static const char *const delivery_searches[] = { "d.event", "d.body", "coalesce(d.error, '')", "coalesce(d.answer, '')", NULL };
static const struct list_filter delivery_filters[] = {
	{ "webhook", "d.webhook = $::uuid" },
	{ "state", "d.state = $" },
	{ NULL },
};
static const struct list_spec delivery_spec = {
	.columns = "d.id, d.event, d.state, d.is_test, d.attempts, d.status, d.answer, d.error, d.took_ms, d.created, d.tried, d.body",
	.from = "webhook_delivery d", .id = "d.id", .sorts = delivery_sorts, .searches = delivery_searches, .filters = delivery_filters,
};

int webhook_deliveries(struct db *db, const struct list_query *query, json_t **page)
{
	return list_page(db, &delivery_spec, query, page);
}

/* Jobs */

int webhook_tenants(struct db *db, json_t **out)
{
	return db_get_rows(db, out, "select id from webhook_tenants()", DB_NONE);
}

#define TAKE "select w.id, w.format, to_json(w.events) as events, coalesce(z.name, 'Central Management') as tenant, w.failures > 0 as away, w.told as _told," \
	" coalesce(case when z.id is null then " LANGUAGE_OF_INSTALLATION " else z.settings ->> 'language' end, '') as language, " DATE_FORMAT " as date_format" \
	" from webhook w left join tenant z on z.id = w.tenant where" \
	" w.enabled and exists (select 1 from notice n where n.seq > w.told) order by w.id limit 1 for update of w skip locked"

int webhook_take(struct db *db, int64_t most, json_t **out)
{
	json_t *hook, *rows = NULL;
	struct db_result *r;
	int64_t told;
	struct uuid id;
	int rc = db_query_row(db, &r, TAKE, DB_NONE);

	if (rc < 0)
		return rc;
	id = db_uuid(r, 0, 0);
	told = db_int(r, 0, 5);
	hook = db_row_json(r, 0);
	db_result_free(r);
	rc = db_get_rows(db, &rows, "select n.seq, to_json(n.events) as events, n.severity, n.item, n.at from notice n where n.seq > $1 order by n.seq limit $2",
		DB_ARGS(db_int_arg(told), db_int_arg(most)));
	if (rc == 0)
		rc = db_run_one(db, "update webhook set told = $2 where id = $1", DB_ARGS(db_uuid_arg(&id), db_int_arg(json_integer_value(json_object_get(
			json_array_get(rows, json_array_size(rows) - 1), "seq")))));
	json_object_set_new(hook, "notices", rows);
	if (rc == 0)
		*out = hook;
	else
		json_decref(hook);
	return rc;
}

int webhook_delivery_get(struct db *db, const struct uuid *id, json_t **out, struct buf *secret)
{
	struct db_result *r;
	struct wire_view blob;
	int rc = db_query_row(db, &r, "select w.id as webhook, w.url, w.ca, w.enabled, d.body, d.event, d.is_test, d.state, w.secret as _secret from"
		" webhook_delivery d join webhook w on w.tenant = d.tenant and w.id = d.webhook where d.id = $1", DB_ARGS(db_uuid_arg(id)));

	if (rc < 0)
		return rc;
	*out = db_row_json(r, 0);
	blob = db_bytes(r, 0, 8);
	buf_add(secret, blob.data, blob.len);
	db_result_free(r);
	return 0;
}

/* The webhook that has come to nothing once too often. */
static int stop(struct db *db, const struct uuid *webhook, const char *name, const char *why)
{
	int rc = db_run_one(db, "update webhook set enabled = false, stopped = $2 where id = $1", DB_ARGS(db_uuid_arg(webhook), db_text_arg(why)));

	return rc < 0 ? rc : log_hook(db, AUDIT_WEBHOOK_STOPPED, webhook, name, json_pack("{s:s}", "reason", why));
}

static int count_failure(struct db *db, const struct uuid *delivery, const char *why)
{
	struct db_result *r;
	struct uuid webhook;
	char *name;
	int stops, rc = db_query(db, &r, "update webhook w set failures = w.failures + 1 from webhook_delivery d where d.id = $1 and not d.is_test and w.tenant ="
		" d.tenant and w.id = d.webhook returning w.id, w.name, w.enabled and w.failures >= $2", DB_ARGS(db_uuid_arg(delivery),
		db_int_arg(WEBHOOK_FAILURES_MOST)));

	if (rc < 0)
		return rc;
	stops = db_rows(r) && db_bool(r, 0, 2);
	webhook = stops ? db_uuid(r, 0, 0) : (struct uuid){ { 0 } };
	name = stops ? mem_strdup(db_text(r, 0, 1)) : NULL;
	db_result_free(r);
	if (stops)
		rc = stop(db, &webhook, name, why ? why : "");
	free(name);
	return rc;
}

int webhook_delivery_note(struct db *db, const struct uuid *id, const struct webhook_outcome *o)
{
	const char *state = o->delivered ? "delivered" : o->last ? "failed" : "waiting";
	int rc = db_run_one(db, "update webhook_delivery set state = $2, attempts = $3, status = $4, answer = $5, error = $6, took_ms = $7, tried = now() where"
		" id = $1", DB_ARGS(db_uuid_arg(id), db_text_arg(state), db_int_arg(o->attempts), o->status ? db_int_arg(o->status) : db_null_int_arg(),
		db_text_arg(o->answer), db_text_arg(o->error), db_int_arg(o->took_ms)));

	if (rc < 0)
		return rc;
	if (o->delivered)
		return db_queue(db, "update webhook w set failures = 0 from webhook_delivery d where d.id = $1 and w.tenant = d.tenant and w.id = d.webhook and"
			" w.failures > 0", DB_ARGS(db_uuid_arg(id)));
	return o->last ? count_failure(db, id, o->error) : 0;
}

int webhook_clean(struct db *db, clock_us before)
{
	return db_run(db, "delete from webhook_delivery where created < $1 and state <> 'waiting'", DB_ARGS(db_time_arg(before)));
}

int webhook_given_up(struct db *db, json_t **out)
{
	return db_get_row(db, out, "select webhook_given_up() as failed", DB_NONE);
}
