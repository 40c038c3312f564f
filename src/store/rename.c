/* rename.c - a new name or description, and its log entry. */
#include "store/rename.h"

#include "base/json.h"

int rename_row(struct db *db, const struct rename *what, const struct uuid *id, const char *name, const char *description)
{
	struct db_result *r;
	json_t *before, *after, *detail;
	int rc = db_query_row(db, &r, what->select, DB_ARGS(db_uuid_arg(id)));

	if (rc < 0)
		return rc;
	name = name ? name : db_text(r, 0, 0);
	description = description ? description : db_text(r, 0, 1);
	before = db_row_json(r, 0);
	after = json_pack("{s:s,s:s}", "name", name, "description", description);
	detail = audit_changes(before, after);
	if (detail)
		rc = db_queue(db, what->update, DB_ARGS(db_uuid_arg(id), db_text_arg(name), db_text_arg(description)));
	if (detail && rc == 0)
		rc = audit_log(db, what->event, &(struct audit_object) { what->kind, id, *name ? name : db_text(r, 0, 2) },
			json_incref(detail));
	json_decref(detail);
	json_decref(before);
	json_decref(after);
	db_result_free(r);
	return rc;
}
