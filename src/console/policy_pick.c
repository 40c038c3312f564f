/* policy_pick.c - which images and devices a policy is for: a search over all there are, page by page; what is ticked on one page stays
 * ticked on the next, because it is kept with the draft. */
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "console/pages.h"
#include "console/policy_edit.h"
#include "web/doc.h"
#include "web/form.h"
#include "web/list.h"

#define PICK_ROWS 25

static const char *const shows[] = { "chosen", "others", NULL };
static const char *const filters[] = { "show", NULL };
static const struct list_chip chips[] = { { "chosen", "In this policy" }, { "others", "Not in it" }, { NULL, NULL } };
static const char *const sorts[] = { "name", "provider", NULL };

const struct route_param policy_pick_query[] = {
	POLICY_PAGE_PARAMS,
	LIST_PARAMS,
	{ "show", "Show", PARAM_ENUM, 0, 0, 0, shows },
	PARAM_END
};
/* "on" and "off" are what was ticked and what was not when the page was drawn: so that only what the user touched is changed. */
const struct route_param policy_pick_fields[] = {
	POLICY_FORM_PARAMS,
	{ "search", "Search", PARAM_TEXT, 0, 0, LIST_SEARCH_MAX, NULL },
	{ "show", "Show", PARAM_ENUM, 0, 0, 0, shows },
	{ "on", "Ticked before", PARAM_UUIDS, 0, 0, LIST_LIMIT_MAX, NULL },
	{ "off", "Not ticked before", PARAM_UUIDS, 0, 0, LIST_LIMIT_MAX, NULL },
	{ "chosen", "Chosen", PARAM_UUIDS, 0, 0, LIST_LIMIT_MAX, NULL },
	PARAM_END
};

static json_t *pick_row(struct call *c, json_t *row)
{
	json_t *out = json_pack("{s:s, s:s, s:s, s:s, s:s, s:O, s:O, s:o}", "id", doc_text(row, "id"), "name", doc_text(row, "name"),
		"description", doc_text(row, "description"), "provider", doc_text(row, "provider"), "provider_id", doc_text(row, "provider_id"),
		"chosen", json_object_get(row, "chosen"), "changed", json_object_get(row, "changed"), "policies", json_array());
	json_object_set(out, "provider_name", json_object_get(row, "provider_name"));
	json_set_string(out, "region", doc_optional(row, "region"));
	json_set_string(out, "zone", doc_optional(row, "zone"));
	json_t *policies = json_object_get(row, "policies"), *name;
	size_t i;

	json_array_foreach(policies, i, name)
		json_array_append_new(json_object_get(out, "policies"), json_pack("{s:s, s:b}", "name", doc_policy(c, json_string_value(name)), "last",
			i + 1 == json_array_size(policies)));
	return out;
}

/* Machines of one's own have none. */
static int have_regions(const json_t *page)
{
	json_t *row;
	size_t i;

	json_array_foreach(json_object_get(page, "rows"), i, row)
		if (*doc_text(row, "region"))
			return 1;
	return 0;
}

static int show(struct call *c, struct policy_edit *e, enum policy_member kind)
{
	struct list_view view = { .filters = filters, .chip = "show", .chips = chips, .sorts = sorts };
	struct list_query q;
	json_t *page, *next, *previous;
	int rc;

	list_read(c, &view, &q);
	q.limit = q.limit ? q.limit : PICK_ROWS;
	q.filters[1].name = "draft";
	q.filters[1].value = e->id_text;
	rc = policy_draft_pick(c->db, kind, &q, &page);
	if (rc < 0)
		return rc;
	json_set_bool(json_object_get(c->doc, "pick"), "has_regions", have_regions(page));
	/* Its pages are turned by buttons that keep what is ticked. */
	next = json_incref(json_object_get(page, "next"));
	previous = json_incref(json_object_get(page, "previous"));
	rc = list_show(c, &view, page, pick_row);
	json_object_set_new(json_object_get(c->doc, "list"), "next_cursor", next);
	json_object_set_new(json_object_get(c->doc, "list"), "previous_cursor", previous);
	return rc;
}

static int pick_page(struct call *c, enum policy_member kind)
{
	struct policy_edit e;
	int rc = policy_edit_load(c, &e);

	if (rc < 0)
		return rc;
	rc = policy_edit_frame(c, &e, kind == POLICY_IMAGE ? STEP_IMAGES : STEP_DEVICES);
	call_set(c, "pick", json_pack("{s:s, s:b, s:O, s:b}", "kind", kind == POLICY_IMAGE ? "image" : "device", "is_image",
		kind == POLICY_IMAGE, "count", json_object_get(e.draft, kind == POLICY_IMAGE ? "images" : "devices"), "has_regions", 0));
	call_set(c, "show", json_string(call_text(c, "show")));
	if (rc == 0)
		rc = show(c, &e, kind);
	policy_edit_release(&e);
	return rc;
}

int policy_images_page(struct call *c)
{
	return pick_page(c, POLICY_IMAGE);
}

int policy_devices_page(struct call *c)
{
	return pick_page(c, POLICY_DEVICE);
}

static int is_among(const struct call *c, const char *list, const struct uuid *id)
{
	for (size_t i = 0; i < call_count(c, list); i++) {
		struct uuid one = call_uuid_at(c, list, i);

		if (uuid_equal(&one, id))
			return 1;
	}
	return 0;
}

/* Those of the list DRAWN that are (or are not) ticked now. */
static json_t *turned(const struct call *c, const char *drawn, int ticked)
{
	json_t *out = json_array();
	char text[UUID_TEXT_SIZE];

	for (size_t i = 0; i < call_count(c, drawn); i++) {
		struct uuid id = call_uuid_at(c, drawn, i);

		if (is_among(c, "chosen", &id) != ticked)
			continue;
		uuid_text(&id, text);
		json_array_append_new(out, json_string(text));
	}
	return out;
}

static int choose(struct call *c, const struct policy_edit *e, enum policy_member kind)
{
	json_t *on = turned(c, "off", 1), *off = turned(c, "on", 0);
	int rc = policy_draft_choose(c->db, &e->id, kind, on, off);

	json_decref(on);
	json_decref(off);
	return rc;
}

/* Back to the list: searched anew, or at the page or in the order that a button asked for. */
static int stay(struct call *c, const struct policy_edit *e, enum policy_step step, const char *name, const char *value)
{
	struct buf query = BUF_INIT;

	if (*call_text(c, "search"))
		form_append(&query, "search", call_text(c, "search"));
	if (*call_text(c, "show"))
		form_append(&query, "show", call_text(c, "show"));
	if (name)
		form_append(&query, name, value);
	call_redirect(c, "/policies/drafts/%s/%s%s%s", e->id_text, policy_step_name(step), query.len ? "?" : "", buf_str(&query));
	buf_free(&query);
	return 0;
}

static int pick_run(struct call *c, enum policy_member kind)
{
	enum policy_step step = kind == POLICY_IMAGE ? STEP_IMAGES : STEP_DEVICES;
	const char *go = call_text(c, "go");
	struct policy_edit e;
	int rc = policy_edit_begin(c, &e), all = strcmp(go, "all") == 0, none = strcmp(go, "none") == 0;

	if (rc <= 0)
		return rc;
	if (e.is_default && (call_count(c, "on") || call_count(c, "off") || all || none))
		rc = call_refuse(c, ERR_CONFLICT, "The lists of the default policy follow from the other policies.");
	else
		rc = choose(c, &e, kind);
	if (rc == 0 && (all || none))
		rc = policy_draft_choose_all(c->db, &e.id, kind, call_text(c, "search"), all);
	if (rc == 0)
		rc = policy_edit_go(c, &e, step);
	if (rc == 0 && (all || none || strcmp(go, "search") == 0 || *go == '\0'))
		rc = stay(c, &e, step, NULL, NULL);
	else if (rc == 0 && strncmp(go, "page:", 5) == 0)
		rc = stay(c, &e, step, "page", go + 5);
	policy_edit_release(&e);
	return rc;
}

int policy_images_run(struct call *c)
{
	return pick_run(c, POLICY_IMAGE);
}

int policy_devices_run(struct call *c)
{
	return pick_run(c, POLICY_DEVICE);
}
