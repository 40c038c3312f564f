/* instances.c - Running Instances (RUN-1): every open key request, with totals; refreshes itself. */
#include <string.h>

#include "base/json.h"
#include "console/pages.h"
#include "store/request.h"
#include "web/doc.h"
#include "web/list.h"

#define REFRESH_S 5

static const char *const filters[] = { "status", "integrity", "policy", "image", "instance", NULL };
static const char *const sorts[] = { "device", "status", "integrity", "instance", "image", "policy", "requested", NULL };
static const struct list_chip chips[] = {
#define X(id, name, label) { name, label },
	REQUEST_STATES(X)
#undef X
	{ NULL, NULL }
};
static const char *const states[] = {
#define X(id, name, label) name,
	REQUEST_STATES(X)
#undef X
	NULL
};
static const char *const integrities[] = {
#define X(id, name, label) name,
	INTEGRITIES(X)
#undef X
	NULL
};
static const char *const state_colours[REQUEST_STATE_COUNT] = { [REQUEST_PENDING] = "yellow", [REQUEST_APPROVED] = "blue",
	[REQUEST_DELIVERED] = "green", [REQUEST_DENIED] = "red", [REQUEST_REVOKING] = "orange", [REQUEST_REVOKED] = "gray" };
static const char *const integrity_colours[INTEGRITY_COUNT] = { [INTEGRITY_GOOD] = "green", [INTEGRITY_BAD] = "red",
	[INTEGRITY_UNKNOWN] = "gray", [INTEGRITY_FAILED] = "orange" };
static const struct list_view view = { .url = "/instances", .filters = filters, .chip = "status", .chips = chips, .sorts = sorts,
	.export = "/instances.csv" };

const struct route_param instances_query[] = {
	LIST_PARAMS,
	{ "status", "Key status", PARAM_ENUM, 0, 0, 0, states },
	{ "integrity", "Integrity", PARAM_ENUM, 0, 0, 0, integrities },
	{ "policy", "Policy", PARAM_UUID, 0, 0, 0, NULL },
	{ "image", "Image", PARAM_UUID, 0, 0, 0, NULL },
	{ "instance", "Instance", PARAM_UUID, 0, 0, 0, NULL },
	PARAM_END
};

json_t *request_badge(const struct call *c, const char *status)
{
	enum request_state s;

	return request_state_parse(status, &s) < 0 ? doc_badge(c, status, "gray") :
		doc_badge(c, request_state_label(s), state_colours[s]);
}

json_t *integrity_badge(const struct call *c, const char *integrity)
{
	enum integrity i;

	return integrity_parse(integrity, &i) < 0 ? doc_badge(c, integrity, "gray") :
		doc_badge(c, integrity_label(i), integrity_colours[i]);
}

json_t *request_revocation(const struct call *c, const json_t *row)
{
	static const struct { const char *status, *label, *at; } phases[] = {
		{ "revoking", "Revokes", "revoke_at" }, { "revoking", "Ordered", "revoke_ordered" }, { "revoked", "Closed", "revoked" },
	};
	const char *status = doc_text(row, "status");
	size_t i = strcmp(status, "revoked") == 0 ? 2 : json_is_null(json_object_get(row, "revoke_ordered")) ? 0 : 1;

	if (strcmp(status, phases[i].status) != 0)
		return json_null();
	return json_pack("{s:s, s:o, s:b}", "label", call_translate(c, phases[i].label), "at", doc_when(c, row, phases[i].at), "announced",
		i == 0);
}

json_t *request_row(struct call *c, json_t *row)
{
	json_t *out = json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:s, s:o}", "id", doc_text(row, "id"), "status",
		request_badge(c, doc_text(row, "status")), "integrity", integrity_badge(c, doc_text(row, "integrity")), "instance",
		doc_link("/instances", doc_text(row, "instance"), doc_text(row, "instance_name")), "image",
		doc_link("/images", doc_text(row, "image"), doc_text(row, "image_name")), "policy",
		policy_link(c, row), "provider", doc_text(row, "provider"),
		"requested", doc_when(c, row, "requested"));

	json_object_set_new(out, "url", json_sprintf("/requests/%s", doc_text(row, "id")));
	json_object_set(out, "provider_name", json_object_get(row, "provider_name"));
	json_object_set(out, "state", json_object_get(row, "status"));
	json_object_set(out, "insecure", json_object_get(row, "insecure_tls"));
	json_object_set_new(out, "revocation", request_revocation(c, row));
	json_object_set_new(out, "device", json_pack("{s:s, s:s, s:s}", "id", doc_text(row, "device"), "name",
		doc_text(row, "device_name"), "mount", doc_text(row, "mount_point")));
	return out;
}

static int fetch(struct call *c, const struct list_query *q, json_t **page)
{
	return request_list(c->db, q, page);
}

static void set_live(struct call *c)
{
	const char *query = c->request->query;

	call_set(c, "live", json_pack("{s:o, s:i}", "url", query && *query ? json_sprintf("/instances?%s", query) :
		json_string("/instances"), "seconds", REFRESH_S));
}

static int64_t number(const json_t *totals, const char *name)
{
	return json_integer_value(json_object_get(totals, name));
}

/* Delivered is what an administrator calls approved: the key is out. */
json_t *request_counts(const json_t *totals)
{
	json_t *out = json_object();

	doc_count(out, "instances", number(totals, "instances"));
	doc_count(out, "pending", number(totals, "pending"));
	doc_count(out, "approved", number(totals, "approved") + number(totals, "delivered"));
	return out;
}

int instances_page(struct call *c)
{
	struct list_query q;
	json_t *page, *totals = NULL;
	int rc;

	list_read(c, &view, &q);
	rc = request_list(c->db, &q, &page);
	if (rc < 0)
		return rc;
	list_show(c, &view, page, request_row);
	rc = account_first_steps(c);
	if (rc == 0)
		rc = request_totals(c->db, &totals);
	if (rc < 0)
		return rc;
	list_counts(c, &view, totals);
	call_set(c, "can", json_pack("{s:b, s:s?}", "account", call_may(c, PERMISSION_ACCOUNT_VIEW), "bulk",
		json_integer_value(json_object_get(totals, "pending")) > 1 && call_may(c, PERMISSION_REQUESTS_DECIDE) ? "/requests/select" : NULL));
	call_set(c, "totals", request_counts(totals));
	json_decref(totals);
	set_live(c);
	return 0;
}

int instances_csv(struct call *c)
{
	static const struct list_csv columns[] = { { "Request", "id" }, { "Device", "device" }, { "Key status", "status" },
		{ "Integrity", "integrity" }, { "Instance", "instance" }, { "Image", "image" }, { "Provider", "provider" },
		{ "Policy", "policy" }, { "Requested", "requested" }, { NULL, NULL } };

	return list_export(c, &view, fetch, request_row, columns, "key-requests.csv");
}

int64_t instances_pending(struct call *c)
{
	int64_t pending = 0;

	return request_pending(c->db, &pending) == 0 ? pending : 0;
}
