/* destruction.c - keys that are to be destroyed: asked for, confirmed, cancelled, carried out. */
#include "store/destruction.h"

#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "store/audit.h"
#include "store/device.h"
#include "store/device_step.h"
#include "store/request.h"
#include "store/rotation.h"

#define REVOKE_COMMENT "its keys are destroyed"

static int log_device(struct db *db, enum audit_event event, const struct uuid *device, const char *name, json_t *detail)
{
	return audit_log(db, event, &(struct audit_object) { "device", device, name }, detail);
}

/* The account's rule */

int destruction_rule_get(struct db *db, struct destruction_rule *out)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select days, people from destruction_rule_now()", DB_NONE);

	if (rc < 0)
		return rc;
	out->days = db_int(r, 0, 0);
	out->people = db_int(r, 0, 1);
	db_result_free(r);
	return 0;
}

int destruction_rule_set(struct db *db, const struct destruction_rule *rule)
{
	struct destruction_rule before = { 0 };
	json_t *old, *new, *changes;
	int rc = destruction_rule_get(db, &before);

	if (rc == 0)
		rc = db_run_one(db, "insert into destruction_rule (tenant, days, people) values (current_tenant(), $1, $2) on conflict (tenant)"
			" do update set days = excluded.days, people = excluded.people", DB_ARGS(db_int_arg(rule->days), db_int_arg(rule->people)));
	if (rc < 0)
		return rc;
	old = json_pack("{s:I, s:I}", "days", (json_int_t)before.days, "people", (json_int_t)before.people);
	new = json_pack("{s:I, s:I}", "days", (json_int_t)rule->days, "people", (json_int_t)rule->people);
	changes = audit_changes(old, new);
	json_decref(old);
	json_decref(new);
	return changes ? audit_log(db, AUDIT_KEY_DESTROY_RULE, NULL, changes) : 0;
}

/* Asking */

/* The device's row is locked: two who ask at once are one after the other. */
static int check_device(struct db *db, const struct device *d)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select d.release <> '', exists (select 1 from device_key k join device m on m.tenant = k.tenant and m.id = k.device"
		" where m.id = d.id or m.raid = d.id), exists (select 1 from destruction x where x.tenant = d.tenant and x.device = d.id"
		" and x.state = 'waiting') from device d where d.id = $1 for update of d", DB_ARGS(db_uuid_arg(&d->id)));

	if (rc < 0)
		return rc;
	if (!uuid_is_nil(&d->raid))
		rc = err_set(ERR_CONFLICT, "the device is a member of a RAID");
	else if (!device_can(d->status, DEVICE_EVENT_DESTROY) || db_bool(r, 0, 0) || !db_bool(r, 0, 1))
		rc = err_set(ERR_CONFLICT, "keys of a device that is %s cannot be destroyed now", device_state_label(d->status));
	else if (db_bool(r, 0, 2))
		rc = err_set(ERR_CONFLICT, "it was asked for already");
	db_result_free(r);
	return rc;
}

int destruction_ask(struct db *db, const struct uuid *device, const char *comment)
{
	struct device d = { .name = NULL };
	struct destruction_rule rule;
	struct uuid id = uuid_new();
	int rc = device_load(db, device, &d);

	if (rc == 0)
		rc = check_device(db, &d);
	if (rc == 0)
		rc = destruction_rule_get(db, &rule);
	if (rc == 0)
		rc = db_run_one(db, "insert into destruction (tenant, id, device, comment, people, asked_by, asked_by_name, due) values (current_tenant(),"
			" $1, $2, $3, $4, $5, $6, now() + make_interval(days => $7::int))", DB_ARGS(db_uuid_arg(&id), db_uuid_arg(device),
			db_text_arg(comment), db_int_arg(rule.people), db_uuid_arg(db_user(db)), db_text_arg(db_actor(db)->name),
			db_int_arg(rule.days)));
	if (rc == 0)
		rc = log_device(db, AUDIT_KEY_DESTROY, device, d.name, json_pack("{s:I, s:I, s:s}", "days", (json_int_t)rule.days, "people",
			(json_int_t)rule.people, "comment", comment));
	device_release(&d);
	return rc;
}

/* Confirming and cancelling */

struct held {
	struct uuid device;
	struct db_result *r;
};

enum { HELD_DEVICE, HELD_NAME, HELD_ASKED_BY, HELD_CONFIRMED, HELD_PEOPLE, HELD_WAITS, HELD_STANDS };

/* SQL, of destruction x: who asked for it is still somebody who may. Who was removed and made anew has another id, and is the same person. */
#define STANDS "exists (select 1 from app_user u where u.tenant = x.tenant and u.id = x.asked_by and u.state = 'active' and u.role =" \
	" 'security-administrator')"

/* One that still waits. */
static int hold(struct db *db, const struct uuid *id, struct held *h)
{
	int waiting, rc = db_query_row(db, &h->r, "select x.device, coalesce(nullif(d.name, ''), d.provider_device), x.asked_by, x.confirmed is not null,"
		" x.people, x.state = 'waiting', " STANDS " from destruction x join device d on d.tenant = x.tenant and d.id = x.device where x.id = $1"
		" for update of x", DB_ARGS(db_uuid_arg(id)));

	if (rc < 0)
		return rc;
	waiting = db_bool(h->r, 0, HELD_WAITS);
	h->device = db_uuid(h->r, 0, HELD_DEVICE);
	if (waiting)
		return 0;
	db_result_free(h->r);
	return err_set(ERR_CONFLICT, "it is over");
}

int destruction_confirm(struct db *db, const struct uuid *id)
{
	struct uuid asked_by;
	struct held h;
	int rc = hold(db, id, &h);

	if (rc < 0)
		return rc;
	asked_by = db_uuid(h.r, 0, HELD_ASKED_BY);
	if (db_user(db) == NULL || uuid_equal(&asked_by, db_user(db)))
		rc = err_set(ERR_FORBIDDEN, "nobody confirms what he has asked for");
	else if (db_bool(h.r, 0, HELD_CONFIRMED) || db_int(h.r, 0, HELD_PEOPLE) < 2)
		rc = err_set(ERR_CONFLICT, "it needs no confirmation");
	else if (!db_bool(h.r, 0, HELD_STANDS))
		rc = err_set(ERR_EXPIRED, "who asked for it may not ask for it any more");
	if (rc == 0)
		rc = db_run_one(db, "update destruction set confirmed = now(), confirmed_by = $2, confirmed_by_name = $3 where id = $1",
			DB_ARGS(db_uuid_arg(id), db_uuid_arg(db_user(db)), db_text_arg(db_actor(db)->name)));
	if (rc == 0)
		rc = log_device(db, AUDIT_KEY_DESTROY_CONFIRMED, &h.device, db_text(h.r, 0, HELD_NAME), NULL);
	db_result_free(h.r);
	return rc;
}

int destruction_cancel(struct db *db, const struct uuid *id, const char *comment)
{
	struct held h;
	int rc = hold(db, id, &h);

	if (rc < 0)
		return rc;
	rc = db_run_one(db, "update destruction set state = 'cancelled', finished = now(), finished_by_name = $2 where id = $1",
		DB_ARGS(db_uuid_arg(id), db_text_arg(db_actor(db)->name)));
	if (rc == 0)
		rc = log_device(db, AUDIT_KEY_DESTROY_CANCELLED, &h.device, db_text(h.r, 0, HELD_NAME), json_pack("{s:s}", "comment", comment));
	db_result_free(h.r);
	return rc;
}

/* What there is */

#define COLUMNS "x.id, x.device, coalesce(nullif(d.name, ''), d.provider_device) as device_name, d.status as device_status, x.state, x.comment," \
	" x.people, x.asked, x.asked_by, x.asked_by_name, x.due, x.confirmed, x.confirmed_by_name, x.finished, x.finished_by_name, x.keys," \
	" " STANDS " as stands"
#define FROM "destruction x join device d on d.tenant = x.tenant and d.id = x.device"

static const struct list_column sorts[] = {
	{ "asked", "x.asked", "timestamptz", 1 },
	{ "due", "x.due", "timestamptz", 0 },
	{ "device", LIST_NAME("coalesce(nullif(d.name, ''), d.provider_device)"), "text", 0 },
	{ NULL },
};
static const char *const searches[] = { "d.name", "d.provider_device", "x.asked_by_name", NULL };
static const struct list_filter filters[] = { { "state", "x.state = $" }, { NULL } };
static const struct list_spec spec = { .columns = COLUMNS, .from = FROM, .id = "x.id", .sorts = sorts, .searches = searches, .filters = filters };

int destruction_list(struct db *db, const struct list_query *query, json_t **page)
{
	return list_page(db, &spec, query, page);
}

int destruction_get(struct db *db, const struct uuid *id, json_t **out)
{
	return db_get_row(db, out, "select " COLUMNS " from " FROM " where x.id = $1", DB_ARGS(db_uuid_arg(id)));
}

int destruction_of(struct db *db, const struct uuid *device, json_t **out)
{
	int rc = db_get_row(db, out, "select " COLUMNS " from " FROM " where x.device = $1 and x.state = 'waiting'", DB_ARGS(db_uuid_arg(device)));

	if (rc != ERR_NOT_FOUND)
		return rc;
	*out = json_null();
	return 0;
}

int destruction_exports(struct db *db, const struct uuid *device, int64_t *count)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select coalesce(sum(d.exports), 0)::bigint from device d where d.id = $1 or d.raid = $1", DB_ARGS(db_uuid_arg(device)));

	if (rc < 0)
		return rc;
	*count = db_int(r, 0, 0);
	db_result_free(r);
	return 0;
}

/* jobd */

int destruction_tenants(struct db *db, json_t **out)
{
	return db_get_rows(db, out, "select id from destruction_tenants()", DB_NONE);
}

/* A volume that is open is closed by its agent. */
static int revoke(struct db *db, const struct uuid *device)
{
	struct db_result *r;
	int rc = db_query(db, &r, "select id from key_request where device = $1 and closed is null and status in ('delivered', 'revoking')"
		" and revoke_ordered is null", DB_ARGS(db_uuid_arg(device)));

	if (rc < 0)
		return rc;
	for (size_t i = 0; rc == 0 && i < db_rows(r); i++) {
		struct uuid id = db_uuid(r, i, 0);

		rc = request_revoke(db, &id, REVOKE_COMMENT);
	}
	db_result_free(r);
	return rc;
}

static int carry_out(struct db *db, const struct uuid *id, const struct uuid *device)
{
	struct device d = { .name = NULL };
	struct db_result *r = NULL;
	char text[UUID_TEXT_SIZE];
	int rc = device_load(db, device, &d), to = rc < 0 ? rc : device_next(d.status, DEVICE_EVENT_DESTROY);

	/* Of a pool, attached to nothing. */
	if (to == DEVICE_NOT_CONFIGURED && !d.is_raid && uuid_is_nil(&d.instance))
		to = device_next(DEVICE_NOT_CONFIGURED, DEVICE_EVENT_LOSE);
	rc = to < 0 ? to : revoke(db, device);
	if (rc == 0)
		rc = device_lock(db, device);
	if (rc == 0)
		rc = db_query_row(db, &r, "select destruction_carry_out($1, $2)", DB_ARGS(db_uuid_arg(id), db_text_arg(device_state_name((enum device_state)to))));
	if (rc == 0) {
		uuid_text(id, text);
		rc = log_device(db, AUDIT_KEY_DESTROYED, device, d.name, json_pack("{s:I, s:s}", "keys", (json_int_t)db_int(r, 0, 0), "destruction", text));
		db_result_free(r);
	}
	device_release(&d);
	return rc;
}

int destruction_run(struct db *db, clock_us now, int limit)
{
	struct db_result *r;
	int done = 0, rc = db_query(db, &r, "select x.id, x.device from destruction x join device d on d.tenant = x.tenant and d.id = x.device"
		" where x.state = 'waiting' and x.due <= $1 and (x.people = 1 or x.confirmed is not null) and d.status in ('encrypted', 'in-use',"
		" 'undetected', 'device-missing') and d.release = '' order by x.due limit $2 for update of x skip locked",
		DB_ARGS(db_time_arg(now), db_int_arg(limit)));

	if (rc < 0)
		return rc;
	for (; rc == 0 && done < (int)db_rows(r); done++) {
		struct uuid id = db_uuid(r, (size_t)done, 0), device = db_uuid(r, (size_t)done, 1);

		rc = carry_out(db, &id, &device);
	}
	db_result_free(r);
	return rc < 0 ? rc : done;
}
