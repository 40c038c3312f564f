/* common.c - what several subcommands need: a transaction in the administrator's name, a tenant by its name, addresses, a database's name. */
#include <libpq-fe.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/command.h"
#include "base/err.h"
#include "base/mem.h"

#define KEYD_TIMEOUT_MS 5000

int admin_begin(struct admin *a, enum conf_setting role, const struct uuid *tenant, struct db **out)
{
	const struct passwd *who = getpwuid(getuid());
	/* The database lets no role log in an administrator's name; these transactions are the command's, in the roles' own. */
	static char name[64];        /* lent to the transaction */
	struct db_actor actor = { .kind = DB_ACTOR_SYSTEM, .name = name };
	struct db *db = db_new(conf_get(&a->conf, role));
	int rc;

	db_set_log(db, conf_get(&a->conf, CONF_DATABASE_LOG));
	snprintf(name, sizeof name, "keyward command (%s)", who ? who->pw_name : "administrator");
	rc = db_begin(db, tenant, &actor);

	if (rc < 0) {
		db_free(db);
		return rc;
	}
	*out = db;
	return 0;
}

int admin_end(struct db *db, int rc)
{
	rc = db_end(db, rc);
	db_free(db);
	return rc < 0 ? rc : 0;
}

void admin_keys(const struct admin *a, struct keys_client *keys)
{
	keys_client_init(keys, conf_get(&a->conf, CONF_KEYD_SOCKET), KEYD_TIMEOUT_MS);
}

int admin_find_tenant(struct admin *a, const char *slug, struct uuid *out)
{
	struct db_result *r = NULL;
	struct db *db;
	int rc;

	if (uuid_parse(slug, out) == 0)
		return 0;
	rc = admin_begin(a, CONF_DATABASE_CENTRAL, NULL, &db);
	if (rc < 0)
		return rc;
	rc = db_query_row(db, &r, "select id from tenant where slug = $1", DB_ARGS(db_text_arg(slug)));
	if (rc == 0)
		*out = db_uuid(r, 0, 0);
	else if (rc == ERR_NOT_FOUND)
		err_set(rc, "no account is called \"%s\"", slug);
	db_result_free(r);
	return admin_end(db, rc);
}

int admin_begin_tenant(struct admin *a, enum conf_setting role, const char *slug, struct uuid *tenant, struct db **out)
{
	int rc = admin_find_tenant(a, slug, tenant);

	return rc < 0 ? rc : admin_begin(a, role, tenant, out);
}

int admin_list(struct admin *a, int (*list)(struct db *db, const struct list_query *query, json_t **page), void (*show)(const json_t *row))
{
	struct list_query query = { .limit = LIST_LIMIT_MAX };
	char *cursor = NULL;
	struct db *db;
	int rc = admin_begin(a, CONF_DATABASE_CENTRAL, NULL, &db);

	if (rc < 0)
		return rc;
	do {
		json_t *page = NULL, *row;
		size_t i;

		query.cursor = cursor;
		rc = list(db, &query, &page);
		free(cursor);
		cursor = NULL;
		json_array_foreach(json_object_get(page, "rows"), i, row)
			show(row);
		if (rc == 0)
			cursor = mem_strdup(json_string_value(json_object_get(page, "next")));
		json_decref(page);
	} while (rc == 0 && cursor);
	return admin_end(db, rc);
}

char *admin_address(const struct admin *a, enum conf_setting domain, const char *path)
{
	const char *port = conf_get(&a->conf, CONF_PORT);
	int standard = strcmp(port, "443") == 0;

	return mem_printf("https://%s%s%s%s", conf_get(&a->conf, domain), standard ? "" : ":", standard ? "" : port, path);
}

int admin_database_of(const char *conninfo, char **out)
{
	PQconninfoOption *all = PQconninfoParse(conninfo, NULL);
	int rc = err_set(ERR_INVALID, "database.owner names no database (dbname=...)");

	for (PQconninfoOption *o = all; o && o->keyword; o++) {
		if (strcmp(o->keyword, "dbname") == 0 && o->val) {
			*out = mem_strdup(o->val);
			rc = 0;
		}
	}
	PQconninfoFree(all);
	return rc;
}
