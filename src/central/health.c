/* health.c - the page Health (ADM-2): how each part of the installation does, and what to do about it. All judging is health/judge.h's. */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "central/pages.h"
#include "health/judge.h"
#include "health/look.h"
#include "store/health.h"
#include "web/diagram.h"
#include "web/doc.h"

#define HOURS 24
#define LIVE_SECONDS 10

static const struct diagram_part parts[] = {
	{ "running", "Running", 2 }, { "waiting", "Waiting", 1 }, { "failed", "Given up", 3 }, { NULL, NULL, 0 },
};

static const struct {
	const char *area, *icon, *url;
} places[] = {
	{ "processes", "cpu", NULL }, { "queue", "stack-2", "/jobs" }, { "database", "database", "/database" }, { "disk", "server-2", NULL }, { "clock", "clock", NULL },
	{ "keys", "key", "/keys" }, { "certificates", "shield-check", "/certificates" }, { "mail", "mail", "/mail" }, { "backup", "shield-check", "/keys" },
};

static json_t *level_badge(const struct call *c, enum health_level l)
{
	return doc_badge(c, health_level_label(l), health_level_colour(l));
}

json_t *health_row_shown(const struct call *c, const json_t *row)
{
	enum health_level l = health_level_of(row);

	return json_pack("{s:s, s:s, s:o, s:s, s:o, s:s?, s:o, s:s, s:s, s:b}", "area", call_translate(c, doc_text(row, "area_label")), "area_name", doc_text(row, "area"), "name",
		call_phrase(c, json_object_get(row, "name")), "level", health_level_name(l), "value", call_phrase(c, json_object_get(row, "value")), "advice", doc_optional(row, "advice") ?
		call_translate(c, doc_text(row, "advice")) : NULL, "status", level_badge(c, l), "colour", health_level_colour(l), "icon", l == HEALTH_BAD ? "alert-circle" :
		"alert-triangle", "in_steps", 0);
}

/* The first row of an area is its worst. */
static const json_t *first_of(const json_t *rows, const char *area)
{
	const json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
		if (strcmp(doc_text(row, "area"), area) == 0)
			return row;
	return NULL;
}

json_t *health_areas_shown(const struct call *c, const json_t *rows)
{
	json_t *list = json_array();

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		const json_t *row = first_of(rows, places[i].area);
		enum health_level l = row ? health_level_of(row) : HEALTH_GOOD;

		if (row)
			json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:o, s:s?, s:o, s:b}", "area", places[i].area, "name", call_translate(c, doc_text(row, "area_label")),
				"icon", places[i].icon, "colour", health_level_colour(l), "value", call_phrase(c, json_object_get(row, "value")), "url", places[i].url, "status", level_badge(c, l), "told",
				l != HEALTH_GOOD));
	}
	return list;
}

static void set_rows(struct call *c, const json_t *rows)
{
	json_t *all = json_array(), *troubles = json_array(), *row;
	enum health_level worst = health_worst(rows, NULL);
	size_t i;

	json_array_foreach(rows, i, row)
		json_array_append_new(all, health_row_shown(c, row));
	for (enum health_level l = HEALTH_BAD; l > HEALTH_GOOD; l--)
		json_array_foreach(rows, i, row)
			if (health_level_of(row) == l)
				json_array_append_new(troubles, health_row_shown(c, row));
	call_set(c, "health", json_pack("{s:s, s:s, s:s}", "level", health_level_name(worst), "name", call_translate(c, worst == HEALTH_GOOD ? "All well" :
		"Needs attention"), "colour", health_level_colour(worst)));
	call_set(c, "areas", health_areas_shown(c, rows));
	call_set(c, "checks", all);
	call_set(c, "has_troubles", json_boolean(json_array_size(troubles)));
	call_set(c, "troubles", troubles);
}

/* Processes */

static json_t *process_of(const struct call *c, const json_t *p)
{
	static const char *const names[][2] = { { "web", "Web worker" }, { "jobd", "Job process" }, { "keyd", "Key service" }, { "ssod", "Sign-on service" } };
	enum health_level l = health_of_process(p);
	const char *kind = doc_text(p, "kind"), *label = kind;
	int sealed = json_is_true(json_object_get(json_object_get(p, "detail"), "sealed")), silent = json_integer_value(json_object_get(p, "age")) > HEALTH_SILENT_S,
		away = !json_is_null(json_object_get(p, "away"));

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(kind, names[i][0]) == 0)
			label = names[i][1];
	return json_pack("{s:s, s:s, s:s, s:O, s:s, s:s, s:o, s:o, s:o, s:o}", "kind", kind, "name", call_translate(c, label), "host", doc_text(p, "host"), "pid",
		json_object_get(p, "pid"), "version", doc_text(p, "version"), "level", health_level_name(l), "status", doc_badge(c, l == HEALTH_GOOD ? "Running" :
		away ? "Does not answer" : silent ? "Silent" : sealed ? "Sealed" : "Running", health_level_colour(l)), "started", doc_when(c, p, "started"), "seen",
		doc_when(c, p, "seen"), "error", doc_reason(c, doc_text(p, "error")));
}

static void set_processes(struct call *c, const json_t *facts)
{
	json_t *list = json_array(), *p;
	size_t i;

	json_array_foreach(json_object_get(facts, "processes"), i, p)
		json_array_append_new(list, process_of(c, p));
	call_set(c, "processes", list);
}

/* Disks */

static void add_disk(struct call *c, json_t *list, const char *host, const char *what, const json_t *disk)
{
	int64_t total = json_integer_value(json_object_get(disk, "total")), left = json_integer_value(json_object_get(disk, "free"));
	int64_t used = total > left ? total - left : 0, percent = total ? 100 * used / total : 0;

	if (disk == NULL)
		return;
	json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:I, s:o, s:o, s:o, s:I, s:I, s:s}", "name", call_translate(c, what), "host", host, "folder", doc_text(disk, "folder"),
		"percent", (json_int_t)percent, "used", doc_size(c, used), "free", doc_size(c, left), "total", doc_size(c, total), "free_bytes", (json_int_t)left, "total_bytes",
		(json_int_t)total, "colour", percent >= 95 ? "red" : percent >= 80 ? "yellow" : "green"));
}

static void set_disks(struct call *c, const json_t *facts)
{
	json_t *list = json_array(), *p;
	const char *last = "";
	size_t i;

	json_array_foreach(json_object_get(facts, "processes"), i, p) {
		const json_t *disks = json_object_get(json_object_get(p, "detail"), "disks");

		if (disks == NULL || strcmp(last, doc_text(p, "host")) == 0)
			continue;
		last = doc_text(p, "host");
		add_disk(c, list, last, "State folder", json_object_get(disks, "state"));
		add_disk(c, list, last, "Database", json_object_get(disks, "database"));
	}
	call_set(c, "has_disks", json_boolean(json_array_size(list)));
	call_set(c, "disks", list);
}

static int set_queue(struct call *c, const json_t *facts)
{
	const json_t *q = json_object_get(facts, "queue");
	json_t *hours = NULL;
	int rc = health_history(c->db, HOURS, &hours);

	if (rc < 0)
		return rc;
	call_set(c, "chart", diagram_hours(c, "Jobs in the queue", hours, parts));
	call_set(c, "queue", json_pack("{s:O, s:O, s:O, s:O, s:o}", "waiting", json_object_get(q, "waiting"), "later", json_object_get(q, "later"), "running",
		json_object_get(q, "running"), "failed", json_object_get(q, "failed"), "oldest", doc_when(c, q, "oldest")));
	json_decref(hours);
	return 0;
}

static void set_database(struct call *c, const json_t *facts)
{
	const json_t *d = json_object_get(facts, "database");

	call_set(c, "database", json_pack("{s:s, s:o, s:o, s:O, s:O, s:O, s:s, s:b}", "version", doc_text(d, "version"), "size", doc_size(c, json_integer_value(
		json_object_get(d, "size"))), "started", doc_when(c, d, "started"), "connections", json_object_get(d, "connections"), "most", json_object_get(d, "most"), "tls",
		json_object_get(d, "tls"), "schema", doc_text(d, "schema"), "standby", json_is_true(json_object_get(d, "standby"))));
}

int health_page(struct call *c)
{
	json_t *facts = NULL, *rows;
	int rc = health_look(c->db, &facts);

	if (rc < 0)
		return rc;
	rows = health_judge(facts);
	set_rows(c, rows);
	set_processes(c, facts);
	set_disks(c, facts);
	set_database(c, facts);
	rc = set_queue(c, facts);
	call_set(c, "live", json_pack("{s:s, s:i}", "url", "/health", "seconds", LIVE_SECONDS));
	json_decref(rows);
	json_decref(facts);
	return rc;
}
