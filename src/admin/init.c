/* init.c - `keyward init`, `migrate`, `setup-code`: from an empty database server to the set-up page. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/command.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "identity/token.h"
#include "store/migrate.h"
#include "store/setting.h"

#define SETUP_CODE_LIFE (24 * CLOCK_HOUR)

static int prepare(struct admin *a)
{
	const char *superuser = conf_get(&a->conf, CONF_DATABASE_SUPERUSER);
	char *database = NULL;
	int rc = 0;

	/* Without one, an administrator has made roles and database by hand. */
	if (*superuser)
		rc = admin_database_of(conf_get(&a->conf, CONF_DATABASE_OWNER), &database);
	if (rc == 0 && *superuser)
		rc = migrate_prepare(superuser, database);
	free(database);
	return rc == 0 && admin_has_log(a) ? admin_log_prepare(a) : rc;
}

static void say_applied(json_t *applied, const char *which)
{
	const json_t *name;
	size_t i;

	json_array_foreach(applied, i, name)
		printf("applied %s%s\n", json_string_value(name), which);
	if (json_array_size(applied) == 0)
		printf("the %sdatabase is up to date\n", *which ? "log " : "");
	json_decref(applied);
}

int admin_migrate(struct admin *a, int argc, char **argv)
{
	json_t *applied = NULL;
	int rc = migrate_run(conf_get(&a->conf, CONF_DATABASE_OWNER), conf_get(&a->conf, CONF_SQL_FOLDER), &applied);

	(void)argc;
	(void)argv;
	if (rc < 0)
		return rc;
	say_applied(applied, "");
	/* Before any server of this version: they copy to it. */
	if (admin_has_log(a)) {
		rc = admin_log_prepare(a);
		if (rc == 0)
			rc = admin_log_migrate(a, &applied);
		if (rc < 0)
			return rc;
		say_applied(applied, " to the log database");
	}
	return admin_tickets_give(a);
}

int admin_setup_code(struct admin *a, int argc, char **argv)
{
	char code[TOKEN_CODE_SIZE];
	uint8_t hash[TOKEN_HASH_SIZE];
	struct db *db;
	char *address;
	int rc = admin_begin(a, CONF_DATABASE_CENTRAL, NULL, &db);

	(void)argc;
	(void)argv;
	if (rc < 0)
		return rc;
	rc = setup_needed(db);
	if (rc == 0)
		rc = err_set(ERR_CONFLICT, "the installation has an operator already; see `keyward operator reset`");
	token_code(code);
	token_hash(code, hash);
	if (rc > 0)
		rc = setup_code_set(db, hash, clock_now() + SETUP_CODE_LIFE);
	rc = admin_end(db, rc);
	if (rc < 0)
		return rc;
	address = admin_address(a, CONF_DOMAIN_CENTRAL, "/setup");
	printf("set-up page: %s?code=%s\n", address, code);
	free(address);
	return 0;
}

int admin_init(struct admin *a, int argc, char **argv)
{
	struct db *db;
	int rc = prepare(a), needed;

	if (rc == 0)
		rc = admin_migrate(a, argc, argv);
	if (rc == 0)
		rc = admin_begin(a, CONF_DATABASE_CENTRAL, NULL, &db);
	if (rc < 0)
		return rc;
	needed = setup_needed(db);
	rc = admin_end(db, needed < 0 ? needed : 0);
	return rc == 0 && needed ? admin_setup_code(a, argc, argv) : rc;
}
