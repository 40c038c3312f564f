/* report_template.c - templates of reports (RPT-1): what they are about, when they are made, for whom; saved, made at once, or just looked at. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "render/template.h"
#include "report/preview.h"
#include "report/section.h"
#include "shared/letter.h"
#include "shared/recipients.h"
#include "shared/report.h"
#include "store/report.h"
#include "web/doc.h"
#include "web/list.h"
#include "web/param.h"
#include "web/sign.h"

struct choice {
	const char *value, *text, *hint;
};

static const struct choice periods[] = {
	{ "last-day", "Last 24 hours", NULL }, { "last-week", "Last 7 days", NULL }, { "last-month", "Last 30 days", NULL },
	{ "last-quarter", "Last 90 days", NULL }, { "last-year", "Last 12 months", NULL }, { "day", "Yesterday", NULL },
	{ "week", "Last week (Monday to Sunday)", NULL }, { "month", "Last month (calendar month)", NULL }, { "quarter", "Last quarter", NULL },
	{ "year", "Last year", NULL }, { "range", "From one day to another", NULL },
}, schedules[] = {
	{ "once", "Only when asked", NULL }, { "daily", "Daily", NULL }, { "weekly", "Weekly", NULL }, { "monthly", "Monthly", NULL },
};
static const char *const period_values[] = { "last-day", "last-week", "last-month", "last-quarter", "last-year", "day", "week", "month", "quarter",
	"year", "range", NULL };
static const char *const schedule_values[] = { "once", "daily", "weekly", "monthly", NULL };
static const char *const acts[] = { "save", "make", NULL };
static const struct report_thing thing = { "/reports/templates", report_template_get, report_template_delete, "Delete template", "No more reports are"
	" made of it. Those that are in the archive stay there until their time is over.", "The template is deleted." };

const struct route_param report_template_fields[] = {
	{ "name", "Name", PARAM_TEXT, PARAM_REQUIRED, 1, REPORT_NAME_MAX, NULL },
	{ "criteria", "What it shows", PARAM_TEXTS, 0, 0, REPORT_SECTIONS_MAX, NULL },
	{ "period", "Period", PARAM_ENUM, PARAM_REQUIRED, 0, 0, period_values },
	{ "since", "From", PARAM_TEXT, 0, 0, 10, NULL },
	{ "until", "Until", PARAM_TEXT, 0, 0, 10, NULL },
	{ "formats", "Formats", PARAM_TEXTS, 0, 0, REPORT_FORMS_MAX, NULL },
	{ "schedule", "Made", PARAM_ENUM, PARAM_REQUIRED, 0, 0, schedule_values },
	{ "weekday", "Day of the week", PARAM_ENUM, 0, 0, 0, schedule_weekdays },
	{ "monthday", "Day of the month", PARAM_INT, 0, 1, 31, NULL },
	{ "at", "Time", PARAM_TEXT, 0, 5, 5, NULL },
	{ "keep_days", "Keep for days", PARAM_INT, PARAM_REQUIRED, 1, 365, NULL },
	{ "mail", "Mail", PARAM_BOOL, 0, 0, 0, NULL },
	{ "recipients", "Recipients", PARAM_LINES, 0, 0, 4000, NULL },
	{ "act", "Act", PARAM_ENUM, 0, 0, 0, acts },
	PARAM_END
};
static const char *const filters[] = { "schedule", NULL }, *const sorts[] = { "name", "due", "changed", NULL };
static const struct list_csv columns[] = { { "ID", "id" }, { "Template", "name" }, { "Owner", "owner" }, { "Period", "period" }, { "Made", "schedule" },
	{ "Next run", "due" }, { "Last", "made" }, { NULL, NULL } };
static const struct list_view view = { .url = "/reports/templates", .filters = filters, .sorts = sorts, .columns = columns, .file = "templates.csv" };
const struct route_param report_templates_query[] = {
	LIST_PARAMS_CSV,
	{ "schedule", "Made", PARAM_ENUM, 0, 0, 0, schedule_values },
	PARAM_END
};

static const char *text_of(const struct choice *choices, size_t count, const char *value)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(choices[i].value, value) == 0)
			return choices[i].text;
	return value;
}

void report_tabs(struct call *c, int templates)
{
	call_set(c, "tabs", json_pack("[{s:s, s:s, s:b}, {s:s, s:s, s:b}]", "title", call_translate(c, "Archive"), "url", "/reports", "active",
		!templates, "title", call_translate(c, "Templates"), "url", "/reports/templates", "active", templates));
}

/* List */

static json_t *show_row(struct call *c, json_t *row)
{
	json_t *out = json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:s?, s:b, s:I}", "id", doc_text(row, "id"), "name", doc_text(row, "name"), "owner",
		doc_text(row, "owner_name"), "period", call_translate(c, text_of(periods, ARRAY_LEN(periods), doc_text(row, "period"))), "schedule",
		call_translate(c, text_of(schedules, ARRAY_LEN(schedules), doc_text(row, "schedule"))), "due", doc_when(c, row, "due"), "made",
		doc_when(c, row, "made"), "stopped", doc_optional(row, "stopped"), "keys", json_is_true(json_object_get(row, "has_keys")), "parts",
		(json_int_t)json_array_size(json_object_get(row, "criteria")));

	json_object_set_new(out, "url", json_sprintf("/reports/templates/%s", doc_text(row, "id")));
	json_object_set_new(out, "archive_url", json_sprintf("/reports?template=%s", doc_text(row, "id")));
	return out;
}

static int fetch(struct call *c, const struct list_query *query, json_t **page)
{
	struct list_query q = *query;
	char *hidden = report_hide(c, &q, ARRAY_LEN(filters) - 1);
	int rc = report_template_list(c->db, &q, page);

	free(hidden);
	return rc;
}

int report_templates_page(struct call *c)
{
	report_tabs(c, 1);
	return list_answer(c, &view, fetch, show_row);
}

/* Form */

static void offer(struct call *c, const char *name, const struct choice *choices, size_t count, const char *chosen)
{
	call_form(c, name, json_string(chosen));
	for (size_t i = 0; i < count; i++)
		call_form_option(c, name, choices[i].value, call_translate(c, choices[i].text), choices[i].hint ? call_translate(c, choices[i].hint) : NULL,
			strcmp(choices[i].value, chosen) == 0);
}

/* By groups: the first of each carries the group's name. */
static void offer_criteria(struct call *c, const json_t *chosen)
{
	const char *group = "";

	call_form(c, "criteria", json_null());
	for (const struct report_criterion *k = report_criteria(sign_side(c)); k->name; k++) {
		json_t *options;

		if (!report_may(c, k))
			continue;
		call_form_option(c, "criteria", k->name, call_translate(c, k->label), call_translate(c, k->text), json_has_string(chosen, k->name));
		options = json_object_get(call_form_field(c, "criteria"), "options");
		if (strcmp(group, k->group) != 0)
			json_set_string(json_array_get(options, json_array_size(options) - 1), "group", call_translate(c, k->group));
		group = k->group;
	}
}

static void offer_formats(struct call *c, const json_t *chosen)
{
	call_form(c, "formats", json_null());
	for (const struct report_form *f = report_forms; f->name; f++)
		call_form_option(c, "formats", f->name, call_translate(c, f->label), call_translate(c, f->hint), json_has_string(chosen, f->name));
}

static void show_form(struct call *c, const json_t *row)
{
	call_form(c, "name", json_string(doc_text(row, "name")));
	offer_criteria(c, json_object_get(row, "criteria"));
	offer(c, "period", periods, ARRAY_LEN(periods), doc_text(row, "period"));
	call_form(c, "since", json_string(doc_text(row, "since")));
	call_form(c, "until", json_string(doc_text(row, "until")));
	offer_formats(c, json_object_get(row, "formats"));
	offer(c, "schedule", schedules, ARRAY_LEN(schedules), doc_text(row, "schedule"));
	schedule_offer_weekdays(c, "weekday", json_integer_value(json_object_get(row, "weekday")));
	call_form(c, "monthday", json_integer(json_integer_value(json_object_get(row, "monthday"))));
	call_form(c, "at", json_string(doc_text(row, "at")));
	call_form(c, "keep_days", json_integer(json_integer_value(json_object_get(row, "keep_days"))));
	call_form(c, "mail", json_boolean(json_is_true(json_object_get(row, "mail"))));
	call_form(c, "recipients", json_string(doc_text(row, "recipients")));
}

/* To begin with: the first that the role may see. */
static const char *first_criterion(const struct call *c)
{
	const struct report_criterion *k = report_criteria(sign_side(c));

	while (k[1].name && !report_may(c, k))
		k++;
	return k->name;
}

int report_template_new_page(struct call *c)
{
	json_t *row = json_pack("{s:s, s:[s], s:s, s:[s], s:s, s:i, s:i, s:s, s:i, s:s}", "name", "", "criteria", first_criterion(c), "period",
		"last-month", "formats", "pdf", "schedule", "once", "weekday", 1, "monthday", 1, "at", "06:00", "keep_days", 30, "recipients",
		c->user_email ? c->user_email : "");

	show_form(c, row);
	json_decref(row);
	call_set(c, "template", json_pack("{s:s, s:s}", "url", "/reports/templates/new", "title", call_translate(c, "New report template")));
	return letter_say(c);
}

int report_template_page(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL;
	int rc = report_fetch(c, &thing, &id, &row);

	if (rc < 0)
		return rc;
	show_form(c, row);
	call_set(c, "template", show_row(c, row));
	json_set_string(json_object_get(c->doc, "template"), "title", doc_text(row, "name"));
	json_decref(row);
	return letter_say(c);
}

/* What was typed */

static json_t *texts(const struct call *c, const char *name)
{
	json_t *out = json_array();

	for (size_t i = 0; i < call_count(c, name); i++)
		if (*call_text_at(c, name, i) && !json_has_string(out, call_text_at(c, name, i)))
			json_array_append_new(out, json_string(call_text_at(c, name, i)));
	return out;
}

static int check_criteria(struct call *c, struct report_template *t)
{
	const json_t *value;
	size_t i;

	json_array_foreach(t->criteria, i, value) {
		const struct report_criterion *k = report_criterion_find(sign_side(c), json_string_value(value));

		if (!report_may(c, k))
			return call_field_error(c, "criteria", sign_side(c) == STORE_OPERATOR ? "One of them is not there to choose." :
				"One of them is not there to choose. Key information is for Security Administrators.");
		t->has_keys |= report_criterion_is_keys(k);
	}
	return i ? 0 : call_field_error(c, "criteria", "Choose at least one.");
}

static int check_formats(struct call *c, const struct report_template *t)
{
	const json_t *value;
	size_t i;

	json_array_foreach(t->formats, i, value)
		if (report_form_find(json_string_value(value)) == NULL)
			return call_field_error(c, "formats", "One of them is not there to choose.");
	return i ? 0 : call_field_error(c, "formats", "Choose at least one.");
}

static int is_day(const char *text)
{
	char whole[32];
	clock_us at;

	snprintf(whole, sizeof whole, "%sT00:00:00Z", text);
	return strlen(text) == 10 && clock_parse(whole, &at) == 0;
}

static int check_range(struct call *c, struct report_template *t)
{
	const char *since = call_text(c, "since"), *until = call_text(c, "until");
	int rc = 0;

	if (strcmp(t->period, "range") != 0)
		return 0;
	if (!is_day(since))
		rc = call_field_error(c, "since", "A day, such as 2026-11-21.");
	if (!is_day(until))
		rc = call_field_error(c, "until", "A day, such as 2026-11-21.");
	else if (rc == 0 && strcmp(until, since) < 0)
		rc = call_field_error(c, "until", "It lies before the first day.");
	t->since = since;
	t->until = until;
	return rc;
}

static int check_recipients(struct call *c, const struct report_template *t, const json_t *recipients)
{
	if (recipients == NULL)
		return ERR_INVALID;
	return t->mail && json_array_size(recipients) == 0 ? call_field_error(c, "recipients",
		"To whom? Give at least one address, or switch the mail off.") : 0;
}

/* T borrows from C; its criteria, formats and recipients are the caller's to release. */
static int read_form(struct call *c, struct report_template *t)
{
	json_t *recipients = recipients_read(c);
	int rc[5];

	*t = (struct report_template){ .name = call_text(c, "name"), .criteria = texts(c, "criteria"), .formats = texts(c, "formats"),
		.period = call_text(c, "period"), .schedule = call_text(c, "schedule"), .weekday = call_has(c, "weekday") ? call_text(c, "weekday")[0] - '0' : 1,
		.monthday = call_int(c, "monthday", 1), .at = call_has(c, "at") ? call_text(c, "at") : "06:00", .keep_days = call_int(c, "keep_days", 30),
		.mail = call_bool(c, "mail"), .recipients = recipients_text(recipients) };
	rc[0] = check_criteria(c, t);
	rc[1] = check_formats(c, t);
	rc[2] = check_range(c, t);
	rc[3] = check_recipients(c, t, recipients);
	json_decref(recipients);
	rc[4] = clock_is_time_of_day(t->at) ? 0 : call_field_error(c, "at", "Hours and minutes, such as 06:00 or 23:45.");
	for (int i = 0; i < 5; i++)
		if (rc[i] < 0)
			return rc[i];
	return 0;
}

static void release(struct report_template *t)
{
	json_decref((json_t *)(uintptr_t)t->criteria);
	json_decref((json_t *)(uintptr_t)t->formats);
	free((char *)(uintptr_t)t->recipients);
}

/* Saving */

#define NO_ROOM "The account's reports take all that they may: delete some, have them kept for fewer days, or ask the provider for more."

int report_make_now(struct call *c, const struct uuid *template)
{
	struct uuid report;
	char text[UUID_TEXT_SIZE];
	int rc = report_make(c->db, template, 0, &report);

	if (rc == ERR_TOO_MANY)
		return call_refuse(c, ERR_CONFLICT, "Many reports wait to be made already. Try again when some of them are done.");
	if (rc == ERR_INVALID)
		return call_refuse(c, ERR_CONFLICT, NO_ROOM);
	if (rc < 0)
		return rc;
	uuid_text(&report, text);
	call_set(c, "report", json_string(text));
	call_redirect(c, "/reports/%s", text);
	return 0;
}

static int save(struct call *c, const struct uuid *id)
{
	struct report_template t;
	struct uuid saved;
	int rc = read_form(c, &t);

	if (rc == 0)
		rc = report_template_save(c->db, id, &t, &saved);
	release(&t);
	if (rc == ERR_CONFLICT && strcmp(db_constraint(c->db), "report_template_name") == 0)
		return call_field_error(c, "name", "There is a template of this name.");
	if (rc < 0)
		return rc;
	if (strcmp(call_text(c, "act"), "make") == 0)
		return report_make_now(c, &saved);
	call_notice(c, "success", "The template is saved.");
	call_redirect(c, "/reports/templates");
	return 0;
}

int report_template_new(struct call *c)
{
	return save(c, NULL);
}

int report_template_save_run(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL;
	int rc = report_fetch(c, &thing, &id, &row);

	json_decref(row);
	return rc < 0 ? rc : save(c, &id);
}

int report_template_make(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL;
	int rc = report_fetch(c, &thing, &id, &row);

	json_decref(row);
	return rc < 0 ? rc : report_make_now(c, &id);
}

int report_template_delete_ask(struct call *c)
{
	return report_remove_ask(c, &thing);
}

int report_template_delete_run(struct call *c)
{
	return report_remove(c, &thing);
}

/* Preview: the same sections, to the first rows, in this request. */

static int show_sections(struct call *c, const struct report_template *t, const struct report_period *period)
{
	struct report_part part = { &report_preview, NULL };
	const json_t *value;
	int64_t rows = 0;
	size_t i;
	int rc = report_preview.begin(NULL, NULL, &part.writer);

	json_array_foreach(t->criteria, i, value) {
		struct report_source source = { c->db, sign_side(c), report_criterion_find(sign_side(c), json_string_value(value)), period,
			REPORT_PREVIEW_ROWS + 1, call_words(c) };

		if (rc == 0)
			rc = report_section_write(&source, &part, 1, &rows);
	}
	if (rc == 0)
		call_set(c, "sections", report_preview_take(part.writer));
	report_preview.discard(part.writer);
	return rc;
}

int report_template_preview(struct call *c)
{
	struct report_template t;
	struct report_period period = { .zone = c->zone };
	int rc = read_form(c, &t);

	if (rc == 0)
		rc = report_period_now(c->db, &t, &period.since, &period.until);
	if (rc == 0)
		rc = show_sections(c, &t, &period);
	if (rc == 0)
		call_set(c, "preview", json_pack("{s:s, s:o, s:o, s:s}", "name", t.name, "since", call_when(c, period.since), "until",
			call_when(c, period.until), "zone", c->time_zone));
	release(&t);
	return rc;
}
