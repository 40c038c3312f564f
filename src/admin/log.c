/* log.c - `keyward log return`, and what else of the command knows of the log database (LOG-5). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "admin/command.h"
#include "base/err.h"
#include "base/mem.h"
#include "store/migrate.h"

int admin_has_log(const struct admin *a)
{
	return *conf_get(&a->conf, CONF_DATABASE_LOG) != '\0';
}

char *admin_log_of(const struct admin *a, enum conf_setting role)
{
	return mem_printf("%s %s", conf_get(&a->conf, role), conf_get(&a->conf, CONF_DATABASE_LOG));
}

int admin_log_prepare(const struct admin *a)
{
	const char *superuser = conf_get(&a->conf, CONF_DATABASE_SUPERUSER);
	char *owner = admin_log_of(a, CONF_DATABASE_OWNER), *name = NULL, *first = NULL, *conninfo = NULL;
	int rc = admin_database_of(owner, &name);

	if (rc == 0 && *superuser)
		rc = admin_database_of(superuser, &first);
	if (rc == 0 && *superuser) {
		conninfo = mem_printf("%s %s dbname=%s", superuser, conf_get(&a->conf, CONF_DATABASE_LOG), first);
		rc = migrate_prepare(conninfo, name);
	}
	free(owner);
	free(name);
	free(first);
	free(conninfo);
	return rc;
}

int admin_log_migrate(const struct admin *a, json_t **applied)
{
	char *owner = admin_log_of(a, CONF_DATABASE_OWNER);
	int rc = migrate_run(owner, conf_get(&a->conf, CONF_SQL_FOLDER), applied);

	if (rc == 0)
		rc = migrate_log(conf_get(&a->conf, CONF_DATABASE_OWNER), owner);
	free(owner);
	return rc < 0 ? err_wrap(rc, "log database") : 0;
}

int admin_log_return(struct admin *a, int argc, char **argv)
{
	char *owner = admin_log_of(a, CONF_DATABASE_OWNER);
	int64_t entries = 0;
	int rc = admin_has_log(a) ? migrate_log_back(conf_get(&a->conf, CONF_DATABASE_OWNER), owner, &entries) :
		err_set(ERR_CONFLICT, "the log has no database of its own (setting database.log)");

	(void)argc;
	(void)argv;
	free(owner);
	if (rc == 0)
		printf("%" PRId64 " entries are in the main database again: take database.log out of the configuration and restart jobd and the web server\n", entries);
	return rc;
}
