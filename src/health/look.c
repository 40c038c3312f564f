/* look.c - asks for it. */
#include "health/look.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "health/certificates.h"
#include "store/audit_copy.h"
#include "store/backup.h"
#include "store/health.h"
#include "store/key_server.h"
#include "store/mail.h"
#include "store/rewrap.h"
#include "store/webhook.h"

static int look_mail(struct db *db, json_t *facts)
{
	json_t *mail = NULL;
	int set = mail_is_set(db), rc = set < 0 ? set : mail_queue(db, &mail);

	if (rc == 0)
		json_object_set_new(mail, "set", json_boolean(set));
	return rc < 0 ? rc : json_object_set_new(facts, "mail", mail);
}

static int look_key_servers(struct db *db, json_t *facts)
{
	json_t *server = NULL, *away = NULL;
	int rc = key_server_show(db, KEY_SERVER_INSTALLATION, &server);

	if (rc == ERR_NOT_FOUND)
		rc = 0;
	if (rc == 0)
		rc = key_servers_away(db, &away);
	if (rc == 0)
		json_object_set_new(facts, "key_servers_away", json_integer((json_int_t)json_array_size(away)));
	json_object_set_new(facts, "key_server", server ? server : json_null());
	json_decref(away);
	return rc;
}

static int look_certificates(struct db *db, json_t *facts)
{
	json_t *all = NULL;
	int rc = health_certificates(db, clock_now(), &all);

	return rc < 0 ? rc : json_object_set_new(facts, "certificates", all);
}

static void set_time(json_t *o, const char *name, clock_us at)
{
	char text[CLOCK_TEXT_SIZE];

	if (at)
		clock_text(at, text);
	json_object_set_new(o, name, at ? json_string(text) : json_null());
}

static int look_backup(struct db *db, json_t *facts)
{
	struct backup_state s = { 0 };
	json_t *backup;
	int rc = backup_state(db, &s);

	if (rc < 0)
		return rc;
	backup = json_pack("{s:b, s:s?}", "failed", s.failed, "error", s.error);
	set_time(backup, "last", s.last);
	json_object_set_new(facts, "backup", backup);
	free(s.error);
	return 0;
}

/* The one that the key services say they have: all have the same. */
static int find_root(const json_t *processes, struct uuid *out)
{
	const json_t *p;
	size_t i;

	json_array_foreach(processes, i, p)
		if (json_get_uuid(json_object_get(p, "detail"), "root", out) == 0 && !uuid_is_nil(out))
			return 1;
	return 0;
}

static int look_root(struct db *db, json_t *facts)
{
	clock_us since = 0;
	struct uuid id;
	int64_t days = 0;
	json_t *root;
	int rc = root_max_days(db, &days);

	if (rc == 0 && days && find_root(json_object_get(facts, "processes"), &id))
		rc = root_since(db, &id, &since);
	if (rc < 0)
		return rc;
	root = json_pack("{s:I}", "days", (json_int_t)days);
	set_time(root, "since", since);
	return json_object_set_new(facts, "root", root);
}

static int look_at(struct db *db, json_t *facts, const char *name, int (*get)(struct db *db, json_t **out))
{
	json_t *value = NULL;
	int rc = get(db, &value);

	return rc < 0 ? rc : json_object_set_new(facts, name, value);
}

/* A log database of its own: entries on their way there, and why it cannot be reached. */
static int look_log(struct db *db, json_t *facts)
{
	json_t *state = NULL;
	struct db *log;
	int rc = audit_copy_state(db, &state);

	if (rc < 0)
		return rc;
	json_object_set_new(state, "own", json_boolean(db_has_log(db)));
	json_object_set_new(state, "away", db_log(db, &log) == 0 && (log == db || db_ping(log) == 0) ? json_null() : json_string(err_text()));
	return json_object_set_new(facts, "log", state);
}

/* Takes FACTS over. */
static int looked(int rc, json_t *facts, json_t **out)
{
	set_time(facts, "now", clock_now());
	if (rc < 0)
		json_decref(facts);
	else
		*out = facts;
	return rc;
}

static int look_main(struct db *db, json_t *facts)
{
	int rc = look_at(db, facts, "processes", health_processes);

	if (rc == 0)
		rc = look_at(db, facts, "queue", health_queue);
	if (rc == 0)
		rc = look_mail(db, facts);
	if (rc == 0)
		rc = look_at(db, facts, "webhooks", webhook_given_up);
	if (rc == 0)
		rc = look_at(db, facts, "altered", health_altered_logs);
	return rc < 0 ? rc : look_backup(db, facts);
}

int health_look_here(struct db *db, json_t **out)
{
	json_t *facts = json_object();

	return looked(look_main(db, facts), facts, out);
}

int health_look(struct db *db, json_t **out)
{
	json_t *facts = json_object();
	int rc = look_main(db, facts);

	if (rc == 0)
		rc = look_at(db, facts, "database", health_database);
	if (rc == 0)
		rc = look_key_servers(db, facts);
	if (rc == 0)
		rc = look_certificates(db, facts);
	if (rc == 0)
		rc = look_root(db, facts);
	if (rc == 0)
		rc = look_log(db, facts);
	return looked(rc, facts, out);
}

static int is_of(const json_t *process, const char *kind, const char *host)
{
	return strcmp(json_string_value(json_object_get(process, "kind")), kind) == 0 && strcmp(json_string_value(json_object_get(process, "host")), host) == 0;
}

void health_asked(json_t *facts, const char *kind, const char *host, const char *version, json_t *detail)
{
	json_t *processes = json_object_get(facts, "processes"), *row = json_pack("{s:s, s:s, s:s, s:i, s:n, s:O, s:o}", "kind", kind, "host", host, "version",
		version, "age", 0, "skew", "away", detail ? json_null() : json_object_get(facts, "now"), "detail", detail ? detail : json_object());

	for (size_t i = json_array_size(processes); i-- > 0;)
		if (is_of(json_array_get(processes, i), kind, host))
			json_array_remove(processes, i);
	json_array_append_new(processes, row);
}
