/* status.c - `keyward status` and `keyward config`: one line per thing that must be well. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/command.h"
#include "base/buf.h"
#include "base/err.h"
#include "keys/client.h"
#include "health/beat.h"
#include "health/cause.h"
#include "health/judge.h"
#include "health/look.h"
#include "render/words.h"
#include "sso/client.h"
#include "store/backup.h"
#include "store/key_server.h"
#include "store/rewrap.h"
#include "store/setting.h"

#define SSO_TIMEOUT_MS 5000

/* What this command has asked itself: a service's own lines and those of health say the same of it. */
struct answer {
	int asked;
	char version[32];
	json_t *detail;              /* NULL: it does not answer */
};

struct answers {
	struct answer keyd, sso;
};

static int show(const char *what, int rc, const char *good)
{
	printf("%-14s %s\n", what, rc < 0 ? err_text() : good);
	return rc < 0;
}

/* What it was asked for, by kind; what nobody asked for is left out. */
static void show_counts(const struct keys_status *s)
{
	for (int i = 0; i < s->kinds; i++) {
		const struct keys_count *k = &s->counts[i];

		if (k->done || k->failed || k->limited)
			printf("  %-20s %llu done, %llu failed, %llu too many\n", k->name, (unsigned long long)k->done,
				(unsigned long long)k->failed, (unsigned long long)k->limited);
	}
}

/* Without the key of proofs of approval no key goes out. */
static int show_tickets(struct admin *a)
{
	struct db_result *r = NULL;
	struct db *db;
	char text[64] = "";
	int rc = admin_begin(a, CONF_DATABASE_CENTRAL, NULL, &db);

	if (rc == 0) {
		rc = db_query_row(db, &r, "select ticket_generation()", DB_NONE);
		if (rc == 0 && db_is_null(r, 0, 0))
			rc = err_set(ERR_NOT_FOUND, "no key of proofs of approval: run `keyward tickets`");
		if (rc == 0)
			snprintf(text, sizeof text, "well; proofs of generation %lld", (long long)db_int(r, 0, 0));
		db_result_free(r);
		admin_end(db, rc);
	}
	return show("approvals", rc, text);
}

/* A warning, no fault. */
static void show_age(struct admin *a, const struct uuid *root)
{
	struct db *db;
	int64_t days = 0;
	clock_us since = 0;
	char text[128];
	int rc = admin_begin(a, CONF_DATABASE_CENTRAL, NULL, &db);

	if (rc < 0)
		return;
	rc = root_max_days(db, &days);
	if (rc == 0 && days)
		rc = root_since(db, root, &since);
	if (admin_end(db, rc) == 0 && days && since && clock_now() - since > days * CLOCK_DAY) {
		snprintf(text, sizeof text, "older than the %lld days that it may be: keyward rotate root", (long long)days);
		show("root key", 0, text);
	}
}

/* While root keys are replaced: what is under a former one that is sealed waits, the rest does not. */
static int show_former(struct keys_client *keys)
{
	struct keys_roots roots = { .count = 0 };
	char id[UUID_TEXT_SIZE];
	int bad = 0;

	if (keys_roots(keys, &roots) < 0)
		return 0;
	for (size_t i = 0; i + 1 < roots.count; i++)
		if (roots.roots[i].sealed) {
			uuid_text(&roots.roots[i].id, id);
			bad += show("former root", err_set(ERR_SEALED, "%s (%s) is sealed: keyward unseal, or bring its token or key server back", id,
				roots.roots[i].provider), "");
		}
	return bad;
}

/* As after a restore of the database from one backup and of the key files from another. */
static int show_unknown(struct admin *a, struct keys_client *keys)
{
	struct keys_roots roots = { .count = 0 };
	struct db *db = NULL;
	int64_t all = 0, under, left;
	int rc = keys_roots(keys, &roots);

	if (rc == 0 && roots.count)
		rc = admin_begin(a, CONF_DATABASE_JOBS, NULL, &db);
	if (rc == 0 && db)
		rc = root_rotation_left(db, &roots.roots[0].id, &left, &all);
	for (size_t i = 0; rc == 0 && i < roots.count; i++) {
		rc = root_rotation_under(db, &roots.roots[i].id, &under);
		all -= under;
	}
	if (db)
		rc = admin_end(db, rc);
	if (rc == 0 && all <= 0)
		return 0;
	return show("root keys", rc < 0 ? rc : err_set(ERR_NOT_FOUND, "%lld secrets of the database are under a root key that the key service does not have: key "
		"files and database belong together, restore both from the same backup", (long long)all), "");
}

static void keep(struct answer *out, int rc, const char *version, json_t *detail)
{
	/* As in health/beat.c: it is for others to ask. */
	*out = (struct answer) { .asked = rc != ERR_FORBIDDEN, .detail = detail };
	snprintf(out->version, sizeof out->version, "%s", version);
}

static int show_keyd(struct admin *a, struct answer *out)
{
	struct keys_client keys;
	struct keys_status status;
	char id[UUID_TEXT_SIZE], text[128];
	int rc;

	admin_keys(a, &keys);
	rc = keys_status(&keys, &status);
	keep(out, rc, rc == 0 ? status.version : "", rc == 0 ? beat_keyd_says(&status) : NULL);
	if (rc == 0 && status.sealed)
		rc = err_set(ERR_SEALED, "sealed, %s: %s.\n               %s", health_cause(status.cause)->briefly, status.why,
			health_cause(status.cause)->advice);
	if (rc == 0) {
		uuid_text(&status.root, id);
		snprintf(text, sizeof text, "well; root key %s (%s)", id, status.provider);
	}
	rc = show("key service", rc, text);
	if (rc == 0)
		show_counts(&status);
	if (rc == 0)
		show_age(a, &status.root);
	if (rc == 0)
		rc = show_unknown(a, &keys);
	rc += show_former(&keys);
	keys_client_close(&keys);
	return rc;
}

/* Where a setting names one: without it there are local accounts alone. */
static int show_sso(struct admin *a, struct answer *out)
{
	const char *socket = conf_get(&a->conf, CONF_SSO_SOCKET);
	struct sso_status s;
	char text[200];
	int rc;

	if (*socket == '\0')
		return show("sign-on", 0, "none: local accounts alone (setting sso.socket)");
	rc = sso_status(socket, SSO_TIMEOUT_MS, &s);
	keep(out, rc, rc == 0 ? s.version : "", rc == 0 ? beat_sso_says(&s) : NULL);
	if (rc == 0)
		snprintf(text, sizeof text, "well; %u under way, %u waiting; %llu done, %llu failed, of them %llu too late, %llu too many", s.running,
			s.waiting, (unsigned long long)s.done, (unsigned long long)s.failed, (unsigned long long)s.late, (unsigned long long)s.refused);
	return show("sign-on", rc, text);
}

/* Only where there is or was one. */
static int show_rotation(struct admin *a)
{
	json_t *row = NULL;
	struct db *db;
	char text[256];
	int running, rc = admin_begin(a, CONF_DATABASE_CENTRAL, NULL, &db);

	if (rc < 0)
		return 0;
	rc = root_rotation_last(db, &row);
	rc = admin_end(db, rc);
	if (rc == 0 && !json_is_null(row)) {
		const char *error = json_string_value(json_object_get(row, "error"));

		running = strcmp(json_string_value(json_object_get(row, "state")), "running") == 0;
		snprintf(text, sizeof text, "%s, %lld of %lld secrets%s%s (keyward key list)", running ? "under way" : "done",
			json_integer_value(json_object_get(row, "done")), json_integer_value(json_object_get(row, "total")), error ? ": " : "",
			error ? error : "");
		show("root rotation", 0, text);
	}
	json_decref(row);
	return rc < 0;
}

static int say_key_server(const json_t *row, char *out, size_t size)
{
	const char *since = json_string_value(json_object_get(row, "away_since"));

	if (since)
		return err_set(ERR_UNAVAILABLE, "%s is away since %s: %s; requests for its keys wait", json_string_value(json_object_get(row, "host")),
			since, json_string_value(json_object_get(row, "error")));
	snprintf(out, size, "%s; keys on it: %lld", json_is_null(json_object_get(row, "checked")) ? "not asked yet" : "well",
		json_integer_value(json_object_get(row, "keys")));
	return 0;
}

/* The installation's, where it has one; and how many accounts' own are away, which is theirs to mend. */
static int show_key_servers(struct admin *a)
{
	json_t *row = NULL, *away = NULL;
	struct db *db;
	char text[400] = "";
	int rc = admin_begin(a, CONF_DATABASE_CENTRAL, NULL, &db), bad = 0, none;

	if (rc < 0)
		return 0;
	rc = key_server_show(db, KEY_SERVER_INSTALLATION, &row);
	none = rc == ERR_NOT_FOUND;
	rc = admin_end(db, rc == 0 || none ? key_servers_away(db, &away) : rc);
	if (rc == 0 && !none)
		rc = say_key_server(row, text, sizeof text);
	if (rc < 0 || !none)
		bad = show("key server", rc, text);
	if (json_array_size(away)) {
		snprintf(text, sizeof text, "of %zu accounts are away", json_array_size(away));
		show("key servers", 0, text);
	}
	json_decref(row);
	json_decref(away);
	return bad;
}

static void show_backup(struct admin *a)
{
	char text[CLOCK_TEXT_SIZE], line[512];
	struct backup_state s = { 0 };
	struct db *db;
	int rc = admin_begin(a, CONF_DATABASE_CENTRAL, NULL, &db);

	if (rc == 0)
		rc = admin_end(db, backup_state(db, &s));
	if (rc == 0 && s.last)
		clock_text(s.last, text);
	if (rc == 0)
		snprintf(line, sizeof line, "%s%s%s", s.last ? text : "never", s.error ? "; the newest has failed: " : "", s.error ? s.error : "");
	show("last backup", rc, line);
	free(s.error);
}

static void tell(json_t *facts, const char *kind, struct answer *said)
{
	char host[BEAT_HOST_SIZE];

	beat_host(host);
	if (said->asked)
		health_asked(facts, kind, host, said->version, said->detail);
	else
		json_decref(said->detail);
	said->detail = NULL;
}

/* What the operator's pages show, too; of the services, which were asked directly, what they have answered. */
static int show_health(struct admin *a, struct answers *said)
{
	json_t *facts = NULL, *rows, *row;
	struct db *db;
	size_t i;
	int bad = 0, rc = admin_begin(a, CONF_DATABASE_CENTRAL, NULL, &db);

	if (rc == 0)
		rc = admin_end(db, health_look(db, &facts));
	if (rc < 0)
		return show("health", rc, "");
	tell(facts, "keyd", &said->keyd);
	tell(facts, "ssod", &said->sso);
	rows = health_judge(facts);
	json_array_foreach(rows, i, row) {
		const char *advice = json_string_value(json_object_get(row, "advice"));
		char *name = words_phrase_text(NULL, json_object_get(row, "name")), *value = words_phrase_text(NULL, json_object_get(row, "value"));

		printf("  %-4s  %s: %s: %s%s%s\n", health_level_name(health_level_of(row)), json_string_value(json_object_get(row, "area_label")), name, value,
			*advice ? "\n        " : "", advice);
		free(name);
		free(value);
		bad += health_level_of(row) == HEALTH_BAD;
	}
	json_decref(rows);
	json_decref(facts);
	return bad;
}

static int show_database(struct admin *a, const char *what, enum conf_setting role)
{
	struct db *db = db_new(conf_get(&a->conf, role));
	int bad = show(what, db_ping(db), "well");

	db_free(db);
	return bad;
}

static int show_setup(struct admin *a)
{
	struct db *db;
	int rc = admin_begin(a, CONF_DATABASE_CENTRAL, NULL, &db), needed = 0;

	if (rc == 0) {
		needed = setup_needed(db);
		rc = admin_end(db, needed < 0 ? needed : 0);
	}
	return show("set-up", rc, needed ? "not done yet: `keyward setup-code` prints the page's address" : "done");
}

int admin_status(struct admin *a, int argc, char **argv)
{
	struct answers said = { .keyd.asked = 0 };
	int bad = 0;

	(void)argc;
	(void)argv;
	printf("%-14s %s (%s)\n", "configuration", a->conf_path, conf_get(&a->conf, CONF_MODE));
	bad += show_database(a, "db central", CONF_DATABASE_CENTRAL);
	bad += show_database(a, "db console", CONF_DATABASE_CONSOLE);
	bad += show_database(a, "db agent", CONF_DATABASE_AGENT);
	bad += show_database(a, "db jobs", CONF_DATABASE_JOBS);
	bad += show_keyd(a, &said.keyd);
	bad += show_key_servers(a);
	bad += show_sso(a, &said.sso);
	bad += show_tickets(a);
	bad += show_rotation(a);
	show_backup(a);
	bad += show_setup(a);
	printf("health\n");
	bad += show_health(a, &said);
	json_decref(said.keyd.detail);
	json_decref(said.sso.detail);
	return bad ? err_set(ERR_UNAVAILABLE, "%d of the above %s not well", bad, bad == 1 ? "is" : "are") : 0;
}

int admin_config(struct admin *a, int argc, char **argv)
{
	struct buf text = BUF_INIT;

	(void)a;
	(void)argc;
	(void)argv;
	conf_help(&text);
	fputs(buf_str(&text), stdout);
	buf_free(&text);
	return 0;
}
