/* device.c - one device: what is known of it, its key information (DEV-8), its name, deleting it (DEV-7). */
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "console/pages.h"
#include "store/raid.h"
#include "web/doc.h"

const struct route_param device_edit_fields[] = {
	{ "name", "Name", PARAM_TEXT, PARAM_REQUIRED, 1, 200, NULL },
	{ "description", "Description", PARAM_TEXT, 0, 0, 500, NULL },
	PARAM_END
};

const struct route_param device_typed[] = {
	{ "typed", "Device name", PARAM_TEXT, 0, 0, 255, NULL },
	PARAM_END
};

static const char *or_null(const json_t *row, const char *name)
{
	const char *s = doc_text(row, name);

	return *s ? s : NULL;
}

/* Key information (DEV-8): only once there is a key. */
static json_t *key_member(const struct call *c, const json_t *row)
{
	int xts = strncmp(doc_text(row, "mode"), "xts", 3) == 0;
	json_t *key;

	if (!json_is_true(json_object_get(row, "has_key")))
		return json_null();
	key = json_pack("{s:s, s:s, s:s, s:s, s:O}", "cipher", "AES", "mode", xts ? "XTS" : "CBC-ESSIV", "hash", doc_text(row, "hash"),
		"stored", call_translate(c, strcmp(doc_text(row, "key_stored_on"), "server") == 0 ? "Server" : "Key server"), "version",
		json_object_get(row, "key_version"));
	json_object_set_new(key, "size", json_sprintf("%d %s", (int)json_integer_value(json_object_get(row, "key_bits")),
		call_translate(c, "bits")));
	json_object_set_new(key, "created", doc_when(c, row, "key_created"));
	json_object_set_new(key, "rotated", doc_when(c, row, "key_rotated"));
	return key;
}

static int is_raid(const json_t *row)
{
	return strcmp(doc_text(row, "kind"), DEVICE_KIND_RAID) == 0;
}

/* The array that this is a member of; null. */
static json_t *raid_member(const json_t *row)
{
	json_t *out = *doc_text(row, "raid") ? doc_link("/devices", doc_text(row, "raid"), doc_text(row, "raid_name")) : json_null();

	if (json_is_object(out))
		json_set_int(out, "number", json_integer_value(json_object_get(row, "raid_index")) + 1);
	return out;
}

static json_t *device_member(const struct call *c, const json_t *row, enum device_state state)
{
	int configured = *doc_text(row, "mount_point") != '\0';
	json_t *out = json_pack("{s:s, s:s?, s:o, s:s, s:s, s:s?, s:s?, s:s?, s:s?, s:s?}", "name", doc_text(row, "name"), "description",
		or_null(row, "description"), "status", device_badge(c, doc_text(row, "status")), "provider", doc_text(row, "provider"),
		"provider_id", doc_text(row, "provider_device"), "platform", or_null(row, "os"), "filesystem",
		configured ? or_null(row, "filesystem") : or_null(row, "found_filesystem"), "mount", or_null(row, "mount_point"), "path",
		or_null(row, "path"), "access", !configured ? NULL : call_translate(c, strcmp(doc_text(row, "access"), "read-only") == 0 ?
			"Read only" : "Read and write"));

	json_object_set(out, "id", json_object_get(row, "id"));
	json_object_set(out, "state", json_object_get(row, "status"));
	json_object_set(out, "system", json_object_get(row, "is_system"));
	json_object_set_new(out, "url", json_sprintf("/devices/%s", doc_text(row, "id")));
	json_object_set_new(out, "size", doc_size(json_integer_value(json_object_get(row, "size_bytes"))));
	json_object_set_new(out, "reported", doc_when(c, row, "last_detected"));
	json_object_set_new(out, "error", state == DEVICE_ERROR ? json_string(doc_text(row, "error")) : json_null());
	json_object_set_new(out, "is_raid", json_boolean(is_raid(row)));
	if (is_raid(row))
		json_set_string(out, "provider_id", doc_text(row, "provider_device") + strlen(RAID_PREFIX));
	json_object_set_new(out, "progress", state != DEVICE_ENCRYPTING && state != DEVICE_PENDING ? json_null() :
		json_pack("{s:O, s:s}", "percent", json_object_get(row, "progress"), "text", call_translate(c, state == DEVICE_PENDING ?
			"Waiting for the agent to begin." : "The agent is at work. Reload this page to see how far it is.")));
	return out;
}

static json_t *can_member(const struct call *c, const json_t *row, enum device_state s)
{
	int edit = call_may(c, PERMISSION_DEVICES_EDIT), system = json_is_true(json_object_get(row, "is_system")),
		free = *doc_text(row, "unusable") == '\0';
	/* What is done with a member, is done with its array. */
	int act = edit && *doc_text(row, "raid") == '\0', configure = act && !system && device_can(s, DEVICE_EVENT_CONFIGURE);

	return json_pack("{s:b, s:b, s:b, s:b, s:b, s:b, s:b}", "configure", configure && !is_raid(row), "raid", configure && is_raid(row),
		"encrypt", act && !system && free && device_can(s, DEVICE_EVENT_ENCRYPT), "cancel", act && device_can(s, DEVICE_EVENT_CANCEL),
		"unconfigure", act && device_can(s, DEVICE_EVENT_UNCONFIGURE), "delete",
		act && (is_raid(row) ? device_can_delete_raid(s) : device_can_delete(s)), "edit", edit);
}

int device_page(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	enum device_state state;
	json_t *row = NULL, *members = NULL;
	int rc = device_get(c->db, &id, &row);

	if (rc == 0)
		rc = device_state_parse(doc_text(row, "status"), &state);
	if (rc == 0)
		rc = raid_shown(c, row, &members);
	if (rc == 0) {
		call_set(c, "members", members);
		call_set(c, "raid", raid_member(row));
		call_set(c, "device", device_member(c, row, state));
		call_set(c, "key", key_member(c, row));
		call_set(c, "policy", doc_link("/policies", doc_text(row, "policy"), doc_text(row, "policy_name")));
		call_set(c, "image", doc_link("/images", doc_text(row, "image"), doc_text(row, "image_name")));
		call_set(c, "instance", doc_link("/instances", doc_text(row, "instance"), doc_text(row, "instance_name")));
		call_set(c, "can", can_member(c, row, state));
		rc = device_notices(c, &id, row);
	}
	if (rc == 0)
		rc = device_proposal_member(c, &id);
	if (rc == 0)
		rc = doc_history(c, doc_text(row, "id"));
	json_decref(row);
	return rc;
}

int device_edit_page(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL;
	int rc = device_get(c->db, &id, &row);

	if (rc < 0)
		return rc;
	call_set(c, "device", json_pack("{s:s, s:o}", "name", doc_text(row, "name"), "url",
		json_sprintf("/devices/%s", doc_text(row, "id"))));
	call_form(c, "name", json_string(doc_text(row, "name")));
	call_form(c, "description", json_string(doc_text(row, "description")));
	json_decref(row);
	return 0;
}

int device_edit(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	int rc = device_rename(c->db, &id, call_text(c, "name"), call_text(c, "description"));

	return rc < 0 ? rc : doc_done(c, "/devices", &id, "Name and description are saved.");
}

int device_delete_ask(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL;
	int rc = device_get(c->db, &id, &row);

	if (rc < 0)
		return rc;
	doc_confirm(c, &(struct doc_confirm){ .folder = "/devices", .id = doc_text(row, "id"), .act = "delete", .title = "Delete",
		.name = doc_text(row, "name"), .typed = doc_text(row, "name"), .icon = "trash", .colour = "red", .danger = 1,
		.button = is_raid(row) ? "Delete RAID" : "Delete device", .text = call_translate(c, !is_raid(row) ?
		"It was removed at its provider. Its configuration and its keys are deleted with it." :
		"Its devices are free again, as if they had never been configured."), .warning = is_raid(row) &&
		json_is_true(json_object_get(row, "has_key")) ? "The keys of all its devices are destroyed, and with them everything on it. "
		"Nobody can bring it back." : NULL });
	json_decref(row);
	return 0;
}

int device_delete_run(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	struct device device = { 0 };
	int rc = device_load(c->db, &id, &device), raid;

	if (rc == 0 && strcmp(device.name, call_text(c, "typed")) != 0)
		rc = call_field_error(c, "typed", "This is not the device's name.");
	if (rc == 0)
		rc = device_delete(c->db, &id);
	raid = device.is_raid;
	device_release(&device);
	if (rc == ERR_CONFLICT && raid)
		return call_refuse(c, rc, "Only a RAID that is Not configured, or whose device is missing, can be deleted.");
	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, "Only a device that is Undetected can be deleted: remove it at the provider, then publish the "
			"inventory again.");
	if (rc < 0)
		return rc;
	call_notice(c, "success", raid ? "The RAID was deleted." : "The device was deleted.");
	call_redirect(c, "/devices");
	return 0;
}
