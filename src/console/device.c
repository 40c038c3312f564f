/* device.c - one device: what is known of it, its key information (DEV-8), its name, deleting it (DEV-7). */
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "console/pages.h"
#include "store/raid.h"
#include "store/request.h"
#include "web/doc.h"

#define DELETE_RAID_ONLY "Only a RAID that is Not configured, or whose device is missing, can be deleted."
#define DELETE_ONLY "Only a device that is Undetected can be deleted: remove it at the provider, then publish the inventory again."

const struct route_param device_edit_fields[] = {
	{ "name", "Name", PARAM_TEXT, PARAM_REQUIRED, 1, 200, NULL },
	{ "description", "Description", PARAM_TEXT, 0, 0, 500, NULL },
	PARAM_END
};

const struct route_param device_typed[] = {
	{ "typed", "Device name", PARAM_TEXT, 0, 0, 255, NULL },
	PARAM_END
};

/* What names are called on pages; others stand for themselves. */
const char *device_word(const char *name)
{
	static const struct { const char *name, *label; } words[] = { { "linux", "Linux" }, { "windows", "Windows" }, { "xfs", "XFS" },
		{ "ntfs", "NTFS" }, { "vfat", "FAT32" }, { "fat32", "FAT32" }, { "crypto_LUKS", "LUKS" }, { "sha256", "SHA-256" } };

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strcmp(words[i].name, name) == 0)
			return words[i].label;
	return *name ? name : NULL;
}

json_t *device_encryption(const struct call *c, const json_t *row)
{
	int xts = strncmp(doc_text(row, "mode"), "xts", 3) == 0;

	return json_sprintf("AES-%s, %d %s", xts ? "XTS" : "CBC-ESSIV", (int)json_integer_value(json_object_get(row, "key_bits")),
		call_translate(c, "bits"));
}

json_t *device_progress_member(const struct call *c, const json_t *row)
{
	enum device_state s;
	int decrypts, begun;

	if (device_state_parse(doc_text(row, "status"), &s) < 0)
		return json_null();
	decrypts = s == DEVICE_DECRYPTING, begun = decrypts || s == DEVICE_ENCRYPTING;
	if (!begun && s != DEVICE_PENDING)
		return json_null();
	return json_pack("{s:O, s:o, s:b, s:s, s:s}", "percent", json_object_get(row, "progress"), "since", doc_when(c, row, "status_since"),
		"begun", begun, "text", call_translate(c, begun ? "The agent is at work." : "Waiting for the agent to begin."),
		"label", call_translate(c, decrypts ? "Decrypted" : "Encrypted"));
}

/* Other devices that have the same key. */
static json_t *shared_member(const json_t *row)
{
	json_t *out = json_array(), *other;
	size_t i;

	json_array_foreach(json_object_get(row, "shared"), i, other)
		json_array_append_new(out, doc_link("/devices", doc_text(other, "id"), doc_text(other, "name")));
	return out;
}

/* An array's keys are its members'. */
static const char *stored_on(const json_t *row)
{
	const char *whose = doc_text(row, "key_server");

	if (strcmp(doc_text(row, "key_stored_on"), "server") == 0)
		return "Server";
	return strcmp(whose, "tenant") == 0 ? "Key server of this account" : strcmp(whose, "installation") == 0 ? "Key server of the operator" :
		"Key server";
}

/* Key information (DEV-8): only once there is a key. */
static json_t *key_member(const struct call *c, const json_t *row)
{
	int xts = strcmp(doc_text(row, "mode"), "xts-plain64") == 0;
	json_t *key;

	if (!json_is_true(json_object_get(row, "has_key")))
		return json_null();
	key = json_pack("{s:s, s:s, s:s, s:s, s:O, s:O}", "cipher", strcmp(doc_text(row, "cipher"), "aes") == 0 ? "AES" :
		doc_text(row, "cipher"), "mode", xts ? "XTS" : strcmp(doc_text(row, "mode"), "cbc-essiv:sha256") == 0 ? "CBC-ESSIV" :
		doc_text(row, "mode"), "hash", device_word(doc_text(row, "hash")), "stored", call_translate(c, stored_on(row)), "version", json_object_get(row, "key_version"), "bits",
		json_object_get(row, "key_bits"));
	json_object_set_new(key, "size", json_sprintf("%d %s", (int)json_integer_value(json_object_get(row, "key_bits")),
		call_translate(c, "bits")));
	json_object_set(key, "server_key", json_object_get(row, "server_key"));
	json_object_set_new(key, "adopted", doc_when(c, row, "adopted"));
	json_object_set_new(key, "created", doc_when(c, row, "key_created"));
	json_object_set_new(key, "rotated", doc_when(c, row, "key_rotated"));
	json_object_set_new(key, "shared", shared_member(row));
	json_set_bool(key, "is_shared", json_array_size(json_object_get(row, "shared")) > 0);
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
	json_t *out = json_pack("{s:s, s:s?, s:o, s:s, s:s, s:s, s:s?, s:s?, s:s?, s:s?, s:s?, s:s?}", "name", doc_text(row, "name"),
		"description", doc_optional(row, "description"), "status", device_badge(c, doc_text(row, "status")), "provider",
		doc_text(row, "provider"), "provider_name", doc_text(row, "provider_name"), "provider_id", doc_text(row, "provider_device"),
		"platform", device_word(doc_text(row, "os")), "filesystem", configured ? device_word(doc_text(row, "filesystem")) : NULL,
		"found", device_word(doc_text(row, "found_filesystem")), "mount", doc_optional(row, "mount_point"), "path",
		doc_optional(row, "path"), "access", !configured ? NULL : call_translate(c, strcmp(doc_text(row, "access"), "read-only") == 0 ?
			"Read only" : "Read and write"));

	json_object_set(out, "id", json_object_get(row, "id"));
	json_object_set(out, "state", json_object_get(row, "status"));
	json_object_set(out, "system", json_object_get(row, "is_system"));
	json_object_set(out, "busy", json_object_get(row, "is_busy"));
	json_object_set(out, "size_bytes", json_object_get(row, "size_bytes"));
	json_object_set(out, "attaches", json_object_get(row, "attaches"));
	json_object_set_new(out, "url", json_sprintf("/devices/%s", doc_text(row, "id")));
	json_object_set_new(out, "size", doc_size(c, json_integer_value(json_object_get(row, "size_bytes"))));
	json_object_set_new(out, "since", doc_when(c, row, "status_since"));
	json_object_set_new(out, "reported", doc_when(c, row, "last_detected"));
	json_object_set_new(out, "error", state == DEVICE_ERROR ? doc_reason(c, doc_text(row, "error")) : json_null());
	json_object_set_new(out, "is_raid", json_boolean(is_raid(row)));
	if (is_raid(row))
		json_set_string(out, "provider_id", doc_text(row, "provider_device") + strlen(RAID_PREFIX));
	/* How far the encryption was is of no interest once it is done. */
	json_object_set_new(out, "said", (state == DEVICE_ENCRYPTED || state == DEVICE_IN_USE) && strcmp(doc_text(row, "said_status"), "provisioning") == 0 ? json_null() :
		doc_reason(c, doc_text(row, "said")));
	json_object_set_new(out, "progress", device_progress_member(c, row));
	/* Once there is a key, that says it. */
	json_object_set_new(out, "encryption", configured && !json_is_true(json_object_get(row, "has_key")) ? device_encryption(c, row) :
		json_null());
	return out;
}

/* The newest open request for its key. */
static int set_request(struct call *c, const json_t *row)
{
	struct list_query q = { .limit = 1, .filters = { { "device", doc_text(row, "id") } } };
	json_t *page = NULL, *request, *out = json_null();
	int shown = call_may(c, PERMISSION_INSTANCES_VIEW) && json_is_true(json_object_get(row, "has_key")) && *doc_text(row, "raid") == '\0';
	int rc = shown ? request_list(c->db, &q, &page) : 0;

	if (rc == 0 && shown) {
		request = json_array_get(json_object_get(page, "rows"), 0);
		out = request ? request_row(c, request) : json_null();
		if (request)
			json_set_bool(out, "waits", strcmp(doc_text(request, "status"), "pending") == 0);
	}
	json_decref(page);
	call_set(c, "request", out);
	call_set(c, "asks", json_boolean(rc == 0 && shown && json_is_null(out)));
	return rc;
}

static int is_legal(const json_t *row, enum device_event event)
{
	static const unsigned char encrypts[DEVICE_EVENT_COUNT] = { [DEVICE_EVENT_CONFIGURE] = 1, [DEVICE_EVENT_ENCRYPT] = 1,
		[DEVICE_EVENT_CLONE] = 1 };
	enum device_state state;

	/* What is done with a member, is done with its array; an array has a form of its own. */
	if (device_state_parse(doc_text(row, "status"), &state) < 0 || !device_can(state, event) || *doc_text(row, "raid"))
		return 0;
	if (is_raid(row) && (event == DEVICE_EVENT_CONFIGURE || event == DEVICE_EVENT_REASSIGN || event == DEVICE_EVENT_CLONE))
		return 0;
	if (event == DEVICE_EVENT_REASSIGN)
		return json_is_true(json_object_get(row, "attaches"));
	if (event == DEVICE_EVENT_ENCRYPT && *doc_text(row, "unusable"))
		return 0;
	return !encrypts[event] || !json_is_true(json_object_get(row, "is_system"));
}

static int is_deletable(const json_t *row, enum device_state state)
{
	return *doc_text(row, "raid") == '\0' && (is_raid(row) ? device_can_delete_raid(state) : device_can_delete(state));
}

int device_ask(struct call *c, enum device_event event, json_t **row)
{
	struct uuid id = call_uuid(c, "id");
	json_t *got = NULL;
	int rc = device_get(c->db, &id, &got);

	if (rc < 0)
		return rc;
	if (!is_legal(got, event)) {
		int busy = *doc_text(got, "unusable") != '\0';

		json_decref(got);
		return call_refuse(c, ERR_CONFLICT, event == DEVICE_EVENT_ENCRYPT && busy ? "The device cannot be encrypted as it is: its page "
			"says why." : "This cannot be done with the device in its present status.");
	}
	*row = got;
	return 0;
}

static json_t *can_member(const struct call *c, const json_t *row, enum device_state s)
{
	static const struct { const char *act; enum device_event event; } acts[] = { { "configure", DEVICE_EVENT_CONFIGURE },
		{ "encrypt", DEVICE_EVENT_ENCRYPT }, { "cancel", DEVICE_EVENT_CANCEL }, { "reassign", DEVICE_EVENT_REASSIGN },
		{ "unconfigure", DEVICE_EVENT_UNCONFIGURE } };
	int edit = call_may(c, PERMISSION_DEVICES_EDIT);
	int release = call_may(c, PERMISSION_DEVICES_RELEASE) && !is_raid(row) && *doc_text(row, "raid") == '\0';
	json_t *can = json_pack("{s:b, s:b, s:b}", "edit", edit, "delete", edit && is_deletable(row, s), "raid",
		edit && is_raid(row) && device_can(s, DEVICE_EVENT_CONFIGURE));

	for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++)
		json_set_bool(can, acts[i].act, edit && is_legal(row, acts[i].event));
	json_set_bool(can, "export", call_may(c, PERMISSION_KEYS_EXPORT) && (s == DEVICE_ENCRYPTED || s == DEVICE_IN_USE) &&
		*doc_text(row, "raid") == '\0');
	json_set_bool(can, "copy", edit && is_legal(row, DEVICE_EVENT_CLONE) && *doc_text(row, "token_device"));
	json_set_bool(can, "release", release && *doc_text(row, "release") == '\0' && (s == DEVICE_ENCRYPTED || s == DEVICE_IN_USE));
	json_set_bool(can, "release_cancel", release && *doc_text(row, "release") && s != DEVICE_DECRYPTING);
	return can;
}

static void set_page(struct call *c, const json_t *row, enum device_state state)
{
	json_t *device = device_member(c, row, state);

	/* Encrypted, its key is the next thing to come. */
	call_set(c, "live", json_is_null(json_object_get(device, "progress")) && state != DEVICE_ENCRYPTED ? json_null() : json_pack("{s:O, s:i}", "url",
		json_object_get(device, "url"), "seconds", DEVICE_REFRESH_S));
	call_set(c, "device", device);
	call_set(c, "key", key_member(c, row));
	call_set(c, "policy", policy_link(c, row));
	call_set(c, "image", doc_link("/images", doc_text(row, "image"), doc_text(row, "image_name")));
	call_set(c, "instance", doc_link("/instances", doc_text(row, "instance"), doc_text(row, "instance_name")));
	call_set(c, "copy_of", json_is_object(json_object_get(row, "copy_of")) ? doc_link("/devices", doc_optional(json_object_get(row,
		"copy_of"), "name") ? doc_text(json_object_get(row, "copy_of"), "id") : "", doc_text(json_object_get(row, "copy_of"), "name")) :
		json_null());
	call_set(c, "can", can_member(c, row, state));
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
		set_page(c, row, state);
		rc = device_notices(c, &id, row);
	}
	if (rc == 0)
		rc = set_request(c, row);
	if (rc == 0) {
		rc = destruction_member(c, &id, row, state);
	}
	if (rc == 0)
		rc = device_rotation_member(c, &id, row);
	if (rc == 0)
		rc = device_proposal_member(c, &id);
	if (rc == 0)
		rc = doc_history(c, doc_text(row, "id"), doc_text(row, "name"));
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
	enum device_state state;
	json_t *row = NULL;
	int rc = device_get(c->db, &id, &row);

	if (rc < 0)
		return rc;
	if (device_state_parse(doc_text(row, "status"), &state) < 0 || !is_deletable(row, state)) {
		rc = call_refuse(c, ERR_CONFLICT, is_raid(row) ? DELETE_RAID_ONLY : DELETE_ONLY);
		json_decref(row);
		return rc;
	}
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
		return call_refuse(c, rc, DELETE_RAID_ONLY);
	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, DELETE_ONLY);
	if (rc < 0)
		return rc;
	call_notice(c, "success", raid ? "The RAID was deleted." : "The device was deleted.");
	call_redirect(c, "/devices");
	return 0;
}
