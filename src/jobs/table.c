/* table.c - the tasks themselves. */
#include "jobs/table.h"

#include "base/err.h"
#include "base/log.h"
#include "jobs/expiry.h"
#include "jobs/log_keep.h"
#include "jobs/log_search.h"
#include "jobs/notice.h"
#include "jobs/notice_group.h"
#include "jobs/saml_key.h"
#include "jobs/trouble.h"
#include "jobs/webhook.h"
#include "store/bulk.h"
#include "store/check.h"
#include "store/closing.h"
#include "store/destruction.h"
#include "store/device_idle.h"
#include "store/facts.h"
#include "store/health.h"
#include "store/heartbeat.h"
#include "store/instance.h"
#include "store/key_server.h"
#include "store/licence.h"
#include "store/log_forward.h"
#include "store/notice.h"
#include "store/notice_group.h"
#include "store/order.h"
#include "store/report.h"
#include "store/request.h"
#include "store/rewrap.h"
#include "store/rotation.h"
#include "store/saml.h"
#include "store/session.h"
#include "store/webhook.h"
#include "store/what_if.h"

static int find_missing(struct db *db, clock_us now)
{
	return instance_find_missing(db, now - INSTANCE_MISSING_AFTER, TASK_CHUNK);
}

static int missing_tenants(struct db *db, json_t **out)
{
	return instance_missing_tenants(db, clock_now() - INSTANCE_MISSING_AFTER, out);
}

static int expire_instances(struct db *db, clock_us now)
{
	return instance_expire(db, now - INSTANCE_EXPIRES_AFTER, TASK_CHUNK);
}

static int add_up(struct db *db, clock_us now)
{
	(void)now;
	return request_count_fold(db);
}

static int clean_bulk(struct db *db, clock_us now)
{
	return bulk_clean(db, now - BULK_KEPT);
}

static int clean_sessions(struct db *db, clock_us now)
{
	return session_clean(db, now);
}

static int clean_what_if(struct db *db, clock_us now)
{
	return what_if_clean(db, now - WHAT_IF_KEPT);
}

static int maintain_heartbeats(struct db *db, clock_us now)
{
	(void)now;
	return heartbeat_maintain(db, HEARTBEAT_MONTHS);
}

static int clean_changes(struct db *db, clock_us now)
{
	return fact_change_clean(db, now - FACT_CHANGES_KEPT);
}

static int clean_checks(struct db *db, clock_us now)
{
	return check_clean(db, now - CHECK_KEPT);
}

static int rotate_keys(struct db *db, clock_us now)
{
	return rotation_run(db, now, TASK_CHUNK);
}

static int destroy_keys(struct db *db, clock_us now)
{
	return destruction_run(db, now, TASK_CHUNK);
}

static int clean_orders(struct db *db, clock_us now)
{
	return order_clean(db, now - ORDER_KEPT);
}

static int make_reports(struct db *db, clock_us now)
{
	return report_make_due(db, now);
}

static int clean_reports(struct db *db, clock_us now)
{
	return report_clean(db, now);
}

static int clean_notices(struct db *db, clock_us now)
{
	return notice_clean(db, now - NOTICE_KEPT);
}

static int clean_deliveries(struct db *db, clock_us now)
{
	return webhook_clean(db, now - WEBHOOK_KEPT);
}

static int find_idle(struct db *db, clock_us now)
{
	return device_idle_find(db, now - DEVICE_IDLE_AFTER, TASK_CHUNK);
}

static int idle_tenants(struct db *db, json_t **out)
{
	return device_idle_tenants(db, clock_now() - DEVICE_IDLE_AFTER, out);
}

static int rotate_tenant_key(struct db *db, clock_us now)
{
	(void)now;
	return tenant_rotation_start_due(db);
}

static int clean_exports(struct db *db, clock_us now)
{
	return closing_export_clean(db, now - CLOSING_EXPORT_KEPT);
}

static int warn_of_licence(struct db *db, clock_us now)
{
	(void)now;
	return licence_tell(db);
}

static int count_licences(struct db *db, clock_us now)
{
	(void)now;
	return licence_count(db);
}

static int look_at_key_servers(struct db *db, clock_us now)
{
	(void)now;
	return key_server_run(db);
}

static int send_log_on(struct db *db, clock_us now)
{
	(void)now;
	return log_forward_run(db);
}

const struct task tasks[] = {
	{ "look at the key server", CLOCK_SECOND, 0, look_at_key_servers },
	{ "look at tenants' key servers", CLOCK_SECOND, 1, look_at_key_servers, key_server_tenants },
	{ "send the log on", CLOCK_SECOND, 0, send_log_on },
	{ "send tenants' logs on", CLOCK_SECOND, 1, send_log_on, log_forward_tenants },
	{ "warn of certificates", CLOCK_MINUTE, 0, expiry_tell },
	{ "warn of tenants' certificates", CLOCK_HOUR, 1, expiry_tell_tenant },
	{ "note how the queue is", CLOCK_MINUTE, 0, health_sample },
	{ "count keys in use", 10 * CLOCK_SECOND, 0, count_licences },
	{ "warn of licences", 5 * CLOCK_SECOND, 1, warn_of_licence, licence_tenants },
	{ "replace tenants' keys by age", CLOCK_HOUR, 1, rotate_tenant_key },
	{ "give up on checks", 30 * CLOCK_SECOND, 1, check_expire, check_tenants },
	{ "add up requests", 10 * CLOCK_SECOND, 1, add_up, request_count_tenants },
	{ "destroy keys", 10 * CLOCK_SECOND, 1, destroy_keys, destruction_tenants },
	{ "look at the parts of the server", 15 * CLOCK_SECOND, 0, trouble_look },
	{ "notice what happened", 5 * CLOCK_SECOND, 1, notice_tell, notice_tenants },
	{ "notice what happened to the installation", 5 * CLOCK_SECOND, 0, notice_tell },
	{ "tell groups by mail", 5 * CLOCK_SECOND, 1, notice_group_tell, notice_group_tenants },
	{ "tell the operator's groups by mail", 5 * CLOCK_SECOND, 0, notice_group_tell },
	{ "tell webhooks", 5 * CLOCK_SECOND, 1, webhook_tell, webhook_tenants },
	{ "tell the operator's webhooks", 5 * CLOCK_SECOND, 0, webhook_tell },
	{ "remove old deliveries of the operator's webhooks", CLOCK_HOUR, 0, clean_deliveries },
	{ "remove old deliveries of webhooks", CLOCK_HOUR, 1, clean_deliveries },
	{ "remove old notices", CLOCK_HOUR, 1, clean_notices },
	{ "remove old notices of the installation", CLOCK_HOUR, 0, clean_notices },
	{ "make reports that are due", 5 * CLOCK_SECOND, 1, make_reports, report_tenants },
	{ "make the installation's reports that are due", 5 * CLOCK_SECOND, 0, make_reports },
	{ "remove old reports", CLOCK_HOUR, 1, clean_reports },
	{ "remove old reports of the installation", CLOCK_HOUR, 0, clean_reports },
	{ "find encryptions that do not get on", 30 * CLOCK_SECOND, 1, find_idle, idle_tenants },
	{ "find missing instances", 10 * CLOCK_SECOND, 1, find_missing, missing_tenants },
	{ "expire instances", CLOCK_HOUR, 1, expire_instances },
	{ "rotate device keys", CLOCK_MINUTE, 1, rotate_keys, rotation_tenants },
	{ "renew the key of single sign-on", 5 * CLOCK_SECOND, 0, saml_key_due },
	{ "renew tenants' keys of single sign-on", 5 * CLOCK_SECOND, 1, saml_key_due, saml_second_tenants },
	{ "remove ended sessions", 10 * CLOCK_MINUTE, 1, clean_sessions },
	{ "remove old changes of facts", CLOCK_HOUR, 1, clean_changes },
	{ "remove old checks", CLOCK_HOUR, 1, clean_checks },
	{ "remove old orders to agents", CLOCK_HOUR, 1, clean_orders },
	{ "remove old what-if runs", CLOCK_HOUR, 1, clean_what_if },
	{ "remove lists of many decisions", CLOCK_HOUR, 1, clean_bulk },
	{ "remove old exports of accounts", CLOCK_HOUR, 1, clean_exports },
	{ "copy the installation's log", 2 * CLOCK_SECOND, 0, log_keep_copy },
	{ "copy tenants' logs", 2 * CLOCK_SECOND, 1, log_keep_copy, log_keep_copy_tenants },
	{ "look after the installation's log", 10 * CLOCK_SECOND, 0, log_keep_queue },
	{ "look after tenants' logs", 10 * CLOCK_SECOND, 1, log_keep_queue, log_keep_tenants },
	{ "make texts of the log quick to find", CLOCK_MINUTE, 0, log_search_queue },
	{ "make months of the log", CLOCK_HOUR, 0, log_keep_make },
	{ "drop archived months of the log", CLOCK_HOUR, 0, log_keep_drop },
	{ "make and drop partitions", CLOCK_DAY, 0, maintain_heartbeats },
	{ NULL },
};

int task_run(struct db *db, const struct task *task, const struct uuid *tenant, clock_us now)
{
	struct db_actor actor = { .kind = DB_ACTOR_SYSTEM, .name = "jobd" };
	int rc = db_begin(db, tenant, &actor);

	rc = db_end(db, rc < 0 ? rc : task->run(db, now));
	if (rc < 0)
		log_warning("task failed", "task", task->name, "code", err_name(rc), "why", err_text(), NULL);
	return rc;
}
