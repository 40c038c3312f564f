/* device_encrypt.c - asking the agent to encrypt a device (DEV-3): the one act that destroys what is on it. */
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "console/pages.h"
#include "store/device.h"
#include "web/doc.h"

/* What was found on the device, or on the first member of an array on which something was; "". */
static const char *found_on(const json_t *row, const json_t *members)
{
	const json_t *member;
	size_t i;

	json_array_foreach(members, i, member)
		if (*doc_text(member, "found"))
			return doc_text(member, "found");
	return doc_text(row, "found_filesystem");
}

static json_t *points(const struct call *c, const json_t *row, const json_t *members)
{
	json_t *size = doc_size(c, json_integer_value(json_object_get(row, "size_bytes"))), *out = json_array(), *member;
	size_t i;

	if (json_array_size(members))
		json_array_append_new(out, json_sprintf("%s, %s", json_string_value(size), doc_text(row, "provider_name")));
	else
		json_array_append_new(out, json_sprintf("%s, %s %s", json_string_value(size), doc_text(row, "provider_name"),
			doc_text(row, "provider_device")));
	if (*doc_text(row, "instance_name"))
		json_array_append_new(out, json_sprintf("%s: %s", call_translate(c, "Instance"), doc_text(row, "instance_name")));
	json_array_foreach(members, i, member)
		json_array_append_new(out, json_sprintf("%s (%s)%s%s", doc_text(member, "name"), doc_text(member, "size"),
			*doc_text(member, "found") ? ": " : "", doc_text(member, "found")));
	json_array_append_new(out, device_encryption(c, row));
	if (*found_on(row, NULL))
		json_array_append_new(out, json_sprintf("%s: %s", call_translate(c, "Found on it"), found_on(row, NULL)));
	if (json_is_object(json_object_get(row, "token_of")))
		json_array_append_new(out, json_sprintf("%s: %s", call_translate(c, "A copy of an encrypted device"),
			doc_text(json_object_get(row, "token_of"), "name")));
	json_decref(size);
	return out;
}

int device_encrypt_ask(struct call *c)
{
	json_t *row = NULL, *members = NULL, *text;
	int rc = device_ask(c, DEVICE_EVENT_ENCRYPT, &row);

	if (rc == 0)
		rc = raid_shown(c, row, &members);
	if (rc < 0) {
		json_decref(row);
		return rc;
	}
	text = json_sprintf("%s: %s, %s", call_translate(c, json_array_size(members) ?
		"The agent encrypts all devices of the RAID, makes one file system on them and mounts it" :
		"The agent encrypts the device, makes a file system on it and mounts it"),
		doc_text(row, "filesystem"), doc_text(row, "mount_point"));
	doc_confirm(c, &(struct doc_confirm){ .folder = "/devices", .id = doc_text(row, "id"), .act = "encrypt", .title = "Encrypt",
		.name = doc_text(row, "name"), .text = json_string_value(text), .icon = "shield-lock", .colour = "red", .danger = 1,
		.button = "Encrypt and destroy its content", .points = points(c, row, members),
		.typed = *found_on(row, members) ? doc_text(row, "name") : NULL, .warning = json_array_size(members) ?
		"Everything that is on these devices now will be destroyed. This cannot be undone." :
		"Everything that is on the device now will be destroyed. This cannot be undone." });
	json_decref(text);
	json_decref(members);
	json_decref(row);
	return 0;
}

int device_encrypt_run(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL, *members = NULL;
	int rc = device_get(c->db, &id, &row), occupied = 0;

	if (rc == 0 && *doc_text(row, "unusable"))
		rc = err_set(ERR_BUSY, "%s", doc_text(row, "unusable"));
	if (rc == 0)
		rc = raid_shown(c, row, &members);
	if (rc == 0) {
		occupied = *found_on(row, members) != '\0';
		if (occupied && strcmp(doc_text(row, "name"), call_text(c, "typed")) != 0)
			rc = call_field_error(c, "typed", "This is not the device's name.");
	}
	if (rc == 0)
		rc = licence_room(c, &id);
	if (rc == 0)
		rc = device_encrypt(c->db, &id, occupied);
	json_decref(members);
	json_decref(row);
	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, "The device cannot be encrypted in its present status.");
	if (rc == ERR_BUSY)
		return call_refuse(c, ERR_CONFLICT, "The device cannot be encrypted as it is: its page says why.");
	return rc < 0 ? rc : doc_done(c, "/devices", &id, "Encryption is requested. The agent begins as soon as it looks.");
}

int device_cancel_run(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	int rc = device_cancel(c->db, &id);

	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, "The agent has begun already.");
	return rc < 0 ? rc : doc_done(c, "/devices", &id, "The request was withdrawn.");
}
