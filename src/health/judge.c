/* judge.c - the thresholds, and the sentences that say what to do. */
#include "health/judge.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
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
#define BACKUP_OLD (2 * CLOCK_DAY)       /* it is made daily */

static const struct {
	const char *name, *label, *colour;
} levels[] = {
	[HEALTH_GOOD] = { "good", "Well", "green" },
	[HEALTH_WARN] = { "warn", "Look at it", "yellow" },
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

/* Before the first row of the same area that is less bad. */
__attribute__((format(printf, 6, 7)))
static void add(struct verdicts *v, enum area area, const char *name, enum health_level level, const char *advice, const char *value, ...)
{
	char said[512];
	va_list args;
	size_t at = 0;

	va_start(args, value);
	vsnprintf(said, sizeof said, value, args);
	va_end(args);
	while (at < json_array_size(v->rows)) {
		const json_t *other = json_array_get(v->rows, at);

		if (strcmp(text(other, "area"), areas[area][0]) == 0 && health_level_of(other) < level)
			break;
		at++;
	}
	json_array_insert_new(v->rows, at, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "area", areas[area][0], "area_label", areas[area][1], "name", name, "level",
		levels[level].name, "value", said, "advice", level == HEALTH_GOOD ? "" : advice));
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
		add(v, AREA_PROCESSES, k->name, HEALTH_BAD, k->none, "%s", dead ? "none answers" : "none was ever seen");
	/* Each machine needs its own key service; of workers and jobd others do the work. */
	else if (dead && is_service(k->kind))
		add(v, AREA_PROCESSES, k->name, HEALTH_BAD, k->none, "%d answer, %d not", alive, dead);
	else if (dead)
		add(v, AREA_PROCESSES, k->name, HEALTH_WARN, k->some, "%d run, %d silent", alive, dead);
	else
		add(v, AREA_PROCESSES, k->name, HEALTH_GOOD, "", "%d %s", alive, alive == 1 ? "runs" : "run");
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
		add(v, AREA_PROCESSES, "Versions", HEALTH_WARN, "An upgrade is under way, or was not finished: restart what still runs the older version.",
			"%s beside %s", first, other);
	else if (first)
		add(v, AREA_PROCESSES, "Versions", HEALTH_GOOD, "", "all run %s", first);
}

/* "4 minutes", roughly. */
static const char *span(int64_t seconds, char *out, size_t size)
{
	static const struct { int64_t s; const char *one, *many; } units[] = {
		{ 86400, "day", "days" }, { 3600, "hour", "hours" }, { 60, "minute", "minutes" }, { 1, "second", "seconds" } };
	size_t i = 0;

	while (i + 1 < ARRAY_LEN(units) && seconds < units[i].s)
		i++;
	snprintf(out, size, "%" PRId64 " %s", seconds / units[i].s, seconds / units[i].s == 1 ? units[i].one : units[i].many);
	return out;
}

static void judge_queue(struct verdicts *v)
{
	const json_t *q = json_object_get(v->facts, "queue");
	int64_t behind = number(q, "behind"), failed = number(q, "failed"), waiting = number(q, "waiting");
	char time[64];

	if (waiting)
		add(v, AREA_QUEUE, "Waiting jobs", behind >= BEHIND_BAD ? HEALTH_BAD : behind >= BEHIND_WARN ? HEALTH_WARN : HEALTH_GOOD,
			"Does keyward-jobd run? If it does, it has more to do than it can: start a second one, on any machine.",
			"%" PRId64 " wait, the oldest for %s", waiting, span(behind, time, sizeof time));
	else
		add(v, AREA_QUEUE, "Waiting jobs", HEALTH_GOOD, "", "none waits; %" PRId64 " run, %" PRId64 " are for later", number(q, "running"), number(q, "later"));
	if (failed)
		add(v, AREA_QUEUE, "Failed jobs", HEALTH_WARN, "Look at their errors on the page Jobs; mend the cause, then have them tried again, or remove them.",
			"%" PRId64 " were given up", failed);
	else
		add(v, AREA_QUEUE, "Failed jobs", HEALTH_GOOD, "", "none");
}

/* Database */

static void judge_connections(struct verdicts *v, const json_t *d)
{
	int64_t now = number(d, "connections"), most = number(d, "most"), share = most ? 100 * now / most : 0;

	add(v, AREA_DATABASE, "Connections", share >= CONNECTIONS_BAD ? HEALTH_BAD : share >= CONNECTIONS_WARN ? HEALTH_WARN : HEALTH_GOOD,
		"Raise max_connections of PostgreSQL, or lower web.threads or the number of web workers: who finds none free is turned away.",
		"%" PRId64 " of %" PRId64, now, most);
}

static void judge_line(struct verdicts *v, const json_t *d)
{
	const char *address = text(d, "address");
	int tls = json_is_true(json_object_get(d, "tls"));

	if (tls)
		add(v, AREA_DATABASE, "Line to it", HEALTH_GOOD, "", "%s, %s", text(d, "tls_version"), text(d, "cipher"));
	else if (*address == '\0')
		add(v, AREA_DATABASE, "Line to it", HEALTH_GOOD, "", "on this machine, by a socket");
	else if (strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0)
		add(v, AREA_DATABASE, "Line to it", HEALTH_GOOD, "", "on this machine, without TLS");
	else
		add(v, AREA_DATABASE, "Line to it", HEALTH_BAD, "Set sslmode=verify-full and sslrootcert in the connection strings, and ssl = on in PostgreSQL.",
			"to %s without TLS: readable on the way", address);
}

static void judge_database(struct verdicts *v)
{
	const json_t *d = json_object_get(v->facts, "database");
	int64_t longest = number(d, "uncommitted");
	char time[64];

	if (json_is_true(json_object_get(d, "standby")))
		add(v, AREA_DATABASE, "Server", HEALTH_BAD, "Nothing can be changed: point the connection strings at the primary (target_session_attrs=read-write).",
			"PostgreSQL %s, a standby", text(d, "version"));
	else
		add(v, AREA_DATABASE, "Server", HEALTH_GOOD, "", "PostgreSQL %s, schema %s", text(d, "version"), text(d, "schema"));
	judge_line(v, d);
	judge_connections(v, d);
	if (is_null(d, "uncommitted"))
		add(v, AREA_DATABASE, "Longest transaction", HEALTH_GOOD, "", "none, or not known");
	else
		add(v, AREA_DATABASE, "Longest transaction", longest >= UNCOMMITTED_WARN ? HEALTH_WARN : HEALTH_GOOD,
			"Something holds a transaction open, which keeps PostgreSQL from tidying up; pg_stat_activity on the server says what.", "%s",
			span(longest, time, sizeof time));
}

/* Disks and clocks: as the job processes see their machines. */

static void judge_disk(struct verdicts *v, const char *host, const char *what, const json_t *disk)
{
	int64_t total = number(disk, "total"), left = number(disk, "free"), share = total ? 100 * left / total : 0;
	enum health_level level = share < DISK_BAD && left < DISK_BAD_MOST ? HEALTH_BAD : share < DISK_WARN && left < DISK_WARN_MOST ? HEALTH_WARN : HEALTH_GOOD;
	char name[320];

	snprintf(name, sizeof name, "%s, %s", what, host);
	add(v, AREA_DISK, name, level, "Make room, or make the disk larger: when it is full, nothing can be changed and no key is given.",
		"%" PRId64 " %% free", share);
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
			add(v, AREA_CLOCK, last, HEALTH_WARN, "Have chrony or systemd-timesyncd keep the clock right on that machine.", "nobody keeps it right (no NTP)");
		else
			add(v, AREA_CLOCK, last, HEALTH_GOOD, "", json_is_true(json_object_get(detail, "clock")) ? "kept right by NTP" : "whether NTP keeps it right is not known");
	}
	if (!seen)
		add(v, AREA_DISK, "Disks", HEALTH_WARN, "They are looked at by keyward-jobd, which does not run.", "not known");
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
	add(v, AREA_CLOCK, "Against the database", most >= SKEW_BAD * CLOCK_SECOND ? HEALTH_BAD : most >= SKEW_WARN * CLOCK_SECOND ? HEALTH_WARN : HEALTH_GOOD,
		"The clocks of the two machines differ: second factors, sign-ins by SAML and timers need them to agree. Keep both right by NTP.",
		"at most %.3f s apart (%s)", (double)most / (double)CLOCK_SECOND, text(worst, "host"));
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
			add(v, AREA_KEYS, "Root key", HEALTH_BAD, strcmp(text(detail, "provider"), "file") == 0 ? "Its file is missing or cannot be read: keyward status on the server says more."
				: "Tell it its passphrase or PIN (keyward unseal on the server), or bring its token or server back.", "sealed on %s (%s)", text(p, "host"),
				text(detail, "provider"));
		else
			add(v, AREA_KEYS, "Root key", HEALTH_GOOD, "", "open on %s (%s)", text(p, "host"), text(detail, "provider"));
	}
	if (is_root_old(v))
		add(v, AREA_KEYS, "Age of the root key", HEALTH_WARN, "Replace it: keyward rotate root on the server. Nothing has to wait for that.", "older than it may be");
	if (json_is_object(server) && !is_null(server, "away_since"))
		add(v, AREA_KEYS, "Installation's key server", HEALTH_BAD, "Keys that are kept there cannot be given until it is back; the page Key server has a test.", "%s does not answer: %s",
			text(server, "host"), text(server, "error"));
	else if (json_is_object(server))
		add(v, AREA_KEYS, "Installation's key server", HEALTH_GOOD, "", "%s answers", text(server, "host"));
	if (away)
		add(v, AREA_KEYS, "Tenants' key servers", HEALTH_WARN, "They are their tenants' own; tell them, if they do not know yet. The page Key server lists them.",
			"%" PRId64 " do not answer", away);
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
			add(v, AREA_CERTIFICATES, text(one, "what"), HEALTH_BAD, text(one, "renew"), "%s has ended", text(one, "subject"));
		else if (days <= CERTIFICATE_SOON)
			add(v, AREA_CERTIFICATES, text(one, "what"), days <= CERTIFICATE_LATE ? HEALTH_BAD : HEALTH_WARN, text(one, "renew"), "%s: %" PRId64 " %s left", text(one, "subject"), days,
				days == 1 ? "day" : "days");
	}
	if (!soon && count)
		add(v, AREA_CERTIFICATES, "Certificates", HEALTH_GOOD, "", "%d, the first ends in %" PRId64 " days", count, least);
}

static void judge_mail(struct verdicts *v)
{
	const json_t *m = json_object_get(v->facts, "mail");
	int64_t waiting = number(m, "waiting"), failed = number(m, "failed");

	if (!json_is_true(json_object_get(m, "set"))) {
		add(v, AREA_MAIL, "Mail server", HEALTH_WARN, "Set one on the page Mail: until then nobody is told anything by mail.", "none is set");
		return;
	}
	add(v, AREA_MAIL, "Mail", failed || (waiting && !is_null(m, "last_error")) ? HEALTH_WARN : HEALTH_GOOD,
		"The page Mail says why mails do not go out, and has a test mail; those given up are among the jobs.", "%" PRId64 " wait, %" PRId64 " given up", waiting, failed);
}

static void judge_backup(struct verdicts *v)
{
	const json_t *b = json_object_get(v->facts, "backup");
	clock_us last = 0, now = 0;
	char time[64];

	if (is_null(b, "last") || clock_parse(text(b, "last"), &last) < 0 || clock_parse(text(v->facts, "now"), &now) < 0) {
		add(v, AREA_BACKUP, "Last backup", HEALTH_WARN, "Run keyward backup on the server daily; docs/operations.md says how.", "never made");
		return;
	}
	span((now - last) / CLOCK_SECOND, time, sizeof time);
	if (json_is_true(json_object_get(b, "failed")))
		add(v, AREA_BACKUP, "Last backup", HEALTH_BAD, "The page Keys and backups has its error; the one before is kept.", "the newest has failed; a whole one is %s old", time);
	else
		add(v, AREA_BACKUP, "Last backup", now - last > BACKUP_OLD ? HEALTH_WARN : HEALTH_GOOD, "Is the timer running? keyward backup on the server makes one now.", "%s old", time);
}

json_t *health_judge(const json_t *facts)
{
	struct verdicts v = { json_array(), facts };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		judge_kind(&v, &kinds[i]);
	judge_versions(&v);
	judge_queue(&v);
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
