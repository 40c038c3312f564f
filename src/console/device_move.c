/* device_move.c - what a device takes over from elsewhere: another image (DEV-4); configuration and key of the device that it is a
 * copy of (DEV-5). */
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "console/pages.h"
#include "store/device_clone.h"
#include "web/doc.h"

#define SOURCES_OFFERED 20

const struct route_param device_reassign_query[] = {
	DEVICE_PICK_PARAMS,
	{ "image", "Image", PARAM_UUID, 0, 0, 0, NULL },
	PARAM_END
};
/* What is missing is said by the handlers: a search is no reason to complain. */
const struct route_param device_reassign_fields[] = {
	DEVICE_PICK_PARAMS,
	{ "image", "Image", PARAM_UUID, 0, 0, 0, NULL },
	PARAM_END
};

static void set_device(struct call *c, const json_t *row)
{
	call_set(c, "device", json_pack("{s:s, s:o, s:s, s:s, s:o, s:s?, s:s}", "name", doc_text(row, "name"), "url",
		json_sprintf("/devices/%s", doc_text(row, "id")), "provider", doc_text(row, "provider_name"), "provider_id",
		doc_text(row, "provider_device"), "size", doc_size(c, json_integer_value(json_object_get(row, "size_bytes"))), "image",
		doc_optional(row, "image_name"), "policy", doc_policy(c, doc_text(row, "policy_name"))));
}

int device_reassign_page(struct call *c)
{
	json_t *row = NULL;
	int rc = device_ask(c, DEVICE_EVENT_REASSIGN, &row);

	if (rc < 0)
		return rc;
	set_device(c, row);
	call_set(c, "attaches", json_incref(json_object_get(row, "attaches")));
	rc = device_offer_images(c, doc_text(row, "provider"), doc_text(row, "image"));
	json_decref(row);
	return rc;
}

int device_reassign_run(struct call *c)
{
	struct uuid id = call_uuid(c, "id"), image = call_uuid(c, "image");
	int rc;

	if (device_pick_searches(c))
		return call_again(c);
	if (uuid_is_nil(&image))
		return call_field_error(c, "image", "Choose an image.");
	rc = device_reassign(c->db, &id, &image);
	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, "Only an Encrypted device that no instance has in use can be reassigned, and only where the provider can "
			"attach devices to running instances.");
	if (rc == ERR_INVALID)
		return call_field_error(c, "image", "This image is of another provider than the device.");
	return rc < 0 ? rc : doc_done(c, "/devices", &id, "The device is assigned to the image.");
}

/* Copy Configuration from Another Device */

const struct route_param device_copy_query[] = {
	DEVICE_PICK_PARAMS,
	{ "source", "Copy from", PARAM_UUID, 0, 0, 0, NULL },
	PARAM_END
};
const struct route_param device_copy_fields[] = {
	DEVICE_PICK_PARAMS,
	{ "source", "Copy from", PARAM_UUID, 0, 0, 0, NULL },
	{ "mount", "Mount point", PARAM_TEXT, 0, 0, 255, NULL },
	{ "access", "Write access", PARAM_ENUM, PARAM_REQUIRED, 0, 0, device_accesses },
	PARAM_END
};

static void offer_source(struct call *c, const json_t *source, int chosen)
{
	json_t *hint = json_sprintf(*doc_text(source, "image_name") ? "%s, %s" : "%s%s", doc_text(source, "provider_device"),
		doc_text(source, "image_name"));

	call_form_option(c, "source", doc_text(source, "id"), doc_text(source, "name"), json_string_value(hint), chosen);
	json_decref(hint);
}

static int offer_sources(struct call *c, const struct uuid *id)
{
	json_t *sources = NULL, *source;
	char chosen[UUID_TEXT_SIZE];
	const json_t *first;
	size_t i;
	struct uuid typed = call_uuid(c, "source");
	int rc = device_clone_sources(c->db, id, &typed, call_text(c, "search"), SOURCES_OFFERED + 1, &sources);

	if (rc < 0)
		return rc;
	first = json_array_get(sources, 0);
	call_set(c, "has_sources", json_boolean(first != NULL || *call_text(c, "search")));
	device_pick_chosen(c, "source", doc_text(first, "id"), chosen);
	call_form(c, "source", json_string(chosen));
	json_array_foreach(sources, i, source)
		if (i < SOURCES_OFFERED)
			offer_source(c, source, strcmp(doc_text(source, "id"), chosen) == 0);
	device_pick_set(c, json_array_size(sources), SOURCES_OFFERED);
	call_form(c, "mount", json_string(doc_text(first, "mount_point")));
	device_offer_access(c, doc_text(first, "access"));
	json_decref(sources);
	return 0;
}

int device_copy_page(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL;
	int rc = device_ask(c, DEVICE_EVENT_CLONE, &row);

	if (rc < 0)
		return rc;
	set_device(c, row);
	call_set(c, "token", json_boolean(*doc_text(row, "token_device")));
	json_decref(row);
	return offer_sources(c, &id);
}

static int copy(struct call *c, struct device_clone *clone)
{
	struct keys_device source = { .tenant = c->tenant, .device = clone->source, .version = (uint32_t)clone->key.version,
		.wrapped_tenant = { (uint8_t *)clone->key.tenant.data, clone->key.tenant.len } };
	struct buf wrapped = BUF_INIT;
	int rc = keys_device_rewrap(c->keys, &c->id, &source, (struct wire_view){ (uint8_t *)clone->key.wrapped.data,
		clone->key.wrapped.len }, &clone->device, (uint32_t)clone->version, &(struct keys_asked){ c->user,
		{ (uint8_t *)clone->key.ticket.data, clone->key.ticket.len } }, &wrapped);

	if (rc == 0)
		rc = device_clone_finish(c->db, clone, (struct wire_view){ (uint8_t *)wrapped.data, wrapped.len }, call_text(c, "mount"),
			device_access(call_text(c, "access")));
	buf_free(&wrapped);
	return rc;
}

int device_copy_run(struct call *c)
{
	struct uuid id = call_uuid(c, "id"), source = call_uuid(c, "source");
	struct device_clone clone = { 0 };
	int rc = device_pick_searches(c) ? call_again(c) : device_check_mount(c, call_text(c, "mount"));

	if (rc == 0 && uuid_is_nil(&source))
		rc = call_field_error(c, "source", "Choose a device.");
	if (rc == 0)
		rc = licence_room(c, &id);
	if (rc == 0)
		rc = device_clone_begin(c->db, &id, &source, &c->id, &clone);
	if (rc == 0)
		rc = copy(c, &clone);
	device_key_pair_free(&clone.key);
	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, "Nothing was copied: the device's status does not allow it, or what its agent found on it was not "
			"encrypted with a key of the other device.");
	return rc < 0 ? rc : doc_done(c, "/devices", &id, "Configuration and key are copied. The agent is told to ask for the key.");
}
