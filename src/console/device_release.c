/* device_release.c - a volume goes back to its owner (VOL-7): with a passphrase of his own, or decrypted in place. Here somebody who may
 * allows it; the instance does it (keyward-config), where the data are. */
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "console/pages.h"
#include "store/device_custody.h"
#include "web/doc.h"

static const char *const releases[] = { "hand-over", "decrypt", NULL }, *const fates[] = { "keep", "destroy", NULL };

const struct route_param device_release_fields[] = {
	{ "release", "What becomes of the volume", PARAM_ENUM, PARAM_REQUIRED, 0, 0, releases },
	{ "keys", "What becomes of its keys here", PARAM_ENUM, PARAM_REQUIRED, 0, 0, fates },
	{ "typed", "Device name", PARAM_TEXT, 0, 0, 255, NULL },
	PARAM_END
};

int device_release_page(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL;
	int rc = device_get(c->db, &id, &row);

	if (rc < 0)
		return rc;
	call_set(c, "device", json_pack("{s:s, s:o}", "name", doc_text(row, "name"), "url",
		json_sprintf("/devices/%s", doc_text(row, "id"))));
	call_form(c, "release", json_string("hand-over"));
	call_form_option(c, "release", "hand-over", call_translate(c, "Hand over"), call_translate(c, "The volume stays encrypted. Its owner "
		"gives it a passphrase, which opens it with plain cryptsetup; this server's key no longer does."), 1);
	call_form_option(c, "release", "decrypt", call_translate(c, "Decrypt"), call_translate(c, "The volume is closed and decrypted in "
		"place. Whoever has the disk can read it then."), 0);
	call_form(c, "keys", json_string("keep"));
	call_form_option(c, "keys", "keep", call_translate(c, "Keep them"), call_translate(c, "Copies of the disk that were made before "
		"can be opened with them."), 1);
	call_form_option(c, "keys", "destroy", call_translate(c, "Destroy them"), call_translate(c, "As soon as the instance has "
		"reported that it is done. Nobody can bring them back."), 0);
	call_form(c, "typed", json_string(""));
	json_decref(row);
	return 0;
}

int device_release_run(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	struct device device = { 0 };
	int rc = device_load(c->db, &id, &device);

	if (rc == 0 && strcmp(device.name, call_text(c, "typed")) != 0)
		rc = call_field_error(c, "typed", "This is not the device's name.");
	if (rc == 0)
		rc = device_allow_release(c->db, &id, call_text(c, "release"), strcmp(call_text(c, "keys"), "destroy") == 0);
	device_release(&device);
	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, "The device cannot be released in its present status.");
	return rc < 0 ? rc : doc_done(c, "/devices", &id, "It is allowed. Now its instance has to do it: this page says how.");
}

int device_release_cancel(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	int rc = device_allow_release(c->db, &id, "", 0);

	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, "Its instance has begun already.");
	return rc < 0 ? rc : doc_done(c, "/devices", &id, "It is no longer allowed.");
}
