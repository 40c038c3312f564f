/* rotation.c - keys of many devices rotated at once, and how old keys may become (KEY-6). */
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "console/pages.h"
#include "store/rewrap.h"
#include "store/rotation.h"
#include "web/doc.h"
#include "web/list.h"

#define DAYS_MOST 3650

static const char *const states[] = { "encrypted", "in-use", NULL };
static const char *const filters[] = { "status", "policy", "image", "instance", NULL };
static const char *const sorts[] = { "name", "status", "policy", "instance", NULL };
static const struct list_chip chips[] = { { "in-use", "In-use" }, { "encrypted", "Encrypted" }, { NULL, NULL } };
static const struct list_view view = { .url = "/devices/rotate", .filters = filters, .chip = "status", .chips = chips, .sorts = sorts };

#define FILTER_PARAMS \
	{ "status", "Status", PARAM_ENUM, 0, 0, 0, states }, \
	{ "policy", "Policy", PARAM_UUID, 0, 0, 0, NULL }, \
	{ "image", "Image", PARAM_UUID, 0, 0, 0, NULL }, \
	{ "instance", "Instance", PARAM_UUID, 0, 0, 0, NULL }

const struct route_param rotation_query[] = { LIST_PARAMS, FILTER_PARAMS, PARAM_END };
const struct route_param rotation_fields[] = {
	LIST_PARAMS,
	FILTER_PARAMS,
	{ "scope", "Which", PARAM_ENUM, PARAM_REQUIRED, 0, 0, list_scopes },
	{ "device", "Devices", PARAM_UUIDS, 0, 0, 0, NULL },
	PARAM_END
};
const struct route_param key_age_fields[] = {
	{ "days", "Maximum key age", PARAM_INT, 0, 0, DAYS_MOST, NULL },
	PARAM_END
};

static json_t *show_row(struct call *c, json_t *row)
{
	json_t *out = json_pack("{s:s, s:s, s:o, s:o, s:o, s:o}", "id", doc_text(row, "id"), "name", doc_text(row, "name"), "status",
		device_badge(c, doc_text(row, "status")), "policy", policy_link(c, row),
		"instance", doc_link("/instances", doc_text(row, "instance"), doc_text(row, "instance_name")), "raid",
		*doc_text(row, "raid") ? doc_link("/devices", doc_text(row, "raid"), doc_text(row, "raid_name")) : json_null());

	json_object_set_new(out, "url", json_sprintf("/devices/%s", doc_text(row, "id")));
	json_object_set(out, "version", json_object_get(row, "key_version"));
	return out;
}

/* Those alone that have a key; "rotatable" is no choice of the user's. */
static void read_query(const struct call *c, struct list_query *q)
{
	list_read(c, &view, q);
	list_only(q, "rotatable", "true");
}

int rotation_select_page(struct call *c)
{
	struct list_query q;
	json_t *page;
	int rc;

	read_query(c, &q);
	rc = device_list(c->db, &q, &page);
	if (rc < 0)
		return rc;
	list_show(c, &view, page, show_row);
	call_set(c, "fields", list_fields(c, &view));
	list_offer_scope(c, "All with a key that match search and filter");
	return 0;
}

int rotation_select_run(struct call *c)
{
	int all = list_is_all(c), count = 0, rc;
	json_t *ids = all ? NULL : list_ticked(c, "device");
	struct list_query q = { 0 };

	if (!all && json_array_size(ids) == 0) {
		json_decref(ids);
		return call_field_error(c, "scope", "Tick the devices, or choose all that match.");
	}
	/* What is ticked need not be on the page that one searched for last. */
	if (all)
		list_read(c, &view, &q);
	rc = rotation_want_many(c->db, &q, ids, &count);
	json_decref(ids);
	if (rc < 0)
		return rc;
	if (count == 0)
		return call_refuse(c, ERR_CONFLICT, "None of these devices has a key that could be rotated now.");
	json_set_int(c->doc, "count", count);
	call_notice(c, "success", "The keys will be rotated: those of open volumes within minutes, others when they are next released.");
	call_redirect(c, "/devices");
	return 0;
}

static int show_account_key(struct call *c)
{
	json_t *row = NULL, *last = NULL;
	int running, rc = tenant_keys_age(c->db, &row);

	if (rc == 0)
		rc = tenant_rotation_last(c->db, &last);
	if (rc == 0) {
		running = strcmp(doc_text(last, "state"), "running") == 0;
		call_set(c, "account_key", json_pack("{s:o, s:b, s:O?, s:O?, s:o}", "since", doc_when(c, row, "since"), "running", running, "done",
			json_object_get(last, "done"), "total", json_object_get(last, "total"), "error", doc_reason(c, doc_text(last, "error"))));
	}
	json_decref(row);
	json_decref(last);
	return rc;
}

int account_key_rotate(struct call *c)
{
	int rc = tenant_rotation_start(c->db);

	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, "The account's key is being replaced already.");
	if (rc < 0)
		return rc;
	call_notice(c, "success", "The account's key is being replaced. Machines and people notice nothing of it.");
	call_redirect(c, "/account/keys");
	return 0;
}

int key_age_page(struct call *c)
{
	int64_t days = 0;
	int rc = rotation_age_get(c->db, &days);

	if (rc == 0)
		rc = show_account_key(c);
	if (rc < 0)
		return rc;
	call_form(c, "days", days ? json_integer(days) : json_string(""));
	call_set(c, "can", json_pack("{s:b}", "edit", call_may(c, PERMISSION_KEYS_MANAGE)));
	call_set(c, "max_key_age_days", json_integer(days));
	return 0;
}

int key_age_save(struct call *c)
{
	int rc = rotation_age_set(c->db, call_int(c, "days", 0));

	if (rc < 0)
		return rc;
	call_notice(c, "success", "The maximum key age is saved.");
	call_redirect(c, "/account/keys");
	return 0;
}
