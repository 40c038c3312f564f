/* judge.c - the thresholds, and the sentences that say what to do. */
#include "health/judge.h"

#include <string.h>

#include "base/mem.h"
#include "base/phrase.h"
#include "base/say.h"
#include "health/cause.h"
#include "health/certificates.h"

/* Seconds, per cent, bytes from which on something is worth a look, or bad. */
#define BEHIND_WARN 60
#define BEHIND_BAD 600
#define SKEW_WARN 2
#define SKEW_BAD 30              /* sessions and codes of second factors allow for this */
#define DISK_WARN 20             /* per cent free */
#define DISK_BAD 5
#define DISK_WARN_MOST (INT64_C(50) << 30)       /* whatever the share, this much free is no cause for a warning */
#define DISK_BAD_MOST (INT64_C(5) << 30)
#define CONNECTIONS_WARN 80      /* per cent of max_connections */
#define CONNECTIONS_BAD 95
#define UNCOMMITTED_WARN 300
#define DELIVERIES_WARN 20       /* of webhooks, given up in a day */
#define BACKUP_OLD (2 * CLOCK_DAY)       /* it is made daily */

static const struct {
	const char *name, *label, *colour;
} levels[] = {
	[HEALTH_GOOD] = { "good", "Well", "green" },
	[HEALTH_WARN] = { "warn", "Worth a look", "yellow" },
	[HEALTH_BAD] = { "bad", "Bad", "red" },
};

enum area {
#define X(id, name, label) AREA_##id,
	HEALTH_AREAS(X)
#undef X
};

static const char *const areas[][2] = {
#define X(id, name, label) { name, label },
	HEALTH_AREAS(X)
#undef X
};

struct verdicts {
	json_t *rows;
	const json_t *facts;
};

const char *health_level_name(enum health_level l)
{
	return levels[l].name;
}

const char *health_level_label(enum health_level l)
{
	return levels[l].label;
}

const char *health_level_colour(enum health_level l)
{
	return levels[l].colour;
}

static int64_t number(const json_t *o, const char *name)
{
	return json_integer_value(json_object_get(o, name));
}

static const char *text(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s ? s : "";
}

static int is_null(const json_t *o, const char *name)
{
	const json_t *v = json_object_get(o, name);

	return v == NULL || json_is_null(v);
}

enum health_level health_level_of(const json_t *row)
{
	const char *name = text(row, "level");

	return strcmp(name, "bad") == 0 ? HEALTH_BAD : strcmp(name, "warn") == 0 ? HEALTH_WARN : HEALTH_GOOD;
}

/* Before the first row of the same area that is less bad; lent. NAME and VALUE are phrases, taken over. */
static json_t *add(struct verdicts *v, enum area area, json_t *name, enum health_level level, const char *advice, json_t *value)
{
	size_t at = 0;
	json_t *row;

	while (at < json_array_size(v->rows)) {
		const json_t *other = json_array_get(v->rows, at);

		if (strcmp(text(other, "area"), areas[area][0]) == 0 && health_level_of(other) < level)
			break;
		at++;
	}
	row = json_pack("{s:s, s:s, s:o, s:s, s:o, s:s}", "area", areas[area][0], "area_label", areas[area][1], "name", name, "level",
		levels[level].name, "value", value, "advice", level == HEALTH_GOOD ? "" : advice);
	json_array_insert_new(v->rows, at, row);
	return row;
}

/* A member of facts as a phrase: a text as it is, a number. */
static json_t *said(const json_t *o, const char *name)
{
	const json_t *v = json_object_get(o, name);

	return json_is_integer(v) ? json_integer(json_integer_value(v)) : json_string(text(o, name));
}

/* Of what a row is about, so much was given up: dead letters. */
static void set_given_up(json_t *row, int64_t count)
{
	json_object_set_new(row, "given_up", json_integer((json_int_t)count));
}

/* Processes */

static const struct kind {
	const char *kind, *name, *none, *some;   /* what to do when none runs; when one of several is gone */
	int needed;                              /* somewhere at least one */
} kinds[] = {
	{ "web", "Web workers", "No web worker says that it is here, though this page was answered: look into the web server's log.",
		"A worker ended without a word; Kore has started another. Its log says why.", 1 },
	{ "jobd", "Job processes", "Start keyward-jobd: no mail is sent, no report made, no timer kept until it runs.",
		"A job process ended without a word. Another one does its work; start it again, or wait a day until it is forgotten.", 1 },
	{ "keyd", "Key service", "Start keyward-keyd on that machine: agents get no keys from there until it runs.", "", 1 },
	{ "ssod", "Sign-on service", "Start keyward-ssod on that machine: people of directories and identity providers cannot sign in until it runs.", "", 0 },
};

static int is_service(const char *kind)
{
	return strcmp(kind, "keyd") == 0 || strcmp(kind, "ssod") == 0;
}

static int is_alive(const json_t *process)
{
	return is_null(process, "away") && number(process, "age") <= HEALTH_SILENT_S;
}

enum health_level health_of_process(const json_t *process)
{
	if (!is_alive(process))
		return HEALTH_BAD;
	return json_is_true(json_object_get(json_object_get(process, "detail"), "sealed")) ? HEALTH_BAD : HEALTH_GOOD;
}

static void judge_kind(struct verdicts *v, const struct kind *k)
{
	const json_t *processes = json_object_get(v->facts, "processes"), *p;
	int alive = 0, dead = 0;
	size_t i;

	json_array_foreach(processes, i, p)
		if (strcmp(text(p, "kind"), k->kind) == 0) {
			alive += is_alive(p);
			dead += !is_alive(p);
		}
	if (alive + dead == 0 && !k->needed)
		return;
	if (alive == 0)
		add(v, AREA_PROCESSES, phrase(k->name), HEALTH_BAD, k->none, phrase(dead ? N_("none answers") : N_("none was ever seen")));
	/* Each machine needs its own key service; of workers and jobd others do the work. */
	else if (dead && is_service(k->kind))
		add(v, AREA_PROCESSES, phrase(k->name), HEALTH_BAD, k->none, phrase_say("%{alive} answer, %{dead} not", "alive", json_integer(alive), "dead",
			json_integer(dead), NULL));
	else if (dead)
		add(v, AREA_PROCESSES, phrase(k->name), HEALTH_WARN, k->some, phrase_say("%{alive} run, %{dead} silent", "alive", json_integer(alive), "dead",
			json_integer(dead), NULL));
	else
		add(v, AREA_PROCESSES, phrase(k->name), HEALTH_GOOD, "", phrase_count("%{n} runs", "%{n} run", alive));
}

static void judge_versions(struct verdicts *v)
{
	const json_t *processes = json_object_get(v->facts, "processes"), *p;
	const char *first = NULL, *other = NULL;
	size_t i;

	json_array_foreach(processes, i, p) {
		const char *version = text(p, "version");

		if (!is_alive(p) || *version == '\0')
			continue;
		if (first == NULL)
			first = version;
		else if (strcmp(first, version) != 0)
			other = version;
	}
	if (other)
		add(v, AREA_PROCESSES, phrase("Versions"), HEALTH_WARN, "An upgrade is under way, or was not finished: restart what still runs the older version.",
			phrase_say("%{version} beside %{other}", "version", json_string(first), "other", json_string(other), NULL));
	else if (first)
		add(v, AREA_PROCESSES, phrase("Versions"), HEALTH_GOOD, "", phrase_say("all run %{version}", "version", json_string(first), NULL));
}

static void judge_queue(struct verdicts *v)
{
	const json_t *q = json_object_get(v->facts, "queue");
	int64_t behind = number(q, "behind"), failed = number(q, "failed"), waiting = number(q, "waiting");
	json_t *row;

	if (waiting)
		add(v, AREA_QUEUE, phrase("Waiting jobs"), behind >= BEHIND_BAD ? HEALTH_BAD : behind >= BEHIND_WARN ? HEALTH_WARN : HEALTH_GOOD,
			"Does keyward-jobd run? If it does, it has more to do than it can: start a second one, on any machine.",
			phrase_say("%{n} wait, the oldest for %{time}", "n", json_integer(waiting), "time", phrase_span(behind), NULL));
	else
		add(v, AREA_QUEUE, phrase("Waiting jobs"), HEALTH_GOOD, "", phrase_say("none waits; %{running} run, %{later} are for later",
			"running", json_integer(number(q, "running")), "later", json_integer(number(q, "later")), NULL));
	if (failed)
		row = add(v, AREA_QUEUE, phrase("Failed jobs"), HEALTH_WARN, "Look at their errors on the page Jobs; mend the cause, then have them tried again, or remove them.",
			phrase_count("%{n} was given up", "%{n} were given up", failed));
	else
		row = add(v, AREA_QUEUE, phrase("Failed jobs"), HEALTH_GOOD, "", phrase("none"));
	/* Mails have a row of their own. */
	failed -= number(json_object_get(v->facts, "mail"), "failed");
	set_given_up(row, failed < 0 ? 0 : failed);
}

/* Few are their accounts' own matter, who see them and are told when a webhook is switched off. */
static void judge_webhooks(struct verdicts *v)
{
	int64_t failed = number(json_object_get(v->facts, "webhooks"), "failed");
	int many = failed >= DELIVERIES_WARN;

	set_given_up(add(v, AREA_WEBHOOKS, phrase("Deliveries"), many ? HEALTH_WARN : HEALTH_GOOD, "Look whether this server gets out to the receivers. Each account sees"
		" its own, and why, on its page Webhooks.", phrase_say("%{n} given up in the last day", "n", json_integer(failed), NULL)), many ? failed : 0);
}

/* Database */

static void judge_connections(struct verdicts *v, const json_t *d)
{
	int64_t now = number(d, "connections"), most = number(d, "most"), share = most ? 100 * now / most : 0;

	add(v, AREA_DATABASE, phrase("Connections"), share >= CONNECTIONS_BAD ? HEALTH_BAD : share >= CONNECTIONS_WARN ? HEALTH_WARN : HEALTH_GOOD,
		"Raise max_connections of PostgreSQL, or lower web.threads or the number of web workers: who finds none free is turned away.",
		phrase_say("%{n} of %{most}", "n", json_integer(now), "most", json_integer(most), NULL));
}

static void judge_line(struct verdicts *v, const json_t *d)
{
	const char *address = text(d, "address");
	int tls = json_is_true(json_object_get(d, "tls"));

	if (tls)
		add(v, AREA_DATABASE, phrase("Line to it"), HEALTH_GOOD, "", phrase_list(json_pack("[o, o]", said(d, "tls_version"), said(d, "cipher")), ", "));
	else if (*address == '\0')
		add(v, AREA_DATABASE, phrase("Line to it"), HEALTH_GOOD, "", phrase("on this machine, by a socket"));
	else if (strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0)
		add(v, AREA_DATABASE, phrase("Line to it"), HEALTH_GOOD, "", phrase("on this machine, without TLS"));
	else
		add(v, AREA_DATABASE, phrase("Line to it"), HEALTH_BAD, "Set sslmode=verify-full and sslrootcert in the connection strings, and ssl = on in PostgreSQL.",
			phrase_say("to %{address} without TLS: readable on the way", "address", json_string(address), NULL));
}

/* Entries are copied within seconds. */
static void judge_log(struct verdicts *v)
{
	const json_t *l = json_object_get(v->facts, "log");
	int64_t waiting = number(l, "waiting"), age = 0;
	clock_us since, now;

	if (clock_parse(text(l, "since"), &since) == 0 && clock_parse(text(v->facts, "now"), &now) == 0)
		age = (now - since) / CLOCK_SECOND;
	if (!json_is_true(json_object_get(l, "own"))) {
		if (number(l, "copied"))
			add(v, AREA_DATABASE, phrase("Log database"), HEALTH_BAD, "Set database.log again, or bring the entries back first (keyward log return).",
				phrase("no setting names the one that has older entries of the log"));
	} else if (!is_null(l, "away")) {
		add(v, AREA_DATABASE, phrase("Log database"), HEALTH_BAD, "Bring it back: until then entries stay in the main database, older ones cannot be read, and nothing is"
			" archived.", phrase_say("away: %{why}; %{n} entries wait", "why", said(l, "away"), "n", json_integer(waiting), NULL));
	} else {
		add(v, AREA_DATABASE, phrase("Log database"), age >= BEHIND_BAD ? HEALTH_BAD : age >= BEHIND_WARN ? HEALTH_WARN : HEALTH_GOOD,
			"Does keyward-jobd run? Its log says why it does not copy them. What has not been copied stays in the main database.",
			waiting ? phrase_say("%{n} entries on their way, the oldest for %{time}", "n", json_integer(waiting), "time", phrase_span(age), NULL)
			: phrase("all entries are there"));
	}
}

/* Found where old entries are archived, and told by the log's own event: keyward audit verify looks at all of them. */
static void judge_altered(struct verdicts *v)
{
	const json_t *list = json_object_get(v->facts, "altered"), *account;
	json_t *whose = json_array();
	size_t i;

	json_array_foreach(list, i, account)
		json_array_append_new(whose, is_null(account, "name") ? phrase("the system log") : said(account, "name"));
	add(v, AREA_DATABASE, phrase("Archiving of logs"), i ? HEALTH_WARN : HEALTH_GOOD, "Entries were altered or removed by somebody who can write in the"
		" database: keyward audit verify on the server says which. They stay where they are; all other logs are archived.", i ? phrase_say("not as it was written: %{logs}",
		"logs", phrase_list(whose, ", "), NULL) : phrase("nothing was altered"));
	if (i == 0)
		json_decref(whose);
}

static void judge_database(struct verdicts *v)
{
	const json_t *d = json_object_get(v->facts, "database");
	int64_t longest = number(d, "uncommitted");

	if (json_is_true(json_object_get(d, "standby")))
		add(v, AREA_DATABASE, phrase("Server"), HEALTH_BAD, "Nothing can be changed: point the connection strings at the primary (target_session_attrs=read-write).",
			phrase_say("PostgreSQL %{version}, a standby", "version", said(d, "version"), NULL));
	else
		add(v, AREA_DATABASE, phrase("Server"), HEALTH_GOOD, "", phrase_say("PostgreSQL %{version}, schema %{schema}", "version", said(d, "version"),
			"schema", said(d, "schema"), NULL));
	judge_line(v, d);
	judge_connections(v, d);
	judge_log(v);
	judge_altered(v);
	if (is_null(d, "uncommitted"))
		add(v, AREA_DATABASE, phrase("Longest transaction"), HEALTH_GOOD, "", phrase("none, or not known"));
	else
		add(v, AREA_DATABASE, phrase("Longest transaction"), longest >= UNCOMMITTED_WARN ? HEALTH_WARN : HEALTH_GOOD,
			"Something holds a transaction open, which keeps PostgreSQL from tidying up; pg_stat_activity on the server says what.", phrase_span(longest));
}

/* Disks and clocks: as the job processes see their machines. */

static void judge_disk(struct verdicts *v, const char *host, const char *what, const json_t *disk)
{
	int64_t total = number(disk, "total"), left = number(disk, "free"), share = total ? 100 * left / total : 0;
	enum health_level level = share < DISK_BAD && left < DISK_BAD_MOST ? HEALTH_BAD : share < DISK_WARN && left < DISK_WARN_MOST ? HEALTH_WARN : HEALTH_GOOD;

	add(v, AREA_DISK, phrase_list(json_pack("[o, s]", phrase(what), host), ", "), level, "Make room, or make the disk larger: when it is full, nothing can be changed and no key is given.",
		phrase_say("%{n} % free", "n", json_integer(share), NULL));
}

static void judge_machines(struct verdicts *v)
{
	const json_t *processes = json_object_get(v->facts, "processes"), *p;
	const char *last = "";
	int seen = 0;
	size_t i;

	json_array_foreach(processes, i, p) {
		const json_t *detail = json_object_get(p, "detail"), *disks = json_object_get(detail, "disks");

		/* One that is gone, or a second one of the same machine, tells nothing. */
		if (disks == NULL || !is_alive(p) || strcmp(last, text(p, "host")) == 0)
			continue;
		last = text(p, "host");
		if (json_object_get(disks, "state"))
			judge_disk(v, last, "State folder", json_object_get(disks, "state"));
		if (json_object_get(disks, "database"))
			judge_disk(v, last, "Database", json_object_get(disks, "database"));
		seen++;
		if (json_is_false(json_object_get(detail, "clock")))
			add(v, AREA_CLOCK, json_string(last), HEALTH_WARN, "Have chrony or systemd-timesyncd keep the clock right on that machine.",
				phrase("nobody keeps it right (no NTP)"));
		else
			add(v, AREA_CLOCK, json_string(last), HEALTH_GOOD, "", phrase(json_is_true(json_object_get(detail, "clock")) ? N_("kept right by NTP")
				: N_("whether NTP keeps it right is not known")));
	}
	if (!seen)
		add(v, AREA_DISK, phrase("Disks"), HEALTH_WARN, "They are looked at by keyward-jobd, which does not run.", phrase("not known"));
}

/* The worst of all clocks: each process tells its own with each beat. */
static void judge_clock(struct verdicts *v)
{
	const json_t *processes = json_object_get(v->facts, "processes"), *p, *worst = NULL;
	int64_t most = 0;
	size_t i;

	json_array_foreach(processes, i, p) {
		int64_t skew = number(p, "skew");

		skew = skew < 0 ? -skew : skew;
		if (is_alive(p) && !is_null(p, "skew") && (worst == NULL || skew > most)) {
			worst = p;
			most = skew;
		}
	}
	if (worst == NULL)
		return;
	add(v, AREA_CLOCK, phrase("Against the database"), most >= SKEW_BAD * CLOCK_SECOND ? HEALTH_BAD : most >= SKEW_WARN * CLOCK_SECOND ? HEALTH_WARN : HEALTH_GOOD,
		"The clocks of the two machines differ: second factors, sign-ins by SAML and timers need them to agree. Keep both right by NTP.",
		phrase_say("at most %{n} s apart (%{host})", "n", json_real((double)most / (double)CLOCK_SECOND), "host", said(worst, "host"), NULL));
}

/* Keys, mail, backup */

static int is_root_old(const struct verdicts *v)
{
	const json_t *root = json_object_get(v->facts, "root");
	clock_us since = 0, now = 0;
	int64_t days = number(root, "days");

	return days > 0 && !is_null(root, "since") && clock_parse(text(root, "since"), &since) == 0 && clock_parse(text(v->facts, "now"), &now) == 0
		&& now - since > days * CLOCK_DAY;
}

static void judge_keys(struct verdicts *v)
{
	const json_t *processes = json_object_get(v->facts, "processes"), *p, *server = json_object_get(v->facts, "key_server");
	int64_t away = number(v->facts, "key_servers_away");
	size_t i;

	json_array_foreach(processes, i, p) {
		const json_t *detail = json_object_get(p, "detail");

		if (strcmp(text(p, "kind"), "keyd") != 0 || !is_alive(p))
			continue;
		if (json_is_true(json_object_get(detail, "sealed")))
			add(v, AREA_KEYS, phrase("Root key"), HEALTH_BAD, health_cause_named(text(detail, "cause"))->advice, phrase_say("sealed on %{host} (%{provider}): %{why}",
				"host", said(p, "host"), "provider", said(detail, "provider"), "why", said(detail, "why"), NULL));
		else
			add(v, AREA_KEYS, phrase("Root key"), HEALTH_GOOD, "", phrase_say("open on %{host} (%{provider})", "host", said(p, "host"), "provider",
				said(detail, "provider"), NULL));
	}
	if (is_root_old(v))
		add(v, AREA_KEYS, phrase("Age of the root key"), HEALTH_WARN, "Replace it: keyward rotate root on the server. Nothing has to wait for that.", phrase("older than it may be"));
	if (json_is_object(server) && !is_null(server, "away_since"))
		add(v, AREA_KEYS, phrase("Installation's key server"), HEALTH_BAD, "Keys that are kept there cannot be given until it is back; the page Key Server has a test.",
			phrase_say("%{host} does not answer: %{why}", "host", said(server, "host"), "why", said(server, "error"), NULL));
	else if (json_is_object(server))
		add(v, AREA_KEYS, phrase("Installation's key server"), HEALTH_GOOD, "", phrase_say("%{host} answers", "host", said(server, "host"), NULL));
	if (away)
		add(v, AREA_KEYS, phrase("Tenants' key servers"), HEALTH_WARN, "They are their tenants' own; tell them, if they do not know yet. The page Key Server lists them.",
			phrase_count("%{n} does not answer", "%{n} do not answer", away));
}

/* One row for each that ends soon; else one for all. */
static void judge_certificates(struct verdicts *v)
{
	const json_t *all = json_object_get(v->facts, "certificates"), *one;
	int64_t least = 0;
	int soon = 0, count = 0;
	size_t i;

	json_array_foreach(all, i, one) {
		int64_t days = number(one, "days");

		least = count++ == 0 || days < least ? days : least;
		soon += days <= CERTIFICATE_SOON;
		if (days < 0)
			add(v, AREA_CERTIFICATES, phrase(text(one, "what")), HEALTH_BAD, text(one, "renew"), phrase_say("%{name} has ended", "name", said(one, "subject"), NULL));
		else if (days <= CERTIFICATE_SOON)
			add(v, AREA_CERTIFICATES, phrase(text(one, "what")), days <= CERTIFICATE_LATE ? HEALTH_BAD : HEALTH_WARN, text(one, "renew"), phrase_say("%{name}: %{days} left", "name",
				said(one, "subject"), "days", phrase_units(days, 'd'), NULL));
	}
	if (!soon && count)
		add(v, AREA_CERTIFICATES, phrase("Certificates"), HEALTH_GOOD, "", phrase_say("%{n}, the first ends in %{days}", "n", json_integer(count), "days", phrase_units(least, 'd'), NULL));
}

static void judge_mail(struct verdicts *v)
{
	const json_t *m = json_object_get(v->facts, "mail");
	int64_t waiting = number(m, "waiting"), failed = number(m, "failed");
	enum health_level level = failed || (waiting && !is_null(m, "last_error")) ? HEALTH_WARN : HEALTH_GOOD;
	clock_us oldest = 0, now = 0;

	if (!json_is_true(json_object_get(m, "set"))) {
		add(v, AREA_MAIL, phrase("Mail server"), HEALTH_WARN, "Set one on the page Mail: until then nobody is told anything by mail.", phrase("none is set"));
		return;
	}
	if (waiting && !is_null(m, "last_error") && clock_parse(text(m, "oldest"), &oldest) == 0 && clock_parse(text(v->facts, "now"), &now) == 0
		&& now - oldest > BEHIND_BAD * CLOCK_SECOND)
		level = HEALTH_BAD;
	set_given_up(add(v, AREA_MAIL, phrase("Mail"), level, "The page Mail says why mails do not go out, and has a test mail; those given up are among the jobs.",
		phrase_say("%{waiting} wait, %{failed} given up", "waiting", json_integer(waiting), "failed", json_integer(failed), NULL)), failed);
}

static void judge_backup(struct verdicts *v)
{
	const json_t *b = json_object_get(v->facts, "backup");
	clock_us last = 0, now = 0;
	int64_t age;

	if (is_null(b, "last") || clock_parse(text(b, "last"), &last) < 0 || clock_parse(text(v->facts, "now"), &now) < 0) {
		add(v, AREA_BACKUP, phrase("Last backup"), HEALTH_WARN, "Run keyward backup on the server daily; docs/operations.md says how.", phrase("never made"));
		return;
	}
	age = (now - last) / CLOCK_SECOND;
	if (json_is_true(json_object_get(b, "failed")))
		add(v, AREA_BACKUP, phrase("Last backup"), HEALTH_BAD, "The page Keys and Backups has its error; the one before is kept.", phrase_say("the newest has failed; a whole one is %{time} old", "time", phrase_span(age), NULL));
	else
		add(v, AREA_BACKUP, phrase("Last backup"), now - last > BACKUP_OLD ? HEALTH_WARN : HEALTH_GOOD, "Is the timer running? keyward backup on the server makes one now.", phrase_say("%{time} old", "time", phrase_span(age), NULL));
}

json_t *health_judge(const json_t *facts)
{
	struct verdicts v = { json_array(), facts };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		judge_kind(&v, &kinds[i]);
	judge_versions(&v);
	judge_queue(&v);
	judge_webhooks(&v);
	judge_database(&v);
	judge_machines(&v);
	judge_clock(&v);
	judge_keys(&v);
	judge_certificates(&v);
	judge_mail(&v);
	judge_backup(&v);
	return v.rows;
}

enum health_level health_worst(const json_t *rows, const char *area)
{
	enum health_level worst = HEALTH_GOOD;
	const json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
		if ((area == NULL || strcmp(text(row, "area"), area) == 0) && health_level_of(row) > worst)
			worst = health_level_of(row);
	return worst;
}
