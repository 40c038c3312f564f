/* device_rotate.c - another key for a device (KEY-6): asked for here, of one device or of many; shown on the device's page. */
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "console/pages.h"
#include "store/rotation.h"
#include "web/doc.h"
#include "web/list.h"

#define REFUSED "The key cannot be rotated now: the device has none that is in use, it is to be released, or a rotation is under way already."

#define BROUGHT_BACK "brought-back"
#define BROUGHT_BACK_TEXT "The disk was brought back to how it was before its key was rotated. The former key, which is kept for that, is given too; once the " \
	"volume is open, its agent puts the current key in its place."

/* What a person sees of a rotation's state. */
static const struct {
	const char *state, *label, *colour, *text;
	const char *volume_text;     /* of a volume key; NULL: the same */
	int open;
} looks[] = {
	{ "waiting", "Waiting", "yellow", "It begins as soon as the agent is reached and the volume is open: at the latest with the next release"
		" of the key.", NULL, 1 },
	{ "adding", "Under way", "blue", "The agent adds the new key. Until it has opened the volume with it, the former key stays the current"
		" one.", "The agent encrypts the volume anew while it is in use. A power cut or a closed volume only interrupts it.", 1 },
	{ "removing", "Under way", "blue", "The new key is the current one. The agent removes the former one from the volume.", NULL, 1 },
	{ "done", "Done", "green", "The former key no longer opens the volume.", "All of the volume is encrypted with the new volume key.", 0 },
	{ "cancelled", "Cancelled", "gray", "", NULL, 0 },
};

static size_t look_of(const json_t *row)
{
	size_t i = 0;

	while (i + 1 < sizeof looks / sizeof looks[0] && strcmp(looks[i].state, doc_text(row, "state")) != 0)
		i++;
	return i;
}

static json_t *versions(const json_t *row)
{
	const json_t *from = json_object_get(row, "from_version"), *to = json_object_get(row, "to_version");

	return json_is_integer(from) && json_is_integer(to) ? json_sprintf("%d → %d", (int)json_integer_value(from),
		(int)json_integer_value(to)) : json_null();
}

/* Who or what has wanted it. */
static const char *wanted_by(const struct call *c, const json_t *row)
{
	const char *reason = doc_text(row, "reason");

	return strcmp(reason, "age") == 0 ? call_translate(c, "the maximum key age") : strcmp(reason, BROUGHT_BACK) == 0 ?
		call_translate(c, "an older state of the disk") : doc_text(row, "by_name");
}

static json_t *show(const struct call *c, const json_t *row)
{
	size_t look = look_of(row);
	int volume = strcmp(doc_text(row, "kind"), "volume-key") == 0;
	const char *text = volume && looks[look].volume_text ? looks[look].volume_text : looks[look].open && strcmp(doc_text(row, "reason"),
		BROUGHT_BACK) == 0 ? BROUGHT_BACK_TEXT : looks[look].text;
	json_t *out = json_pack("{s:s, s:s, s:o, s:s?, s:o, s:o, s:o, s:o, s:o, s:s, s:b}", "name", doc_text(row, "name"), "id",
		doc_text(row, "device"), "status", doc_badge(c, looks[look].label, looks[look].colour), "text", *text ?
		call_translate(c, text) : NULL, "versions", versions(row), "wanted", doc_when(c, row, "wanted"), "finished",
		doc_when(c, row, "finished"), "tried", doc_when(c, row, "tried"), "error", doc_reason(c, doc_text(row, "error")), "by", wanted_by(c, row), "open",
		looks[look].open);

	json_set_bool(out, "volume", volume);
	json_set_bool(out, "works", volume && strcmp(looks[look].state, "adding") == 0);
	json_object_set(out, "progress", json_object_get(row, "progress"));
	json_object_set(out, "kind", json_object_get(row, "kind"));
	json_object_set(out, "state", json_object_get(row, "state"));
	json_object_set(out, "from_version", json_object_get(row, "from_version"));
	json_object_set(out, "to_version", json_object_get(row, "to_version"));
	return out;
}

/* As ROTATION_FITS says it of a row. */
static int fits(const json_t *device)
{
	const char *status = doc_text(device, "status");

	return json_is_true(json_object_get(device, "has_key")) && *doc_text(device, "release") == '\0' && (strcmp(status,
		device_state_name(DEVICE_IN_USE)) == 0 || strcmp(status, device_state_name(DEVICE_ENCRYPTED)) == 0);
}

/* A device, or the members of an array: is one under way, does one wait, could one begin? */
static void set_can(struct call *c, const json_t *device, size_t open, size_t waiting)
{
	const json_t *members = json_object_get(device, "members");
	size_t all = json_is_integer(members) ? (size_t)json_integer_value(members) : 1;
	int manage = call_may(c, PERMISSION_KEYS_MANAGE) && *doc_text(device, "raid") == '\0';
	json_t *can = json_object_get(c->doc, "can");

	json_set_bool(can, "rotate", manage && open < all && fits(device));
	json_set_bool(can, "rotate_cancel", manage && waiting > 0);
	if (open > 0 && json_is_null(json_object_get(c->doc, "live")))
		call_set(c, "live", json_pack("{s:o, s:i}", "url", json_sprintf("/devices/%s", doc_text(device, "id")), "seconds",
			DEVICE_REFRESH_S));
}

int device_rotation_member(struct call *c, const struct uuid *id, const json_t *device)
{
	json_t *rows = NULL, *row, *shown = json_array();
	size_t i, open = 0, waiting = 0;
	clock_us due = 0;
	int rc = rotation_list(c->db, id, &rows);

	json_array_foreach(rows, i, row) {
		json_t *one = show(c, row);

		open += json_is_true(json_object_get(one, "open"));
		waiting += strcmp(doc_text(row, "state"), "waiting") == 0;
		json_set_bool(one, "named", json_is_integer(json_object_get(device, "members")));
		json_array_append_new(shown, one);
	}
	if (rc == 0)
		rc = rotation_due(c->db, id, &due);
	if (rc == 0) {
		call_set(c, "rotation_due", call_when(c, due));
		call_set(c, "rotations", json_incref(shown));
		call_set(c, "has_rotations", json_boolean(json_array_size(shown) > 0));
		set_can(c, device, open, waiting);
	}
	json_decref(shown);
	json_decref(rows);
	return rc;
}

/* What a person is asked before: an array of texts. */
static json_t *points_of(const struct call *c, enum rotation_kind kind, int in_use)
{
	static const char *const texts[][3] = {
		[ROTATION_DEVICE_KEY] = { "What is on the device is not encrypted anew; the volume stays open.",
			"The former key is removed from the volume only after the new one was seen to open it. Copies of the disk that were made before "
			"still open with the former key, which is kept for them." },
		[ROTATION_VOLUME_KEY] = { "Everything on the device is read, encrypted with the new volume key and written again, while the volume is "
			"in use. That takes as long as the disk takes for it, and slows it down meanwhile.",
			"A power cut, or a volume that is closed, only interrupts it: it goes on when the volume is open again. Until it is over, only a "
			"machine with dm-crypt opens the volume.",
			"The device key stays as it is; other key slots of the volume are removed." },
	};
	json_t *out = json_array();

	for (size_t i = 0; i < 3 && texts[kind][i]; i++)
		json_array_append_new(out, json_string(call_translate(c, texts[kind][i])));
	json_array_append_new(out, json_string(call_translate(c, in_use ? "The agent begins at once." :
		"The volume is closed: it begins when its key is next released.")));
	return out;
}

static int ask(struct call *c, enum rotation_kind kind)
{
	static const struct { const char *act, *title, *button, *text; } words[] = {
		[ROTATION_DEVICE_KEY] = { "rotate", "Rotate key of", "Rotate key", "The device gets a new key." },
		[ROTATION_VOLUME_KEY] = { "reencrypt", "Encrypt anew", "Encrypt anew", "The volume gets a new volume key." },
	};
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL;
	int rc = device_get(c->db, &id, &row);

	if (rc == 0 && !fits(row))
		rc = call_refuse(c, ERR_CONFLICT, REFUSED);
	if (rc == 0)
		doc_confirm(c, &(struct doc_confirm){ .folder = "/devices", .id = doc_text(row, "id"), .act = words[kind].act, .title =
			words[kind].title, .name = doc_text(row, "name"), .icon = "key", .colour = "blue", .button = words[kind].button, .points =
			points_of(c, kind, strcmp(doc_text(row, "status"), device_state_name(DEVICE_IN_USE)) == 0),
			.text = call_translate(c, words[kind].text) });
	json_decref(row);
	return rc;
}

static int want(struct call *c, enum rotation_kind kind, const char *said)
{
	struct uuid id = call_uuid(c, "id");
	int rc = rotation_want(c->db, &id, kind);

	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, REFUSED);
	return rc < 0 ? rc : doc_done(c, "/devices", &id, said);
}

int device_rotate_ask(struct call *c)
{
	return ask(c, ROTATION_DEVICE_KEY);
}

int device_rotate_run(struct call *c)
{
	return want(c, ROTATION_DEVICE_KEY, "The key will be rotated: this page shows how far that is.");
}

int device_reencrypt_ask(struct call *c)
{
	return ask(c, ROTATION_VOLUME_KEY);
}

int device_reencrypt_run(struct call *c)
{
	return want(c, ROTATION_VOLUME_KEY, "The volume will be encrypted anew: this page shows how far that is.");
}

int device_rotate_cancel(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	int rc = rotation_cancel(c->db, &id);

	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, "The agent has begun: it goes on until the new key is the only one.");
	return rc < 0 ? rc : doc_done(c, "/devices", &id, "The key will not be rotated.");
}
