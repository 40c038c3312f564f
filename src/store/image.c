/* image.c - machine images. */
#include "store/image.h"

#include "store/rename.h"

#define COLUMNS "m.id, m.name, m.description, m.provider, provider_label(m.provider) as provider_name, m.provider_image, m.created," \
	" (select count(*) from instance i where i.tenant = m.tenant and i.image = m.id) as instances," \
	" coalesce((select c.provider from image_credential c where c.tenant = m.tenant and c.image = m.id and c.label <> ''), '') as credentials," \
	" (select count(*) from device d where d.tenant = m.tenant and d.image = m.id) as devices," \
	" (select coalesce(json_agg(json_build_object('id', p.id, 'name', p.name) order by p.name), '[]') from policy_image x" \
	" join policy p on p.tenant = x.tenant and p.id = x.policy where x.tenant = m.tenant and x.image = m.id) as policies"

static const struct list_column sorts[] = {
	{ "name", LIST_NAME("m.name"), "text", 0 },
	{ "provider", "m.provider", "text", 0 },
	{ "provider_image", "m.provider_image", "text", 0 },
	{ "instances", "(select count(*) from instance i where i.tenant = m.tenant and i.image = m.id)", "bigint", 1 },
	{ "created", "m.created", "timestamptz", 1 },
	{ NULL },
};
static const char *const searches[] = { "m.name", "m.description", "m.provider_image", "m.provider", NULL };
static const struct list_filter filters[] = {
	{ "provider", "m.provider = $" },
	{ "policy", "exists (select 1 from policy_image x where x.tenant = m.tenant and x.image = m.id and x.policy = $::uuid)" },
	{ NULL },
};
static const struct list_spec spec = {
	.columns = COLUMNS, .from = "image m", .id = "m.id", .sorts = sorts, .searches = searches, .filters = filters,
};

int image_list(struct db *db, const struct list_query *query, json_t **page)
{
	return list_page(db, &spec, query, page);
}

int image_get(struct db *db, const struct uuid *id, json_t **out)
{
	return db_get_row(db, out, "select " COLUMNS " from image m where m.id = $1", DB_ARGS(db_uuid_arg(id)));
}

int image_change(struct db *db, const struct uuid *id, const char *name, const char *description)
{
	static const struct rename what = { "select name, description, provider_image from image where id = $1 for no key update",
		"update image set name = $2, description = $3 where id = $1", "image", AUDIT_IMAGE_CHANGED };

	return rename_row(db, &what, id, name, description);
}
