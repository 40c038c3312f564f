/* report_archive.c - the archive of reports (RPT-4): what is made, how far it is, its files one by one or several in a zip, deletion. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "report/report.h"
#include "shared/report.h"
#include "store/audit.h"
#include "store/report.h"
#include "store/report_data.h"
#include "store/report_storage.h"
#include "web/doc.h"
#include "web/list.h"
#include "web/sign.h"

#define LIVE_S 2
#define CHOSEN_MAX 50
#define ZIP_BYTES_MAX (INT64_C(300) << 20)

static const char *const states[] = { "open", "done", "failed", NULL };
static const char *const filters[] = { "state", "template", NULL }, *const sorts[] = { "name", "created", "bytes", NULL };
static const struct list_chip chips[] = { { "open", "Under way" }, { "done", "Ready" }, { "failed", "Failed" }, { NULL, NULL } };
static const struct list_csv columns[] = { { "ID", "id" }, { "Report", "name" }, { "Owner", "owner" }, { "Status", "status" }, { "From", "since" }, { "Until", "until" },
	{ "Made", "created" }, { "Size", "size" }, { NULL, NULL } };
static const struct list_view view = { .url = "/reports", .filters = filters, .chip = "state", .chips = chips, .sorts = sorts, .columns = columns, .file =
	"reports.csv" };
static const struct report_thing thing = { "/reports", report_get, report_delete, "Delete report", "Its files are gone then. Its template stays; what"
	" the report shows can be made again as long as the log has it.", "The report is deleted." };

const struct route_param reports_query[] = {
	LIST_PARAMS_CSV,
	{ "state", "Status", PARAM_ENUM, 0, 0, 0, states },
	{ "template", "Template", PARAM_UUID, 0, 0, 0, NULL },
	PARAM_END
};
const struct route_param report_file_query[] = {
	{ "format", "Format", PARAM_ENUM, PARAM_REQUIRED, 0, 0, report_form_names },
	PARAM_END
};
static const char *const acts[] = { "download", "delete", NULL };
const struct route_param reports_many_fields[] = {
	{ "report", "Reports", PARAM_UUIDS, 0, 0, CHOSEN_MAX, NULL },
	{ "act", "Act", PARAM_ENUM, PARAM_REQUIRED, 0, 0, acts },
	PARAM_END
};

const struct route_param reports_chosen_fields[] = {
	{ "report", "Reports", PARAM_UUIDS, 0, 0, CHOSEN_MAX, NULL },
	PARAM_END
};

static json_t *badge(const struct call *c, const char *state)
{
	static const struct { const char *name, *label, *colour; } looks[] = {
		{ "waiting", "Waiting", "gray" }, { "running", "Under way", "blue" }, { "done", "Ready", "green" }, { "failed", "Failed", "red" },
	};

	for (size_t i = 0; i < ARRAY_LEN(looks); i++)
		if (strcmp(looks[i].name, state) == 0)
			return doc_badge(c, looks[i].label, looks[i].colour);
	return doc_badge(c, state, "gray");
}

static json_t *files_of(const json_t *row)
{
	json_t *out = json_array(), *format;
	size_t i;

	json_array_foreach(json_object_get(row, "formats"), i, format) {
		const struct report_form *f = report_form_find(json_string_value(format));

		if (f)
			json_array_append_new(out, json_pack("{s:s, s:o}", "label", f->brief, "url", json_sprintf("/reports/%s/file?format=%s",
				doc_text(row, "id"), f->name)));
	}
	return out;
}

static json_t *show(struct call *c, json_t *row)
{
	const char *state = doc_text(row, "state");
	int done = strcmp(state, "done") == 0, failed = strcmp(state, "failed") == 0;
	json_int_t steps = json_integer_value(json_object_get(row, "steps")), step = json_integer_value(json_object_get(row, "step"));
	json_t *out = json_pack("{s:s, s:s, s:o, s:b, s:b, s:s, s:b, s:b, s:o, s:o, s:o, s:o, s:o}", "id", doc_text(row, "id"), "name",
		doc_text(row, "name"), "status", badge(c, state), "done", done, "live", !done && !failed, "owner", doc_text(row, "owner_name"), "keys",
		json_is_true(json_object_get(row, "has_keys")), "scheduled", json_is_true(json_object_get(row, "scheduled")), "since",
		doc_when(c, row, "since"), "until", doc_when(c, row, "until"), "created", doc_when(c, row, "created"), "finished",
		doc_when(c, row, "finished"), "expires", doc_when(c, row, "expires"));

	json_object_set_new(out, "url", json_sprintf("/reports/%s", doc_text(row, "id")));
	json_object_set_new(out, "percent", json_integer(steps ? step * 100 / steps : 0));
	json_object_set_new(out, "files", done ? files_of(row) : json_array());
	json_object_set_new(out, "size", done ? doc_size(c, json_integer_value(json_object_get(row, "bytes"))) : json_null());
	json_object_set(out, "rows", json_object_get(row, "rows"));
	json_object_set_new(out, "error", doc_reason(c, doc_text(row, "error")));
	return out;
}

static int fetch(struct call *c, const struct list_query *query, json_t **page)
{
	struct list_query q = *query;
	char *hidden = report_hide(c, &q, ARRAY_LEN(filters) - 1);
	int rc = report_list(c->db, &q, page);

	free(hidden);
	return rc;
}

static int show_storage(struct call *c)
{
	struct report_storage s;
	int rc = report_storage(c->db, &s), percent;

	if (rc < 0)
		return rc;
	percent = report_storage_percent(&s);
	call_set(c, "storage", s.most ? json_pack("{s:o, s:o, s:i, s:b, s:b}", "used", doc_size(c, s.used), "most", doc_size(c, s.most), "percent", percent,
		"warn", percent >= REPORT_STORAGE_WARN && percent < 100, "full", percent >= 100) : json_null());
	return 0;
}

int reports_page(struct call *c)
{
	int rc = show_storage(c);

	report_tabs(c, 0);
	return rc < 0 ? rc : list_answer(c, &view, fetch, show);
}

/* What reports and templates share */

int report_fetch(struct call *c, const struct report_thing *t, const struct uuid *id, json_t **row)
{
	const json_t *name;
	size_t i;
	int rc = t->get(c->db, id, row);

	if (rc < 0)
		return rc;
	json_array_foreach(json_object_get(*row, "criteria"), i, name) {
		const struct report_criterion *k = report_criterion_find(sign_side(c), json_string_value(name));

		if (k && !report_may(c, k))
			rc = ERR_NOT_FOUND;
	}
	if (rc == 0)
		return 0;
	json_decref(*row);
	*row = NULL;
	return rc;
}

int report_may(const struct call *c, const struct report_criterion *k)
{
	return k && (k->needs == NULL || role_may_named(c->role, k->needs));
}

/* Who may see all is shown also what only a former version knew. */
char *report_hide(const struct call *c, struct list_query *q, size_t filter)
{
	struct buf names = BUF_INIT;
	int all = 1;

	for (const struct report_criterion *k = report_criteria(sign_side(c)); k->name; k++) {
		if (report_may(c, k))
			buf_printf(&names, "%s%s", names.len ? "," : "{", k->name);
		else
			all = 0;
	}
	buf_puts(&names, names.len ? "}" : "{}");
	if (!all) {
		q->filters[filter].name = "criteria";
		q->filters[filter].value = buf_str(&names);
	}
	return buf_take(&names);
}

int report_remove_ask(struct call *c, const struct report_thing *t)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL;
	int rc = report_fetch(c, t, &id, &row);

	if (rc < 0)
		return rc;
	doc_confirm(c, &(struct doc_confirm){ .folder = t->folder, .id = doc_text(row, "id"), .act = "delete", .title = "Delete", .name =
		doc_text(row, "name"), .icon = "trash", .colour = "red", .danger = 1, .button = t->button, .text = call_translate(c, t->text) });
	json_decref(row);
	return 0;
}

static int remove_one(struct call *c, const struct report_thing *t, const struct uuid *id)
{
	json_t *row = NULL;
	int rc = report_fetch(c, t, id, &row);

	json_decref(row);
	return rc < 0 ? rc : t->remove(c->db, id);
}

int report_remove(struct call *c, const struct report_thing *t)
{
	struct uuid id = call_uuid(c, "id");
	int rc = remove_one(c, t, &id);

	if (rc < 0)
		return rc;
	call_notice(c, "success", t->gone);
	call_redirect(c, "%s", t->folder);
	return 0;
}

static json_t *parts_of(const struct call *c, const json_t *row)
{
	json_t *out = json_array(), *name;
	size_t i;

	json_array_foreach(json_object_get(row, "criteria"), i, name) {
		const struct report_criterion *k = report_criterion_find(sign_side(c), json_string_value(name));

		json_array_append_new(out, json_pack("{s:s, s:s}", "name", k ? call_translate(c, k->label) : json_string_value(name), "text",
			k ? call_translate(c, k->text) : ""));
	}
	return out;
}

int report_page(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL, *report;
	int rc = report_fetch(c, &thing, &id, &row);

	if (rc < 0)
		return rc;
	report = show(c, row);
	json_object_set_new(report, "parts", parts_of(c, row));
	json_object_set_new(report, "template", *doc_text(row, "template") ? json_sprintf("/reports/templates/%s", doc_text(row, "template")) : json_null());
	call_set(c, "report", report);
	call_set(c, "live", json_is_true(json_object_get(report, "live")) ? json_pack("{s:o, s:i}", "url", json_sprintf("/reports/%s?fragment=1",
		doc_text(row, "id")), "seconds", LIVE_S) : json_null());
	json_decref(row);
	return 0;
}

/* "Weekly keys 2026-11-27.pdf" */
static char *file_name(const json_t *row, const char *suffix)
{
	return mem_printf("%s %.10s.%s", doc_text(row, "name"), doc_text(row, "created"), suffix);
}

static int log_download(struct call *c, const struct uuid *id, const json_t *row, const char *format)
{
	return audit_log(c->db, AUDIT_REPORT_DOWNLOADED, &(struct audit_object){ "report", id, doc_text(row, "name") }, json_pack("{s:s}", "format",
		format));
}

/* Half a file looks like a whole one: it is not given out. */
static int read_file(struct call *c, const struct uuid *id, const struct report_form *form, struct buf *file)
{
	int rc = report_read(c->db, id, form->name, file);

	return rc != ERR_TRUNCATED ? rc : call_refuse(c, ERR_CONFLICT, "A part of this report's files is missing in the database. Generate the report again.");
}

int report_file(struct call *c)
{
	const struct report_form *form = report_form_find(call_text(c, "format"));
	struct uuid id = call_uuid(c, "id");
	struct buf file = BUF_INIT;
	json_t *row = NULL;
	char *name;
	int rc = report_fetch(c, &thing, &id, &row);

	if (rc == 0)
		rc = read_file(c, &id, form, &file);
	if (rc == 0)
		rc = log_download(c, &id, row, form->name);
	if (rc == 0) {
		name = file_name(row, form->suffix);
		call_download(c, form->mime, name, &file);
		free(name);
	}
	buf_free(&file);
	json_decref(row);
	return rc;
}

/* Several */

static int put_file(zip_t *zip, const char *name, const struct buf *file)
{
	char *copy = mem_dup(file->data, file->len);
	zip_source_t *source = zip_source_buffer(zip, copy, file->len, 1);
	zip_int64_t at = source ? zip_file_add(zip, name, source, ZIP_FL_ENC_UTF_8) : -1;

	if (at < 0) {
		zip_source_free(source);
		return err_set(ERR_INTERNAL, "the zip cannot be made");
	}
	/* They are compressed already. */
	zip_set_file_compression(zip, (zip_uint64_t)at, ZIP_CM_STORE, 0);
	return 0;
}

/* A file's name in the zip: two reports of one name and day have a number. Whatever a report is called, it is unpacked into no other folder. */
static char *zip_name(zip_t *zip, const json_t *row, const char *suffix)
{
	char *called = mem_strdup(doc_text(row, "name")), *name;

	for (char *p = called; *p; p++)
		if (strchr("/\\:*?\"<>|", *p))
			*p = '-';
	name = mem_printf("%s %.10s.%s", called, doc_text(row, "created"), suffix);
	for (int n = 2; zip_name_locate(zip, name, 0) >= 0; n++) {
		free(name);
		name = mem_printf("%s %.10s (%d).%s", called, doc_text(row, "created"), n, suffix);
	}
	free(called);
	return name;
}

static int add_file(struct call *c, zip_t *zip, const struct uuid *id, const json_t *row, const struct report_form *form, int64_t *bytes)
{
	char *name = zip_name(zip, row, form->suffix);
	struct buf file = BUF_INIT;
	int rc = read_file(c, id, form, &file);

	*bytes += (int64_t)file.len;
	if (rc == 0 && *bytes > ZIP_BYTES_MAX)
		rc = call_refuse(c, ERR_CONFLICT, "Together they are too large for one download. Choose fewer.");
	if (rc == 0)
		rc = put_file(zip, name, &file);
	if (rc == 0)
		rc = log_download(c, id, row, form->name);
	buf_free(&file);
	free(name);
	/* It was not made in this format. */
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

static int add_report(struct call *c, zip_t *zip, const struct uuid *id, int64_t *bytes)
{
	json_t *row = NULL;
	int rc = report_fetch(c, &thing, id, &row), done = rc == 0 && strcmp(doc_text(row, "state"), "done") == 0;

	if (rc == ERR_NOT_FOUND)
		rc = call_refuse(c, rc, "One of them is not there any more: go back, reload the list and choose again.");
	for (const struct report_form *f = report_forms; rc == 0 && done && f->name; f++)
		rc = add_file(c, zip, id, row, f, bytes);
	json_decref(row);
	return rc;
}

static int read_zip(zip_source_t *source, struct buf *out)
{
	zip_stat_t stat;

	if (zip_source_stat(source, &stat) < 0 || zip_source_open(source) < 0)
		return err_set(ERR_INTERNAL, "the zip cannot be read");
	zip_source_read(source, buf_extend(out, stat.size), stat.size);
	zip_source_close(source);
	return 0;
}

static int download_many(struct call *c)
{
	zip_source_t *source = zip_source_buffer_create(NULL, 0, 0, NULL);
	zip_t *zip = source ? zip_open_from_source(source, ZIP_CREATE | ZIP_TRUNCATE, NULL) : NULL;
	struct buf out = BUF_INIT;
	int64_t bytes = 0;
	int rc = zip ? 0 : err_set(ERR_INTERNAL, "the zip cannot be begun");

	zip_source_keep(source);
	for (size_t i = 0; rc == 0 && i < call_count(c, "report"); i++) {
		struct uuid id = call_uuid_at(c, "report", i);

		rc = add_report(c, zip, &id, &bytes);
	}
	if (rc == 0 && bytes == 0)
		rc = call_refuse(c, ERR_CONFLICT, "None of them is ready.");
	if (rc == 0)
		rc = zip_close(zip) == 0 ? read_zip(source, &out) : err_set(ERR_INTERNAL, "the zip cannot be made");
	else if (zip)
		zip_discard(zip);
	zip_source_free(source);
	if (rc == 0)
		call_download(c, "application/zip", "reports.zip", &out);
	buf_free(&out);
	return rc;
}

/* What somebody else has deleted meanwhile, or its time, is as one wanted it. */
static int delete_many(struct call *c)
{
	int rc = 0;
	size_t gone = 0;

	for (size_t i = 0; rc == 0 && i < call_count(c, "report"); i++) {
		struct uuid id = call_uuid_at(c, "report", i);

		rc = remove_one(c, &thing, &id);
		gone += rc == ERR_NOT_FOUND;
		rc = rc == ERR_NOT_FOUND ? 0 : rc;
	}
	if (rc < 0 || gone == call_count(c, "report"))
		return rc < 0 ? rc : ERR_NOT_FOUND;
	call_notice(c, "success", "The reports are deleted.");
	call_redirect(c, "/reports");
	return 0;
}

#define NONE "Tick the reports first."

/* Their names, and the ids that are sent along. */
static int list_chosen(struct call *c, json_t *names, json_t *fields)
{
	for (size_t i = 0; i < call_count(c, "report"); i++) {
		struct uuid id = call_uuid_at(c, "report", i);
		char text[UUID_TEXT_SIZE];
		json_t *row;
		int rc = report_fetch(c, &thing, &id, &row);

		if (rc == ERR_NOT_FOUND)
			continue;
		if (rc < 0)
			return rc;
		uuid_text(&id, text);
		json_array_append(names, json_object_get(row, "name"));
		json_array_append_new(fields, json_pack("{s:s, s:s}", "name", "report", "value", text));
		json_decref(row);
	}
	return json_array_size(names) ? 0 : ERR_NOT_FOUND;
}

int reports_delete_ask(struct call *c)
{
	json_t *names = json_array(), *fields = json_array(), *confirm;
	int rc = call_count(c, "report") ? list_chosen(c, names, fields) : call_refuse(c, ERR_INVALID, NONE);

	if (rc < 0) {
		json_decref(names);
		json_decref(fields);
		return rc;
	}
	doc_confirm(c, &(struct doc_confirm){ .folder = "/reports", .id = "", .act = "delete", .title = "Delete", .name = "", .icon = "trash", .colour = "red",
		.danger = 1, .button = "Delete reports", .text = call_translate(c, thing.text), .points = names });
	confirm = json_object_get(c->doc, "confirm");
	json_object_set_new(confirm, "title", call_counted(c, (int64_t)json_array_size(fields), "%{n} report: delete it?", "%{n} reports: delete them?"));
	json_object_set_new(confirm, "fields", fields);
	json_set_string(confirm, "action", "/reports/delete");
	json_set_string(confirm, "cancel", "/reports");
	return 0;
}

int reports_delete_run(struct call *c)
{
	return call_count(c, "report") ? delete_many(c) : call_refuse(c, ERR_CONFLICT, NONE);
}

/* A program has been asked by who wrote it. */
int reports_many(struct call *c)
{
	if (call_count(c, "report") == 0)
		return call_refuse(c, ERR_CONFLICT, NONE);
	if (strcmp(call_text(c, "act"), "download") == 0)
		return download_many(c);
	return c->api ? delete_many(c) : reports_delete_ask(c);
}

int report_delete_ask(struct call *c)
{
	return report_remove_ask(c, &thing);
}

int report_delete_run(struct call *c)
{
	return report_remove(c, &thing);
}
