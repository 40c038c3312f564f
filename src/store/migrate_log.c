/* migrate_log.c - a log database (LOG-5) is made out of one that was migrated, and its entries come back from it. On libpq itself, as migrate.c. */
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "store/migrate.h"

static int fail(PGconn *c, const PGresult *r, const char *what)
{
	const char *text = r ? PQresultErrorMessage(r) : PQerrorMessage(c);

	return err_set(PQstatus(c) == CONNECTION_OK ? ERR_DB : ERR_UNAVAILABLE, "%s: %.*s", what, (int)strcspn(text, "\n"), text);
}

static int run(PGconn *c, const char *what, const char *sql, ExecStatusType wanted)
{
	PGresult *r = PQexec(c, sql);
	int rc = PQresultStatus(r) == wanted ? 0 : fail(c, r, what);

	PQclear(r);
	return rc;
}

/* As the owner. The caller ends *OUT with PQfinish, even after a failure. */
static int connect_to(const char *what, const char *conninfo, PGconn **out)
{
	*out = PQconnectdb(conninfo);
	if (PQstatus(*out) != CONNECTION_OK)
		return fail(*out, NULL, what);
	return run(*out, what, "set client_min_messages = warning; set search_path = public; set timezone = 'UTC'; set role keyward_owner", PGRES_COMMAND_OK);
}

/* The first column's text of each row of FROM as $1 of SQL in TO. */
static int carry(PGconn *from, const char *query, PGconn *to, const char *sql)
{
	PGresult *r = PQexec(from, query);
	int rc = PQresultStatus(r) == PGRES_TUPLES_OK ? 0 : fail(from, r, query);

	for (int i = 0; rc == 0 && i < PQntuples(r); i++) {
		const char *value = PQgetvalue(r, i, 0);
		PGresult *one = PQexecParams(to, sql, 1, NULL, &value, NULL, NULL, 0);

		if (PQresultStatus(one) != PGRES_TUPLES_OK)
			rc = fail(to, one, "log database");
		PQclear(one);
	}
	PQclear(r);
	return rc;
}

int migrate_log(const char *conninfo, const char *log)
{
	PGconn *main = NULL, *there = NULL;
	int rc = connect_to("database", conninfo, &main);

	if (rc == 0)
		rc = connect_to("log database", log, &there);
	if (rc == 0)
		rc = carry(main, "select value #>> '{}' from setting where name = 'public.installation'", there, "select audit_database_make($1)");
	/* It may be an older one than it was: how far it is, is found out anew. */
	if (rc == 0)
		rc = run(main, "database", "delete from audit_copied", PGRES_COMMAND_OK);
	PQfinish(there);
	PQfinish(main);
	return rc;
}

static int stream(PGconn *from, PGconn *to)
{
	int rc = run(from, "log database", "copy (select * from audit_entry) to stdout (format binary)", PGRES_COPY_OUT), len = 0;
	char *data = NULL;
	PGresult *r;

	if (rc == 0)
		rc = run(to, "database", "copy back from stdin (format binary)", PGRES_COPY_IN);
	while (rc == 0 && (len = PQgetCopyData(from, &data, 0)) > 0) {
		if (PQputCopyData(to, data, len) != 1)
			rc = fail(to, NULL, "database");
		PQfreemem(data);
	}
	if (rc == 0 && len == -2)
		rc = fail(from, NULL, "log database");
	if (rc < 0)
		return rc;
	if (PQputCopyEnd(to, NULL) != 1)
		return fail(to, NULL, "database");
	while ((r = PQgetResult(to)) != NULL) {
		if (PQresultStatus(r) != PGRES_COMMAND_OK)
			rc = fail(to, r, "database");
		PQclear(r);
	}
	return rc;
}

static int count(PGconn *c, const char *sql, int64_t *out)
{
	PGresult *r = PQexec(c, sql);
	int rc = PQresultStatus(r) == PGRES_TUPLES_OK ? 0 : fail(c, r, "database");

	if (rc == 0)
		*out = strtoll(PQgetvalue(r, 0, 0), NULL, 10);
	PQclear(r);
	return rc;
}

int migrate_log_back(const char *conninfo, const char *log, int64_t *entries)
{
	PGconn *main = NULL, *there = NULL;
	int64_t missing = 0;
	int rc = connect_to("database", conninfo, &main);

	if (rc == 0)
		rc = connect_to("log database", log, &there);
	/* It would copy what comes back. */
	if (rc == 0)
		rc = count(main, "select count(*) from process where kind = 'jobd' and away is null and seen > now() - interval '30 seconds'", &missing);
	if (rc == 0 && missing)
		rc = err_set(ERR_CONFLICT, "stop keyward-jobd first");
	if (rc == 0)
		rc = run(main, "database", "begin", PGRES_COMMAND_OK);
	if (rc == 0)
		rc = carry(there, "select distinct date_trunc('month', at)::date from audit_entry", main, "select audit_month_make($1::date)");
	if (rc == 0)
		rc = run(main, "database", "create temporary table back (like audit_entry) on commit drop", PGRES_COMMAND_OK);
	if (rc == 0)
		rc = stream(there, main);
	if (rc == 0)
		rc = run(main, "database", "insert into audit_entry select * from back on conflict do nothing", PGRES_COMMAND_OK);
	if (rc == 0)
		rc = count(main, "select count(*) from back b where not exists (select 1 from audit_entry e where e.tenant = b.tenant and e.seq = b.seq and e.at = b.at"
			" and e.hash = b.hash)", &missing);
	if (rc == 0 && missing)
		rc = err_set(ERR_TAMPERED, "%lld entries of the log database are others than those with their numbers here: nothing was changed", (long long)missing);
	if (rc == 0)
		rc = count(main, "select count(*) from back", entries);
	if (rc == 0)
		rc = run(main, "database", "delete from audit_copied; commit", PGRES_COMMAND_OK);
	PQfinish(there);
	PQfinish(main);
	return rc;
}
