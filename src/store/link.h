/* link.h - inside the database wrapper: the connection itself. For db.c and link.c only.
 *
 * The connection stays in libpq's pipeline mode. What was sent and not answered yet is in db->sent, in order; a SYNC ends a
 * round trip. A statement that fails makes the server skip the rest of its round trip, so a COMMIT never follows a failure. */
#ifndef STORE_LINK_H
#define STORE_LINK_H

#include <libpq-fe.h>

#include "store/db.h"

#define BUCKETS 256
#define SENT_MAX 256             /* queued in one round trip; more are flushed */
#define ARGS_MAX 64
#define CHANNELS_MAX 4

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
	struct db *log;              /* of its own; NULL: none */
	clock_us log_away;           /* until then it is not tried; clock_ticks() */
};

/* Opens the connection when there is none, or when the idle one turns out to be dead. Outside a transaction only. */
int link_ready(struct db *db);
int link_open(struct db *db);                                /* anew, whatever there is */
void link_close(struct db *db);
/* Closes it and makes ERR_UNAVAILABLE the transaction's error, WHAT its text. */
int link_lost(struct db *db, const char *what);

/* Puts a statement on its way; ARGS stay the caller's. */
int link_send(struct db *db, const char *sql, const struct db_arg *args, size_t count);
int link_mark_sent(struct db *db, enum sent_kind kind, struct statement *statement);
/* Ends the round trip and takes all answers; the last execution's goes to *OUT (may be NULL). The first error is the result. */
int link_round_trip(struct db *db, PGresult **out);
/* 1 when the socket has something, 0 at the end of the time, -1 on failure. */
int link_wait_socket(struct db *db, int timeout_ms);

#endif
