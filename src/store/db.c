/* db.c - the connection: transactions that are bound to a tenant and always end, prepared statements, pipelining, errors.
 *
 * The connection stays in libpq's pipeline mode. What was sent and not answered yet is in db->sent, in order; a SYNC ends a
 * round trip. A statement that fails makes the server skip the rest of its round trip, so a COMMIT never follows a failure. */
#include "store/db.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "store/result.h"

#define STATEMENTS_MAX 512       /* prepared per connection; more are sent unprepared */
#define BUCKETS 256
#define SENT_MAX 256             /* queued in one round trip; more are flushed */
#define ARGS_MAX 64
#define CHANNELS_MAX 4
#define GRACE_MS 5000            /* beyond the server's own limits before we give a silent server up */

struct statement {
	char *sql;
	unsigned types[ARGS_MAX];
	size_t count;
	char name[24];
	int prepared;
	struct statement *next;
};

enum sent_kind { SENT_PREPARE, SENT_EXEC, SENT_SYNC };

struct sent {
	enum sent_kind kind;
	struct statement *statement;
};

/* What waits for the commit. */
struct deferred {
	const char *sql;
	struct db_arg *args;
	size_t count;
};

struct db {
	PGconn *conn;                /* NULL, or in pipeline mode */
	char *conninfo;
	int statement_ms, lock_ms;
	int open;                    /* between db_begin and its end */
	int started;                 /* BEGIN was sent */
	int error;                   /* of this transaction */
	char error_text[256];
	char constraint[64];
	int bound;                   /* to TENANT */
	struct uuid tenant;
	struct db_actor actor;
	struct statement *buckets[BUCKETS];
	size_t statements;
	unsigned next_name;
	struct sent sent[SENT_MAX];
	size_t sent_count;
	struct deferred *deferred;
	size_t deferred_count;
	const char *channels[CHANNELS_MAX];
};

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
}

static void forget_statements(struct db *db)
{
	for (size_t i = 0; i < BUCKETS; i++)
		while (db->buckets[i]) {
			struct statement *s = db->buckets[i];

			db->buckets[i] = s->next;
			free(s->sql);
			free(s);
		}
	db->statements = 0;
}

static void disconnect(struct db *db)
{
	if (db->conn)
		PQfinish(db->conn);
	db->conn = NULL;
	db->sent_count = 0;
	forget_statements(db);
}

void db_free(struct db *db)
{
	if (db == NULL)
		return;
	db_rollback(db);
	disconnect(db);
	free(db->conninfo);
	free(db);
}

/* Errors */

static const struct {
	const char *state;           /* SQLSTATE, or its first two characters for a class; the first match counts */
	int code;
} states[] = {
	{ "23514", ERR_INVALID }, { "23502", ERR_INVALID }, { "23", ERR_CONFLICT }, { "22", ERR_INVALID }, { "42501", ERR_FORBIDDEN },
	{ "P0002", ERR_NOT_FOUND }, { "40", ERR_BUSY }, { "55P03", ERR_BUSY }, { "55006", ERR_BUSY }, { "57014", ERR_TIMEOUT },
	{ "57P", ERR_UNAVAILABLE }, { "08", ERR_UNAVAILABLE }, { "53", ERR_UNAVAILABLE }, { "25006", ERR_UNAVAILABLE },
	{ "25P03", ERR_TIMEOUT },
};

static int state_code(const char *state)
{
	for (size_t i = 0; state != NULL && i < ARRAY_LEN(states); i++)
		if (strncmp(state, states[i].state, strlen(states[i].state)) == 0)
			return states[i].code;
	return ERR_DB;
}

/* The first error of a transaction stays its error. */
static int fail(struct db *db, int code, const char *text)
{
	if (db->error == 0) {
		db->error = code;
		snprintf(db->error_text, sizeof db->error_text, "%s", text);
		db->error_text[strcspn(db->error_text, "\n")] = '\0';
	}
	return err_set(db->error, "%s", db->error_text);
}

/* Details and messages about bad values quote the values: they are left out. */
static void fail_result(struct db *db, const PGresult *r)
{
	const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
	const char *message = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
	const char *constraint = PQresultErrorField(r, PG_DIAG_CONSTRAINT_NAME);
	char text[256];

	if (db->error)
		return;
	snprintf(db->constraint, sizeof db->constraint, "%s", constraint ? constraint : "");
	if (state != NULL && (strncmp(state, "22", 2) == 0 || message == NULL))
		message = "a value is not of its type";
	snprintf(text, sizeof text, "database: %s (%s)", message ? message : "no answer", state ? state : "connection");
	fail(db, state ? state_code(state) : ERR_UNAVAILABLE, text);
}

static int lost(struct db *db, const char *what)
{
	char text[256];

	snprintf(text, sizeof text, "database connection: %s", what && *what ? what : "lost");
	disconnect(db);
	return fail(db, ERR_UNAVAILABLE, text);
}

const char *db_constraint(const struct db *db)
{
	return db->constraint;
}

/* Waiting for answers */

/* 1 when the socket has something, 0 at the end of the time, -1 on failure. */
static int wait_socket(struct db *db, int timeout_ms)
{
	struct pollfd p = { .fd = PQsocket(db->conn), .events = POLLIN };
	clock_us end = clock_ticks() + (clock_us)timeout_ms * 1000;
	int n;

	do {
		clock_us left = (end - clock_ticks()) / 1000;

		n = poll(&p, 1, timeout_ms < 0 ? -1 : left > 0 ? (int)left : 0);
	} while (n < 0 && errno == EINTR && (timeout_ms < 0 || clock_ticks() < end));
	return n;
}

/* The next result, or NULL; *ALIVE is 0 when the connection is lost. The server keeps its own limits; where even that stays
 * silent (a network that swallows everything), we stop waiting. */
static PGresult *next_result(struct db *db, int *alive)
{
	int limit = db->statement_ms > 0 ? db->statement_ms + GRACE_MS : -1;
	PGresult *r;

	*alive = 0;
	while (PQisBusy(db->conn)) {
		if (wait_socket(db, limit) <= 0 || !PQconsumeInput(db->conn))
			return NULL;
	}
	r = PQgetResult(db->conn);
	*alive = PQstatus(db->conn) == CONNECTION_OK;
	return r;
}

/* A migration may have changed what a prepared statement rests on (0A000): prepared anew, it works. */
static void forget_plan(const struct sent *s, const PGresult *r)
{
	const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);

	if (s->statement && state && (strcmp(state, "0A000") == 0 || strcmp(state, "26000") == 0))
		s->statement->prepared = 0;
}

/* Takes one statement's results; the useful one goes to *OUT when it is an execution that succeeded. */
static int take_statement(struct db *db, const struct sent *s, PGresult **out)
{
	int alive;
	PGresult *r;

	while ((r = next_result(db, &alive)) != NULL) {
		ExecStatusType status = PQresultStatus(r);
		int good = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;

		if (s->kind == SENT_PREPARE)
			s->statement->prepared = good;
		if (status == PGRES_FATAL_ERROR) {
			forget_plan(s, r);
			fail_result(db, r);
		}
		if (s->kind == SENT_EXEC && good) {
			PQclear(*out);
			*out = r;
		} else {
			PQclear(r);
		}
		if (!alive)
			return ERR_UNAVAILABLE;
	}
	return alive ? 0 : ERR_UNAVAILABLE;
}

static int take_sync(struct db *db)
{
	int alive;
	PGresult *r = next_result(db, &alive);
	int rc = alive && PQresultStatus(r) == PGRES_PIPELINE_SYNC ? 0 : ERR_UNAVAILABLE;

	PQclear(r);
	return rc;
}

static int mark_sent(struct db *db, enum sent_kind kind, struct statement *statement)
{
	db->sent[db->sent_count++] = (struct sent) { kind, statement };
	return 0;
}

/* Ends the round trip and takes all answers; the last execution's goes to *OUT (may be NULL). */
static int round_trip(struct db *db, PGresult **out)
{
	PGresult *last = NULL;
	int rc = 0;

	if (!PQpipelineSync(db->conn))
		return lost(db, PQerrorMessage(db->conn));
	mark_sent(db, SENT_SYNC, NULL);
	for (size_t i = 0; rc == 0 && i < db->sent_count; i++)
		rc = db->sent[i].kind == SENT_SYNC ? take_sync(db) : take_statement(db, &db->sent[i], &last);
	db->sent_count = 0;
	if (rc < 0)
		lost(db, PQerrorMessage(db->conn));
	if (db->error || out == NULL) {
		PQclear(last);
		return db->error ? err_set(db->error, "%s", db->error_text) : 0;
	}
	*out = last;
	return 0;
}

/* Sending */

static unsigned hash_text(const char *s)
{
	unsigned h = 2166136261u;

	while (*s)
		h = (h ^ (unsigned char)*s++) * 16777619u;
	return h;
}

static int same_types(const struct statement *s, const struct db_arg *args, size_t count)
{
	if (s->count != count)
		return 0;
	for (size_t i = 0; i < count; i++)
		if (s->types[i] != args[i].type)
			return 0;
	return 1;
}

/* The statement for SQL with these types; NULL when there is no room for one more. */
static struct statement *find_statement(struct db *db, const char *sql, const struct db_arg *args, size_t count)
{
	struct statement **at = &db->buckets[hash_text(sql) % BUCKETS], *s;

	for (; *at; at = &(*at)->next)
		if (strcmp((*at)->sql, sql) == 0 && same_types(*at, args, count))
			return *at;
	if (db->statements >= STATEMENTS_MAX)
		return NULL;
	s = mem_alloc(sizeof *s);
	s->sql = mem_strdup(sql);
	s->count = count;
	for (size_t i = 0; i < count; i++)
		s->types[i] = args[i].type;
	db->statements++;
	return *at = s;
}

/* libpq's arrays for arguments. */
struct params {
	Oid types[ARGS_MAX];
	const char *values[ARGS_MAX];
	int lengths[ARGS_MAX], formats[ARGS_MAX];
};

static void fill_params(struct params *p, const struct db_arg *args, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		p->types[i] = args[i].type;
		p->values[i] = args[i].is_fixed ? (const char *)args[i].fixed : args[i].data;
		p->lengths[i] = (int)args[i].len;
		p->formats[i] = args[i].format;
	}
}

/* A name is never used twice on a connection, so a preparation that failed leaves nothing behind. */
static int prepare(struct db *db, struct statement *s, const struct params *p)
{
	if (s->prepared)
		return 1;
	snprintf(s->name, sizeof s->name, "s%u", db->next_name++);
	if (!PQsendPrepare(db->conn, s->name, s->sql, (int)s->count, p->types))
		return 0;
	s->prepared = 1;             /* until its answer says otherwise */
	mark_sent(db, SENT_PREPARE, s);
	return 1;
}

static int send_statement(struct db *db, const char *sql, const struct db_arg *args, size_t count)
{
	struct params p;
	struct statement *s;
	int ok;

	if (count > ARGS_MAX)
		fatal("db: %zu arguments", count);
	fill_params(&p, args, count);
	s = find_statement(db, sql, args, count);
	if (s == NULL)
		ok = PQsendQueryParams(db->conn, sql, (int)count, p.types, p.values, p.lengths, p.formats, 0);
	else
		ok = prepare(db, s, &p)
			&& PQsendQueryPrepared(db->conn, s->name, (int)count, p.values, p.lengths, p.formats, 0);
	if (!ok)
		return lost(db, PQerrorMessage(db->conn));
	return mark_sent(db, SENT_EXEC, s);
}

/* Connecting */

static void swallow_notice(void *ctx, const char *text)
{
}

static int set_up(struct db *db)
{
	char statement[16], lock[16];
	const char *values[] = { statement, lock };
	PGresult *r;
	int ok;

	snprintf(statement, sizeof statement, "%d", db->statement_ms);
	snprintf(lock, sizeof lock, "%d", db->lock_ms);
	r = PQexecParams(db->conn, "select set_config('timezone', 'UTC', false), set_config('datestyle', 'ISO', false),"
		" set_config('bytea_output', 'hex', false), set_config('statement_timeout', $1, false),"
		" set_config('lock_timeout', $2, false), set_config('idle_in_transaction_session_timeout', '60000', false)",
		2, NULL, values, NULL, NULL, 0);
	ok = PQresultStatus(r) == PGRES_TUPLES_OK;
	PQclear(r);
	for (size_t i = 0; ok && i < CHANNELS_MAX && db->channels[i]; i++) {
		char sql[80];

		snprintf(sql, sizeof sql, "listen %s", db->channels[i]);
		r = PQexec(db->conn, sql);
		ok = PQresultStatus(r) == PGRES_COMMAND_OK;
		PQclear(r);
	}
	return ok && PQenterPipelineMode(db->conn);
}

static int connect_now(struct db *db)
{
	/* What comes before "dbname" gives way to the caller's string, what comes after does not. */
	static const char *const names[] = { "connect_timeout", "tcp_user_timeout", "application_name", "dbname", "client_encoding",
		NULL };
	const char *values[] = { "10", "20000", "keyward", db->conninfo, "UTF8", NULL };

	disconnect(db);
	db->conn = PQconnectdbParams(names, values, 1);
	if (db->conn == NULL)
		fatal("out of memory");
	PQsetNoticeProcessor(db->conn, swallow_notice, NULL);
	if (PQstatus(db->conn) != CONNECTION_OK || !set_up(db))
		return lost(db, PQerrorMessage(db->conn));
	return 0;
}

/* An idle connection whose server went away has its end waiting to be read: cheaper to see now than to fail a statement. */
static int connected(struct db *db)
{
	if (db->conn == NULL || PQstatus(db->conn) != CONNECTION_OK)
		return connect_now(db);
	if (wait_socket(db, 0) == 0)
		return 0;
	if (!PQconsumeInput(db->conn) || wait_socket(db, 0) != 0 || PQstatus(db->conn) != CONNECTION_OK)
		return connect_now(db);
	return 0;
}

int db_ping(struct db *db)
{
	int rc;

	if (db->open)
		return db->error ? err_set(db->error, "%s", db->error_text) : 0;
	db->error = 0;
	rc = connected(db);
	if (rc == 0 && (rc = send_statement(db, "select 1", NULL, 0)) == 0)
		rc = round_trip(db, NULL);
	db->error = 0;
	return rc;
}

/* Transactions */

static void free_args(struct db_arg *args, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(args[i].owned);
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
	int rc = connected(db);

	if (rc < 0)
		return rc;
	db->started = 1;
	rc = send_statement(db, "begin", NULL, 0);
	if (rc < 0 || !db->bound)
		return rc;
	uuid_text(&db->tenant, tenant);
	return send_statement(db, "select set_config('keyward.tenant', $1, true)", DB_ARGS(db_text_arg(tenant)));
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
	db->open = db->started = db->bound = 0;
	db->error = 0;
	/* Nothing may stay open on a connection that the next transaction will use. */
	if (db->conn && (db->sent_count > 0 || PQtransactionStatus(db->conn) != PQTRANS_IDLE))
		disconnect(db);
}

/* What was queued may have failed already, and the server then skips everything up to a SYNC: so one before the ROLLBACK. */
static void roll_back(struct db *db)
{
	if (db->conn == NULL || !db->started)
		return;
	if (db->sent_count > 0) {
		if (!PQpipelineSync(db->conn)) {
			disconnect(db);
			return;
		}
		mark_sent(db, SENT_SYNC, NULL);
	}
	if (send_statement(db, "rollback", NULL, 0) == 0)
		round_trip(db, NULL);
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
	return db->sent_count + 8 > SENT_MAX ? round_trip(db, NULL) : 0;
}

static int send_deferred(struct db *db)
{
	int rc = db->started ? 0 : start(db);

	for (size_t i = 0; rc == 0 && i < db->deferred_count; i++)
		if ((rc = make_room(db)) == 0)
			rc = send_statement(db, db->deferred[i].sql, db->deferred[i].args, db->deferred[i].count);
	return rc;
}

static int commit(struct db *db)
{
	PGresult *r = NULL;
	int rc = send_deferred(db);

	if (rc < 0 || (rc = send_statement(db, "commit", NULL, 0)) < 0)
		return rc;
	rc = round_trip(db, &r);
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
		rc = send_statement(db, sql, args, count);
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

	return rc < 0 ? rc : round_trip(db, out);
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
	disconnect(db);
	db->error = 0;
	return connect_now(db);
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
		return (rc = connect_now(db)) < 0 ? rc : 1;
	do {
		if (!PQconsumeInput(db->conn))
			return lost(db, PQerrorMessage(db->conn));
		if (take_notifications(db))
			return 1;
		left = (end_at - clock_ticks()) / 1000;
	} while (left > 0 && wait_socket(db, (int)left) >= 0);
	return 0;
}
