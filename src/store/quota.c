/* quota.c - limits of an account. */
#include "store/quota.h"

#include "base/err.h"
#include "base/json.h"
#include "store/tenant.h"

static void take(const struct db_result *r, struct quota *out)
{
	*out = (struct quota){ db_int(r, 0, 0), db_int(r, 0, 1), db_int(r, 0, 2), db_int(r, 0, 3), db_int(r, 0, 4) };
}

#define COLUMNS "quota_devices, quota_instances, quota_users, quota_rate, quota_reports"

int quota_get(struct db *db, const struct uuid *account, struct quota *out)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select " COLUMNS " from tenant where id = $1", DB_ARGS(db_uuid_arg(account)));

	if (rc < 0)
		return rc;
	take(r, out);
	db_result_free(r);
	return 0;
}

static json_t *pack(const struct quota *q)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I}", "devices", (json_int_t)q->devices, "instances", (json_int_t)q->instances, "users",
		(json_int_t)q->users, "rate", (json_int_t)q->rate, "reports", (json_int_t)q->reports);
}

int quota_set(struct db *db, const struct uuid *account, const struct quota *q)
{
	struct quota former;
	json_t *before, *after, *detail;
	int rc = quota_get(db, account, &former);

	if (rc < 0)
		return rc;
	before = pack(&former);
	after = pack(q);
	detail = audit_changes(before, after);
	json_decref(before);
	json_decref(after);
	if (detail == NULL)
		return 0;
	rc = db_run_one(db, "update tenant set quota_devices = nullif($2, 0)::int, quota_instances = nullif($3, 0)::int, quota_users ="
		" nullif($4, 0)::int, quota_rate = nullif($5, 0)::int, quota_reports = nullif($6, 0)::int where id = $1 and state in ('active', 'suspended')", DB_ARGS(db_uuid_arg(account), db_int_arg(q->devices),
		db_int_arg(q->instances), db_int_arg(q->users), db_int_arg(q->rate), db_int_arg(q->reports)));
	if (rc == 0)
		return tenant_log(db, AUDIT_QUOTA_CHANGED, account, 1, detail);
	json_decref(detail);
	return rc == ERR_NOT_FOUND ? err_set(ERR_CONFLICT, "a closed account has no quotas") : rc;
}

int quota_used(struct db *db, const struct uuid *account, struct quota *out)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select devices, instances, users, 0::bigint, reports from quota_used($1)", DB_ARGS(db_uuid_arg(account)));

	if (rc < 0)
		return rc;
	take(r, out);
	db_result_free(r);
	return 0;
}
