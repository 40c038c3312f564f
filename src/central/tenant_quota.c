/* tenant_quota.c - a tenant's quotas: what of them is used, and setting them, so that one cannot starve others. */
#include "base/err.h"
#include "base/json.h"
#include "central/pages.h"
#include "store/quota.h"
#include "store/tenant.h"
#include "web/doc.h"

const struct route_param tenant_quota_fields[] = {
	{ "devices", "Devices", PARAM_INT, 0, 0, QUOTA_ROWS_MOST, NULL },
	{ "instances", "Instances", PARAM_INT, 0, 0, QUOTA_ROWS_MOST, NULL },
	{ "users", "Users", PARAM_INT, 0, 0, QUOTA_ROWS_MOST, NULL },
	{ "rate", "Requests per second", PARAM_INT, 0, 0, QUOTA_RATE_MOST, NULL },
	{ "reports", "Storage of reports", PARAM_INT, 0, 0, QUOTA_REPORTS_MOST, NULL },
	PARAM_END
};

static void show(struct call *c, const char *name, int64_t limit)
{
	call_form(c, name, limit ? json_integer(limit) : json_string(""));
}

int tenant_quota_page(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	struct quota q, used;
	json_t *row = NULL;
	int rc = tenant_get(c->db, &id, &row);

	if (rc == 0)
		rc = quota_get(c->db, &id, &q);
	if (rc == 0)
		rc = quota_used(c->db, &id, &used);
	if (rc == 0) {
		call_set(c, "account", json_pack("{s:s, s:s, s:o}", "name", doc_text(row, "name"), "account", doc_text(row, "slug"), "url",
			json_sprintf("/tenants/%s", doc_text(row, "id"))));
		call_set(c, "used", json_pack("{s:I, s:I, s:I, s:I}", "devices", (json_int_t)used.devices, "instances", (json_int_t)used.instances, "users",
			(json_int_t)used.users, "reports", (json_int_t)used.reports));
		call_set(c, "quota", json_pack("{s:I, s:I, s:I, s:I, s:I}", "devices", (json_int_t)q.devices, "instances", (json_int_t)q.instances, "users",
			(json_int_t)q.users, "rate", (json_int_t)q.rate, "reports", (json_int_t)q.reports));
		call_set(c, "can", json_pack("{s:b}", "edit", call_may(c, PERMISSION_TENANTS_EDIT)));
		show(c, "devices", q.devices);
		show(c, "instances", q.instances);
		show(c, "users", q.users);
		show(c, "rate", q.rate);
		show(c, "reports", q.reports);
	}
	json_decref(row);
	return rc;
}

int tenant_quota_save(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	const struct quota q = { call_int(c, "devices", 0), call_int(c, "instances", 0), call_int(c, "users", 0), call_int(c, "rate", 0),
		call_int(c, "reports", 0) };
	int rc = quota_set(c->db, &id, &q);

	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, "The account is closed: it has no quotas any more.");
	return rc < 0 ? rc : doc_done(c, "/tenants", &id, "The quotas are saved.");
}
