/* pg.h - gives a C test program a real PostgreSQL cluster with this build's schema: PG_TEST_MAIN instead of TEST_MAIN. The
 * program runs itself again under tests/lib/pg.py, which starts the cluster and removes it afterwards. */
#ifndef TESTS_PG_H
#define TESTS_PG_H

#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "check.h"
#include "store/db.h"

#define PG_SCRIPT SOURCE_ROOT "/tests/lib/pg.py"

/* A connection as ROLE ("keyward_console"); the caller's. */
static inline struct db *pg_db(const char *role)
{
	char *conninfo = mem_printf("%s user=%s", getenv("KEYWARD_TEST_PG"), role);
	struct db *db = db_new(conninfo);

	free(conninfo);
	return db;
}

/* The same rights, but signed in as the superuser: verdicts and people that a test makes up are not held against policies and users
 * (sql/0027); that the database does so is tested with the processes' own connections. */
static inline struct db *pg_db_believed(const char *role)
{
	char *conninfo = mem_printf("%s user=postgres options='-c role=%s'", getenv("KEYWARD_TEST_PG"), role);
	struct db *db = db_new(conninfo);

	free(conninfo);
	return db;
}

static inline int pg_main(int argc, char **argv)
{
	char **args;

	if (getenv("KEYWARD_TEST_PG") || (argc == 2 && strcmp(argv[1], "--list") == 0))
		return check_main(argc, argv);
	args = mem_array((size_t)argc + 4, sizeof *args);
	args[0] = mem_strdup("/usr/bin/python3");
	args[1] = mem_strdup(PG_SCRIPT);
	args[2] = mem_strdup("exec");
	args[3] = realpath("/proc/self/exe", NULL);
	for (int i = 1; i < argc; i++)
		args[3 + i] = argv[i];
	execv(args[0], args);
	fatal("cannot run %s", PG_SCRIPT);
}

#define PG_TEST_MAIN \
	int main(int argc, char **argv) \
	{ \
		return pg_main(argc, argv); \
	}

#endif
