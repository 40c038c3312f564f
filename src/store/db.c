/* db.c - transactions that are bound to a tenant and always end, and the statements inside them. */
#include "store/db.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "store/link.h"
#include "store/result.h"

#define LOG_CONNECT_S "3"        /* pages wait for it, unless the strings say otherwise */
#define LOG_AWAY (10 * CLOCK_SECOND)     /* so that not every page waits for a machine that does not answer */

struct db *db_new(const char *conninfo)
{
	struct db *db = mem_alloc(sizeof *db);

	db->conninfo = mem_strdup(conninfo);
	db_limits(db, DB_STATEMENT_MS, DB_LOCK_MS);
	return db;
}

void db_limits(struct db *db, int statement_ms, int lock_ms)
{
	db->statement_ms = statement_ms;
	db->lock_ms = lock_ms;
	if (db->log)
		db_limits(db->log, statement_ms, lock_ms);
}

void db_set_log(struct db *db, const char *log)
{
	char *conninfo;

	if (log == NULL || *log == '\0')
		return;
	/* Of a word that is there twice libpq takes the second. */
	conninfo = mem_printf("connect_timeout=" LOG_CONNECT_S " %s %s", db->conninfo, log);
	db->log = db_new(conninfo);
	db_limits(db->log, db->statement_ms, db->lock_ms);
	free(conninfo);
}

int db_has_log(const struct db *db)
{
	return db->log != NULL;
}

int db_log(struct db *db, struct db **out)
{
	struct db *log = db->log;
	int rc = 0;

	*out = log ? log : db;
	if (log == NULL || log->open)
		return 0;
	if (!db->open)
		return err_set(ERR_INTERNAL, "the log database outside a transaction");
	if (clock_ticks() < db->log_away)
		return err_set(ERR_UNAVAILABLE, "the log database is away");
	rc = link_ready(log);
	log->error = 0;
	if (rc < 0)
		db->log_away = clock_ticks() + LOG_AWAY;
	return rc < 0 ? err_wrap(rc, "log database") : db_begin(log, db->bound ? &db->tenant : NULL, &db->actor);
}

void db_free(struct db *db)
{
	if (db == NULL)
		return;
	db_free(db->log);
	db_rollback(db);
	link_close(db);
	free(db->conninfo);
	free(db);
}

const char *db_constraint(const struct db *db)
{
	return db->constraint;
}

int db_ping(struct db *db)
{
	int rc;

	if (db->open)
		return db->error ? err_set(db->error, "%s", db->error_text) : 0;
	db->error = 0;
	rc = link_ready(db);
	if (rc == 0 && (rc = link_send(db, "select 1", NULL, 0)) == 0)
		rc = link_round_trip(db, NULL);
	db->error = 0;
	return rc;
}

/* Transactions */

static void free_args(struct db_arg *args, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(args[i].owned);
}

int db_is_local(const struct db *db)
{
	const char *host = db->conn ? PQhost(db->conn) : NULL;

	return host && (*host == '/' || *host == '@' || strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0);
}

int db_is_open(const struct db *db)
{
	return db->open;
}

const struct uuid *db_tenant(const struct db *db)
{
	return db->open && db->bound ? &db->tenant : NULL;
}

const struct db_actor *db_actor(const struct db *db)
{
	return &db->actor;
}

const char *db_actor_kind_name(enum db_actor_kind kind)
{
	static const char *const names[] = {
#define X(id, name) name,
		DB_ACTORS(X)
#undef X
	};

	return names[kind];
}

const struct uuid *db_user(const struct db *db)
{
	const struct db_actor *a = db_actor(db);

	return a->kind == DB_ACTOR_USER && !uuid_is_nil(&a->id) ? &a->id : NULL;
}

int db_begin(struct db *db, const struct uuid *tenant, const struct db_actor *actor)
{
	if (db->open) {
		db_rollback(db);
		return err_set(ERR_INTERNAL, "a transaction was left open");
	}
	db->open = 1;
	db->started = 0;
	db->error = 0;
	db->constraint[0] = '\0';
	db->bound = tenant != NULL;
	if (tenant)
		db->tenant = *tenant;
	db->actor = actor ? *actor : (struct db_actor) { .kind = DB_ACTOR_SYSTEM };
	return 0;
}

static int start(struct db *db)
{
	char tenant[UUID_TEXT_SIZE];
	int rc = link_ready(db);

	if (rc < 0)
		return rc;
	db->started = 1;
	rc = link_send(db, "begin", NULL, 0);
	if (rc < 0 || !db->bound)
		return rc;
	uuid_text(&db->tenant, tenant);
	return link_send(db, "select set_config('keyward.tenant', $1, true)", DB_ARGS(db_text_arg(tenant)));
}

static void forget_deferred(struct db *db)
{
	for (size_t i = 0; i < db->deferred_count; i++) {
		free_args(db->deferred[i].args, db->deferred[i].count);
		free(db->deferred[i].args);
	}
	free(db->deferred);
	db->deferred = NULL;
	db->deferred_count = 0;
}

static void end(struct db *db)
{
	forget_deferred(db);
	if (db->log)
		db_rollback(db->log);
	db->open = db->started = db->bound = 0;
	db->error = 0;
	/* Nothing may stay open on a connection that the next transaction will use. */
	if (db->conn && (db->sent_count > 0 || PQtransactionStatus(db->conn) != PQTRANS_IDLE))
		link_close(db);
}

/* What was queued may have failed already, and the server then skips everything up to a SYNC: so one before the ROLLBACK. */
static void roll_back(struct db *db)
{
	if (db->conn == NULL || !db->started)
		return;
	if (db->sent_count > 0) {
		if (!PQpipelineSync(db->conn)) {
			link_close(db);
			return;
		}
		link_mark_sent(db, SENT_SYNC, NULL);
	}
	if (link_send(db, "rollback", NULL, 0) == 0)
		link_round_trip(db, NULL);
}

void db_rollback(struct db *db)
{
	char text[512];

	if (!db->open)
		return;
	snprintf(text, sizeof text, "%s", err_text());
	roll_back(db);
	end(db);
	err_set(0, "%s", text);
}

/* Room for a preparation, the statement, and the end of a transaction behind it. */
static int make_room(struct db *db)
{
	return db->sent_count + 8 > SENT_MAX ? link_round_trip(db, NULL) : 0;
}

static int send_deferred(struct db *db)
{
	int rc = db->started ? 0 : start(db);

	for (size_t i = 0; rc == 0 && i < db->deferred_count; i++)
		if ((rc = make_room(db)) == 0)
			rc = link_send(db, db->deferred[i].sql, db->deferred[i].args, db->deferred[i].count);
	return rc;
}

static int commit(struct db *db)
{
	PGresult *r = NULL;
	int rc = send_deferred(db);

	if (rc < 0 || (rc = link_send(db, "commit", NULL, 0)) < 0)
		return rc;
	rc = link_round_trip(db, &r);
	if (rc == ERR_UNAVAILABLE && db->conn == NULL)
		return err_wrap(rc, "outcome unknown");
	if (rc == 0 && strcmp(PQcmdStatus(r), "COMMIT") != 0)
		rc = err_set(ERR_DB, "database: rolled back instead of committed");
	PQclear(r);
	return rc;
}

int db_commit(struct db *db)
{
	int rc = 0;

	if (!db->open)
		return err_set(ERR_INTERNAL, "no transaction to commit");
	if (db->error)
		rc = err_set(db->error, "%s", db->error_text);
	else if (db->started || db->deferred_count)
		rc = commit(db);
	if (rc < 0)
		db_rollback(db);
	else
		end(db);
	return rc;
}

int db_end(struct db *db, int rc)
{
	int committed = rc < 0 ? rc : db_commit(db);

	db_rollback(db);
	return committed < 0 ? committed : rc;
}

/* Statements */

int db_queue(struct db *db, const char *sql, struct db_arg *args, size_t count)
{
	int rc = 0;

	if (!db->open)
		rc = err_set(ERR_INTERNAL, "a statement outside a transaction");
	else if (db->error)
		rc = err_set(db->error, "%s", db->error_text);
	else if (!db->started)
		rc = start(db);
	if (rc == 0)
		rc = make_room(db);
	if (rc == 0)
		rc = link_send(db, sql, args, count);
	free_args(args, count);
	return rc;
}

/* Takes over JSON text that the argument owns already, copies anything else. */
static struct db_arg keep_arg(const struct db_arg *a)
{
	struct db_arg kept = *a;

	if (kept.data && kept.owned == NULL)
		kept.data = kept.owned = mem_dup(kept.data, kept.len);
	return kept;
}

int db_at_commit(struct db *db, const char *sql, struct db_arg *args, size_t count)
{
	struct deferred *d;

	if (!db->open || db->error) {
		free_args(args, count);
		return db->open ? err_set(db->error, "%s", db->error_text) : err_set(ERR_INTERNAL, "a statement outside a transaction");
	}
	db->deferred = mem_grow(db->deferred, db->deferred_count + 1, sizeof *db->deferred);
	d = &db->deferred[db->deferred_count++];
	*d = (struct deferred) { sql, mem_array(count + 1, sizeof *d->args), count };
	for (size_t i = 0; i < count; i++)
		d->args[i] = keep_arg(&args[i]);
	return 0;
}

static int execute(struct db *db, PGresult **out, const char *sql, struct db_arg *args, size_t count)
{
	int rc = db_queue(db, sql, args, count);

	return rc < 0 ? rc : link_round_trip(db, out);
}

int db_query(struct db *db, struct db_result **out, const char *sql, struct db_arg *args, size_t count)
{
	PGresult *r = NULL;
	int rc = execute(db, &r, sql, args, count);

	if (rc == 0)
		*out = db_result_new(r);
	return rc;
}

int db_query_row(struct db *db, struct db_result **out, const char *sql, struct db_arg *args, size_t count)
{
	struct db_result *r;
	int rc = db_query(db, &r, sql, args, count);

	if (rc < 0)
		return rc;
	if (db_rows(r) != 1) {
		rc = err_set(db_rows(r) ? ERR_INTERNAL : ERR_NOT_FOUND, db_rows(r) ? "more than one row" : "no such row");
		db_result_free(r);
		return rc;
	}
	*out = r;
	return 0;
}

int db_has(struct db *db, const char *sql, struct db_arg *args, size_t count)
{
	struct db_result *r;
	int rc = db_query(db, &r, sql, args, count);

	if (rc < 0)
		return rc;
	rc = db_rows(r) > 0;
	db_result_free(r);
	return rc;
}

int db_run(struct db *db, const char *sql, struct db_arg *args, size_t count)
{
	PGresult *r = NULL;
	int rc = execute(db, &r, sql, args, count);

	if (rc == 0)
		rc = atoi(PQcmdTuples(r));
	PQclear(r);
	return rc;
}

int db_run_one(struct db *db, const char *sql, struct db_arg *args, size_t count)
{
	int rc = db_run(db, sql, args, count);

	if (rc > 1)
		return err_set(ERR_INTERNAL, "%d rows changed instead of one", rc);
	return rc < 0 ? rc : rc == 1 ? 0 : err_set(ERR_NOT_FOUND, "no such row");
}

/* Notifications */

int db_listen(struct db *db, const char *channel)
{
	size_t i = 0;

	if (db->open)
		return err_set(ERR_INTERNAL, "listen inside a transaction");
	while (i < CHANNELS_MAX && db->channels[i])
		i++;
	if (i == CHANNELS_MAX)
		fatal("db: too many channels");
	db->channels[i] = channel;
	link_close(db);
	db->error = 0;
	return link_open(db);
}

static int take_notifications(struct db *db)
{
	PGnotify *n;
	int any = 0;

	while ((n = PQnotifies(db->conn)) != NULL) {
		PQfreemem(n);
		any = 1;
	}
	return any;
}

int db_socket(const struct db *db)
{
	return db->conn ? PQsocket(db->conn) : -1;
}

int db_notified(struct db *db, char *out, size_t size)
{
	PGnotify *n;

	if (db->open)
		return err_set(ERR_INTERNAL, "wait inside a transaction");
	db->error = 0;
	if (db->conn == NULL)
		return err_set(ERR_UNAVAILABLE, "database connection: none");
	if (!PQconsumeInput(db->conn))
		return link_lost(db, PQerrorMessage(db->conn));
	n = PQnotifies(db->conn);
	if (n == NULL)
		return 0;
	snprintf(out, size, "%s", n->extra);
	PQfreemem(n);
	return 1;
}

int db_wait(struct db *db, int timeout_ms)
{
	clock_us end_at = clock_ticks() + (clock_us)timeout_ms * 1000;
	clock_us left = 0;
	int rc;

	if (db->open)
		return err_set(ERR_INTERNAL, "wait inside a transaction");
	db->error = 0;
	/* After a reconnection something may have been missed: let the caller look. */
	if (db->conn == NULL || PQstatus(db->conn) != CONNECTION_OK)
		return (rc = link_open(db)) < 0 ? rc : 1;
	do {
		if (!PQconsumeInput(db->conn))
			return link_lost(db, PQerrorMessage(db->conn));
		if (take_notifications(db))
			return 1;
		left = (end_at - clock_ticks()) / 1000;
	} while (left > 0 && link_wait_socket(db, (int)left) >= 0);
	return 0;
}
