/* raid.c - RAID 0 arrays (RAID-1): making one, changing it, and what pages show of its members. All else of an array is on the pages of
 * devices. */
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "console/pages.h"
#include "store/raid.h"
#include "web/doc.h"

#define OFFERED 50               /* devices to pick from; a search finds the others */

static const char *const gos[] = { "save", "search", NULL };

const struct route_param raid_query[] = {
	{ "search", "Search", PARAM_TEXT, 0, 0, LIST_SEARCH_MAX, NULL },
	{ "members", "Devices", PARAM_UUIDS, 0, 0, RAID_MEMBERS_MAX * 4, NULL },
	{ "go", NULL, PARAM_ENUM, 0, 0, 0, gos },
	PARAM_END
};
/* What is missing is said by the handlers: a search is no reason to complain. */
#define FIELDS \
	{ "description", "Description", PARAM_TEXT, 0, 0, 500, NULL }, \
	DEVICE_CONFIGURATION_PARAMS, \
	{ "mount", "Mount point", PARAM_TEXT, 0, 0, 255, NULL }, \
	{ "members", "Devices", PARAM_UUIDS, 0, 0, RAID_MEMBERS_MAX * 4, NULL }, \
	{ "search", "Search", PARAM_TEXT, 0, 0, LIST_SEARCH_MAX, NULL }, \
	{ "go", NULL, PARAM_ENUM, 0, 0, 0, gos }, \
	PARAM_END
const struct route_param raid_new_fields[] = { { "name", "ID", PARAM_TEXT, 0, 0, 100, NULL }, FIELDS };
const struct route_param raid_edit_fields[] = { FIELDS };

static const struct {
	const char *reason, *text;
} reasons[] = {
	{ "status", "Configured already" }, { "member", "Member of another RAID" }, { "system", "Holds the root file system" },
	{ "busy", "In use by the machine" }, { "provider", "Another provider than the first one chosen" },
	{ "machine", "On another machine than the first one chosen" }, { "zone", "In another zone than the first one chosen" },
	{ "image", "Another image than the first one chosen" },
};

static json_t *why(const struct call *c, const json_t *row)
{
	const char *reason = doc_text(row, "reason");

	for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
		if (strcmp(reasons[i].reason, reason) == 0)
			return json_string(call_translate(c, reasons[i].text));
	return json_null();
}

static json_t *candidate(const struct call *c, const json_t *row)
{
	json_t *out = json_object();
	static const char *const copied[] = { "id", "name", "provider_device", "provider", "provider_name", "zone", "chosen" };
	int chosen = json_is_true(json_object_get(row, "chosen"));

	for (size_t i = 0; i < sizeof copied / sizeof copied[0]; i++)
		json_object_set(out, copied[i], json_object_get(row, copied[i]));
	json_object_set_new(out, "size", doc_size(c, json_integer_value(json_object_get(row, "size_bytes"))));
	json_set_string(out, "image", doc_text(row, "image_name"));
	json_set_string(out, "instance", doc_text(row, "instance_name"));
	json_object_set_new(out, "reason", why(c, row));
	/* One that was chosen can be given up, whatever is wrong with it. */
	json_set_bool(out, "closed", !chosen && *doc_text(row, "reason") != '\0');
	return out;
}

/* The devices that the form names; when it was not sent yet, PRESENT (may be NULL). */
static json_t *chosen_ids(const struct call *c, const json_t *present)
{
	json_t *out = json_array(), *row;
	char text[UUID_TEXT_SIZE];
	size_t i;

	for (i = 0; i < call_count(c, "members"); i++) {
		struct uuid id = call_uuid_at(c, "members", i);

		uuid_text(&id, text);
		json_array_append_new(out, json_string(text));
	}
	if (!call_has(c, "members") && !call_has(c, "go"))
		json_array_foreach(present, i, row)
			json_array_append(out, json_object_get(row, "id"));
	return out;
}

static int offer_members(struct call *c, const struct uuid *raid, const json_t *present)
{
	json_t *chosen = chosen_ids(c, present), *rows = NULL, *shown = json_array(), *row;
	int rc = raid_candidates(c->db, raid, call_text(c, "search"), chosen, OFFERED + 1, &rows);
	size_t i;

	json_array_foreach(rows, i, row)
		if (i < OFFERED)
			json_array_append_new(shown, candidate(c, row));
	call_set(c, "pick", json_pack("{s:s, s:b, s:b, s:i, s:i}", "search", call_text(c, "search"), "has_rows", json_array_size(rows) > 0,
		"more", json_array_size(rows) > OFFERED, "offered", OFFERED, "chosen", (int)json_array_size(chosen)));
	call_set(c, "candidates", shown);
	json_decref(rows);
	json_decref(chosen);
	return rc;
}

int raid_new_page(struct call *c)
{
	static const struct uuid none;
	json_t *standard = json_pack("{s:s, s:s, s:s, s:s, s:i, s:s}", "os", "linux", "filesystem", "ext4", "access", "read-write", "mode",
		"xts-plain64", "key_bits", 256, "mount_point", "");

	device_offer(c, standard);
	json_decref(standard);
	call_form(c, "name", json_string(""));
	call_form(c, "description", json_string(""));
	call_set(c, "raid", json_pack("{s:n, s:s, s:s, s:b}", "name", "url", "/devices", "action", "/devices/raid", "is_new", 1));
	return offer_members(c, &none, NULL);
}

int raid_edit_page(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL, *members = NULL;
	int rc = device_get(c->db, &id, &row);

	if (rc == 0 && strcmp(doc_text(row, "kind"), DEVICE_KIND_RAID) != 0)
		rc = err_set(ERR_NOT_FOUND, "this device is no RAID");
	if (rc == 0)
		rc = raid_members(c->db, &id, &members);
	if (rc == 0) {
		device_offer(c, row);
		call_form(c, "description", json_string(doc_text(row, "description")));
		call_set(c, "raid", json_pack("{s:s, s:o, s:o, s:b}", "name", doc_text(row, "name"), "url",
			json_sprintf("/devices/%s", doc_text(row, "id")), "action", json_sprintf("/devices/%s/raid", doc_text(row, "id")),
			"is_new", 0));
		rc = offer_members(c, &id, members);
	}
	json_decref(members);
	json_decref(row);
	return rc;
}

static int check_members(struct call *c)
{
	size_t n = call_count(c, "members");

	if (n < RAID_MEMBERS_MIN)
		return call_field_error(c, "members", "Choose at least two devices.");
	return n > RAID_MEMBERS_MAX ? call_field_error(c, "members", "An array has at most 16 devices.") : 0;
}

/* What was typed as a definition; MEMBERS has room for all. ERR_INVALID: said at the fields. */
static int read_definition(struct call *c, struct uuid members[static RAID_MEMBERS_MAX], struct device_configuration *configuration,
	struct raid_definition *out)
{
	int bad = device_typed_configuration(c, configuration), few = check_members(c);

	if (bad < 0 || few < 0)
		return ERR_INVALID;
	for (size_t i = 0; i < call_count(c, "members"); i++)
		members[i] = call_uuid_at(c, "members", i);
	*out = (struct raid_definition){ .description = call_text(c, "description"), .members = members,
		.count = call_count(c, "members"), .configuration = configuration };
	return 0;
}

int raid_new(struct call *c)
{
	struct uuid members[RAID_MEMBERS_MAX], id;
	struct device_configuration configuration;
	struct raid_definition d;
	int valid = raid_id_is_valid(call_text(c, "name")), rc;

	if (strcmp(call_text(c, "go"), "search") == 0)
		return call_again(c);
	if (!valid)
		call_field_error(c, "name", "An ID is needed: letters, digits, hyphens and underscores, at most 50.");
	rc = read_definition(c, members, &configuration, &d);
	if (!valid || rc < 0)
		return ERR_INVALID;
	d.name = call_text(c, "name");
	rc = raid_create(c->db, &d, &id);
	if (rc == ERR_CONFLICT)
		return call_field_error(c, "name", "There is a RAID of this ID already.");
	if (rc == ERR_INVALID)
		return call_field_error(c, "members", err_text());
	return rc < 0 ? rc : doc_done(c, "/devices", &id, "The RAID is created. Nothing is changed on its devices until it is encrypted.");
}

int raid_edit(struct call *c)
{
	struct uuid id = call_uuid(c, "id"), members[RAID_MEMBERS_MAX];
	struct device_configuration configuration;
	struct raid_definition d;
	int rc;

	if (strcmp(call_text(c, "go"), "search") == 0)
		return call_again(c);
	rc = read_definition(c, members, &configuration, &d);
	if (rc < 0)
		return rc;
	rc = raid_change(c->db, &id, &d);
	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, "The RAID cannot be changed in its present status.");
	if (rc == ERR_INVALID)
		return call_field_error(c, "members", err_text());
	return rc < 0 ? rc : doc_done(c, "/devices", &id, "The RAID is saved. Nothing is changed on its devices until it is encrypted.");
}

static json_t *member(const struct call *c, const json_t *row)
{
	const char *status = doc_text(row, "status");
	json_t *out = json_pack("{s:s, s:o, s:s, s:o, s:I, s:s, s:s, s:o}", "name", doc_text(row, "name"), "url",
		json_sprintf("/devices/%s", doc_text(row, "id")), "provider_id", doc_text(row, "provider_device"), "status",
		device_badge(c, status), "number", (json_int_t)json_integer_value(json_object_get(row, "raid_index")) + 1, "path",
		doc_text(row, "path"), "found", doc_text(row, "found_filesystem"), "instance",
		doc_link("/instances", doc_text(row, "instance"), doc_text(row, "instance_name")));

	json_object_set(out, "id", json_object_get(row, "id"));
	json_object_set(out, "state", json_object_get(row, "status"));
	json_object_set_new(out, "size", doc_size(c, json_integer_value(json_object_get(row, "size_bytes"))));
	json_object_set_new(out, "progress", strcmp(status, "encrypting") == 0 ?
		json_pack("{s:O}", "percent", json_object_get(row, "progress")) : json_null());
	json_object_set_new(out, "key_version", json_is_true(json_object_get(row, "has_key")) ?
		json_incref(json_object_get(row, "key_version")) : json_null());
	return out;
}

int raid_shown(struct call *c, const json_t *device, json_t **out)
{
	struct uuid id;
	json_t *rows = NULL, *row;
	size_t i;
	int rc;

	*out = json_null();
	if (strcmp(doc_text(device, "kind"), DEVICE_KIND_RAID) != 0)
		return 0;
	rc = uuid_parse(doc_text(device, "id"), &id);
	if (rc == 0)
		rc = raid_members(c->db, &id, &rows);
	if (rc == 0) {
		*out = json_array();
		json_array_foreach(rows, i, row)
			json_array_append_new(*out, member(c, row));
	}
	json_decref(rows);
	return rc;
}
