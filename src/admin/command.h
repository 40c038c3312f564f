/* command.h - one row per subcommand of `keyward`, the administrator's command. Help, completion and dispatch read the rows. */
#ifndef ADMIN_COMMAND_H
#define ADMIN_COMMAND_H

#include "base/conf.h"
#include "keys/client.h"
#include "store/db.h"
#include "store/list.h"

/* Exit statuses, for scripts */
#define ADMIN_OK 0
#define ADMIN_FAILED 1
#define ADMIN_USAGE 2

struct admin {
	struct conf conf;
	const char *conf_path;
};

struct admin_command {
	const char *name;            /* "tenant create": words are separate arguments */
	const char *arguments;       /* "SLUG NAME EMAIL", for the help */
	int least, most;             /* of arguments */
	const char *help;
	int (*run)(struct admin *a, int argc, char **argv);      /* 0, or ERR_ with err_text */
	int bare;                    /* without a configuration */
};

extern const struct admin_command admin_commands[];          /* ends with a NULL name */

int admin_init(struct admin *a, int argc, char **argv);
int admin_migrate(struct admin *a, int argc, char **argv);
int admin_status(struct admin *a, int argc, char **argv);
int admin_setup_code(struct admin *a, int argc, char **argv);
int admin_tenant_create(struct admin *a, int argc, char **argv);
int admin_tenant_list(struct admin *a, int argc, char **argv);
int admin_tenant_invite(struct admin *a, int argc, char **argv);
int admin_tenant_passphrase(struct admin *a, int argc, char **argv);
int admin_user_reset(struct admin *a, int argc, char **argv);
int admin_user_factor(struct admin *a, int argc, char **argv);
int admin_operator_factor(struct admin *a, int argc, char **argv);
int admin_operator_reset(struct admin *a, int argc, char **argv);
int admin_audit_verify_file(struct admin *a, int argc, char **argv);
int admin_audit_export(struct admin *a, int argc, char **argv);
int admin_audit_key(struct admin *a, int argc, char **argv);
int admin_audit_verify(struct admin *a, int argc, char **argv);
int admin_licence_issue(struct admin *a, int argc, char **argv);
int admin_licence_list(struct admin *a, int argc, char **argv);
int admin_licence_show(struct admin *a, int argc, char **argv);
int admin_unseal(struct admin *a, int argc, char **argv);
int admin_seal(struct admin *a, int argc, char **argv);
int admin_tickets(struct admin *a, int argc, char **argv);
/* The same after the schema was made; where the key service is not there yet it only says what is to be done. */
int admin_tickets_give(struct admin *a);
int admin_rotate_root(struct admin *a, int argc, char **argv);
int admin_rotate_tenant(struct admin *a, int argc, char **argv);
int admin_key_list(struct admin *a, int argc, char **argv);
int admin_key_retire(struct admin *a, int argc, char **argv);
int admin_backup(struct admin *a, int argc, char **argv);
int admin_backup_verify(struct admin *a, int argc, char **argv);
int admin_restore(struct admin *a, int argc, char **argv);
int admin_certificate_list(struct admin *a, int argc, char **argv);
int admin_certificate_request(struct admin *a, int argc, char **argv);
int admin_certificate_install(struct admin *a, int argc, char **argv);
int admin_log_return(struct admin *a, int argc, char **argv);
int admin_config(struct admin *a, int argc, char **argv);

/* The log database, where there is one (setting database.log): its connection string for a role, the caller's; roles and database made where there is a
 * superuser; migrated. */
int admin_has_log(const struct admin *a);
char *admin_log_of(const struct admin *a, enum conf_setting role);
int admin_log_prepare(const struct admin *a);
int admin_log_migrate(const struct admin *a, json_t **applied);

/* A connection of role SETTING (CONF_DATABASE_...), in a transaction of the administrator's bound to TENANT (NULL: none). */
int admin_begin(struct admin *a, enum conf_setting role, const struct uuid *tenant, struct db **out);
/* Commits when RC is 0, else rolls back; closes the connection; returns the outcome. */
int admin_end(struct db *db, int rc);
/* To keyd; then keys_client_close. */
void admin_keys(const struct admin *a, struct keys_client *keys);
/* The account called SLUG (or given by its id); ERR_NOT_FOUND names it. */
int admin_find_tenant(struct admin *a, const char *slug, struct uuid *out);
/* Both: a transaction bound to that account, whose id is TENANT. */
int admin_begin_tenant(struct admin *a, enum conf_setting role, const char *slug, struct uuid *tenant, struct db **out);
/* Every row of a list of the operator's, page by page, to SHOW. */
int admin_list(struct admin *a, int (*list)(struct db *db, const struct list_query *query, json_t **page), void (*show)(const json_t *row));
/* The database's name in a connection string; the caller frees. */
int admin_database_of(const char *conninfo, char **out);
/* NAME in the folder of key files; the caller frees. */
char *admin_keys_path(const struct admin *a, const char *name);
/* "https://host[:port]" + PATH of a site's domain; the caller frees. */
char *admin_address(const struct admin *a, enum conf_setting domain, const char *path);

#endif
