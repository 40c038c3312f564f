/* images.c - machine images that agents were started from (IMG-1): list, name and description. */
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "console/pages.h"
#include "store/credential.h"
#include "store/image.h"
#include "web/doc.h"
#include "web/list.h"

static const char *const filters[] = { "provider", "policy", NULL };
static const char *const sorts[] = { "name", "provider", "provider_image", "instances", "created", NULL };
static const struct list_view view = { .url = "/images", .filters = filters, .sorts = sorts, .export = "/images.csv" };

const struct route_param images_query[] = {
	LIST_PARAMS,
	{ "provider", "Provider", PARAM_TEXT, 0, 0, 64, NULL },
	{ "policy", "Policy", PARAM_UUID, 0, 0, 0, NULL },
	PARAM_END
};

/* An image without a name goes by its provider's id. */
const struct route_param image_fields[] = {
	{ "name", "Name", PARAM_TEXT, PARAM_REQUIRED, 1, 200, NULL },
	{ "description", "Description", PARAM_LINES, 0, 0, 1000, NULL },
	PARAM_END
};

static const char *name_of(const json_t *row)
{
	const char *name = doc_text(row, "name");

	return *name ? name : doc_text(row, "provider_image");
}

static json_t *policies_of(const struct call *c, const json_t *row, struct buf *names)
{
	const json_t *all = json_object_get(row, "policies");
	json_t *out = json_array(), *policy;
	size_t i;

	json_array_foreach(all, i, policy) {
		json_t *link = doc_link("/policies", doc_text(policy, "id"), doc_policy(c, doc_text(policy, "name")));

		json_set_bool(link, "last", i + 1 == json_array_size(all));
		json_array_append_new(out, link);
		buf_printf(names, "%s%s", i ? ", " : "", doc_text(link, "name"));
	}
	return out;
}

static json_t *show_row(struct call *c, json_t *row)
{
	struct buf names = BUF_INIT;
	json_t *out = json_pack("{s:s, s:s, s:s?, s:s, s:s, s:o, s:O, s:O, s:o}", "id", doc_text(row, "id"), "name", name_of(row),
		"description", *doc_text(row, "description") ? doc_text(row, "description") : NULL, "provider_id",
		doc_text(row, "provider_image"), "provider", doc_text(row, "provider"), "policies", policies_of(c, row, &names), "instances",
		json_object_get(row, "instances"), "devices", json_object_get(row, "devices"), "created", doc_when(c, row, "created"));

	json_object_set_new(out, "url", json_sprintf("/images/%s", doc_text(row, "id")));
	json_object_set(out, "provider_name", json_object_get(row, "provider_name"));
	json_object_set_new(out, "instances_url", json_sprintf("/instances?image=%s", doc_text(row, "id")));
	json_object_set_new(out, "devices_url", json_sprintf("/devices?image=%s", doc_text(row, "id")));
	json_set_bool(out, "has_credentials", *doc_text(row, "credentials") != '\0');
	json_set_string(out, "policy_names", buf_str(&names));
	buf_free(&names);
	return out;
}

static int fetch(struct call *c, const struct list_query *q, json_t **page)
{
	return image_list(c->db, q, page);
}

int images_page(struct call *c)
{
	struct list_query q;
	json_t *page;
	int rc;

	list_read(c, &view, &q);
	rc = image_list(c->db, &q, &page);
	if (rc < 0)
		return rc;
	call_set(c, "can", json_pack("{s:b, s:b}", "edit", call_may(c, PERMISSION_IMAGES_EDIT), "account",
		call_may(c, PERMISSION_ACCOUNT_VIEW)));
	list_show(c, &view, page, show_row);
	return account_first_steps(c);
}

int images_csv(struct call *c)
{
	static const struct list_csv columns[] = { { "ID", "id" }, { "Name", "name" }, { "Description", "description" },
		{ "Provider", "provider" }, { "Provider's ID", "provider_id" }, { "Policies", "policy_names" }, { "Instances", "instances" },
		{ "Devices", "devices" }, { "Registered", "created" }, { NULL, NULL } };

	return list_export(c, &view, fetch, show_row, columns, "images.csv");
}

/* Never the secret: this role cannot read it. */
static int show_credentials(struct call *c, const struct uuid *image)
{
	json_t *row, *out;
	int rc = credential_get(c->db, image, &row);

	call_set(c, "credentials", json_null());
	if (rc < 0 || row == NULL)
		return rc;
	out = json_pack("{s:s, s:s, s:O, s:s, s:o}", "provider", doc_text(row, "provider"), "label", doc_text(row, "label"), "version",
		json_object_get(row, "version"), "host", doc_text(row, "host_name"), "changed", doc_when(c, row, "changed"));
	json_object_set_new(out, "host_url", *doc_text(row, "instance") ? json_sprintf("/instances/%s", doc_text(row, "instance"))
		: json_null());
	call_set(c, "credentials", out);
	json_decref(row);
	return 0;
}

int image_page(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL;
	int rc = image_get(c->db, &id, &row);

	if (rc < 0)
		return rc;
	call_set(c, "image", show_row(c, row));
	rc = show_credentials(c, &id);
	call_set(c, "can", json_pack("{s:b}", "edit", call_may(c, PERMISSION_IMAGES_EDIT)));
	call_form(c, "name", json_string(name_of(row)));
	call_form(c, "description", json_string(doc_text(row, "description")));
	json_decref(row);
	return rc;
}

int image_credentials_ask(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *image = NULL, *row = NULL;
	int rc = image_get(c->db, &id, &image);

	if (rc == 0)
		rc = credential_get(c->db, &id, &row);
	if (rc == 0 && row == NULL)
		rc = ERR_NOT_FOUND;
	if (rc == 0)
		doc_confirm(c, &(struct doc_confirm){ .folder = "/images", .id = doc_text(image, "id"), .act = "credentials",
			.title = "Remove credentials", .name = doc_text(row, "label"), .icon = "trash", .colour = "red", .danger = 1,
			.button = "Remove credentials", .text = call_translate(c, "The guests of this image drop them at once. They can attach and"
			" detach volumes again when a guest has given new ones with keyward-config. Revoke them at the provider too.") });
	json_decref(image);
	json_decref(row);
	return rc;
}

int image_credentials_run(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	int rc = credential_remove(c->db, &id);

	return rc < 0 ? rc : doc_done(c, "/images", &id, "The credentials are removed; the guests of this image drop them.");
}

int image_edit(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	int rc = image_change(c->db, &id, call_text(c, "name"), call_text(c, "description"));

	if (rc < 0)
		return rc;
	return doc_done(c, "/images", &id, "Name and description are saved.");
}
