/* key_server.c - key servers' settings and state, and keys that are to be destroyed on them. The two tables have the same columns, so each
 * statement is there twice. */
#include "store/key_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/say.h"
#include "store/audit.h"
#include "store/job.h"

static const struct {
	const char *name, *get, *look, *due, *claim, *show, *remove, *keys, *away, *back, *set;
} owners[] = {
#define GET(table) "select wrapped, settings, away_since, coalesce(error, '') from " table
#define LOOK(table) "update " table " set check_at = now()"
/* A row when it is to be looked at; whether it is away. */
#define DUE(table) "select away_since is not null from " table " where check_at <= now()"
/* Nobody else looks at it meanwhile. */
#define CLAIM(table) "update " table " set check_at = now() + interval '30 seconds' where check_at <= now()"
#define COLUMNS "s.host, s.port, s.ca, s.certificate, s.says, s.changed, s.checked, s.away_since, s.error"
#define REMOVE(table) "delete from " table
/* Returns whether that is news. */
#define AWAY(table) "with was as (select away_since from " table " for update) update " table " t set checked = now(), failures = failures + 1," \
	" away_since = coalesce(t.away_since, now()), error = $1, check_at = now() + least($2, power(2, least(t.failures, 10))) * interval '1 second'" \
	" from was returning was.away_since is null, extract(epoch from now() - was.away_since)::bigint"
#define BACK(table) "with was as (select away_since from " table " for update) update " table " t set checked = now(), failures = 0, away_since = null," \
	" error = null, says = $1, check_at = now() + $2 * interval '1 second'" \
	" from was returning was.away_since is not null, extract(epoch from now() - was.away_since)::bigint"
#define SET(table, key, value) "insert into " table " (" key "host, port, ca, certificate, wrapped, settings, changed_by) values (" value "$1, $2::int, $3," \
	" $4, $5, $6, $7) on conflict (" CONFLICT ") do update set host = excluded.host, port = excluded.port, ca = excluded.ca," \
	" certificate = excluded.certificate, wrapped = excluded.wrapped, settings = excluded.settings, changed = now()," \
	" changed_by = excluded.changed_by, check_at = now(), checked = null, says = null, away_since = null, failures = 0, error = null"
#define ALL_OF(table) GET(table), LOOK(table), DUE(table), CLAIM(table)
#define CONFLICT "one"
	[KEY_SERVER_INSTALLATION] = { "installation", ALL_OF("installation_key_server"),
		"select " COLUMNS ", s.for_new, u.keys, u.gone, u.tenants from installation_key_server s, installation_key_server_use() u",
		REMOVE("installation_key_server"), "select keys + gone from installation_key_server_use()",
		AWAY("installation_key_server"), BACK("installation_key_server"), SET("installation_key_server", "", "") },
#undef CONFLICT
#define CONFLICT "tenant"
	[KEY_SERVER_TENANT] = { "tenant", ALL_OF("key_server"),
		"select " COLUMNS ", null as for_new, (select count(*) from device_key k where k.key_server = 'tenant') as keys, (select count(*) from"
		" key_server_gone g where g.key_server = 'tenant') as gone, null as tenants from key_server s", REMOVE("key_server"),
		"select (select count(*) from device_key where key_server = 'tenant') + (select count(*) from key_server_gone where key_server = 'tenant')"
		" + (select count(*) from key_place where place = 'tenant')", AWAY("key_server"), BACK("key_server"),
		SET("key_server", "tenant, ", "current_tenant(), ") },
#undef CONFLICT
};

const char *key_server_owner_name(enum key_server_owner o)
{
	return owners[o].name;
}

void key_server_free(struct key_server *s)
{
	buf_free(&s->key);
	buf_free(&s->settings);
	memset(s, 0, sizeof *s);
}

static void replace(struct buf *b, struct wire_view v)
{
	buf_reset(b);
	buf_add(b, v.data, v.len);
}

/* From column AT on. */
static void take(struct db_result *r, int at, enum key_server_owner o, struct key_server *out)
{
	out->owner = o;
	replace(&out->key, db_bytes(r, 0, at));
	replace(&out->settings, db_bytes(r, 0, at + 1));
	out->away_since = db_time(r, 0, at + 2);
	snprintf(out->error, sizeof out->error, "%s", db_text(r, 0, at + 3));
}

int key_server_get(struct db *db, enum key_server_owner o, struct key_server *out)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, owners[o].get, DB_NONE);

	if (rc == ERR_NOT_FOUND)
		return err_set(rc, "no key server is set");
	if (rc < 0)
		return rc;
	take(r, 0, o, out);
	db_result_free(r);
	return 0;
}

static enum key_server_owner owner_of(const char *name)
{
	return strcmp(name, owners[KEY_SERVER_TENANT].name) == 0 ? KEY_SERVER_TENANT : KEY_SERVER_INSTALLATION;
}

/* SQL: both tables' rows as one: place, and what take wants. */
#define EITHER_ALL "select 'tenant' as place, wrapped, settings, away_since, coalesce(error, '') as error from key_server union all" \
	" select 'installation', wrapped, settings, away_since, coalesce(error, '') from installation_key_server"

int key_server_of_key(struct db *db, const struct uuid *device, int64_t version, struct key_server *out)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "with s as (" EITHER_ALL ") select s.* from s join device_key k on k.key_server = s.place"
		" where k.device = $1 and k.version = $2", DB_ARGS(db_uuid_arg(device), db_int_arg(version)));

	if (rc == ERR_NOT_FOUND)
		return err_set(rc, "the key server that keeps this key is not set any more");
	if (rc < 0)
		return rc;
	take(r, 1, owner_of(db_text(r, 0, 0)), out);
	db_result_free(r);
	return 0;
}

int key_server_away_for(struct db *db, const struct uuid *device, struct key_server *out)
{
	struct db_result *r;
	int rc = db_query(db, &r, "with k as (select k.key_server from device d join device_key k on k.tenant = d.tenant and k.device = d.id and"
		" k.state <> 'former' where d.id = $1 or d.raid = $1), s as (" EITHER_ALL ") select * from s where place in (select key_server from k)"
		" and away_since is not null limit 1", DB_ARGS(db_uuid_arg(device)));

	if (rc < 0)
		return rc;
	rc = db_rows(r) > 0;
	if (rc)
		take(r, 1, owner_of(db_text(r, 0, 0)), out);
	db_result_free(r);
	return rc;
}

int key_server_for_new(struct db *db, struct key_server *out)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "with p as materialized (select key_place_now() as place), s as (" EITHER_ALL ") select p.place, s.wrapped,"
		" s.settings, s.away_since, coalesce(s.error, ''), s.wrapped is not null from p left join s using (place)", DB_NONE);

	if (rc < 0)
		return rc;
	if (strcmp(db_text(r, 0, 0), "server") == 0)
		rc = err_set(ERR_NOT_FOUND, "keys of new devices are kept in the database");
	else if (!db_bool(r, 0, 5))
		rc = err_set(ERR_CONFLICT, "keys of new devices are to be kept on a key server that is not set any more");
	else
		take(r, 1, owner_of(db_text(r, 0, 0)), out);
	db_result_free(r);
	return rc;
}

int key_server_check(const struct key_server *s)
{
	char since[CLOCK_TEXT_SIZE];

	if (s->away_since == 0)
		return 0;
	clock_text(s->away_since, since);
	return err_set(ERR_UNAVAILABLE, "the key server has been away since %s; this goes on automatically when it is back", since);
}

/* Consoles */

static int log_about(struct db *db, enum audit_event event, json_t *detail)
{
	return audit_log(db, event, NULL, detail);
}

int key_server_set(struct db *db, enum key_server_owner o, const struct key_server_change *c)
{
	json_t *before = NULL, *old, *now, *detail;
	int rc = key_server_show(db, o, &before);

	if (rc < 0 && rc != ERR_NOT_FOUND)
		return rc;
	rc = db_run(db, owners[o].set, DB_ARGS(db_text_arg(c->host), db_int_arg(c->port), db_text_arg(c->ca), db_text_arg(c->certificate),
		db_bytes_arg(c->key->data, c->key->len), db_bytes_arg(c->settings->data, c->settings->len), db_text_arg(db_actor(db)->name)));
	old = json_pack("{s:O?,s:O?}", "host", json_object_get(before, "host"), "port", json_object_get(before, "port"));
	now = json_pack("{s:s,s:I}", "host", c->host, "port", (json_int_t)c->port);
	detail = audit_changes(old, now);
	json_decref(old);
	json_decref(now);
	json_decref(before);
	if (rc < 0) {
		json_decref(detail);
		return rc;
	}
	return log_about(db, AUDIT_KEY_SERVER_CHANGED, detail);
}

/* The first column of SQL's one row. */
static int get_number(struct db *db, const char *sql, int64_t *out)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, sql, DB_NONE);

	if (rc < 0)
		return rc;
	*out = db_int(r, 0, 0);
	db_result_free(r);
	return 0;
}

int key_server_remove(struct db *db, enum key_server_owner o)
{
	int64_t keys;
	/* Locked first: who makes a key there meanwhile comes before or after. */
	int rc = db_run(db, owners[o].remove, DB_NONE);

	if (rc == 0)
		return err_set(ERR_NOT_FOUND, "no key server is set");
	if (rc > 0)
		rc = get_number(db, owners[o].keys, &keys);
	if (rc == 0 && keys > 0)
		rc = err_set(ERR_CONFLICT, "keys are kept on this key server, are to be kept or are to be destroyed there");
	return rc < 0 ? rc : log_about(db, AUDIT_KEY_SERVER_REMOVED, NULL);
}

int key_server_show(struct db *db, enum key_server_owner o, json_t **out)
{
	return db_get_row(db, out, owners[o].show, DB_NONE);
}

int key_server_look(struct db *db, enum key_server_owner o)
{
	int rc = db_run_one(db, owners[o].look, DB_NONE);

	return rc < 0 ? rc : job_add(db, KEY_SERVER_JOB, NULL, 0, KEY_SERVER_JOB);
}

int key_server_for_all(struct db *db, int yes)
{
	int rc = db_run(db, "update installation_key_server set for_new = $1 where for_new <> $1", DB_ARGS(db_bool_arg(yes)));

	return rc <= 0 ? rc : log_about(db, AUDIT_KEY_PLACE, json_pack("{s:{s:{s:s,s:s}}}", "changes", "place", "old", yes ? "server" : "installation",
		"new", yes ? "installation" : "server"));
}

int key_servers_away(struct db *db, json_t **out)
{
	return db_get_rows(db, out, "select id, name, since from key_servers_away()", DB_NONE);
}

int key_place_get(struct db *db, json_t **out)
{
	return db_get_row(db, out, "select coalesce((select place from key_place), 'default') as choice, key_place_now() as now,"
		" exists (select 1 from installation_key_server) as offered, exists (select 1 from key_server) as own,"
		" coalesce((select 'installation' from installation_key_server where for_new), 'server') as by_default", DB_NONE);
}

int key_place_set(struct db *db, const char *choice)
{
	json_t *before = NULL;
	const char *was;
	int rc = key_place_get(db, &before), same;

	if (rc < 0)
		return rc;
	if ((strcmp(choice, "tenant") == 0 && !json_is_true(json_object_get(before, "own")))
		|| (strcmp(choice, "installation") == 0 && !json_is_true(json_object_get(before, "offered"))))
		rc = err_set(ERR_CONFLICT, "there is no such key server");
	was = json_string_value(json_object_get(before, "choice"));
	same = strcmp(was, choice) == 0;
	if (rc == 0 && !same)
		rc = strcmp(choice, "default") == 0 ? db_run(db, "delete from key_place", DB_NONE)
			: db_run(db, "insert into key_place (tenant, place, changed_by) values (current_tenant(), $1, $2) on conflict (tenant) do update"
				" set place = excluded.place, changed = now(), changed_by = excluded.changed_by",
				DB_ARGS(db_text_arg(choice), db_text_arg(db_actor(db)->name)));
	if (rc >= 0 && !same)
		rc = log_about(db, AUDIT_KEY_PLACE, json_pack("{s:{s:{s:s,s:s}}}", "changes", "place", "old", was, "new", choice));
	json_decref(before);
	return rc < 0 ? rc : 0;
}

/* Whose matters: one on which keys are, or are to be. */
static const char *const troubles[] = {
	"select 'tenant' from key_server where away_since is not null and (key_place_now() = 'tenant' or exists (select 1 from device_key where key_server ="
	" 'tenant')) union all select 'installation' from installation_key_server where away_since is not null and (key_place_now() = 'installation' or"
	" exists (select 1 from device_key where key_server = 'installation')) limit 1",
	"select 'central' from installation_key_server where away_since is not null",
};

static const struct {
	const char *whose, *text;
} outages[] = {
	{ "tenant", N_("The key server that keeps this account's keys is away."
		" Requests for keys that are on it wait, and go on automatically when it is back;"
		" open volumes stay open; no keys are made there meanwhile.") },
	{ "installation", N_("The operator's key server, which keeps keys of this account, is away."
		" Requests for keys that are on it wait, and go on automatically when it is back;"
		" open volumes stay open; no keys are made there meanwhile.") },
	{ "central", N_("The key server is away."
		" Requests for keys that are on it wait, and go on automatically when it is back;"
		" open volumes stay open; no keys are made there meanwhile.") },
};

int key_server_trouble(struct db *db, int central, const char **out)
{
	struct db_result *r;
	int rc = db_query(db, &r, troubles[central], DB_NONE);
	size_t i;

	if (rc < 0)
		return rc;
	*out = NULL;
	for (i = 0; i < ARRAY_LEN(outages) && db_rows(r); i++)
		if (strcmp(outages[i].whose, db_text(r, 0, 0)) == 0)
			*out = outages[i].text;
	db_result_free(r);
	return 0;
}

/* jobd */

int key_server_claim(struct db *db, enum key_server_owner o)
{
	return db_run(db, owners[o].claim, DB_NONE);
}

int key_server_note(struct db *db, enum key_server_owner o, const char *error, const char *says)
{
	struct db_result *r;
	int64_t seconds;
	int news, rc = db_query(db, &r, error ? owners[o].away : owners[o].back, DB_ARGS(db_text_arg(error ? error : says),
		db_int_arg(error ? KEY_SERVER_PAUSE_MOST_S : KEY_SERVER_LOOK_S)));

	if (rc < 0)
		return rc;
	news = db_rows(r) && db_bool(r, 0, 0);
	seconds = news ? db_int(r, 0, 1) : 0;
	db_result_free(r);
	if (!news)
		return 0;
	return error ? log_about(db, AUDIT_KEY_SERVER_AWAY, json_pack("{s:s}", "reason", error))
		: log_about(db, AUDIT_KEY_SERVER_BACK, json_pack("{s:I}", "seconds", (json_int_t)seconds));
}

int key_server_gone_next(struct db *db, struct key_server_gone *out, struct key_server *server)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "with s as (" EITHER_ALL "), n as (select g.device, g.version from"
		" key_server_gone g join s on s.place = g.key_server where g.next_try <= now() and s.away_since is null order by g.next_try limit 1"
		" for update of g skip locked) update key_server_gone g set next_try = now() + interval '30 seconds' from n, s where g.device = n.device"
		" and g.version = n.version and s.place = g.key_server returning g.device, g.version, g.server_key, g.wrapped, g.key_server, s.wrapped,"
		" s.settings, s.away_since, s.error", DB_NONE);

	if (rc < 0)
		return rc;
	out->device = db_uuid(r, 0, 0);
	out->version = db_int(r, 0, 1);
	snprintf(out->server_key, sizeof out->server_key, "%s", db_text(r, 0, 2));
	replace(&out->wrapped, db_bytes(r, 0, 3));
	take(r, 5, owner_of(db_text(r, 0, 4)), server);
	db_result_free(r);
	return 0;
}

int key_server_gone_note(struct db *db, const struct key_server_gone *g, enum key_server_owner o, const char *error)
{
	int rc;

	if (error)
		return db_queue(db, "update key_server_gone set tries = tries + 1, error = $3, next_try = now() + least(300, power(2, least(tries, 10)))"
			" * interval '1 second' where device = $1 and version = $2", DB_ARGS(db_uuid_arg(&g->device), db_int_arg(g->version),
			db_text_arg(error)));
	rc = db_queue(db, "delete from key_server_gone where device = $1 and version = $2", DB_ARGS(db_uuid_arg(&g->device),
		db_int_arg(g->version)));
	return rc < 0 ? rc : audit_log(db, AUDIT_KEY_SERVER_DESTROYED, &(struct audit_object){ "device", &g->device, NULL },
		json_pack("{s:s,s:s,s:I}", "key_server", owners[o].name, "id", g->server_key, "version", (json_int_t)g->version));
}

/* One job for each tenant at a time, and one for the installation. */
int key_server_run(struct db *db)
{
	struct db_result *r;
	int due, away, rc = db_query(db, &r, owners[db_tenant(db) ? KEY_SERVER_TENANT : KEY_SERVER_INSTALLATION].due, DB_NONE);

	if (rc < 0)
		return rc;
	/* Of an account that has none there are keys to be destroyed on the installation's. */
	due = db_tenant(db) || db_rows(r) > 0;
	away = db_rows(r) > 0 && db_bool(r, 0, 0);
	db_result_free(r);
	rc = due ? job_add_outside(db, KEY_SERVER_JOB, NULL, KEY_SERVER_JOB, away) : 0;
	return rc < 0 ? rc : due;
}

int key_server_tenants(struct db *db, json_t **out)
{
	return db_get_rows(db, out, "select id from key_server_tenants()", DB_NONE);
}
