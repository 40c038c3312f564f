/* device_notice.c - what a device's page says beyond its fields: what is in the way of encrypting it, and whose volume is on it. */
#include "console/pages.h"

#include "base/buf.h"
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
	return json_pack("{s:s, s:s, s:s, s:s, s:n}", "title", call_translate(c, title), "colour", colour, "icon", icon, "text", text,
		"link");
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
		one = notice(c, k->title, k->colour, k->icon, buf_str(&text));
		if (json_is_string(json_object_get(origin, "id")))
			json_object_set_new(one, "link", doc_link("/devices", doc_text(origin, "id"), doc_text(origin, "name")));
		json_array_append_new(notices, one);
	}
	buf_free(&text);
	json_decref(origin);
	return 0;
}

int device_notices(struct call *c, const struct uuid *id, const json_t *row)
{
	json_t *notices = json_array();
	const char *unusable = doc_text(row, "unusable");
	int rc = 0;

	if (*unusable)
		json_array_append_new(notices, notice(c, json_is_true(json_object_get(row, "has_key")) ? "Used by something else on its instance" :
			"It cannot be encrypted as it is", "yellow", "alert-triangle", unusable));
	rc = add_origin(c, id, notices);
	call_set(c, "notices", notices);
	return rc;
}
