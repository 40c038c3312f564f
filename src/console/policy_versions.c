/* policy_versions.c - the versions of a policy (POL-6): who changed it when and why, what differs between two, and going back. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "console/pages.h"
#include "console/policy_edit.h"
#include "web/doc.h"
#include "web/list.h"

static const char *const sorts[] = { "version", NULL };
static const struct list_csv columns[] = { { "Version", "version" }, { "Saved", "at" }, { "By", "by" }, { "Reason", "why" }, { NULL, NULL } };
static const struct list_view view = { .of = "policy", .sorts = sorts, .columns = columns, .file = "versions.csv" };

const struct route_param policy_versions_query[] = {
	LIST_PARAMS_CSV,
	{ "from", "Earlier version", PARAM_INT, 0, 1, INT32_MAX, NULL },
	{ "to", "Later version", PARAM_INT, 0, 1, INT32_MAX, NULL },
	PARAM_END
};
const struct route_param policy_version_path[] = {
	{ "version", "Version", PARAM_INT, PARAM_REQUIRED, 1, INT32_MAX, NULL },
	PARAM_END
};
const struct route_param policy_restore_fields[] = {
	{ "version", "Version", PARAM_INT, PARAM_REQUIRED, 1, INT32_MAX, NULL },
	{ "comment", "Reason", PARAM_LINES, 0, 0, POLICY_WHY_MAX, NULL },
	{ "seen", "Version seen", PARAM_INT, 0, 0, 0, NULL },
	PARAM_END
};

static json_t *version_row(struct call *c, json_t *row)
{
	const char *by = doc_text(row, "changed_by");

	return json_pack("{s:O, s:s, s:s, s:o}", "version", json_object_get(row, "version"), "by", *by ? by : call_translate(c, "System"),
		"why", doc_text(row, "why"), "at", doc_when(c, row, "at"));
}

/* What differs between the two versions that were asked for; without any, between the last two. */
static int set_comparison(struct call *c, const struct uuid *id, int64_t newest)
{
	int64_t from = call_int(c, "from", newest > 1 ? newest - 1 : newest), to = call_int(c, "to", newest);
	json_t *before, *after = NULL, *out;
	int rc = policy_version_get(c->db, id, from, &before);

	if (rc < 0)
		return rc;
	rc = policy_version_get(c->db, id, to, &after);
	if (rc == 0) {
		json_t *changes = policy_changes(c, json_object_get(before, "document"), json_object_get(after, "document"));

		out = json_pack("{s:I, s:I, s:b, s:b, s:o, s:o}", "from", (json_int_t)from, "to", (json_int_t)to, "has_changes",
			json_array_size(changes) > 0, "is_same", from == to, "before", version_row(c, before), "after", version_row(c, after));
		json_object_set_new(out, "changes", changes);
		call_set(c, "compare", out);
	}
	json_decref(before);
	json_decref(after);
	return rc;
}

static void mark_rows(struct call *c, const char *url, int64_t newest)
{
	json_t *rows = json_object_get(json_object_get(c->doc, "list"), "rows"), *row, *compare = json_object_get(c->doc, "compare");
	size_t i;

	json_array_foreach(rows, i, row) {
		json_int_t version = json_integer_value(json_object_get(row, "version"));

		json_set_bool(row, "is_newest", version == newest);
		json_set_bool(row, "is_from", version == json_integer_value(json_object_get(compare, "from")));
		json_set_bool(row, "is_to", version == json_integer_value(json_object_get(compare, "to")));
		json_object_set_new(row, "url", json_sprintf("%s/versions/%lld", url, (long long)version));
	}
}

static int fetch(struct call *c, const struct list_query *q, json_t **page)
{
	return policy_versions(c->db, q, page);
}

int policy_versions_page(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row;
	char *url;
	int64_t newest;
	int rc = policy_get(c->db, &id, &row);

	if (rc < 0)
		return rc;
	newest = json_integer_value(json_object_get(row, "version"));
	url = mem_printf("/policies/%s", doc_text(row, "id"));
	rc = list_answer(c, &view, fetch, version_row);
	if (rc == 0) {
		rc = set_comparison(c, &id, newest);
		mark_rows(c, url, newest);
	}
	call_set(c, "policy", json_pack("{s:s, s:s, s:I}", "name", doc_policy(c, doc_text(row, "name")), "url", url, "version", (json_int_t)newest));
	call_set(c, "can", json_pack("{s:b}", "edit", call_may(c, PERMISSION_POLICIES_EDIT)));
	if (rc == 0)
		rc = doc_history(c, doc_text(row, "id"), doc_text(row, "name"));
	free(url);
	json_decref(row);
	return rc;
}

/* One version and the policy as it is now; both the caller's. */
static int load(struct call *c, const struct uuid *id, json_t **version, json_t **now)
{
	int rc = policy_get(c->db, id, now);

	if (rc < 0)
		return rc;
	rc = policy_version_get(c->db, id, call_int(c, "version", 0), version);
	if (rc < 0)
		json_decref(*now);
	return rc;
}

int policy_version_page(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *version, *now, *nothing = json_object(), *shown;
	int rc = load(c, &id, &version, &now);

	if (rc == 0) {
		shown = version_row(c, version);
		json_object_set_new(shown, "is_newest", json_boolean(json_equal(json_object_get(version, "version"),
			json_object_get(now, "version"))));
		json_object_set_new(shown, "title", json_sprintf("%s %lld", call_translate(c, "Version"), (long long)call_int(c, "version", 0)));
		call_set(c, "version", shown);
		call_set(c, "words", policy_changes(c, nothing, json_object_get(version, "document")));
		call_set(c, "document", json_incref(json_object_get(version, "document")));
		call_set(c, "policy", json_pack("{s:s, s:o}", "name", doc_policy(c, doc_text(now, "name")), "url", json_sprintf("/policies/%s",
			doc_text(now, "id"))));
		call_set(c, "can", json_pack("{s:b}", "edit", call_may(c, PERMISSION_POLICIES_EDIT)));
		json_decref(version);
		json_decref(now);
	}
	json_decref(nothing);
	return rc;
}

static json_t *change_points(const struct call *c, const json_t *now, const json_t *then)
{
	json_t *changes = policy_changes(c, now, then), *change, *points = json_array();
	size_t i;

	json_array_foreach(changes, i, change) {
		const char *old = json_string_value(json_object_get(change, "old")), *new = json_string_value(json_object_get(change, "new"));

		json_array_append_new(points, json_sprintf("%s: %s → %s", doc_text(change, "label"), old ? old : "–",
			new ? new : "–"));
	}
	if (json_array_size(points) == 0)
		json_array_append_new(points, json_string(call_translate(c, "Nothing differs from the present version.")));
	json_decref(changes);
	return points;
}

int policy_restore_ask(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *version, *now;
	char name[64], act[64];
	int rc = load(c, &id, &version, &now);

	if (rc < 0)
		return rc;
	snprintf(name, sizeof name, "%lld", (long long)call_int(c, "version", 0));
	snprintf(act, sizeof act, "versions/%s/restore", name);
	doc_confirm(c, &(struct doc_confirm){ .folder = "/policies", .id = doc_text(now, "id"), .act = act, .title = "Restore version",
		.name = name, .icon = "history", .colour = "blue", .comment = 1, .button = "Restore", .text = call_translate(c,
			"The policy becomes what it was then, as a new version. Images and devices stay as they are now. What changes:"),
		.points = change_points(c, json_object_get(now, "document"), json_object_get(version, "document")) });
	json_object_set_new(json_object_get(c->doc, "confirm"), "fields", json_pack("[{s:s, s:o}]", "name", "seen", "value",
		json_sprintf("%lld", (long long)json_integer_value(json_object_get(now, "version")))));
	json_object_set_new(json_object_get(c->doc, "confirm"), "cancel", json_sprintf("/policies/%s/versions", doc_text(now, "id")));
	json_decref(version);
	json_decref(now);
	return 0;
}

/* What was sound then may not be now: an approver may have left. */
static int refuse(struct call *c, const json_t *faults)
{
	char *text = policy_fault_text(c, doc_text(json_array_get(faults, 0), "text"));
	int rc = call_refuse(c, err_set(ERR_INVALID, "the version has faults today"), text);

	free(text);
	return rc;
}

int policy_restore_run(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *version, *now, *faults = json_array(), *document = NULL;
	char *why;
	int rc = load(c, &id, &version, &now);

	if (rc == 0) {
		why = mem_printf("%s%s%s %lld", call_text(c, "comment"), *call_text(c, "comment") ? " – " : "", "Restored version",
			(long long)call_int(c, "version", 0));
		rc = policy_check_document(c, &id, json_object_get(version, "document"), faults, &document);
		if (rc == 0 && json_array_size(faults))
			rc = refuse(c, faults);
		if (rc == 0)
			rc = policy_change(c->db, &id, document, why, call_int(c, "seen", 0));
		if (rc == ERR_CONFLICT)
			call_refuse(c, rc, "Somebody else has changed the policy meanwhile. Look at what would change now.");
		free(why);
		json_decref(version);
		json_decref(now);
	}
	json_decref(faults);
	json_decref(document);
	return rc < 0 ? rc : doc_done(c, "/policies", &id, "The version is restored.");
}
