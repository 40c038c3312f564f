/* notice.c - entries of the log, for mails. */
#include "store/notice.h"

#include "base/err.h"

/* -1: another jobd has it. */
static int hold_cursor(struct db *db, int64_t *seq, int64_t *head)
{
	struct db_result *r;
	int rc = db_queue(db, "insert into notice_cursor (tenant, seq) values (current_tenant(), 0) on conflict do nothing", DB_NONE);

	if (rc == 0)
		rc = db_query(db, &r, "select c.seq, coalesce(h.seq, 0) from notice_cursor c left join audit_head h on h.tenant = c.tenant"
			" for update of c skip locked", DB_NONE);
	if (rc < 0)
		return rc;
	*seq = db_rows(r) ? db_int(r, 0, 0) : -1;
	*head = db_rows(r) ? db_int(r, 0, 1) : -1;
	db_result_free(r);
	return 0;
}

#define LOCAL(column) "to_char(" column " at time zone t.time_zone, 'YYYY-MM-DD HH24:MI:SS') || ' (' || t.time_zone || ')'"

int notice_take(struct db *db, const char *events, json_t **out)
{
	struct db_result *r;
	int64_t seq, head, last;
	int rc = hold_cursor(db, &seq, &head);

	if (rc < 0)
		return rc;
	*out = NULL;
	if (seq < 0 || seq >= head) {
		*out = json_array();
		return 0;
	}
	rc = db_query(db, &r, "select e.seq as _seq, e.event, e.object_id as object, e.object_name as name, e.detail, " LOCAL("e.at") " as at,"
		" e.object_kind, e.actor_name as by, coalesce(nullif(i.host_name, ''), i.provider_instance) as instance, i.id as instance_id, r.policy_name as policy, "
		LOCAL("r.revoke_at") " as revoke_at, t.name as tenant from audit_entry e join tenant t on t.id = e.tenant left join"
		" key_request r on r.tenant = e.tenant and r.id = e.object_id and e.object_kind = 'request' left join instance i"
		" on i.tenant = e.tenant and i.id = coalesce(r.instance, e.object_id) where e.seq > $1 and e.seq <= $2"
		" and e.event = any ($3::text[]) order by e.seq limit $4", DB_ARGS(db_int_arg(seq), db_int_arg(head), db_text_arg(events),
		db_int_arg(NOTICE_ENTRIES_MOST)));
	if (rc < 0)
		return rc;
	last = db_rows(r) == NOTICE_ENTRIES_MOST ? db_int(r, NOTICE_ENTRIES_MOST - 1, 0) : head;
	*out = db_rows_json(r);
	db_result_free(r);
	return db_queue(db, "update notice_cursor set seq = $1", DB_ARGS(db_int_arg(last)));
}

int notice_recipients(struct db *db, const char *roles, json_t **out)
{
	return db_get_rows(db, out, "select id, email, name from app_user where state = 'active' and mail and role = any ($1::text[])"
		" order by id", DB_ARGS(db_text_arg(roles)));
}

int notice_tenants(struct db *db, json_t **out)
{
	return db_get_rows(db, out, "select id from notice_tenants()", DB_NONE);
}
