/* tenants.c - the list of tenants, and making a new one. */
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "central/pages.h"
#include "store/tenant.h"
#include "web/doc.h"
#include "web/list.h"

static const char *const filters[] = { "state", NULL };
static const char *const sorts[] = { "name", "slug", "state", "created", NULL };
static const struct list_chip chips[] = {
	{ "active", "Active" }, { "suspended", "Suspended" }, { "closing", "Closing" }, { "closed", "Closed" }, { NULL, NULL },
};
static const struct list_view view = { .url = "/tenants", .filters = filters, .chip = "state", .chips = chips, .sorts = sorts,
	.export = "/tenants.csv" };
static const char *const states[] = { "active", "suspended", "closing", "closed", NULL };

const struct route_param tenants_query[] = {
	LIST_PARAMS,
	{ "state", "State", PARAM_ENUM, 0, 0, 0, states },
	PARAM_END
};

const struct route_param tenant_new_fields[] = {
	{ "account", "Account name", PARAM_TEXT, PARAM_REQUIRED, 3, 63, NULL },
	{ "name", "Display name", PARAM_TEXT, PARAM_REQUIRED, 1, 200, NULL },
	{ "admin_name", "Name", PARAM_TEXT, PARAM_REQUIRED, 1, 200, NULL },
	{ "admin_email", "E-mail address", PARAM_EMAIL, PARAM_REQUIRED, 0, 0, NULL },
	PARAM_END
};

static json_t *show_row(struct call *c, json_t *row)
{
	json_t *out = json_pack("{s:s, s:s, s:s, s:s, s:o}", "id", doc_text(row, "id"), "name", doc_text(row, "name"), "account",
		doc_text(row, "slug"), "account_id", doc_text(row, "id"), "state", tenant_state_badge(c, doc_text(row, "state")));

	json_object_set_new(out, "url", json_sprintf("/tenants/%s", doc_text(row, "id")));
	json_object_set_new(out, "created", doc_when(c, row, "created"));
	json_object_set_new(out, "ends", doc_when(c, row, "close_at"));
	return out;
}

static int fetch(struct call *c, const struct list_query *q, json_t **page)
{
	return tenant_list(c->db, q, page);
}

int tenants_page(struct call *c)
{
	struct list_query q;
	json_t *page;
	int rc;

	list_read(c, &view, &q);
	rc = tenant_list(c->db, &q, &page);
	if (rc < 0)
		return rc;
	call_set(c, "can", json_pack("{s:b}", "create", call_may(c, PERMISSION_TENANTS_EDIT)));
	return list_show(c, &view, page, show_row);
}

int tenants_csv(struct call *c)
{
	static const struct list_csv columns[] = { { "Account ID", "id" }, { "Account name", "account" }, { "Display name", "name" },
		{ "State", "state" }, { "Ends", "ends" }, { "Created", "created" }, { NULL, NULL } };

	return list_export(c, &view, fetch, show_row, columns, "tenants.csv");
}

int tenant_new_page(struct call *c)
{
	static const char *const fields[] = { "account", "name", "admin_name", "admin_email" };

	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
		call_form(c, fields[i], json_string(""));
	return 0;
}

static int create(struct call *c, const struct uuid *id, const struct buf *wrapped)
{
	struct wire_view key = wire_view_of(wrapped);
	int rc = tenant_create(c->db, id, call_text(c, "account"), call_text(c, "name"), key);

	if (rc == ERR_CONFLICT)
		return call_field_error(c, "account", "There is an account of this name already. Choose another.");
	if (rc == ERR_INVALID)
		return call_field_error(c, "account", "Only small letters a to z, digits and hyphens; a letter or digit at both ends.");
	return rc;
}

static int may_be_one_more(struct call *c)
{
	int rc = strcmp(conf_get(c->conf, CONF_MODE), "on-premise") == 0 ? tenant_first(c->db) : 0;

	return rc == ERR_FORBIDDEN ? call_refuse(c, ERR_CONFLICT, "This is an on-premise installation: it has its one account already.") : rc;
}

int tenant_new(struct call *c)
{
	struct buf wrapped = BUF_INIT;
	struct uuid id = uuid_new();
	int rc = may_be_one_more(c);

	if (rc == 0)
		rc = keys_tenant_create(c->keys, &c->id, &id, &wrapped);
	if (rc == 0)
		rc = create(c, &id, &wrapped);
	/* The link is shown once, so the tenant's page is the answer itself, not one to be led to. */
	if (rc == 0)
		rc = tenant_new_invitation(c, &id, call_text(c, "admin_name"), call_text(c, "admin_email"));
	buf_free(&wrapped);
	return rc;
}
