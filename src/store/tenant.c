/* tenant.c - accounts and their provisioning secret. */
#include "store/tenant.h"

#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "store/audit.h"

#define FIRST_LOCK "7311044"     /* anything constant */

/* Operator */

int tenant_create(struct db *db, const struct uuid *id, const char *slug, const char *name, struct wire_view wrapped)
{
	int rc = db_run(db, "insert into tenant (id, slug, name, wrapped_key) values ($1, $2, $3, $4)",
		DB_ARGS(db_uuid_arg(id), db_text_arg(slug), db_text_arg(name), db_bytes_arg(wrapped.data, wrapped.len)));

	if (rc == ERR_CONFLICT)
		return err_set(rc, "there is an account with this address already");
	return rc < 0 ? rc : audit_log(db, AUDIT_TENANT_CREATED, &(struct audit_object) { "tenant", id, name },
		json_pack("{s:s}", "slug", slug));
}

int tenant_first(struct db *db)
{
	struct db_result *r;
	/* Held to the end of the transaction: of two at once the second sees what the first has made. */
	int rc = db_run(db, "select pg_advisory_xact_lock(" FIRST_LOCK ")", DB_NONE);

	if (rc >= 0)
		rc = db_query_row(db, &r, "select exists (select 1 from tenant)", DB_NONE);
	if (rc < 0)
		return rc;
	rc = db_bool(r, 0, 0) ? err_set(ERR_FORBIDDEN, "this is an on-premise installation: it has its one account already") : 0;
	db_result_free(r);
	return rc;
}

int tenant_rename(struct db *db, const struct uuid *id, const char *name)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "update tenant t set name = $2 from (select name from tenant where id = $1 and state <> 'closed' for no key update) old"
		" where t.id = $1 returning old.name", DB_ARGS(db_uuid_arg(id), db_text_arg(name)));

	if (rc < 0)
		return rc == ERR_NOT_FOUND ? err_set(ERR_CONFLICT, "the record of a closed account stays as it is") : rc;
	rc = strcmp(db_text(r, 0, 0), name) == 0 ? 0 : audit_log_both(db, AUDIT_TENANT_CHANGED, &(struct audit_object) { "tenant", id, name },
		json_pack("{s:{s:{s:s,s:s}}}", "changes", "name", "old", db_text(r, 0, 0), "new", name));
	db_result_free(r);
	return rc;
}

static const struct {
	const char *from, *to;
	enum audit_event event;
} steps[] = {
	{ "active", "suspended", AUDIT_TENANT_SUSPENDED },
	{ "suspended", "active", AUDIT_TENANT_RESUMED },
	{ "active", "closing", AUDIT_TENANT_CLOSING },
	{ "suspended", "closing", AUDIT_TENANT_CLOSING },
	{ "closing", "closed", AUDIT_TENANT_CLOSED },
};

int tenant_set_state(struct db *db, const struct uuid *id, const char *state, const char *reason)
{
	struct db_result *r;
	size_t i = 0;
	int rc;

	if (db_tenant(db))
		return err_set(ERR_FORBIDDEN, "a tenant's state is the operator's to set");
	rc = db_query_row(db, &r, "select state, name from tenant where id = $1 for no key update", DB_ARGS(db_uuid_arg(id)));
	if (rc < 0)
		return rc;
	while (i < ARRAY_LEN(steps) && (strcmp(steps[i].from, db_text(r, 0, 0)) != 0 || strcmp(steps[i].to, state) != 0))
		i++;
	if (i == ARRAY_LEN(steps))
		rc = err_set(ERR_CONFLICT, "an account that is %s cannot become %s", db_text(r, 0, 0), state);
	else
		rc = db_queue(db, "update tenant set state = $2, state_reason = $3, state_changed = now() where id = $1",
			DB_ARGS(db_uuid_arg(id), db_text_arg(state), db_text_arg(reason)));
	if (rc == 0)
		rc = audit_log_both(db, steps[i].event, &(struct audit_object){ "tenant", id, db_text(r, 0, 1) }, json_pack("{s:{s:{s:s,s:s}},s:s?}",
			"changes", "state", "old", steps[i].from, "new", state, "reason", reason));
	db_result_free(r);
	return rc;
}

int tenant_log(struct db *db, enum audit_event event, const struct uuid *id, int both, json_t *detail)
{
	struct audit_object object = { "tenant", id, NULL };
	struct db_result *r;
	int rc = db_query_row(db, &r, "select name from tenant where id = $1", DB_ARGS(db_uuid_arg(id)));

	if (rc < 0) {
		json_decref(detail);
		return rc;
	}
	object.name = db_text(r, 0, 0);
	rc = both ? audit_log_both(db, event, &object, detail) : audit_log(db, event, &object, detail);
	db_result_free(r);
	return rc;
}

int tenant_invite_admin(struct db *db, const struct uuid *tenant, const struct uuid *user, const char *email, const char *name,
	const uint8_t token[static 32], clock_us expires)
{
	int rc = db_run(db, "select tenant_invite_first_admin($1, $2, $3, $4, $5, $6)", DB_ARGS(db_uuid_arg(tenant),
		db_uuid_arg(user), db_text_arg(email), db_text_arg(name), db_bytes_arg(token, 32), db_time_arg(expires)));

	return rc < 0 ? rc : tenant_log(db, AUDIT_TENANT_ADMIN_INVITED, tenant, 0, json_pack("{s:s}", "email", email));
}

int tenant_joined(struct db *db, const struct uuid *tenant)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select tenant_joined($1)", DB_ARGS(db_uuid_arg(tenant)));

	if (rc < 0)
		return rc;
	rc = db_bool(r, 0, 0);
	db_result_free(r);
	return rc;
}

static const struct list_column sorts[] = {
	{ "name", LIST_NAME("t.name"), "text", 0 },
	{ "slug", "t.slug", "text", 0 },
	{ "state", "t.state", "text", 0 },
	{ "created", "t.created", "timestamptz", 1 },
	{ NULL },
};
static const char *const searches[] = { "t.name", "t.slug", "t.id::text", NULL };
/* Whose end is announced is closing, too, however it works until then. */
static const struct list_filter filters[] = { { "state", "$ = any (array[t.state, case when t.close_at is not null then 'closing' end])" }, { NULL } };
static const struct list_spec spec = {
	.columns = "t.id, t.slug, t.name, t.state, t.state_reason, t.created, t.state_changed, t.close_at",
	.from = "tenant t", .id = "t.id", .sorts = sorts, .searches = searches, .filters = filters,
};

int tenant_list(struct db *db, const struct list_query *query, json_t **page)
{
	return list_page(db, &spec, query, page);
}

int tenant_totals(struct db *db, json_t **out)
{
	return db_get_row(db, out, "select count(*) filter (where state = 'active') as active,"
		" count(*) filter (where state = 'suspended') as suspended, count(*) filter (where state = 'closing' or close_at is not null) as closing,"
		" count(*) filter (where state = 'closed') as closed from tenant", DB_NONE);
}

int tenant_get(struct db *db, const struct uuid *id, json_t **out)
{
	return db_get_row(db, out, "select id, slug, name, state, state_reason, created, state_changed from tenant where id = $1",
		DB_ARGS(db_uuid_arg(id)));
}

/* Tenant */

int tenant_by_slug(struct db *db, const char *slug, struct uuid *id, json_t **out)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select id, name, state from tenant_by_slug($1)", DB_ARGS(db_text_arg(slug)));

	if (rc < 0)
		return rc;
	*id = db_uuid(r, 0, 0);
	if (out)
		*out = db_row_json(r, 0);
	db_result_free(r);
	return 0;
}

int tenant_self(struct db *db, json_t **out)
{
	return db_get_row(db, out, "select id, slug, name, state, state_reason, time_zone, settings, created, coalesce(quota_rate, 0) as rate from tenant"
		" where id = current_tenant()", DB_NONE);
}

int tenant_label(struct db *db, json_t **out)
{
	return db_get_row(db, out, "select slug, name from tenant where id = current_tenant()", DB_NONE);
}

static void replace(struct buf *to, struct db_result *r, int column)
{
	struct wire_view v = db_bytes(r, 0, column);

	buf_reset(to);
	buf_add(to, v.data, v.len);
}

int tenant_is_active(struct db *db)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select state from tenant where id = current_tenant()", DB_NONE);

	if (rc < 0)
		return rc;
	if (strcmp(db_text(r, 0, 0), "active") != 0)
		rc = err_set(ERR_SUSPENDED, "the account is %s", strcmp(db_text(r, 0, 0), "closing") == 0 ? "being closed" : db_text(r, 0, 0));
	db_result_free(r);
	return rc;
}

static int get_key(struct db *db, int active_only, struct buf *wrapped)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select state, wrapped_key from tenant where id = current_tenant()", DB_NONE);

	if (rc < 0)
		return rc;
	if (active_only && strcmp(db_text(r, 0, 0), "active") != 0)
		rc = err_set(ERR_SUSPENDED, "the account is %s", db_text(r, 0, 0));
	else if (db_is_null(r, 0, 1))
		rc = err_set(ERR_NOT_FOUND, "the account has no key");
	else
		replace(wrapped, r, 1);
	db_result_free(r);
	return rc;
}

int tenant_key(struct db *db, struct buf *wrapped)
{
	return get_key(db, 1, wrapped);
}

int tenant_key_to_sign_in(struct db *db, struct buf *wrapped)
{
	return get_key(db, 0, wrapped);
}

int tenant_change_settings(struct db *db, const char *time_zone, const json_t *patch)
{
	json_t *before, *after, *detail;
	int rc = db_get_row(db, &before, "select time_zone, settings from tenant where id = current_tenant() for no key update", DB_NONE);

	if (rc < 0)
		return rc;
	after = json_deep_copy(json_object_get(before, "settings"));
	json_object_update(after, (json_t *)(uintptr_t)patch);
	detail = audit_changes(json_object_get(before, "settings"), after);
	if (time_zone && strcmp(time_zone, json_string_value(json_object_get(before, "time_zone"))) != 0) {
		json_t *zone = json_pack("{s:s,s:s}", "old", json_string_value(json_object_get(before, "time_zone")), "new", time_zone);

		if (detail == NULL)
			detail = json_pack("{s:{}}", "changes");
		json_object_set_new(json_object_get(detail, "changes"), "time_zone", zone);
	}
	if (detail) {
		rc = db_queue(db, "update tenant set time_zone = coalesce($1, time_zone), settings = jsonb_strip_nulls($2::jsonb)"
			" where id = current_tenant()", DB_ARGS(db_text_arg(time_zone), db_json_arg(after)));
		if (rc == 0)
			rc = audit_log(db, AUDIT_ACCOUNT_CHANGED, NULL, json_incref(detail));
	}
	json_decref(detail);
	json_decref(before);
	json_decref(after);
	return rc;
}

int provisioning_passphrase(struct db *db, struct buf *blob, clock_us *changed)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select passphrase, changed from provisioning", DB_NONE);

	if (rc < 0)
		return rc;
	replace(blob, r, 0);
	*changed = db_time(r, 0, 1);
	db_result_free(r);
	return audit_log(db, AUDIT_PASSPHRASE_SHOWN, NULL, NULL);
}

int provisioning_changed(struct db *db, clock_us *changed)
{
	struct db_result *r;
	int rc = db_query(db, &r, "select changed from provisioning", DB_NONE);

	if (rc < 0)
		return rc;
	*changed = db_rows(r) ? db_time(r, 0, 0) : 0;
	db_result_free(r);
	return 0;
}

int provisioning_verifier(struct db *db, struct buf *blob)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select verifier from provisioning", DB_NONE);

	if (rc < 0)
		return rc;
	replace(blob, r, 0);
	db_result_free(r);
	return 0;
}

int provisioning_set(struct db *db, struct wire_view passphrase, struct wire_view verifier)
{
	int rc = db_queue(db, "insert into provisioning (tenant, passphrase, verifier) values (current_tenant(), $1, $2)"
		" on conflict (tenant) do update set passphrase = excluded.passphrase, verifier = excluded.verifier, changed = now()",
		DB_ARGS(db_bytes_arg(passphrase.data, passphrase.len), db_bytes_arg(verifier.data, verifier.len)));

	return rc < 0 ? rc : audit_log(db, AUDIT_PASSPHRASE_SET, NULL, NULL);
}

int tenant_all(struct db *db, json_t **out)
{
	return db_get_rows(db, out, "select id, state from jobs_tenants()", DB_NONE);
}
