/* migrate.c - migrations: on libpq itself, because they are no transactions of an actor and hold many statements in one text. */
#include "store/migrate.h"

#include <glob.h>
#include <libpq-fe.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/encode.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/secret.h"

#define FILE_MAX (4u << 20)
#define PAD_SIZE 64              /* a block of SHA-256 */
#define LOCK_KEY "7311000"       /* of pg_advisory_lock; anything constant */

static const char *const logins[] = { "keyward_central", "keyward_console", "keyward_agent", "keyward_jobs" };

#define TICKETS "keyward_tickets"        /* owns what gives out proofs of approval (sql/0025) */
#define SUMMARIES "keyward_summaries"    /* as which the operator's reports are read (sql/0055) */

static int fail(PGconn *c, const PGresult *r, const char *what)
{
	const char *text = r ? PQresultErrorMessage(r) : PQerrorMessage(c);

	return err_set(PQstatus(c) == CONNECTION_OK ? ERR_DB : ERR_UNAVAILABLE, "%s: %.*s", what, (int)strcspn(text, "\n"), text);
}

static int run(PGconn *c, const char *what, const char *sql)
{
	PGresult *r = PQexec(c, sql);
	ExecStatusType status = PQresultStatus(r);
	int rc = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ? 0 : fail(c, r, what);

	PQclear(r);
	return rc;
}

static void swallow(void *ctx, const char *text)
{
}

/* The caller ends *OUT with PQfinish, even after a failure. */
static int open_connection(const char *conninfo, PGconn **out)
{
	int rc;

	*out = PQconnectdb(conninfo);
	if (PQstatus(*out) != CONNECTION_OK)
		return fail(*out, NULL, "database connection");
	PQsetNoticeProcessor(*out, swallow, NULL);
	rc = run(*out, "settings", "set client_encoding = 'UTF8'; set search_path = public; set client_min_messages = warning");
	return rc < 0 ? rc : run(*out, "lock", "select pg_advisory_lock(" LOCK_KEY ")");
}

/* 1, 0 or an error. */
static int exists(PGconn *c, const char *sql, const char *value)
{
	PGresult *r = PQexecParams(c, sql, 1, NULL, &value, NULL, NULL, 0);
	int rc = PQresultStatus(r) == PGRES_TUPLES_OK ? PQntuples(r) > 0 : fail(c, r, "look up");

	PQclear(r);
	return rc;
}

/* No role but the owner has more than the grants in sql/; nobody signs in as the owner. */
static int make_role(PGconn *c, const char *name, const char *login)
{
	char sql[256];
	int rc = exists(c, "select 1 from pg_roles where rolname = $1", name);

	if (rc != 0)
		return rc < 0 ? rc : 0;
	snprintf(sql, sizeof sql, "create role %s %s nosuperuser nocreatedb nocreaterole noreplication nobypassrls", name, login);
	return run(c, name, sql);
}

static int make_database(PGconn *c, const char *name)
{
	char sql[256];
	int rc = exists(c, "select 1 from pg_database where datname = $1", name);

	if (rc != 0)
		return rc < 0 ? rc : 0;
	snprintf(sql, sizeof sql, "create database \"%s\" owner keyward_owner template template0 encoding 'UTF8' locale 'C.UTF-8'",
		name);
	return run(c, "create database", sql);
}

int migrate_prepare(const char *conninfo, const char *database)
{
	PGconn *c;
	int rc;

	if (*database == '\0' || strlen(database) > 63
		|| database[strspn(database, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")] != '\0')
		return err_set(ERR_INVALID, "name of the database: letters, digits and _ only");
	rc = open_connection(conninfo, &c);
	if (rc == 0)
		rc = make_role(c, "keyward_owner", "nologin");
	if (rc == 0)
		rc = make_role(c, TICKETS, "nologin");
	if (rc == 0)
		rc = make_role(c, SUMMARIES, "nologin");
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(logins); i++)
		rc = make_role(c, logins[i], "login");
	/* Numbers of sessions and the folder of the database's files, for the health pages; of contents the owner knows all in any case. */
	if (rc == 0)
		rc = run(c, "grant statistics", "grant pg_read_all_stats, pg_read_all_settings to keyward_owner");
	if (rc == 0)
		rc = make_database(c, database);
	PQfinish(c);
	return rc;
}

/* Of the database's own users, none of an extension's. */
#define OTHERS(table, column) "(select count(*) from " table " o join pg_namespace n on n.oid = o." column " where n.nspname <> 'information_schema' and" \
	" n.nspname !~ '^pg_' and not exists (select 1 from pg_depend x where x.classid = '" table "'::regclass and x.objid = o.oid and x.deptype = 'e'))"

/* -1: it is no installation's, or not for this role to see. */
static int64_t count_accounts(PGconn *c)
{
	PGresult *off = PQexec(c, "set row_security = off"), *r = PQexec(c, "select count(*) from public.tenant");
	int64_t accounts = PQresultStatus(r) == PGRES_TUPLES_OK ? strtoll(PQgetvalue(r, 0, 0), NULL, 10) : -1;

	PQclear(off);
	PQclear(r);
	return accounts;
}

static char *say_contents(PGconn *c, const char *name, int64_t relations, int64_t functions)
{
	int64_t accounts = count_accounts(c);

	if (accounts > 0)
		return mem_printf("database \"%s\" is not empty: it has an installation of Keyward with %lld account%s", name, (long long)accounts,
			accounts == 1 ? "" : "s");
	return mem_printf("database \"%s\" is not empty: it has %lld tables and other relations and %lld functions", name, (long long)relations, (long long)functions);
}

int migrate_contents(const char *conninfo, char **out)
{
	PGconn *c = PQconnectdb(conninfo);
	PGresult *r = NULL;
	int rc = PQstatus(c) == CONNECTION_OK ? 0 : fail(c, NULL, "database connection");

	*out = NULL;
	if (rc == 0) {
		r = PQexec(c, "select current_database(), " OTHERS("pg_class", "relnamespace") ", " OTHERS("pg_proc", "pronamespace"));
		rc = PQresultStatus(r) == PGRES_TUPLES_OK ? 0 : fail(c, r, "what is in it");
	}
	if (rc == 0) {
		int64_t relations = strtoll(PQgetvalue(r, 0, 1), NULL, 10), functions = strtoll(PQgetvalue(r, 0, 2), NULL, 10);

		if (relations || functions)
			*out = say_contents(c, PQgetvalue(r, 0, 0), relations, functions);
	}
	PQclear(r);
	PQfinish(c);
	return rc;
}

/* The file's text and its SHA-256 in hexadecimal; the caller frees both. */
static int read_migration(const char *path, struct buf *text, char **sum)
{
	unsigned char hash[32];
	int rc = file_read(path, FILE_MAX, text);

	if (rc < 0)
		return rc;
	if (EVP_Digest(text->data, text->len, hash, NULL, EVP_sha256(), NULL) != 1)
		return err_set(ERR_CRYPTO, "SHA-256 is not available");
	*sum = encode_hex(hash, sizeof hash);
	return 0;
}

/* 1 when it was applied just so, 0 when it is to be applied now. */
static int is_applied(PGconn *c, const char *name, const char *sum)
{
	const char *values[] = { name, sum };
	PGresult *r = PQexecParams(c, "select (select sha256 = $2 from schema_migration where name = $1),"
		" coalesce((select max(name) from schema_migration) > $1, false)", 2, NULL, values, NULL, NULL, 0);
	int rc;

	if (PQresultStatus(r) != PGRES_TUPLES_OK)
		rc = fail(c, r, name);
	else if (!PQgetisnull(r, 0, 0))
		rc = PQgetvalue(r, 0, 0)[0] == 't' ? 1 : err_set(ERR_CONFLICT, "%s was changed after it was applied", name);
	else
		rc = PQgetvalue(r, 0, 1)[0] == 't' ? err_set(ERR_CONFLICT, "%s comes before what was applied already", name) : 0;
	PQclear(r);
	return rc;
}

static int record(PGconn *c, const char *name, const char *sum)
{
	const char *values[] = { name, sum };
	PGresult *r = PQexecParams(c, "insert into schema_migration (name, sha256) values ($1, $2)", 2, NULL, values, NULL, NULL, 0);
	int rc = PQresultStatus(r) == PGRES_COMMAND_OK ? 0 : fail(c, r, name);

	PQclear(r);
	return rc;
}

static int apply(PGconn *c, const char *name, const char *sql, const char *sum)
{
	int rc = run(c, name, "begin");

	if (rc == 0)
		rc = run(c, name, sql);
	if (rc == 0 && PQtransactionStatus(c) != PQTRANS_INTRANS)
		rc = err_set(ERR_INVALID, "%s ends the transaction that it runs in", name);
	if (rc == 0)
		rc = record(c, name, sum);
	if (rc == 0)
		return run(c, name, "commit");
	PQclear(PQexec(c, "rollback"));
	return rc;
}

/* 1 when it was applied now. */
static int migrate_file(PGconn *c, const char *path)
{
	const char *name = strrchr(path, '/') + 1;
	struct buf text = BUF_INIT;
	char *sum = NULL;
	int rc = read_migration(path, &text, &sum);

	if (rc == 0)
		rc = is_applied(c, name, sum);
	if (rc == 1)
		rc = 0;
	else if (rc == 0 && (rc = apply(c, name, buf_str(&text), sum)) == 0)
		rc = 1;
	free(sum);
	buf_free(&text);
	return rc;
}

static int migrate_all(PGconn *c, const char *folder, json_t *applied)
{
	char *pattern = mem_printf("%s/[0-9][0-9][0-9][0-9]_*.sql", folder);
	glob_t found = { 0 };
	int rc = 0;

	if (glob(pattern, 0, NULL, &found) != 0)
		rc = err_set(ERR_NOT_FOUND, "no migrations in %s", folder);
	for (size_t i = 0; rc == 0 && i < found.gl_pathc; i++) {
		rc = migrate_file(c, found.gl_pathv[i]);
		if (rc == 1) {
			json_array_append_new(applied, json_string(strrchr(found.gl_pathv[i], '/') + 1));
			rc = 0;
		}
	}
	globfree(&found);
	free(pattern);
	return rc;
}

int migrate_run(const char *conninfo, const char *folder, json_t **applied)
{
	json_t *names = json_array();
	PGconn *c;
	int rc = open_connection(conninfo, &c);

	if (rc == 0)
		rc = run(c, "become the owner", "set role keyward_owner");
	if (rc == 0)
		rc = run(c, "schema_migration", "create table if not exists schema_migration (name text primary key,"
			" sha256 text not null, applied timestamptz not null default now())");
	if (rc == 0)
		rc = migrate_all(c, folder, names);
	PQfinish(c);
	if (rc == 0 && applied)
		*applied = json_incref(names);
	json_decref(names);
	return rc;
}

static void put_pad(const uint8_t key[static MIGRATE_TICKET_KEY_SIZE], uint8_t with, char out[static 2 * PAD_SIZE + 3])
{
	uint8_t pad[PAD_SIZE];
	char *hex;

	for (size_t i = 0; i < sizeof pad; i++)
		pad[i] = (uint8_t)((i < MIGRATE_TICKET_KEY_SIZE ? key[i] : 0) ^ with);
	hex = encode_hex(pad, sizeof pad);
	snprintf(out, 2 * PAD_SIZE + 3, "\\x%s", hex);
	secret_wipe(pad, sizeof pad);
	secret_wipe(hex, 2 * PAD_SIZE);
	free(hex);
}

static int put_ticket_key(PGconn *c, uint32_t generation, const uint8_t key[static MIGRATE_TICKET_KEY_SIZE])
{
	char number[16], inner[2 * PAD_SIZE + 3], outer[2 * PAD_SIZE + 3];
	const char *values[] = { number, inner, outer };
	PGresult *r;
	int rc;

	snprintf(number, sizeof number, "%u", (unsigned)generation);
	put_pad(key, 0x36, inner);
	put_pad(key, 0x5c, outer);
	r = PQexecParams(c, "insert into ticket_key (generation, inner_pad, outer_pad) values ($1::int, $2::bytea, $3::bytea) on conflict (only_one)"
		" do update set generation = excluded.generation, inner_pad = excluded.inner_pad, outer_pad = excluded.outer_pad, changed = now()",
		3, NULL, values, NULL, NULL, 0);
	rc = PQresultStatus(r) == PGRES_COMMAND_OK ? 0 : fail(c, r, "key of proofs of approval");
	PQclear(r);
	secret_wipe(inner, sizeof inner);
	secret_wipe(outer, sizeof outer);
	return rc;
}

static int read_generation(PGconn *c, uint32_t *out)
{
	PGresult *r = PQexec(c, "select generation from ticket_key");
	int rc = PQresultStatus(r) == PGRES_TUPLES_OK ? 0 : fail(c, r, "key of proofs of approval");

	if (rc == 0)
		*out = PQntuples(r) ? (uint32_t)strtoul(PQgetvalue(r, 0, 0), NULL, 10) : 0;
	PQclear(r);
	return rc;
}

int migrate_tickets(const char *conninfo, uint32_t least, migrate_ticket_key get, void *ctx, uint32_t *out)
{
	uint8_t key[MIGRATE_TICKET_KEY_SIZE];
	uint32_t generation = 0;
	PGconn *c;
	int rc = open_connection(conninfo, &c);

	if (rc == 0)
		rc = run(c, "become the owner of proofs of approval", "set role " TICKETS);
	if (rc == 0)
		rc = read_generation(c, &generation);
	if (rc == 0 && (least || generation == 0))
		generation = generation + 1 > least ? generation + 1 : least;
	if (rc == 0)
		rc = get(ctx, generation, key);
	if (rc == 0)
		rc = put_ticket_key(c, generation, key);
	PQfinish(c);
	secret_wipe(key, sizeof key);
	if (rc == 0)
		*out = generation;
	return rc;
}
