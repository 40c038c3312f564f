/* data_export.c - an account's data for its own administrators: asked for, made by jobd, downloaded; and when the account ends (TEN-7). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "console/pages.h"
#include "store/closing.h"
#include "web/doc.h"

static json_t *show_row(struct call *c, const json_t *row)
{
	const char *state = doc_text(row, "state");
	int done = strcmp(state, "done") == 0, failed = strcmp(state, "failed") == 0;
	json_t *out = json_pack("{s:s, s:o, s:s, s:o, s:o, s:o, s:O, s:b, s:b}", "id", doc_text(row, "id"), "requested", doc_when(c, row, "requested"),
		"by", doc_text(row, "requested_by"), "state", doc_badge(c, done ? "Ready" : failed ? "Failed" : "Being made", done ? "green" : failed ? "red" :
		"blue"), "error", doc_reason(c, doc_text(row, "error")), "size", doc_size(c, json_integer_value(json_object_get(row, "bytes"))), "rows",
		json_object_get(row, "rows"), "ready", done, "running", !done && !failed);

	json_object_set_new(out, "url", json_sprintf("/account/data/%s", doc_text(row, "id")));
	json_object_set_new(out, "finished", doc_when(c, row, "finished"));
	return out;
}

int data_export_page(struct call *c)
{
	json_t *rows = NULL, *list;
	const json_t *row;
	clock_us at = 0;
	size_t i;
	int rc = closing_export_all(c->db, &rows), running = 0;

	if (rc == 0)
		rc = closing_when(c->db, &at);
	if (rc < 0) {
		json_decref(rows);
		return rc;
	}
	list = json_array();
	json_array_foreach(rows, i, row) {
		json_array_append_new(list, show_row(c, row));
		running |= strcmp(doc_text(row, "state"), "running") == 0;
	}
	json_decref(rows);
	call_set(c, "has_exports", json_boolean(json_array_size(list)));
	call_set(c, "exports", list);
	call_set(c, "running", json_boolean(running));
	call_set(c, "closes", call_when(c, at));
	return 0;
}

int data_export_ask(struct call *c)
{
	int rc = closing_export_ask(c->db);

	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, "An export is being made already.");
	if (rc < 0)
		return rc;
	call_notice(c, "info", "The export is being made. It stays here for seven days.");
	call_redirect(c, "/account/data");
	return 0;
}

int data_export_download(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	int64_t part = c->request->resume ? strtoll(c->request->resume, NULL, 10) : 0;
	struct buf zip = BUF_INIT;
	char next[24];
	int rc = closing_export_part(c->db, &id, part, &zip);

	snprintf(next, sizeof next, "%lld", (long long)part + 1);
	if (rc == ERR_CONFLICT)
		call_refuse(c, rc, "This export is not ready.");
	if (rc >= 0)
		call_download_part(c, "application/zip", "keyward-account.zip", &zip, rc ? next : NULL);
	buf_free(&zip);
	return rc < 0 ? rc : 0;
}
