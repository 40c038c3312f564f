/* policies.c - policies (POL-1): the list, and one of them with its rules, images and devices. */
#include <stdlib.h>

#include "base/err.h"
#include "base/json.h"
#include "console/pages.h"
#include "policy/evaluate.h"
#include "store/device.h"
#include "store/image.h"
#include "store/policy.h"
#include "web/doc.h"
#include "web/list.h"

#define DEVICES_SHOWN 50         /* the rest is a link away */

static const char *const filters[] = { "image", NULL };
static const char *const sorts[] = { "name", "images", "devices", "changed", NULL };
static const struct list_view view = { .url = "/policies", .filters = filters, .sorts = sorts };
static const char *const colours[POLICY_ACTION_COUNT] = { [POLICY_ACTION_APPROVE] = "green", [POLICY_ACTION_MANUAL] = "yellow",
	[POLICY_ACTION_MANUAL_TIMEOUT] = "yellow", [POLICY_ACTION_DENY] = "red" };

const struct route_param policies_query[] = {
	LIST_PARAMS,
	{ "image", "Image", PARAM_UUID, 0, 0, 0, NULL },
	PARAM_END
};

/* Without rules a policy is Manual Approve whatever its actions say (POL-4). */
static json_t *action_badge(const struct call *c, const char *name, int has_rules)
{
	enum policy_action action;

	if (!has_rules || policy_action_parse(name, &action) < 0)
		action = POLICY_ACTION_MANUAL;
	return doc_badge(c, policy_action_label(action), colours[action]);
}

static json_t *show_row(struct call *c, json_t *row)
{
	int has_rules = json_integer_value(json_object_get(row, "rules")) > 0;
	json_t *out = json_pack("{s:s, s:s, s:s, s:o, s:o, s:o}", "id", doc_text(row, "id"), "name", doc_text(row, "name"), "description",
		doc_text(row, "description"), "matched", action_badge(c, doc_text(row, "on_match"), has_rules), "unmatched",
		action_badge(c, doc_text(row, "on_mismatch"), has_rules), "changed", doc_when(c, row, "changed"));

	json_object_set_new(out, "url", json_sprintf("/policies/%s", doc_text(row, "id")));
	json_object_set(out, "is_default", json_object_get(row, "is_default"));
	json_object_set(out, "rules", json_object_get(row, "rules"));
	json_object_set(out, "images", json_object_get(row, "images"));
	json_object_set(out, "devices", json_object_get(row, "devices"));
	return out;
}

int policies_page(struct call *c)
{
	struct list_query q;
	json_t *page;
	int rc;

	list_read(c, &view, &q);
	rc = policy_list(c->db, &q, &page);
	return rc < 0 ? rc : list_show(c, &view, page, show_row);
}

static void set_policy(struct call *c, const json_t *row)
{
	int has_rules = json_array_size(json_object_get(row, "rules")) > 0;
	int pooling = json_is_true(json_object_get(row, "pooling"));
	json_t *out = json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:s, s:O, s:o, s:O, s:i}", "id", doc_text(row, "id"), "name",
		doc_text(row, "name"), "description", doc_text(row, "description"), "mode", action_badge(c, doc_text(row, "on_match"), has_rules),
		"matched", action_badge(c, doc_text(row, "on_match"), has_rules), "unmatched",
		action_badge(c, doc_text(row, "on_mismatch"), has_rules), "pooling", call_translate(c, pooling ? "On" : "Off"), "version",
		json_object_get(row, "version"), "changed", doc_when(c, row, "changed"), "device_count", json_object_get(row, "device_count"),
		"image_count", (int)json_integer_value(json_object_get(row, "image_count")));

	json_object_set_new(out, "url", json_sprintf("/policies/%s", doc_text(row, "id")));
	json_object_set(out, "is_default", json_object_get(row, "is_default"));
	call_set(c, "policy", out);
}

/* A rule's type, and what it demands as it stands. */
static void set_rules(struct call *c, const json_t *row)
{
	json_t *rules = json_array(), *rule;
	size_t i;

	json_array_foreach(json_object_get(row, "rules"), i, rule) {
		json_t *rest = json_copy(rule);
		char *text;

		json_object_del(rest, "type");
		text = json_dumps(rest, JSON_COMPACT | JSON_SORT_KEYS);
		json_array_append_new(rules, json_pack("{s:s, s:s?}", "name", doc_text(rule, "type"), "condition", text));
		free(text);
		json_decref(rest);
	}
	call_set(c, "has_rules", json_boolean(json_array_size(rules)));
	call_set(c, "rules", rules);
}

static int set_images(struct call *c, const char *policy)
{
	struct list_query q = { .limit = DEVICES_SHOWN, .filters = { { "policy", policy } } };
	json_t *page, *images = json_array(), *image;
	int rc = image_list(c->db, &q, &page);
	size_t i;

	if (rc == 0) {
		json_array_foreach(json_object_get(page, "rows"), i, image) {
			json_t *shown = doc_link("/images", doc_text(image, "id"), doc_text(image, *doc_text(image, "name") ? "name" :
				"provider_image"));

			json_set_string(shown, "provider", doc_text(image, "provider"));
			json_array_append_new(images, shown);
		}
		json_decref(page);
	}
	call_set(c, "has_images", json_boolean(json_array_size(images)));
	call_set(c, "images", images);
	return rc;
}

static int set_devices(struct call *c, const char *policy)
{
	struct list_query q = { .limit = DEVICES_SHOWN, .filters = { { "policy", policy } } };
	json_t *page, *devices = json_array(), *device;
	int rc = device_list(c->db, &q, &page);
	size_t i;

	if (rc == 0) {
		json_array_foreach(json_object_get(page, "rows"), i, device) {
			json_t *shown = doc_link("/devices", doc_text(device, "id"), doc_text(device, "name"));

			json_object_set_new(shown, "status", device_badge(c, doc_text(device, "status")));
			json_array_append_new(devices, shown);
		}
		call_set(c, "more_devices", json_is_string(json_object_get(page, "next")) ?
			json_sprintf("/devices?policy=%s", policy) : json_null());
		json_decref(page);
	}
	call_set(c, "has_devices", json_boolean(json_array_size(devices)));
	call_set(c, "devices", devices);
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
	set_rules(c, row);
	rc = set_images(c, doc_text(row, "id"));
	if (rc == 0)
		rc = set_devices(c, doc_text(row, "id"));
	json_decref(row);
	return rc;
}
