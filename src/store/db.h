/* db.h - the one way to PostgreSQL: a connection that belongs to one thread and one database role, blocking, on libpq.
 *
 *     rc = db_begin(db, &tenant, &actor);
 *     if (rc == 0)
 *         rc = device_rename(db, &id, "data");
 *     if (rc == 0)
 *         rc = db_commit(db);
 *     else
 *         db_rollback(db);
 *
 * db_begin is lazy: BEGIN and the binding to the tenant travel with the first statement. Statements are prepared once per
 * connection under their SQL text, so SQL is always a constant or built from constants; values are only ever arguments.
 * After a failed statement the transaction is lost: everything up to db_rollback gives the same error, and so does
 * db_commit. A broken connection is opened again at the start of the next transaction, never inside one.
 *
 * Errors: ERR_CONFLICT (unique or foreign key; db_constraint says which), ERR_INVALID (a value breaks a check or type),
 * ERR_FORBIDDEN (row security or a missing grant), ERR_UNAVAILABLE (no connection, or lost), ERR_TIMEOUT (statement took too
 * long), ERR_BUSY (a lock or serialization; try again), ERR_DB (anything else: a mistake of ours). Texts never hold arguments. */
#ifndef STORE_DB_H
#define STORE_DB_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/uuid.h"
#include "base/wire.h"

#define DB_STATEMENT_MS 15000    /* a statement may take this long, unless db_limits says otherwise */
#define DB_LOCK_MS 5000          /* and wait this long for a lock */

struct db;
struct db_result;

/* Who acts: name in the log, and what the kind means */
#define DB_ACTORS(X) \
	X(SYSTEM, "system")       /* a process of ours, on its own */ \
	X(USER, "user")           /* of a tenant's console */ \
	X(OPERATOR, "operator")   /* of the Central Management Console */ \
	X(AGENT, "agent") \
	X(ADMIN, "admin")         /* the administrator's command, on the machine */ \
	X(ANONYMOUS, "anonymous") /* nobody signed in */

enum db_actor_kind {
#define X(id, name) DB_ACTOR_##id,
	DB_ACTORS(X)
#undef X
};

const char *db_actor_kind_name(enum db_actor_kind kind);

/* Strings are borrowed and must live until the transaction ends; NULL where there is none. */
struct db_actor {
	enum db_actor_kind kind;
	struct uuid id;              /* nil where there is none */
	const char *name;
	const char *address;         /* of the peer */
	const char *request;         /* id of the web request, for the logs */
};

/* CONNINFO as libpq reads it ("host=/run/postgresql dbname=keyward user=keyward_console", several hosts are fine).
 * Connects at the first use. */
struct db *db_new(const char *conninfo);
/* LOG: what is other in the connection string of the log database (setting database.log); "" or NULL: it is the same one. Before the first use. */
void db_set_log(struct db *db, const char *log);
int db_has_log(const struct db *db);                         /* whether it is another one */
/* The log database within the open transaction of DB: bound to the same tenant, of the same role; DB itself where there is no other. What is done there is
 * rolled back with the end of DB's transaction, unless it was committed before. For a while after it was away, ERR_UNAVAILABLE at once. */
int db_log(struct db *db, struct db **out);
void db_free(struct db *db);                                 /* NULL is fine; rolls back what is open */
void db_limits(struct db *db, int statement_ms, int lock_ms);/* 0: no limit; from the next connection on */
/* 0 when a connection stands or could be made. */
int db_ping(struct db *db);

/* TENANT NULL: bound to none; only what has no tenant can be seen. ACTOR is copied. Called inside an open transaction, rolls
 * that back and gives ERR_INTERNAL: one handler's mistake must neither leak into the next request nor end the process. */
int db_begin(struct db *db, const struct uuid *tenant, const struct db_actor *actor);
/* Ends the transaction whatever it returns. ERR_UNAVAILABLE "outcome unknown" when the connection broke at just that moment. */
int db_commit(struct db *db);
void db_rollback(struct db *db);                             /* nothing open: does nothing; keeps err_text as it was */
/* Ends what RC is the outcome of: rolled back when it is an error, else committed. RC, or why it could not be committed. */
int db_end(struct db *db, int rc);
/* Whether there is a connection, and it does not leave this machine. */
int db_is_local(const struct db *db);
int db_is_open(const struct db *db);
const struct uuid *db_tenant(const struct db *db);           /* of the open transaction; NULL when bound to none */
const struct db_actor *db_actor(const struct db *db);
const struct uuid *db_user(const struct db *db);             /* who acts, where that is a tenant's user; else NULL */

/* One argument; made by the functions below, which fix its SQL type. Pointers are borrowed for the call. */
struct db_arg {
	unsigned type;               /* PostgreSQL's type number */
	int format;                  /* 0 text, 1 binary */
	const void *data;            /* NULL: SQL null */
	size_t len;
	uint8_t fixed[8];            /* integers, times and booleans, in network order, with data left NULL */
	int is_fixed;
	char *owned;                 /* JSON text, or an array; freed by the call */
};

struct db_arg db_uuid_arg(const struct uuid *v);             /* uuid; NULL: null */
struct db_arg db_text_arg(const char *v);                    /* text; NULL: null */
/* Of the type that the statement casts it to, read once. A text that it casts to an array is read again for each row. NULL: null */
struct db_arg db_untyped_arg(const char *v);
struct db_arg db_int_arg(int64_t v);                         /* bigint */
struct db_arg db_bool_arg(int v);
struct db_arg db_time_arg(clock_us v);                       /* timestamptz; 0: null */
struct db_arg db_bytes_arg(const void *data, size_t len);    /* bytea; data NULL: null */
struct db_arg db_json_arg(const json_t *v);                  /* json; NULL: null */
struct db_arg db_null_int_arg(void);
/* An array of COUNT elements of one type, at least one; takes them over. Not of times and bytes. */
struct db_arg db_array_arg(struct db_arg *elements, size_t count);

/* db_query(db, &r, "select ... where id = $1", DB_ARGS(db_uuid_arg(&id))); DB_NONE when there are none. */
#define DB_ARGS(...) (struct db_arg[]) { __VA_ARGS__ }, sizeof (struct db_arg[]) { __VA_ARGS__ } / sizeof (struct db_arg)
#define DB_NONE NULL, 0

/* Sends what was queued and this statement, waits; *OUT is the caller's, even with no rows. */
int db_query(struct db *db, struct db_result **out, const char *sql, struct db_arg *args, size_t count);
/* Same, and there must be exactly one row; none gives ERR_NOT_FOUND. */
int db_query_row(struct db *db, struct db_result **out, const char *sql, struct db_arg *args, size_t count);
/* The one row, or all rows, as db_row_json gives them; *OUT is the caller's reference. */
int db_get_row(struct db *db, json_t **out, const char *sql, struct db_arg *args, size_t count);
int db_get_rows(struct db *db, json_t **out, const char *sql, struct db_arg *args, size_t count);
/* Whether there is a row: 1, 0 or an error. */
int db_has(struct db *db, const char *sql, struct db_arg *args, size_t count);
/* For statements without rows: the number of rows that were changed, or an error. */
int db_run(struct db *db, const char *sql, struct db_arg *args, size_t count);
/* As db_run for exactly one row: 0, or ERR_NOT_FOUND when no row was changed. */
int db_run_one(struct db *db, const char *sql, struct db_arg *args, size_t count);
/* Sent without waiting; a failure shows at the next statement that waits, or at db_commit. */
int db_queue(struct db *db, const char *sql, struct db_arg *args, size_t count);
/* Kept, with copies of its arguments, and sent right before the COMMIT, in order: for what takes a lock that everybody wants. A
 * rollback forgets it. SQL must be a constant. */
int db_at_commit(struct db *db, const char *sql, struct db_arg *args, size_t count);
/* The constraint that the last failed statement broke; "" when none. */
const char *db_constraint(const struct db *db);

/* Rows from 0, columns from 0 in the order of the SELECT. A null gives 0, nil, NULL or an empty view. */
size_t db_rows(const struct db_result *r);
int db_columns(const struct db_result *r);
int db_is_null(const struct db_result *r, size_t row, int column);
const char *db_text(const struct db_result *r, size_t row, int column);       /* the result's; NULL for null */
struct uuid db_uuid(const struct db_result *r, size_t row, int column);
int64_t db_int(const struct db_result *r, size_t row, int column);
int db_bool(const struct db_result *r, size_t row, int column);
clock_us db_time(const struct db_result *r, size_t row, int column);
struct wire_view db_bytes(struct db_result *r, size_t row, int column);       /* the result's */
json_t *db_json(const struct db_result *r, size_t row, int column);           /* the caller's reference; json null for null */
/* A row as an object by column names: numbers, booleans and JSON as such, times as RFC 3339 in UTC, bytes as hexadecimal, the
 * rest as text. Columns whose names begin with '_' are left out. The caller's reference. */
json_t *db_row_json(struct db_result *r, size_t row);
json_t *db_rows_json(struct db_result *r);
void db_result_free(struct db_result *r);                    /* NULL is fine */

/* Asks for notifications on CHANNEL (a constant) for the life of DB, over reconnects; outside a transaction. */
int db_listen(struct db *db, const char *channel);
/* Waits at most TIMEOUT_MS, outside a transaction; 1 when something came, 0 when not, ERR_UNAVAILABLE. */
int db_wait(struct db *db, int timeout_ms);
/* For who waits elsewhere. The descriptor that can be read when something came; -1 without a connection. Another one after each
 * reconnection, which db_wait makes. */
int db_socket(const struct db *db);
/* The next notification that has come, without waiting, outside a transaction: 1 and its payload, cut to SIZE, in OUT; 0 when there
 * is none; ERR_UNAVAILABLE when the connection is lost. */
int db_notified(struct db *db, char *out, size_t size);

#endif
