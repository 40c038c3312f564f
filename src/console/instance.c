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

#define HISTORY_SHOWN 25

static const char *or_null(const json_t *row, const char *name)
{
	const char *s = doc_text(row, name);

	return *s ? s : NULL;
}

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
	const char *name = or_null(row, "host_name");
	json_t *out = json_pack("{s:s, s:s, s:o, s:s, s:s, s:s?, s:o, s:o, s:s?, s:o}", "id", doc_text(row, "id"), "name",
		name ? name : doc_text(row, "provider_instance"), "state", state_badge(c, doc_text(row, "state")), "provider",
		doc_text(row, "provider"), "provider_id", doc_text(row, "provider_instance"), "agent", or_null(agent, "version"), "first_seen",
		doc_when(c, row, "first_seen"), "last_seen", doc_when(c, row, "last_seen"), "address", or_null(agent, "address"), "integrity",
		integrity_of(c, row));

	json_object_set_new(out, "url", json_sprintf("/instances/%s", doc_text(row, "id")));
	json_object_set_new(out, "insecure", json_boolean(json_is_true(json_object_get(agent, "insecure_tls"))));
	call_set(c, "instance", out);
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
	json_object_set_new(out, "size", doc_size(json_integer_value(json_object_get(device, "size_bytes"))));
	json_object_set_new(out, "mount", or_null(device, "mount_point") ? json_string(doc_text(device, "mount_point")) : json_null());
	json_object_set_new(out, "policy", doc_link("/policies", doc_text(device, "policy"), doc_text(device, "policy_name")));
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

/* Facts */

static const struct {
	const char *name, *label;
} labels[] = {
	{ "host.name", "Host name" }, { "os.system", "Operating system" }, { "os.distribution", "Distribution" },
	{ "os.version", "Version of the distribution" }, { "os.kernel", "Kernel" }, { "os.arch", "Architecture" },
	{ "os.bits", "Bits" }, { "os.uptime_s", "Running for" }, { "os.booted_at", "Started" }, { "network.addresses", "Addresses" },
	{ "agent.version", "Agent version" },
};

static const char *label_of(const struct call *c, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(labels); i++)
		if (strcmp(labels[i].name, name) == 0)
			return call_translate(c, labels[i].label);
	return name;
}

static json_t *duration(int64_t seconds)
{
	int64_t minutes = seconds / 60, hours = minutes / 60;

	return hours >= 48 ? json_sprintf("%lld d %lld h", (long long)(hours / 24), (long long)(hours % 24)) :
		json_sprintf("%lld h %lld min", (long long)hours, (long long)(minutes % 60));
}

static json_t *joined(const json_t *list)
{
	struct buf out = BUF_INIT;
	const json_t *item;
	json_t *text;
	size_t i;

	json_array_foreach(list, i, item) {
		char *other = json_is_string(item) ? NULL : json_dumps(item, JSON_COMPACT | JSON_ENCODE_ANY);

		buf_printf(&out, "%s%s", i ? ", " : "", other ? other : json_string_value(item));
		free(other);
	}
	text = json_string(buf_str(&out));
	buf_free(&out);
	return text;
}

/* A fact as text, whatever its kind: later agents may report what this server has no words for. */
static json_t *fact_text(const struct call *c, const char *name, const json_t *value)
{
	size_t len = strlen(name);
	clock_us at;
	char *text;
	json_t *out;

	if (json_is_integer(value) && len > 2 && strcmp(name + len - 2, "_s") == 0)
		return duration(json_integer_value(value));
	if (json_is_string(value) && len > 3 && strcmp(name + len - 3, "_at") == 0 && clock_parse(json_string_value(value), &at) == 0) {
		json_t *when = call_when(c, at);

		out = json_incref(json_object_get(when, "text"));
		json_decref(when);
		return out;
	}
	if (json_is_string(value))
		return json_string(json_string_value(value));
	if (json_is_boolean(value))
		return json_string(call_translate(c, json_is_true(value) ? "Yes" : "No"));
	if (json_is_array(value))
		return joined(value);
	text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	out = json_string(text ? text : "");
	free(text);
	return out;
}

static void add_fact(const struct call *c, json_t *out, const json_t *row, const char *name, const json_t *value)
{
	json_array_append_new(out, json_pack("{s:s, s:s, s:o, s:s, s:o}", "id", name, "name", label_of(c, name), "value",
		fact_text(c, name, value), "source", call_translate(c, "Agent"), "at", doc_when(c, row, "facts_at")));
}

static int is_labelled(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(labels); i++)
		if (strcmp(labels[i].name, name) == 0)
			return 1;
	return 0;
}

/* Those with a label in the order of the table, then the others. */
static void set_facts(struct call *c, const json_t *row)
{
	json_t *facts = json_object_get(row, "facts"), *out = json_array(), *value;
	const char *name;

	for (size_t i = 0; i < ARRAY_LEN(labels); i++)
		if ((value = json_object_get(facts, labels[i].name)))
			add_fact(c, out, row, labels[i].name, value);
	json_object_foreach(facts, name, value)
		if (!is_labelled(name) && strcmp(name, "gathered_at") != 0)
			add_fact(c, out, row, name, value);
	call_set(c, "has_facts", json_boolean(json_array_size(out)));
	call_set(c, "facts", out);
}

/* History: what the log says of instance and agent, and the key requests */

static json_t *request_item(const struct call *c, const json_t *request)
{
	json_t *badge = request_badge(c, doc_text(request, "status")), *out;

	out = json_pack("{s:o, s:s, s:s?, s:o, s:n, s:s?}", "title", json_sprintf("%s %s: %s", call_translate(c, "Key of"),
		doc_text(request, "device_name"), doc_text(badge, "name")), "colour", doc_text(badge, "colour"), "by",
		or_null(request, "policy_name"), "at", doc_when(c, request, "requested"), "comment", "detail", or_null(request, "closed_reason"));
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

static int add_log(struct call *c, json_t *list, const char *object)
{
	json_t *item;
	size_t i;
	int rc = *object ? doc_history(c, object) : 0;

	if (rc == 0 && *object)
		json_array_foreach(json_object_get(c->doc, "history"), i, item)
			insert(list, json_incref(item));
	return rc;
}

static int set_history(struct call *c, const json_t *row)
{
	json_t *list = json_array(), *request;
	int rc = add_log(c, list, doc_text(row, "id"));
	size_t i;

	if (rc == 0)
		rc = add_log(c, list, doc_text(json_object_get(row, "agent"), "id"));
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
	set_facts(c, row);
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
