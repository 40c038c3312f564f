/* instance.c - one running instance (RUN-6): its agent, its devices and their keys, the facts last reported, what happened. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "console/pages.h"
#include "store/check.h"
#include "store/instance.h"
#include "web/doc.h"

#define HISTORY_SHOWN 15
#define REFRESH_S 10

static json_t *state_badge(const struct call *c, const char *state)
{
	static const struct { const char *state, *label, *colour; } looks[] = {
		{ "running", "Running", "green" }, { "missing", "Missing", "orange" }, { "stopped", "Stopped", "gray" },
	};

	for (size_t i = 0; i < ARRAY_LEN(looks); i++)
		if (strcmp(looks[i].state, state) == 0)
			return doc_badge(c, looks[i].label, looks[i].colour);
	return doc_badge(c, state, "gray");
}

static int is_open(const json_t *request)
{
	return json_is_null(json_object_get(request, "closed"));
}

/* Of the newest request that was judged; before that nothing is known. */
static json_t *integrity_of(const struct call *c, const json_t *row)
{
	const json_t *newest = json_array_get(json_object_get(row, "requests"), 0);

	return integrity_badge(c, newest ? doc_text(newest, "integrity") : "unknown");
}

static void set_instance(struct call *c, const json_t *row)
{
	const json_t *agent = json_object_get(row, "agent");
	const char *name = doc_optional(row, "host_name");
	json_t *out = json_pack("{s:s, s:s, s:o, s:s, s:s, s:s?, s:o, s:o, s:s?, s:o}", "id", doc_text(row, "id"), "name",
		name ? name : doc_text(row, "provider_instance"), "state", state_badge(c, doc_text(row, "state")), "provider",
		doc_text(row, "provider"), "provider_id", doc_text(row, "provider_instance"), "agent", doc_optional(agent, "version"), "first_seen",
		doc_when(c, row, "first_seen"), "last_seen", doc_when(c, row, "last_seen"), "address", doc_optional(agent, "address"), "integrity",
		integrity_of(c, row));

	json_object_set_new(out, "url", json_sprintf("/instances/%s", doc_text(row, "id")));
	json_object_set(out, "provider_name", json_object_get(row, "provider_name"));
	json_object_set_new(out, "insecure", json_boolean(json_is_true(json_object_get(agent, "insecure_tls"))));
	call_set(c, "instance", out);
	call_set(c, "live", json_pack("{s:O, s:i}", "url", json_object_get(out, "url"), "seconds", REFRESH_S));
	call_set(c, "image", doc_link("/images", doc_text(row, "image"), doc_text(row, "image_name")));
	call_set(c, "can", json_pack("{s:b}", "check", call_may(c, PERMISSION_REQUESTS_DECIDE) &&
		strcmp(doc_text(row, "state"), "running") == 0 && strcmp(doc_text(agent, "state"), "active") == 0));
}

/* Devices */

static const json_t *open_request(const json_t *row, const char *device)
{
	const json_t *request;
	size_t i;

	json_array_foreach(json_object_get(row, "requests"), i, request)
		if (is_open(request) && strcmp(doc_text(request, "device"), device) == 0)
			return request;
	return NULL;
}

static json_t *device_row(const struct call *c, const json_t *row, const json_t *device)
{
	const json_t *request = open_request(row, doc_text(device, "id"));
	json_t *out = doc_link("/devices", doc_text(device, "id"), doc_text(device, "name"));

	json_object_set_new(out, "status", device_badge(c, doc_text(device, "status")));
	json_object_set_new(out, "size", doc_size(c, json_integer_value(json_object_get(device, "size_bytes"))));
	json_object_set_new(out, "mount", doc_optional(device, "mount_point") ? json_string(doc_text(device, "mount_point")) : json_null());
	json_object_set_new(out, "said", doc_reason(c, doc_text(device, "said")));
	json_object_set_new(out, "policy", policy_link(c, device));
	json_object_set_new(out, "revocation", request ? request_revocation(c, request) : json_null());
	json_object_set_new(out, "key", request ? request_badge(c, doc_text(request, "status")) : json_null());
	json_object_set_new(out, "request_url", request ? json_sprintf("/requests/%s", doc_text(request, "id")) : json_null());
	return out;
}

static void set_devices(struct call *c, const json_t *row)
{
	json_t *out = json_array(), *device;
	size_t i;

	json_array_foreach(json_object_get(row, "devices"), i, device)
		json_array_append_new(out, device_row(c, row, device));
	call_set(c, "has_devices", json_boolean(json_array_size(out)));
	call_set(c, "devices", out);
}

/* History: what the log says of instance and agent, and the key requests */

static json_t *request_item(const struct call *c, const json_t *request)
{
	json_t *badge = request_badge(c, doc_text(request, "status")), *out;

	out = json_pack("{s:o, s:s, s:s?, s:o, s:n, s:o}", "title", json_sprintf("%s %s: %s", call_translate(c, "Key of"),
		doc_text(request, "device_name"), doc_text(badge, "name")), "colour", doc_text(badge, "colour"), "by",
		doc_policy(c, doc_optional(request, "policy_name")), "at", doc_when(c, request, "requested"), "comment", "detail", doc_reason(c, doc_text(request, "closed_reason")));
	json_object_set_new(out, "url", json_sprintf("/requests/%s", doc_text(request, "id")));
	json_decref(badge);
	return out;
}

/* Keeps LIST in order, the newest first. */
static void insert(json_t *list, json_t *item)
{
	const char *at = doc_text(json_object_get(item, "at"), "iso");
	size_t i = 0;

	while (i < json_array_size(list) && strcmp(doc_text(json_object_get(json_array_get(list, i), "at"), "iso"), at) >= 0)
		i++;
	json_array_insert_new(list, i, item);
}

static int add_log(struct call *c, json_t *list, const char *object, const char *called)
{
	json_t *item;
	size_t i;
	int rc = *object ? doc_history(c, object, called) : 0;

	if (rc == 0 && *object)
		json_array_foreach(json_object_get(c->doc, "history"), i, item)
			insert(list, json_incref(item));
	return rc;
}

static int set_history(struct call *c, const json_t *row)
{
	const char *called = *doc_text(row, "host_name") ? doc_text(row, "host_name") : doc_text(row, "provider_instance");
	json_t *list = json_array(), *request;
	int rc = add_log(c, list, doc_text(row, "id"), called);
	size_t i;

	if (rc == 0)
		rc = add_log(c, list, doc_text(json_object_get(row, "agent"), "id"), called);
	json_array_foreach(json_object_get(row, "requests"), i, request)
		insert(list, request_item(c, request));
	while (json_array_size(list) > HISTORY_SHOWN)
		json_array_remove(list, json_array_size(list) - 1);
	call_set(c, "history", list);
	return rc;
}

int instance_page(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL;
	int rc = instance_get(c->db, &id, &row);

	if (rc < 0)
		return rc;
	set_instance(c, row);
	set_devices(c, row);
	instance_tabs(c, doc_text(row, "id"), "");
	instance_facts(c, row);
	rc = set_history(c, row);
	json_decref(row);
	return rc;
}

int instance_check(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	char text[UUID_TEXT_SIZE];
	json_t *row = NULL;
	int rc = instance_get(c->db, &id, &row), active;

	if (rc < 0)
		return rc;
	active = strcmp(doc_text(json_object_get(row, "agent"), "state"), "active") == 0;
	json_decref(row);
	if (!active)
		return call_refuse(c, ERR_CONFLICT, "No agent answers for this instance.");
	rc = check_order(c->db, &id, CHECK_BY_ORDER);
	if (rc < 0)
		return rc;
	uuid_text(&id, text);
	call_notice(c, "success", "The agent is asked to report its facts.");
	call_redirect(c, "/instances/%s", text);
	return 0;
}
