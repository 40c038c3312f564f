/* device_notice.c - what a device's page says beyond its fields: what is in the way of encrypting it, and whose volume is on it. */
#include "console/pages.h"

#include <ctype.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "store/device_origin.h"
#include "web/doc.h"

static const struct kind {
	const char *title, *colour, *icon;
} kinds[] = {
	[DEVICE_ORIGIN_COPY] = { "A copy of another device", "yellow", "copy" },
	[DEVICE_ORIGIN_MOVED] = { "Another device's disk", "yellow", "copy" },
	[DEVICE_ORIGIN_FORGOTTEN] = { "The volume of a device that was deleted", "red", "alert-triangle" },
	[DEVICE_ORIGIN_FOREIGN] = { "Another account's volume", "red", "alert-triangle" },
};

static json_t *notice(const struct call *c, const char *title, const char *colour, const char *icon, const char *text)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:n, s:n, s:n}", "title", call_translate(c, title), "colour", colour, "icon", icon, "text", text,
		"link", "detail", "command");
}

/* What holds of the device itself. Each says whether it does; ROW is of device_get. */
static int is_system(const json_t *row, enum device_state state)
{
	(void)state;
	return json_is_true(json_object_get(row, "is_system"));
}

static int failed(const json_t *row, enum device_state state)
{
	(void)row;
	return state == DEVICE_ERROR;
}

static int has_newer_key(const json_t *row, enum device_state state)
{
	(void)state;
	return json_is_true(json_object_get(row, "key_is_newer"));
}

static int is_not_opened(const json_t *row, enum device_state state)
{
	return !has_newer_key(row, state) && strcmp(doc_text(row, "said_status"), "failed") == 0 && *doc_text(row, "said") && (state == DEVICE_ENCRYPTED || state == DEVICE_IN_USE);
}

static int is_on_another_image(const json_t *row, enum device_state state)
{
	const char *image = doc_text(row, "image"), *instance_image = doc_text(row, "instance_image");

	/* A pool is for all images of its policy. */
	return json_is_true(json_object_get(row, "attaches")) && !json_is_true(json_object_get(row, "pooling")) && state == DEVICE_ENCRYPTED
		&& *image && *instance_image && strcmp(image, instance_image) != 0;
}

static int is_undetected(const json_t *row, enum device_state state)
{
	(void)row;
	return state == DEVICE_UNDETECTED;
}

static int is_free(const json_t *row, enum device_state state)
{
	return state == DEVICE_ENCRYPTED && *doc_text(row, "instance") == '\0' && json_is_true(json_object_get(row, "attaches"));
}

static const struct note {
	int (*holds)(const json_t *row, enum device_state state);
	const char *title, *colour, *icon, *text;
	const char *act, *link;      /* page below the device's, for who may change devices; NULL: none */
	const char *detail;          /* member of the row that is shown with the title; NULL: none */
} notes[] = {
	{ failed, "Encryption failed", "red", "alert-triangle", "Mend that in the guest, then choose Encrypt again: it begins anew, with a "
		"new key.", NULL, NULL, "error" },
	{ has_newer_key, "The server does not have the key of its volume", "red", "alert-triangle", "The volume was encrypted, or its key rotated, after the "
		"moment that the server's database was restored to. While it is open, copy what is on it and do not restart its instance: nothing that the server has "
		"opens it again. The operator can restore the database to a later moment, and a key that was exported since opens it.", NULL, NULL, NULL },
	{ is_not_opened, "Its agent could not open it", "red", "alert-triangle", "Mend that in the guest. The agent tries again automatically; from the "
		"key request's page it can be told to.", NULL, NULL, "said" },
	{ is_system, "The system runs from this device", "blue", "info-circle", "It is never encrypted.", NULL, NULL, NULL },
	{ is_on_another_image, "Attached to an instance of another image", "yellow", "alert-triangle", "Only instances of the image that "
		"it is assigned to get its key. Reassign it, if it is meant to be there.", "reassign", "Reassign", "instance_image_name" },
	{ is_free, "Free: no instance has it", "blue", "info-circle", "The next instance that asks for a device of its policy's pool gets it. If it "
		"was removed at the provider for good, unconfigure it here; then it can be deleted.", NULL, NULL, NULL },
	{ is_undetected, "Its agent does not find it any more", "yellow", "alert-triangle", "Attach it again and have the inventory published, "
		"and it is back as it was. If it was removed for good, delete it here.", NULL, NULL, NULL },
};

static void add_notes(const struct call *c, const json_t *row, json_t *notices)
{
	enum device_state state;

	if (device_state_parse(doc_text(row, "status"), &state) < 0)
		return;
	for (size_t i = 0; i < ARRAY_LEN(notes); i++) {
		const struct note *n = &notes[i];
		json_t *one;

		if (!n->holds(row, state))
			continue;
		one = notice(c, n->title, n->colour, n->icon, call_translate(c, n->text));
		json_object_set_new(one, "detail", n->detail == NULL ? json_null() : n->act ? json_string(doc_text(row, n->detail)) : doc_reason(c, doc_text(row, n->detail)));
		if (n->act && call_may(c, PERMISSION_DEVICES_EDIT))
			json_object_set_new(one, "link", json_pack("{s:s, s:o}", "name", call_translate(c, n->link), "url",
				json_sprintf("/devices/%s/%s", doc_text(row, "id"), n->act)));
		json_array_append_new(notices, one);
	}
}

static int add_origin(struct call *c, const struct uuid *id, json_t *notices)
{
	struct buf text = BUF_INIT;
	json_t *origin, *one;
	int rc = device_origin(c->db, id, &origin);

	if (rc < 0)
		return rc;
	if (json_is_object(origin)) {
		const struct kind *k = &kinds[device_origin_kind(origin)];

		device_origin_say(origin, &text);
		buf_putc(&text, '.');
		/* A sentence here; elsewhere a part of one. */
		*text.data = (unsigned char)toupper(*text.data);
		one = notice(c, k->title, k->colour, k->icon, buf_str(&text));
		if (json_is_string(json_object_get(origin, "id")))
			json_object_set_new(one, "link", doc_link("/devices", doc_text(origin, "id"), doc_text(origin, "name")));
		json_array_append_new(notices, one);
	}
	buf_free(&text);
	json_decref(origin);
	return 0;
}

/* What a person has allowed, and what is to be done now. */
static void add_release(struct call *c, const json_t *row, json_t *notices)
{
	int decrypt = strcmp(doc_text(row, "release"), "decrypt") == 0;
	json_t *text = json_sprintf("%s (%s).", call_translate(c, decrypt ? "Its instance may decrypt it, by this command there"
		: "Its instance may hand it over, by this command there"), doc_text(row, "release_by"));
	json_t *one = notice(c, "Release to the owner is allowed", "yellow", "lock-open", json_string_value(text));

	json_object_set_new(one, "command", json_sprintf("keyward-config --%s %s", doc_text(row, "release"), doc_text(row, "provider_device")));
	json_array_append_new(notices, one);
	json_decref(text);
}

int device_notices(struct call *c, const struct uuid *id, const json_t *row)
{
	json_t *notices = json_array();
	const char *unusable = doc_text(row, "unusable");
	int rc = 0;

	add_notes(c, row, notices);
	if (*unusable && !json_is_true(json_object_get(row, "is_system")))
		json_array_append_new(notices, notice(c, json_is_true(json_object_get(row, "has_key")) ? "Used by something else on its instance" :
			"It cannot be encrypted as it is", "yellow", "alert-triangle", unusable));
	if (*doc_text(row, "release"))
		add_release(c, row, notices);
	rc = add_origin(c, id, notices);
	call_set(c, "notes", notices);
	return rc;
}
