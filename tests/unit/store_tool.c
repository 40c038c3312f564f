/* store_tool.c - lets tests in other languages use the store: store_tool COMMAND ARGS..., a table of commands. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "store/audit.h"
#include "store/db.h"
#include "store/migrate.h"

/* CONNINFO of another database, DATABASE, FOLDER */
static int command_migrate(char **args)
{
	char *conninfo = mem_printf("%s dbname=%s", args[0], args[1]);
	json_t *applied = NULL, *name;
	size_t i;
	int rc = migrate_prepare(args[0], args[1]);

	if (rc == 0)
		rc = migrate_run(conninfo, args[2], &applied);
	json_array_foreach(applied, i, name)
		puts(json_string_value(name));
	json_decref(applied);
	free(conninfo);
	return rc;
}

/* CONNINFO, TENANT ("-": the installation's chain): prints how many entries were found whole */
static int command_audit_check(char **args)
{
	struct db *db = db_new(args[0]);
	struct uuid tenant;
	int bound = strcmp(args[1], "-") != 0;
	int64_t count = 0;
	int rc = bound ? uuid_parse(args[1], &tenant) : 0;

	if (rc == 0)
		rc = db_begin(db, bound ? &tenant : NULL, NULL);
	if (rc == 0)
		rc = audit_check(db, &count);
	db_rollback(db);
	db_free(db);
	printf("%lld\n", (long long)count);
	return rc;
}

static const struct {
	const char *name;
	int args;
	int (*run)(char **args);
} commands[] = {
	{ "migrate", 3, command_migrate },
	{ "audit-check", 2, command_audit_check },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < ARRAY_LEN(commands); i++) {
		int rc;

		if (strcmp(argv[1], commands[i].name) != 0 || argc - 2 != commands[i].args)
			continue;
		rc = commands[i].run(argv + 2);
		if (rc < 0)
			printf("%s: %s\n", err_name(rc), err_text());
		return rc < 0;
	}
	fputs("usage: store_tool COMMAND ARGS...\n", stderr);
	return 2;
}
