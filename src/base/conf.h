/* conf.h - the server's configuration file: "name = value" lines, # comments. Every setting is a row of one table; a name that
 * is not in it is refused, so that a typing mistake is never a silent default. */
#ifndef BASE_CONF_H
#define BASE_CONF_H

#include "base/buf.h"

/* name, default (NULL: must be set), help */
#define CONF_SETTINGS(X) \
	X(MODE, "mode", "msp", "deployment: msp, on-premise or saas") \
	X(SIGNUP_DEVICES, "signup.devices", "1000", "devices that an account which registered itself may have (saas); 0: any number") \
	X(SIGNUP_INSTANCES, "signup.instances", "500", "its instances") \
	X(SIGNUP_USERS, "signup.users", "50", "its users") \
	X(SIGNUP_RATE, "signup.rate", "100", "its requests a second: of its people, and of its agents, each by themselves") \
	X(STATE, "state", NULL, "folder of the installation's state") \
	X(DOMAIN_CENTRAL, "domain.central", NULL, "host name of the Central Management Console") \
	X(DOMAIN_CONSOLE, "domain.console", NULL, "host name of the tenants' console") \
	X(DOMAIN_AGENTS, "domain.agents", NULL, "host name of the agent service") \
	X(PORT, "port", "443", "port in the addresses that users and agents are given") \
	X(DATABASE_SUPERUSER, "database.superuser", "", "connection string for `keyward init` alone, which makes roles and database") \
	X(DATABASE_OWNER, "database.owner", NULL, "libpq connection string of the schema's owner: migrations only") \
	X(DATABASE_CENTRAL, "database.central", NULL, "connection string of role keyward_central") \
	X(DATABASE_CONSOLE, "database.console", NULL, "connection string of role keyward_console") \
	X(DATABASE_AGENT, "database.agent", NULL, "connection string of role keyward_agent") \
	X(DATABASE_JOBS, "database.jobs", NULL, "connection string of role keyward_jobs") \
	X(DATABASE_LOG, "database.log", "", "where the log has a database of its own: what is other in its connection strings, as host=... dbname=...") \
	X(KEYD_SOCKET, "keyd.socket", NULL, "socket of the key service") \
	X(KEYD_PROGRAM, "keyd.program", "/usr/sbin/keyward-keyd", "the key service's program, with which root keys are made") \
	X(KEYD_USER, "keyd.user", "keyward-keys", "user that the key service becomes: keys in tokens are made as that user") \
	X(KEYD_KEYS, "keyd.keys", "", "folder of the key files identity and roots; empty: keys in the state folder") \
	X(KEYD_ROOT, "keyd.root", "", "where the first root key is, as the key service is told; empty: root.key among the key files") \
	X(SSO_SOCKET, "sso.socket", "", "socket of the sign-on service (LDAP, SAML); empty: local accounts alone") \
	X(WEB_CHROOT, "web.chroot", "", "folder that the web workers are confined to; sockets must lie inside") \
	X(WEB_TEMPLATES, "web.templates", NULL, "folder of the pages' templates") \
	X(WEB_ASSETS, "web.assets", NULL, "folder of what browsers load, with manifest.json") \
	X(WEB_TLS, "web.tls", "", "folder of the web server's NAME.crt and NAME.key; empty: tls in the state folder") \
	X(WEB_PID, "web.pid", "", "file with the number of Kore's parent process; empty: pid/kore in the state folder") \
	X(WEB_THREADS, "web.threads", "8", "pages that a web worker answers at once; each thread connects to the database") \
	X(WEB_LOG_LEVEL, "web.log_level", "info", "debug, info, warning or error") \
	X(SESSION_IDLE, "session.idle_minutes", "30", "a session ends after so many minutes without a request") \
	X(SESSION_ABSOLUTE, "session.absolute_hours", "12", "a session ends after so many hours in any case") \
	X(METRICS_TOKEN, "metrics.token", "", "who sends it may read /metrics of the operator's host; 16 characters at least; empty: nobody") \
	X(OUTSIDE_LOCAL, "outside.local", "no", "yes: addresses that tenants name in settings may be this machine's own") \
	X(OUTSIDE_PRIVATE, "outside.private", "no", "yes: webhooks of tenants may go to addresses of private networks") \
	X(BACKUP_FOLDER, "backup.folder", "", "where `keyward backup` puts backups; another disk than the database's") \
	X(BACKUP_CERTIFICATE, "backup.certificate", "", "certificate in PEM that backups are encrypted to; its private key is kept elsewhere") \
	X(BACKUP_KEEP, "backup.keep_days", "30", "backups older than this are removed after a new one was made") \
	X(BACKUP_PIECE, "backup.piece_mib", "256", "a backup's files hold so much each, in MiB; restoring takes twice that in memory") \
	X(LOG_ONLINE, "log.online_months", "12", "whole months that the log is at hand; older ones go into its archive") \
	X(LOG_ARCHIVE, "log.archive_months", "12", "months that the archived ones are kept after that") \
	X(LOG_MAIN, "log.main_months", "2", "whole months that entries stay in the main database where the log has its own") \
	X(LOG_CHECKPOINT, "log.checkpoint_minutes", "60", "how often the end of each log is signed, where something was added") \
	X(JOBS_PACE, "jobs.pace", "1", "jobd looks so many times as often as usual for what is to be done: 1 to 60, for trials") \
	X(SQL_FOLDER, "sql", NULL, "folder of the migrations")

enum conf_setting {
#define X(id, name, standard, help) CONF_##id,
	CONF_SETTINGS(X)
#undef X
	CONF_COUNT
};

struct conf {
	char *values[CONF_COUNT];
};

/* Reads PATH into OUT, defaults filled in. ERR_INVALID names the line; ERR_NOT_FOUND, ERR_IO. */
int conf_load(const char *path, struct conf *out);
void conf_free(struct conf *c);
const char *conf_get(const struct conf *c, enum conf_setting s);
/* A whole number from LEAST to MOST, or ERR_INVALID naming the setting. */
int conf_int(const struct conf *c, enum conf_setting s, long least, long most, long *out);
/* The table as text, for the manual and `keyward help config`. */
void conf_help(struct buf *out);

#endif
