/* device_configure.c - how a device will be encrypted (DEV-3, DEV-8), and taking that back (DEV-6). */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mount_point.h"
#include "base/say.h"
#include "console/pages.h"
#include "store/device.h"
#include "store/image.h"
#include "web/doc.h"

#define IMAGES_OFFERED 20
#define CHOICES_FEW 8            /* that many need no search */

/* value in the form, value in the store, what people read */
struct choice {
	const char *value, *stored, *text, *hint;
};

static const struct choice systems[] = { { "linux", "linux", "Linux", NULL }, { NULL } };
static const struct choice filesystems[] = { { "ext4", "ext4", "ext4", NULL }, { "ext3", "ext3", "ext3", NULL },
	{ "xfs", "xfs", "XFS", NULL }, { NULL } };
static const struct choice accesses[] = { { "rw", "read-write", "Read and write", "The usual choice." },
	{ "ro", "read-only", "Read only", "The agent mounts the volume read-only." }, { NULL } };
static const struct choice modes[] = { { "xts", "xts-plain64", "XTS", NULL }, { "cbc-essiv", "cbc-essiv:sha256", "CBC-ESSIV", NULL },
	{ NULL } };
static const struct choice key_sizes[] = { { "256", "256", N_("256 bits"), NULL }, { "192", "192", N_("192 bits"), NULL },
	{ "128", "128", N_("128 bits"), NULL }, { NULL } };

const char *const device_systems[] = { "linux", NULL }, *const device_filesystems[] = { "ext4", "ext3", "xfs", NULL },
	*const device_accesses[] = { "rw", "ro", NULL }, *const device_modes[] = { "xts", "cbc-essiv", NULL },
	*const device_key_sizes[] = { "256", "192", "128", NULL };

const char *const device_pick_gos[] = { "save", "search", NULL };
const struct route_param device_configure_query[] = {
	DEVICE_PICK_PARAMS,
	{ "image", "Image", PARAM_UUID, 0, 0, 0, NULL },
	PARAM_END
};
/* What is missing is said by the handler: a search is no reason to complain. */
const struct route_param device_configure_fields[] = {
	DEVICE_CONFIGURATION_PARAMS,
	DEVICE_PICK_PARAMS,
	{ "mount", "Mount point", PARAM_TEXT, 0, 0, 255, NULL },
	{ "image", "Image", PARAM_UUID, 0, 0, 0, NULL },
	PARAM_END
};

static const char *stored(const struct choice *choices, const char *value)
{
	for (; choices->value; choices++)
		if (strcmp(choices->value, value) == 0)
			return choices->stored;
	return "";
}

static void offer(struct call *c, const char *field, const struct choice *choices, const char *present)
{
	const char *selected = choices->value;

	for (const struct choice *k = choices; k->value; k++)
		if (strcmp(k->stored, present) == 0)
			selected = k->value;
	call_form(c, field, json_string(selected));
	for (const struct choice *k = choices; k->value; k++)
		call_form_option(c, field, k->value, call_translate(c, k->text), k->hint ? call_translate(c, k->hint) : NULL,
			strcmp(k->value, selected) == 0);
}

void device_offer_access(struct call *c, const char *present)
{
	offer(c, "access", accesses, present);
}

const char *device_access(const char *value)
{
	return stored(accesses, value);
}

int device_pick_searches(const struct call *c)
{
	return strcmp(call_text(c, "go"), "search") == 0;
}

void device_pick_set(struct call *c, size_t count, size_t most)
{
	const char *search = call_text(c, "search");

	call_set(c, "pick", json_pack("{s:s, s:b, s:b, s:i, s:b}", "search", search, "many", count > CHOICES_FEW || *search, "more", count > most,
		"offered", (int)most, "none", count == 0));
}

void device_pick_chosen(const struct call *c, const char *field, const char *present, char out[static UUID_TEXT_SIZE])
{
	struct uuid typed = call_uuid(c, field);

	if (uuid_is_nil(&typed))
		snprintf(out, UUID_TEXT_SIZE, "%s", present);
	else
		uuid_text(&typed, out);
}

static void offer_image(struct call *c, const json_t *row, int chosen)
{
	const char *name = doc_text(row, "name"), *id = doc_text(row, "provider_image");

	call_form_option(c, "image", doc_text(row, "id"), *name ? name : id, *name ? id : NULL, chosen);
}

/* What is chosen stays chosen, whatever is searched. */
static int offer_chosen_image(struct call *c, const char *chosen)
{
	struct uuid id;
	json_t *row;
	int rc = uuid_parse(chosen, &id) < 0 ? ERR_NOT_FOUND : image_get(c->db, &id, &row);

	if (rc == 0) {
		offer_image(c, row, 1);
		json_decref(row);
	}
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

int device_offer_images(struct call *c, const char *provider, const char *present)
{
	struct list_query q = { .sort = "name", .limit = IMAGES_OFFERED + 1, .search = call_text(c, "search"), .filters = { { "provider", provider } } };
	char chosen[UUID_TEXT_SIZE];
	json_t *page, *rows, *row;
	size_t i;
	int rc = image_list(c->db, &q, &page);

	if (rc < 0)
		return rc;
	rows = json_object_get(page, "rows");
	device_pick_chosen(c, "image", present, chosen);
	call_form(c, "image", json_string(chosen));
	rc = offer_chosen_image(c, chosen);
	json_array_foreach(rows, i, row)
		if (i < IMAGES_OFFERED && strcmp(doc_text(row, "id"), chosen) != 0)
			offer_image(c, row, 0);
	device_pick_set(c, json_array_size(rows), IMAGES_OFFERED);
	json_decref(page);
	return rc;
}

void device_offer(struct call *c, const json_t *row)
{
	char bits[16];

	snprintf(bits, sizeof bits, "%d", (int)json_integer_value(json_object_get(row, "key_bits")));
	offer(c, "os", systems, doc_text(row, "os"));
	offer(c, "filesystem", filesystems, doc_text(row, "filesystem"));
	offer(c, "access", accesses, doc_text(row, "access"));
	offer(c, "mode", modes, doc_text(row, "mode"));
	offer(c, "key_size", key_sizes, bits);
	call_form(c, "mount", json_string(doc_text(row, "mount_point")));
}

int device_configure_page(struct call *c)
{
	json_t *row = NULL;
	int rc = device_ask(c, DEVICE_EVENT_CONFIGURE, &row);

	if (rc < 0)
		return rc;
	call_set(c, "device", json_pack("{s:s, s:o, s:o, s:s, s:s?, s:O}", "name", doc_text(row, "name"), "url",
		json_sprintf("/devices/%s", doc_text(row, "id")), "size", doc_size(c, json_integer_value(json_object_get(row, "size_bytes"))),
		"provider_id", doc_text(row, "provider_device"), "image", doc_optional(row, "image_name"), "attaches",
		json_object_get(row, "attaches")));
	device_offer(c, row);
	/* Elsewhere a device is its machine's, and so is the image. */
	if (json_is_true(json_object_get(row, "attaches")))
		rc = device_offer_images(c, doc_text(row, "provider"), doc_text(row, "image"));
	json_decref(row);
	return rc;
}

int device_check_mount(struct call *c, const char *path)
{
	const char *problem = mount_point_problem(path);

	return problem ? call_field_error(c, "mount", problem) : 0;
}

static int check_cipher(struct call *c)
{
	int xts = strcmp(call_text(c, "mode"), "xts") == 0;

	return xts && strcmp(call_text(c, "key_size"), "192") == 0 ? call_field_error(c, "key_size", "XTS takes 128 or 256 bits.") : 0;
}

int device_typed_configuration(struct call *c, struct device_configuration *out)
{
	int bad_mount, bad_cipher;

	*out = (struct device_configuration){ .os = call_text(c, "os"), .filesystem = stored(filesystems, call_text(c, "filesystem")),
		.mount_point = call_text(c, "mount"), .access = stored(accesses, call_text(c, "access")), .cipher = "aes",
		.mode = stored(modes, call_text(c, "mode")), .hash = "sha256", .key_bits = strcmp(call_text(c, "key_size"), "256") == 0 ? 256 :
			strcmp(call_text(c, "key_size"), "192") == 0 ? 192 : 128 };
	bad_mount = device_check_mount(c, out->mount_point);
	bad_cipher = check_cipher(c);
	return bad_mount < 0 || bad_cipher < 0 ? ERR_INVALID : 0;
}

int device_configure_run(struct call *c)
{
	struct uuid id = call_uuid(c, "id"), image = call_uuid(c, "image");
	struct device_configuration configuration;
	int rc = device_pick_searches(c) ? call_again(c) : device_typed_configuration(c, &configuration);

	if (rc < 0)
		return rc;
	if (!uuid_is_nil(&image))
		configuration.image = &image;
	rc = device_configure(c->db, &id, &configuration);
	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, "The device cannot be configured in its present status.");
	if (rc == ERR_INVALID)
		return call_field_error(c, "image", "The device cannot be assigned to this image: it is of another provider, or the device "
			"belongs to its machine.");
	if (rc < 0)
		return rc;
	return doc_done(c, "/devices", &id, "The configuration is saved. Nothing is changed on the device until it is encrypted.");
}

/* A copy of the key elsewhere is not destroyed with it. */
static json_t *shared_points(const struct call *c, const json_t *row)
{
	json_t *points = json_array(), *other;
	size_t i;

	json_array_foreach(json_object_get(row, "shared"), i, other)
		json_array_append_new(points, json_sprintf("%s: %s", call_translate(c, "Keeps its copy of the key"), doc_text(other, "name")));
	return points;
}

int device_unconfigure_ask(struct call *c)
{
	json_t *row = NULL, *points = NULL;
	int rc = device_ask(c, DEVICE_EVENT_UNCONFIGURE, &row), has_key;

	if (rc < 0)
		return rc;
	has_key = json_is_true(json_object_get(row, "has_key"));
	if (json_array_size(json_object_get(row, "shared")))
		points = shared_points(c, row);
	doc_confirm(c, &(struct doc_confirm){ .folder = "/devices", .id = doc_text(row, "id"), .act = "unconfigure",
		.title = "Unconfigure", .name = doc_text(row, "name"), .typed = doc_text(row, "name"), .icon = "arrow-back-up",
		.colour = "red", .danger = 1, .button = has_key ? "Unconfigure and destroy its keys" : "Unconfigure",
		.text = call_translate(c, "The device goes back to Not configured. Its mount point, file system and the rest of its configuration are lost."), .warning = has_key ?
		"All its keys are destroyed, and with them everything on the device. Nobody can bring it back." : NULL, .points = points });
	json_decref(row);
	return 0;
}

int device_unconfigure_run(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	struct device device = { 0 };
	int rc = device_load(c->db, &id, &device);

	if (rc == 0 && strcmp(device.name, call_text(c, "typed")) != 0)
		rc = call_field_error(c, "typed", "This is not the device's name.");
	if (rc == 0)
		rc = device_unconfigure(c->db, &id);
	device_release(&device);
	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, "The device cannot be unconfigured in its present status.");
	if (rc < 0)
		return rc;
	return doc_done(c, "/devices", &id, "The device is not configured any more.");
}
