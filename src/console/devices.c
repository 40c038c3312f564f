/* devices.c - the list of data volumes that agents have published (DEV-1). */
#include <string.h>

#include "base/json.h"
#include "console/pages.h"
#include "store/device.h"
#include "web/doc.h"
#include "web/list.h"

static const char *const filters[] = { "status", "policy", "image", "instance", "stored", NULL };
static const char *const stores[] = { "server", "key-server", NULL };
static const char *const sorts[] = { "name", "status", "size", "policy", "image", "instance", NULL };
static const struct list_chip chips[] = {
#define X(id, name, label) { name, label },
	DEVICE_STATES(X)
#undef X
	{ NULL, NULL }
};
static const char *const states[] = {
#define X(id, name, label) name,
	DEVICE_STATES(X)
#undef X
	NULL
};
static const char *const colours[DEVICE_STATE_COUNT] = { [DEVICE_NOT_CONFIGURED] = "gray", [DEVICE_CONFIGURED] = "purple",
	[DEVICE_PENDING] = "yellow", [DEVICE_ENCRYPTING] = "yellow", [DEVICE_ENCRYPTED] = "blue", [DEVICE_IN_USE] = "green",
	[DEVICE_DECRYPTING] = "yellow", [DEVICE_ERROR] = "red", [DEVICE_UNDETECTED] = "gray", [DEVICE_MEMBER_MISSING] = "red" };
static const struct list_view view = { .url = "/devices", .filters = filters, .chip = "status", .chips = chips, .sorts = sorts,
	.export = "/devices.csv" };

const struct route_param devices_query[] = {
	LIST_PARAMS,
	{ "status", "Status", PARAM_ENUM, 0, 0, 0, states },
	{ "policy", "Policy", PARAM_UUID, 0, 0, 0, NULL },
	{ "image", "Image", PARAM_UUID, 0, 0, 0, NULL },
	{ "instance", "Instance", PARAM_UUID, 0, 0, 0, NULL },
	{ "stored", "Stored on", PARAM_ENUM, 0, 0, 0, stores },
	PARAM_END
};

json_t *device_badge(const struct call *c, const char *status)
{
	enum device_state s;

	return device_state_parse(status, &s) < 0 ? doc_badge(c, status, "gray") : doc_badge(c, device_state_label(s), colours[s]);
}

static json_t *show_row(struct call *c, json_t *row)
{
	const char *status = doc_text(row, "status");
	json_t *out = json_pack("{s:s, s:s, s:s?, s:o, s:s?, s:o, s:o, s:o}", "id", doc_text(row, "id"), "name", doc_text(row, "name"),
		"description", json_string_length(json_object_get(row, "description")) ? doc_text(row, "description") : NULL, "status",
		device_badge(c, status), "mount", *doc_text(row, "mount_point") ? doc_text(row, "mount_point") : NULL, "policy",
		policy_link(c, row), "image",
		doc_link("/images", doc_text(row, "image"), doc_text(row, "image_name")), "instance",
		doc_link("/instances", doc_text(row, "instance"), doc_text(row, "instance_name")));

	json_object_set_new(out, "url", json_sprintf("/devices/%s", doc_text(row, "id")));
	json_object_set_new(out, "size", doc_size(c, json_integer_value(json_object_get(row, "size_bytes"))));
	json_object_set(out, "provider", json_object_get(row, "provider"));
	json_object_set(out, "members", json_object_get(row, "members"));
	json_object_set_new(out, "raid", *doc_text(row, "raid") ? doc_link("/devices", doc_text(row, "raid"), doc_text(row, "raid_name")) :
		json_null());
	json_object_set(out, "provider_id", json_object_get(row, "provider_device"));
	json_object_set(out, "system", json_object_get(row, "is_system"));
	json_object_set(out, "state", json_object_get(row, "status"));
	json_object_set(out, "size_bytes", json_object_get(row, "size_bytes"));
	json_object_set_new(out, "hint", strcmp(status, "not-configured") != 0 ? json_null() : json_is_true(json_object_get(row, "is_system")) ?
		json_string(call_translate(c, "The system's, never encrypted")) : json_is_true(json_object_get(row, "is_busy")) ?
		json_string(call_translate(c, "In use on its instance")) : json_null());
	json_object_set_new(out, "progress", device_progress_member(c, row));
	json_set_bool(out, "on_key_server", json_is_true(json_object_get(row, "has_key"))
		&& strcmp(doc_text(row, "key_stored_on"), "key-server") == 0);
	json_object_set_new(out, "stored", !json_is_true(json_object_get(row, "has_key")) ? json_null() : json_string(call_translate(c,
		strcmp(doc_text(row, "key_stored_on"), "server") == 0 ? "Server" : "Key server")));
	return out;
}

static int fetch(struct call *c, const struct list_query *q, json_t **page)
{
	return device_list(c->db, q, page);
}

/* While there is something to watch. */
static void set_live(struct call *c)
{
	const json_t *rows = json_object_get(json_object_get(c->doc, "list"), "rows"), *row;
	const char *query = c->request->query;
	int works = 0;
	size_t i;

	json_array_foreach(rows, i, row)
		works |= json_is_object(json_object_get(row, "progress"));
	call_set(c, "live", !works ? json_null() : json_pack("{s:o, s:i}", "url", query && *query ? json_sprintf("/devices?%s", query) :
		json_string("/devices"), "seconds", DEVICE_REFRESH_S));
}

int devices_page(struct call *c)
{
	struct list_query q;
	json_t *page;
	int rc;

	list_read(c, &view, &q);
	rc = device_list(c->db, &q, &page);
	if (rc < 0)
		return rc;
	call_set(c, "can", json_pack("{s:b, s:b, s:b, s:b}", "rotate", call_may(c, PERMISSION_KEYS_MANAGE), "account", call_may(c, PERMISSION_ACCOUNT_VIEW), "edit",
		call_may(c, PERMISSION_DEVICES_EDIT), "export", call_may(c, PERMISSION_KEYS_EXPORT)));
	list_show(c, &view, page, show_row);
	set_live(c);
	return account_first_steps(c);
}

int devices_csv(struct call *c)
{
	static const struct list_csv columns[] = { { "ID", "id" }, { "Name", "name" }, { "Description", "description" },
		{ "Status", "status" }, { "Size", "size" }, { "Mount point", "mount" }, { "Policy", "policy" }, { "Image", "image" },
		{ "Instance", "instance" }, { "Provider", "provider" }, { "Provider's ID", "provider_id" }, { "Key stored on", "stored" }, { NULL, NULL } };

	return list_export(c, &view, fetch, show_row, columns, "devices.csv");
}
