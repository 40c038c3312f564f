/* link.c - the connection to PostgreSQL: opening, sending in pipeline mode, waiting, and what errors mean. */
#include "store/link.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

#define STATEMENTS_MAX 512       /* prepared per connection; more are sent unprepared */
#define GRACE_MS 5000            /* beyond the server's own limits before we give a silent server up */

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

void link_close(struct db *db)
{
	if (db->conn)
		PQfinish(db->conn);
	db->conn = NULL;
	db->sent_count = 0;
	forget_statements(db);
}

/* Errors */

#define QUOTA_STATE "53400"      /* raised by within_quota */

static const struct {
	const char *state;           /* SQLSTATE, or its first two characters for a class; the first match counts */
	int code;
} states[] = {
	{ "23514", ERR_INVALID }, { "23502", ERR_INVALID }, { "23", ERR_CONFLICT }, { "22", ERR_INVALID }, { "42501", ERR_FORBIDDEN },
	{ "P0002", ERR_NOT_FOUND }, { "40", ERR_BUSY }, { "55P03", ERR_BUSY }, { "55006", ERR_BUSY }, { "57014", ERR_TIMEOUT },
	{ QUOTA_STATE, ERR_TOO_MANY }, { "57P", ERR_UNAVAILABLE }, { "08", ERR_UNAVAILABLE }, { "53", ERR_UNAVAILABLE }, { "25006", ERR_UNAVAILABLE },
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
	/* A quota is told in words that are ours, to whoever has used it up. */
	if (state && message && strcmp(state, QUOTA_STATE) == 0)
		snprintf(text, sizeof text, "%s", message);
	else
		snprintf(text, sizeof text, "database: %s (%s)", message ? message : "no answer", state ? state : "connection");
	fail(db, state ? state_code(state) : ERR_UNAVAILABLE, text);
}

int link_lost(struct db *db, const char *what)
{
	char text[256];

	snprintf(text, sizeof text, "database connection: %s", what && *what ? what : "lost");
	link_close(db);
	return fail(db, ERR_UNAVAILABLE, text);
}

/* Waiting for answers */

int link_wait_socket(struct db *db, int timeout_ms)
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
		if (link_wait_socket(db, limit) <= 0 || !PQconsumeInput(db->conn))
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

int link_mark_sent(struct db *db, enum sent_kind kind, struct statement *statement)
{
	db->sent[db->sent_count++] = (struct sent) { kind, statement };
	return 0;
}

int link_round_trip(struct db *db, PGresult **out)
{
	PGresult *last = NULL;
	int rc = 0;

	if (!PQpipelineSync(db->conn))
		return link_lost(db, PQerrorMessage(db->conn));
	link_mark_sent(db, SENT_SYNC, NULL);
	for (size_t i = 0; rc == 0 && i < db->sent_count; i++)
		rc = db->sent[i].kind == SENT_SYNC ? take_sync(db) : take_statement(db, &db->sent[i], &last);
	db->sent_count = 0;
	if (rc < 0)
		link_lost(db, PQerrorMessage(db->conn));
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
	link_mark_sent(db, SENT_PREPARE, s);
	return 1;
}

int link_send(struct db *db, const char *sql, const struct db_arg *args, size_t count)
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
		return link_lost(db, PQerrorMessage(db->conn));
	return link_mark_sent(db, SENT_EXEC, s);
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
	/* Compiling a statement (JIT) takes longer than any of ours runs; the planner does so where it prices a short one too high. */
	r = PQexecParams(db->conn, "select set_config('timezone', 'UTC', false), set_config('datestyle', 'ISO', false),"
		" set_config('bytea_output', 'hex', false), set_config('statement_timeout', $1, false),"
		" set_config('lock_timeout', $2, false), set_config('jit', 'off', false), set_config('idle_in_transaction_session_timeout', '60000', false)",
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

int link_open(struct db *db)
{
	/* What comes before "dbname" gives way to the caller's string, what comes after does not. Over a network the server proves who it is, unless
	 * the string says in so many words that it need not; libpq's own standard would go on in the clear. Sockets of this machine have no TLS. */
	static const char *const names[] = { "sslmode", "gssencmode", "connect_timeout", "tcp_user_timeout", "keepalives_idle", "keepalives_interval",
		"keepalives_count", "application_name", "dbname", "client_encoding", NULL };
	/* Keepalives: one that only listens would not notice for hours that the other end is gone. */
	const char *values[] = { "verify-full", "disable", "10", "20000", "20", "10", "3", "keyward", db->conninfo, "UTF8", NULL };

	link_close(db);
	db->conn = PQconnectdbParams(names, values, 1);
	if (db->conn == NULL)
		fatal("out of memory");
	PQsetNoticeProcessor(db->conn, swallow_notice, NULL);
	if (PQstatus(db->conn) != CONNECTION_OK || !set_up(db))
		return link_lost(db, PQerrorMessage(db->conn));
	return 0;
}

/* An idle connection whose server went away has its end waiting to be read: cheaper to see now than to fail a statement. */
int link_ready(struct db *db)
{
	if (db->conn == NULL || PQstatus(db->conn) != CONNECTION_OK)
		return link_open(db);
	if (link_wait_socket(db, 0) == 0)
		return 0;
	if (!PQconsumeInput(db->conn) || link_wait_socket(db, 0) != 0 || PQstatus(db->conn) != CONNECTION_OK)
		return link_open(db);
	return 0;
}
