/* policies.c - policies (POL-1): the list, one of them in words, and deleting it (POL-3). */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "console/pages.h"
#include "console/policy_edit.h"
#include "policy/document.h"
#include "store/device.h"
#include "store/image.h"
#include "web/doc.h"
#include "web/list.h"

#define MEMBERS_SHOWN 25         /* the rest is a link away */

static const char *const filters[] = { "image", NULL };
static const char *const sorts[] = { "name", "images", "devices", "rules", "changed", NULL };
static const struct list_view view = { .url = "/policies", .filters = filters, .sorts = sorts, .export = "/policies.csv" };

const struct route_param policies_query[] = {
	LIST_PARAMS,
	{ "image", "Image", PARAM_UUID, 0, 0, 0, NULL },
	PARAM_END
};

/* The list */

json_t *policy_action_badge(const struct call *c, const char *name)
{
	static const char *const colours[POLICY_ACTION_COUNT] = { [POLICY_ACTION_APPROVE] = "green", [POLICY_ACTION_MANUAL] = "yellow",
		[POLICY_ACTION_MANUAL_TIMEOUT] = "yellow", [POLICY_ACTION_DENY] = "red" };
	enum policy_action action;

	if (policy_action_parse(name, &action) < 0)
		return doc_badge(c, name, "gray");
	return doc_badge(c, policy_action_label(action), colours[action]);
}

/* Without rules a policy is Manual Approve whatever its actions say (POL-4). */
static json_t *action_badge(const struct call *c, const char *name, int has_rules)
{
	return policy_action_badge(c, has_rules ? name : policy_action_name(POLICY_ACTION_MANUAL));
}

static json_t *check_badge(const struct call *c, const json_t *row)
{
	enum check_failure failure;

	if (!json_is_true(json_object_get(row, "check_scheduled")))
		return json_null();
	if (check_failure_parse(doc_text(row, "on_failure"), &failure) < 0)
		failure = CHECK_NOTIFY;
	return doc_badge(c, failure == CHECK_NOTIFY ? "On: notify" : failure == CHECK_REVOKE ? "On: revoke" : "On: revoke later",
		failure == CHECK_NOTIFY ? "blue" : "orange");
}

/* What a policy lacks to decide about any key; null: nothing. */
static json_t *idle_member(const json_t *row, const char *images, const char *devices)
{
	int no_images = json_integer_value(json_object_get(row, images)) == 0, no_devices = json_integer_value(json_object_get(row, devices)) == 0;

	if (json_is_true(json_object_get(row, "is_default")) || !(no_images || no_devices))
		return json_null();
	return json_pack("{s:b, s:b}", "images", no_images, "devices", no_devices);
}

json_t *policy_link(const struct call *c, const json_t *row)
{
	return doc_link("/policies", doc_text(row, "policy"), doc_policy(c, doc_text(row, "policy_name")));
}

static json_t *show_row(struct call *c, json_t *row)
{
	int has_rules = json_integer_value(json_object_get(row, "rules")) > 0;
	json_t *out = json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "id", doc_text(row, "id"), "name", doc_policy(c, doc_text(row, "name")), "description",
		doc_policy(c, doc_text(row, "description")), "matched", action_badge(c, doc_text(row, "on_match"), has_rules), "unmatched",
		action_badge(c, doc_text(row, "on_mismatch"), has_rules), "checks", check_badge(c, row), "changed", doc_when(c, row, "changed"));
	static const char *const same[] = { "is_default", "rules", "images", "devices", "version", "changed_by" };

	json_object_set_new(out, "idle", idle_member(row, "images", "devices"));
	json_object_set_new(out, "url", json_sprintf("/policies/%s", doc_text(row, "id")));
	for (size_t i = 0; i < ARRAY_LEN(same); i++)
		json_object_set(out, same[i], json_object_get(row, same[i]));
	return out;
}

/* What the user has begun and not finished. */
static int set_drafts(struct call *c)
{
	json_t *drafts = NULL, *draft, *out = json_array();
	size_t i;
	int rc = call_may(c, PERMISSION_POLICIES_EDIT) ? policy_draft_list(c->db, &drafts) : 0;

	json_array_foreach(drafts, i, draft) {
		json_t *shown = json_pack("{s:s, s:o}", "name", *doc_text(draft, "name") ? doc_policy(c, doc_text(draft, "name")) :
			call_translate(c, "Without a name yet"), "changed", doc_when(c, draft, "changed"));

		json_object_set_new(shown, "url", json_sprintf("/policies/drafts/%s", doc_text(draft, "id")));
		json_array_append_new(out, shown);
	}
	call_set(c, "has_drafts", json_boolean(json_array_size(out)));
	call_set(c, "drafts", out);
	json_decref(drafts);
	return rc;
}

static json_t *can_member(const struct call *c, int is_default)
{
	int edit = call_may(c, PERMISSION_POLICIES_EDIT);

	return json_pack("{s:b, s:b}", "edit", edit, "delete", edit && !is_default);
}

int policies_page(struct call *c)
{
	struct list_query q;
	json_t *page;
	int rc = set_drafts(c);

	list_read(c, &view, &q);
	if (rc == 0)
		rc = policy_list(c->db, &q, &page);
	if (rc < 0)
		return rc;
	call_set(c, "can", can_member(c, 0));
	return list_show(c, &view, page, show_row);
}

static int fetch(struct call *c, const struct list_query *q, json_t **page)
{
	return policy_list(c->db, q, page);
}

int policies_csv(struct call *c)
{
	static const struct list_csv columns[] = { { "Policy", "name" }, { "Description", "description" }, { "Default", "is_default" },
		{ "If all rules match", "matched" }, { "If a rule does not match", "unmatched" }, { "Scheduled check", "checks" },
		{ "Rules", "rules" }, { "Images", "images" }, { "Devices", "devices" }, { "Version", "version" }, { "Changed", "changed" },
		{ "Changed by", "changed_by" }, { NULL, NULL } };

	return list_export(c, &view, fetch, show_row, columns, "policies.csv");
}

/* One policy, in words */

static void set_policy(struct call *c, const json_t *row)
{
	json_t *said = policy_sentence(json_object_get(row, "document"));
	int has_rules = json_array_size(json_object_get(row, "rules")) > 0;
	json_t *out = json_pack("{s:s, s:s, s:s, s:o, s:o, s:s, s:O, s:O, s:O, s:b}", "id", doc_text(row, "id"), "name", doc_policy(c, doc_text(row, "name")),
		"description", doc_policy(c, doc_text(row, "description")), "mode", action_badge(c, doc_text(row, "on_match"), has_rules), "changed",
		doc_when(c, row, "changed"), "changed_by", doc_text(row, "changed_by"), "version", json_object_get(row, "version"),
		"device_count", json_object_get(row, "device_count"), "image_count", json_object_get(row, "image_count"), "has_rules", has_rules);

	json_object_set_new(out, "url", json_sprintf("/policies/%s", doc_text(row, "id")));
	json_object_set(out, "is_default", json_object_get(row, "is_default"));
	call_set(c, "idle", idle_member(row, "image_count", "device_count"));
	call_set(c, "sentence", call_phrase(c, said));
	json_decref(said);
	call_set(c, "policy", out);
	call_set(c, "document", json_incref(json_object_get(row, "document")));
	call_set(c, "can", can_member(c, json_is_true(json_object_get(row, "is_default"))));
}

/* What the policy says of everything but its rules: what differs from a policy that says nothing. */
static void set_words(struct call *c, const json_t *row)
{
	static const char *const parts[] = { "action/", "approvals/", "check/", "pooling" };
	json_t *nothing = json_object(), *all = policy_changes(c, nothing, json_object_get(row, "document")), *one, *out = json_array();
	size_t i;

	json_array_foreach(all, i, one)
		for (size_t p = 0; p < ARRAY_LEN(parts); p++)
			if (strncmp(doc_text(one, "at"), parts[p], strlen(parts[p])) == 0 && json_is_string(json_object_get(one, "new")))
				json_array_append_new(out, json_pack("{s:s, s:s, s:b}", "label", doc_text(one, "label"), "value",
					doc_text(one, "new"), "wide", strcmp(doc_text(one, "at"), "approvals/of") == 0));
	call_set(c, "words", out);
	json_decref(all);
	json_decref(nothing);
}

static void set_rules(struct call *c, const json_t *row)
{
	json_t *rules = json_array(), *rule;
	size_t i;

	json_array_foreach(json_object_get(row, "rules"), i, rule) {
		json_t *name = rule_label(rule), *words = rule_words(rule);

		json_array_append_new(rules, json_pack("{s:i, s:o, s:o}", "number", (int)i + 1, "name", call_phrase(c, name), "condition",
			call_phrase(c, words)));
		json_decref(name);
		json_decref(words);
	}
	call_set(c, "has_rules", json_boolean(json_array_size(rules)));
	call_set(c, "rules", rules);
}

static json_t *image_row(struct call *c, const json_t *image)
{
	json_t *shown = doc_link("/images", doc_text(image, "id"), doc_text(image, *doc_text(image, "name") ? "name" : "provider_image"));

	(void)c;
	json_set_string(shown, "provider", doc_text(image, "provider"));
	json_object_set(shown, "provider_name", json_object_get(image, "provider_name"));
	return shown;
}

static json_t *device_row(struct call *c, const json_t *device)
{
	json_t *shown = doc_link("/devices", doc_text(device, "id"), doc_text(device, "name"));

	json_object_set_new(shown, "status", device_badge(c, doc_text(device, "status")));
	return shown;
}

/* The first members, as `images` or `devices`, and where the rest is. */
static int set_members(struct call *c, const char *policy, const char *name, int (*list)(struct db *, const struct list_query *,
	json_t **), json_t *(*show)(struct call *, const json_t *))
{
	struct list_query q = { .limit = MEMBERS_SHOWN, .filters = { { "policy", policy } } };
	json_t *page, *out = json_array(), *row;
	char member[20];
	int rc = list(c->db, &q, &page);
	size_t i;

	if (rc == 0) {
		json_array_foreach(json_object_get(page, "rows"), i, row)
			json_array_append_new(out, show(c, row));
		snprintf(member, sizeof member, "more_%s", name);
		call_set(c, member, json_is_string(json_object_get(page, "next")) ? json_sprintf("/%s?policy=%s", name, policy) : json_null());
		json_decref(page);
	}
	snprintf(member, sizeof member, "has_%s", name);
	call_set(c, member, json_boolean(json_array_size(out)));
	call_set(c, name, out);
	return rc;
}

int policy_page(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL;
	int rc = policy_get(c->db, &id, &row);

	if (rc < 0)
		return rc;
	set_policy(c, row);
	set_words(c, row);
	set_rules(c, row);
	rc = set_members(c, doc_text(row, "id"), "images", image_list, image_row);
	if (rc == 0)
		rc = set_members(c, doc_text(row, "id"), "devices", device_list, device_row);
	json_decref(row);
	return rc;
}

/* Deleting */

const struct route_param policy_delete_fields[] = {
	{ "reassign", "Policy for its devices", PARAM_UUID, 0, 0, 0, NULL },
	PARAM_END
};

/* A select of the other policies; the default is chosen. */
static int offer_others(struct call *c, const char *id)
{
	json_t *names, *row;
	size_t i;
	int rc = policy_names(c->db, &names);

	if (rc < 0)
		return rc;
	call_form(c, "reassign", json_string(""));
	json_array_foreach(names, i, row)
		if (strcmp(doc_text(row, "id"), id) != 0)
			call_form_option(c, "reassign", doc_text(row, "id"), doc_policy(c, doc_text(row, "name")), NULL,
				json_is_true(json_object_get(row, "is_default")));
	json_decref(names);
	return 0;
}

static json_t *delete_points(const struct call *c, const json_t *row)
{
	json_t *points = json_array();

	json_array_append_new(points, json_sprintf("%s: %d", call_translate(c, "Devices that get another policy"),
		(int)json_integer_value(json_object_get(row, "device_count"))));
	json_array_append_new(points, json_sprintf("%s: %d", call_translate(c, "Images that leave it; those in no other policy go to the"
		" default policy"), (int)json_integer_value(json_object_get(row, "image_count"))));
	json_array_append_new(points, json_string(call_translate(c, "Its versions are deleted with it; the log keeps what they said.")));
	json_array_append_new(points, json_string(call_translate(c, "Keys that were released stay with their machines.")));
	return points;
}

int policy_delete_ask(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row, *confirm;
	int rc = policy_get(c->db, &id, &row), devices;

	if (rc < 0)
		return rc;
	if (json_is_true(json_object_get(row, "is_default"))) {
		json_decref(row);
		return call_refuse(c, err_set(ERR_CONFLICT, "the default policy stays"), "The default policy cannot be deleted: new images and"
			" devices need a place.");
	}
	devices = json_integer_value(json_object_get(row, "device_count")) > 0;
	doc_confirm(c, &(struct doc_confirm){ .folder = "/policies", .id = doc_text(row, "id"), .act = "delete", .title = "Delete policy",
		.name = doc_text(row, "name"), .icon = "trash", .colour = "red", .danger = 1, .button = "Delete policy",
		.text = call_translate(c, "This cannot be undone."), .points = delete_points(c, row) });
	if (devices)
		rc = offer_others(c, doc_text(row, "id"));
	confirm = json_object_get(c->doc, "confirm");
	json_object_set_new(confirm, "choice", devices ? json_pack("{s:s, s:s, s:O}", "name", "reassign", "label",
		call_translate(c, "Policy for its devices"), "f", call_form_field(c, "reassign")) : json_null());
	json_decref(row);
	return rc;
}

int policy_delete_run(struct call *c)
{
	struct uuid id = call_uuid(c, "id"), other = call_uuid(c, "reassign");
	int rc = policy_delete(c->db, &id, uuid_is_nil(&other) ? NULL : &other);

	if (rc == ERR_CONFLICT && uuid_is_nil(&other))
		return call_refuse(c, rc, "It has devices (or is the default policy). Choose the policy that they go to.");
	if (rc == ERR_CONFLICT || rc == ERR_INVALID)
		return call_field_error(c, "reassign", "Choose another policy of the list.");
	if (rc < 0)
		return rc;
	call_notice(c, "success", "The policy is deleted.");
	call_redirect(c, "/policies");
	return 0;
}
