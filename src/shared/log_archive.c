/* log_archive.c - months of the log that retention has put into the archive: listed, downloaded, deleted before their time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "shared/log_page.h"
#include "store/audit_archive.h"
#include "store/signing.h"
#include "web/doc.h"
#include "web/list.h"

#define FOLDER "/log/archive"

static const char *const sorts[] = { "month", "entries", "bytes", NULL }, *const filters[] = { "state", NULL }, *const states[] = { "kept", "removed", NULL };
static const struct list_chip chips[] = { { "kept", "Kept" }, { "removed", "Removed" }, { NULL, NULL } };
static const struct list_csv columns[] = { { "Month", "month" }, { "First", "first" }, { "Last", "last" }, { "Entries", "entries" }, { "Digest (SHA-256)", "digest" },
	{ "Made", "made" }, { "Status", "status" }, { "Until", "expires" }, { "Removed", "removed" }, { "Reason", "why" }, { NULL, NULL } };
static const struct list_view view = { .url = FOLDER, .filters = filters, .chip = "state", .chips = chips, .sorts = sorts, .columns = columns, .file =
	"archive.csv" };

const struct route_param log_archive_query[] = {
	LIST_PARAMS_CSV,
	{ "state", "Status", PARAM_ENUM, 0, 0, 0, states },
	PARAM_END
};
const struct route_param log_archive_typed[] = { { "typed", "Month", PARAM_TEXT, PARAM_REQUIRED, 0, 20, NULL }, PARAM_END };

void log_tabs(struct call *c, int archive)
{
	call_set(c, "tabs", json_pack("[{s:s, s:s, s:b}, {s:s, s:s, s:b}]", "title", call_translate(c, "At hand"), "url", "/log", "active", !archive,
		"title", call_translate(c, "Archive"), "url", FOLDER, "active", archive));
}

static enum permission erasing(const struct call *c)
{
	return c->site == WEB_CENTRAL ? PERMISSION_SYSTEM_LOG_DELETE : PERMISSION_LOGS_DELETE;
}

static json_t *state_of(const struct call *c, const json_t *row)
{
	if (json_is_null(json_object_get(row, "removed")))
		return doc_badge(c, "Kept", "green");
	return doc_badge(c, "Removed", "gray");
}

/* Who has removed it; null while it is there. */
static json_t *removal_of(const struct call *c, const json_t *row)
{
	const char *by = json_string_value(json_object_get(row, "removed_by"));

	if (json_is_null(json_object_get(row, "removed")))
		return json_null();
	return by ? json_sprintf("%s %s", call_translate(c, "Deleted by"), by) : json_string(call_translate(c, "Its time was over"));
}

static json_t *show(struct call *c, json_t *row)
{
	int there = json_is_null(json_object_get(row, "removed"));
	json_t *out = json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:b}", "id", doc_text(row, "id"), "month", doc_text(row, "month"),
		"digest", doc_text(row, "digest"), "size", doc_size(c, json_integer_value(json_object_get(row, "bytes"))), "status", state_of(c, row), "why",
		removal_of(c, row), "made", doc_when(c, row, "made"), "expires", doc_when(c, row, "expires"), "removed", doc_when(c, row, "removed"), "url",
		json_sprintf(FOLDER "/%s", doc_text(row, "id")), "can_download", there, "can_delete", there && call_may(c, erasing(c)));

	json_object_set(out, "entries", json_object_get(row, "entries"));
	json_object_set(out, "first", json_object_get(row, "first"));
	json_object_set(out, "last", json_object_get(row, "last"));
	return out;
}

static int fetch(struct call *c, const struct list_query *q, json_t **page)
{
	return audit_archive_list(c->db, q, page);
}

int log_archive_page(struct call *c)
{
	log_tabs(c, 1);
	return list_answer(c, &view, fetch, show);
}

static int name_of(struct call *c, const struct uuid *id, const char *end, char **name)
{
	json_t *row = NULL;
	int rc = audit_archive_get(c->db, id, &row);

	if (rc == 0)
		*name = mem_printf("log-%s%s", doc_text(row, "month"), end);
	json_decref(row);
	return rc;
}

int log_archive_file(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	struct buf file = BUF_INIT;
	char *name = NULL;
	int rc = audit_archive_read(c->db, &id, &file);

	if (rc == ERR_TAMPERED)
		rc = call_refuse(c, ERR_CONFLICT, "This file is not as it was signed: it was altered in the database, or a part of it is missing. It is not given out. Tell"
			" whoever runs this server: keyward audit verify says what is wrong.");
	if (rc == 0)
		rc = name_of(c, &id, ".csv.gz", &name);
	if (rc == 0)
		call_download(c, "application/gzip", name, &file);
	buf_free(&file);
	free(name);
	return rc;
}

static int record(struct call *c, int signature)
{
	struct uuid id = call_uuid(c, "id");
	struct buf parts[2] = { BUF_INIT, BUF_INIT };
	char *name = NULL;
	int rc = audit_archive_record(c->db, &id, &parts[0], &parts[1]);

	if (rc == 0)
		rc = name_of(c, &id, signature ? ".sig" : ".txt", &name);
	if (rc == 0)
		call_download(c, signature ? "application/octet-stream" : "text/plain; charset=utf-8", name, &parts[signature]);
	buf_free(&parts[0]);
	buf_free(&parts[1]);
	free(name);
	return rc;
}

int log_archive_record(struct call *c)
{
	return record(c, 0);
}

int log_archive_signature(struct call *c)
{
	return record(c, 1);
}

int log_key(struct call *c)
{
	return doc_signing_key(c, SIGNING_LOG, "log-key.pem");
}

/* Deleting */

int log_archive_delete_ask(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL;
	int rc = audit_archive_get(c->db, &id, &row);

	if (rc < 0)
		return rc;
	doc_confirm(c, &(struct doc_confirm){ .folder = FOLDER, .id = doc_text(row, "id"), .act = "delete", .title = "Delete the log of", .name =
		doc_text(row, "month"), .icon = "trash", .colour = "red", .danger = 1, .button = "Delete", .typed = doc_text(row, "month"), .text =
		call_translate(c, "Its entries are nowhere else. Their numbers and the seal over them stay, so that the rest of the log can still be proved "
		"whole; that you deleted it is logged.") });
	json_object_set_new(json_object_get(c->doc, "confirm"), "cancel", json_string(FOLDER));
	json_decref(row);
	return 0;
}

int log_archive_delete_run(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL;
	int rc = audit_archive_get(c->db, &id, &row);

	if (rc == 0 && strcmp(call_text(c, "typed"), doc_text(row, "month")) != 0)
		rc = call_field_error(c, "typed", "This is not the month.");
	json_decref(row);
	if (rc == 0)
		rc = audit_archive_delete(c->db, &id);
	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, "Its file is gone already.");
	if (rc < 0)
		return rc;
	call_notice(c, "success", "The archived month is deleted.");
	call_redirect(c, FOLDER);
	return 0;
}
