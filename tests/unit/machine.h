/* machine.h - for tests of the store: a tenant, a machine of it as its agent publishes it, and what people and agent do with its
 * devices, each under the database role that does it. */
#ifndef TESTS_MACHINE_H
#define TESTS_MACHINE_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "pg.h"
#include "store/agent.h"
#include "store/audit.h"
#include "store/device.h"
#include "store/key.h"
#include "store/order.h"
#include "store/policy.h"
#include "store/request.h"
#include "store/tenant.h"

static const struct db_actor operator_actor = { .kind = DB_ACTOR_OPERATOR, .name = "op@example.com" };
static const struct db_actor user_actor = { .kind = DB_ACTOR_USER, .id = { { 7 } }, .name = "admin@example.com",
	.address = "192.0.2.2" };
static const struct db_actor agent_actor = { .kind = DB_ACTOR_AGENT, .name = "web-1", .address = "192.0.2.3" };
static const struct db_actor jobs_actor = { .kind = DB_ACTOR_SYSTEM, .name = "jobd" };

static inline struct uuid make_tenant(const char *slug)
{
	struct db *db = pg_db("keyward_central");
	struct uuid id = uuid_new();

	CHECK_INT(db_begin(db, NULL, &operator_actor), 0);
	CHECK_INT(tenant_create(db, &id, slug, slug, (struct wire_view) { (const uint8_t *)"wrapped", 7 }), 0);
	CHECK_INT(db_commit(db), 0);
	db_free(db);
	return id;
}

static inline struct db *as(const char *role, const struct uuid *tenant)
{
	struct db *db = pg_db_believed(role);

	CHECK_INT(db_begin(db, tenant, strcmp(role, "keyward_console") == 0 ? &user_actor
		: strcmp(role, "keyward_agent") == 0 ? &agent_actor : &jobs_actor), 0);
	return db;
}

static inline void finish(struct db *db)
{
	CHECK_INT(db_commit(db), 0);
	db_free(db);
}

static inline void undo(struct db *db)
{
	db_rollback(db);
	db_free(db);
}

static inline struct uuid default_policy(const struct uuid *tenant)
{
	struct db *db = as("keyward_console", tenant);
	struct uuid id = { { 0 } };
	json_t *names = NULL;

	CHECK_INT(policy_names(db, &names), 0);
	CHECK_INT(json_get_uuid(json_array_get(names, 0), "id", &id), 0);
	json_decref(names);
	finish(db);
	return id;
}

/* RULES: taken over; NULL: none. */
static inline json_t *policy_document(const char *name, const char *on_match, json_t *rules)
{
	return json_pack("{s:i, s:s, s:s, s:b, s:o, s:{s:s, s:s, s:i}, s:{s:i, s:[], s:i}, s:{s:b, s:s, s:i}}", "keyward_policy", 1,
		"name", name, "description", "what", "pooling", 1, "rules", rules ? rules : json_array(), "action", "on_match", on_match,
		"on_mismatch", "deny", "timeout_s", 0, "approvals", "needed", 1, "of", "expires_s", 3600, "check", "scheduled", 1,
		"on_failure", "revoke-after", "grace_s", 900);
}

/* A running machine as most tests need it. */
struct machine {
	struct uuid tenant, instance, agent;
	struct inventory_device devices[3];
	struct inventory inventory;
};

static inline void machine_key(const struct uuid *agent, uint8_t key[static AGENT_KEY_SIZE])
{
	memset(key, 4, AGENT_KEY_SIZE);
	memcpy(key + 1, agent, sizeof *agent);
}

static inline struct machine make_machine_of(const struct uuid *tenant, const char *provider, const char *name, size_t devices)
{
	static const char *const ids[] = { "vol-1", "vol-2", "root" };
	struct machine m = { .tenant = *tenant, .agent = uuid_new() };
	struct db *db = as("keyward_agent", tenant);
	uint8_t key[AGENT_KEY_SIZE];

	for (size_t i = 0; i < devices; i++)
		m.devices[i] = (struct inventory_device) { .id = ids[i], .name = "", .path = "/dev/vd", .kind = "disk", .filesystem = "",
			.size_bytes = 1 << 30, .system = i == 2, .unusable = "", .token_account = "", .token_device = "", .token_server = "" };
	m.inventory = (struct inventory) { .provider = provider, .instance_id = name, .image_id = "ami-1", .image_name = "Debian",
		.region = "eu", .zone = "eu-1a", .host_name = name, .system = "linux", .distribution = "debian", .version = "12",
		.kernel = "6.1", .arch = "x86_64", .devices = m.devices, .devices_count = devices };
	machine_key(&m.agent, key);
	CHECK_INT(agent_register(db, &m.agent, key, &m.inventory, "1.0", "192.0.2.3", &m.instance), 0);
	CHECK_INT(inventory_publish(db, &m.instance, &m.inventory, &(size_t){ 0 }), 0);
	finish(db);
	return m;
}

static inline struct machine make_machine(const struct uuid *tenant, const char *name, size_t devices)
{
	return make_machine_of(tenant, "ec2", name, devices);
}

/* Structs move when returned: what points into them is set again. */
static inline void settle(struct machine *m)
{
	m->inventory.devices = m->devices;
}

static inline void publish(struct machine *m, size_t devices)
{
	struct db *db = as("keyward_agent", &m->tenant);

	settle(m);
	m->inventory.devices_count = devices;
	CHECK_INT(inventory_publish(db, &m->instance, &m->inventory, &(size_t){ 0 }), 0);
	finish(db);
}

static inline struct device device_of(const struct machine *m, const char *id)
{
	struct db *db = as("keyward_agent", &m->tenant);
	struct device d = { 0 };

	CHECK_INT(device_by_provider_id(db, &m->instance, id, &d), 0);
	finish(db);
	return d;
}

static inline enum device_state status_of(const struct machine *m, const char *id)
{
	struct device d = device_of(m, id);
	enum device_state s = d.status;

	device_release(&d);
	return s;
}

static const struct device_configuration configuration = { "linux", "ext4", "/data", "read-write", "aes", "xts-plain64", "sha256",
	256, NULL };

/* Configures and encrypts ID as people and agent do; the key's version is 1. */
static inline struct uuid encrypt(const struct machine *m, const char *id)
{
	struct device d = device_of(m, id);
	struct device_key_new wrapped = { .wrapped = BUF_INIT };
	struct uuid device = d.id;
	json_t *tasks = NULL;
	struct db *db = as("keyward_console", &m->tenant);

	buf_puts(&wrapped.wrapped, "wrapped-key");
	CHECK_INT(device_configure(db, &device, &configuration), 0);
	CHECK_INT(device_encrypt(db, &device, 1), 0);
	finish(db);
	db = as("keyward_agent", &m->tenant);
	CHECK_INT(device_tasks(db, &m->instance, &tasks), 0);
	CHECK_INT(json_array_size(tasks), 1);
	json_decref(tasks);
	CHECK_INT(device_start(db, &d, NULL), ERR_CONFLICT);
	CHECK_INT(device_start(db, &d, &wrapped), 0);
	CHECK_INT(device_start(db, &d, &wrapped), ERR_CONFLICT);
	buf_free(&wrapped.wrapped);
	CHECK_INT(device_progress(db, &device, 40), 0);
	CHECK_INT(device_finish(db, &device, "luks-1", 2), ERR_CONFLICT);
	CHECK_INT(device_finish(db, &device, "luks-1", 1), 0);
	finish(db);
	db = as("keyward_agent", &m->tenant);
	CHECK_INT(device_finish(db, &device, "luks-1", 1), 0);
	CHECK_INT(device_progress(db, &device, 50), ERR_CONFLICT);
	finish(db);
	device_release(&d);
	return device;
}

static inline int64_t logged(const struct uuid *tenant, const char *event)
{
	struct db *db = as("keyward_console", tenant);
	struct db_result *r;
	int64_t count = -1, checked;

	if (db_query_row(db, &r, "select count(*) from audit_entry where event = $1", DB_ARGS(db_text_arg(event))) == 0) {
		count = db_int(r, 0, 0);
		db_result_free(r);
	}
	CHECK_INT(audit_check(db, &checked), 0);
	finish(db);
	return count;
}

static inline struct request_question question(const struct machine *m, const struct uuid *device, uint8_t *key, int fill)
{
	static const uint8_t signature[REQUEST_SIGNATURE_SIZE] = { 1 };
	static json_t *facts;

	if (facts == NULL)
		facts = json_pack("{s:{s:s, s:{s:s}}}", "agent", "at", "2026-01-01T00:00:00Z", "values", "os.system", "linux");
	memset(key, fill, REQUEST_KEY_SIZE);
	return (struct request_question) { .device = *device, .instance = m->instance, .agent = m->agent, .access = "read-write",
		.mount_point = "/data", .reason = "boot", .recipient_key = key, .signature = signature, .facts = facts,
		.address = "192.0.2.3" };
}

static inline json_t *page_of(int (*list)(struct db *, const struct list_query *, json_t **), const struct uuid *tenant,
	const struct list_query *q)
{
	struct db *db = as("keyward_console", tenant);
	json_t *page = NULL, *rows;

	CHECK_INT(list(db, q, &page), 0);
	rows = json_incref(json_object_get(page, "rows"));
	json_decref(page);
	finish(db);
	return rows;
}

/* Every sort of a list works, both ways, and the rows have what is promised. */
static inline void check_list(int (*list)(struct db *, const struct list_query *, json_t **), const struct uuid *tenant,
	const char *const *sorts, const char *const *members, size_t expected)
{
	for (size_t i = 0; sorts[i]; i++)
		for (int order = -1; order <= 1; order++) {
			struct list_query q = { .sort = sorts[i], .order = order, .search = i % 2 ? "1" : NULL };
			json_t *rows = page_of(list, tenant, &q);

			CHECK_INT(json_array_size(rows), expected);
			for (size_t k = 0; expected && members[k]; k++)
				CHECK(json_object_get(json_array_get(rows, 0), members[k]) != NULL);
			json_decref(rows);
		}
}

/* A question with a one-time key of FILL bytes. */
static inline struct uuid ask(const struct machine *m, const struct uuid *device, int fill, int expect_fresh)
{
	uint8_t key[REQUEST_KEY_SIZE];
	struct request_question q = question(m, device, key, fill);
	struct uuid id = { { 0 } };
	struct db *db = as("keyward_agent", &m->tenant);
	int fresh = -1;

	CHECK_INT(request_open(db, &q, &id, &fresh), 0);
	CHECK_INT(fresh, expect_fresh);
	finish(db);
	return id;
}

/* Judges as the agent service does. EVENT: approve, deny, or -1 for a person, automatically at APPROVE_AT unless that is 0. */
static inline int judge(const struct machine *m, const struct uuid *id, int event, clock_us approve_at)
{
	struct request_case c = { 0 };
	struct verdict v = { .action = event == REQUEST_EVENT_APPROVE ? POLICY_ACTION_APPROVE : event == REQUEST_EVENT_DENY
		? POLICY_ACTION_DENY : approve_at ? POLICY_ACTION_MANUAL_TIMEOUT : POLICY_ACTION_MANUAL, .integrity = INTEGRITY_GOOD, .approve_at = approve_at,
		.rules = json_array(), .passed = 1 };
	struct db *db = as("keyward_agent", &m->tenant);
	int rc = request_load_locked(db, id, &c);

	CHECK_INT(rc, 0);
	rc = request_judge(db, &c, &v);
	if (rc == 0)
		rc = db_commit(db);
	request_case_release(&c);
	json_decref(v.rules);
	db_free(db);
	return rc;
}

/* One call on the connection `one`, in a transaction of its own; what it gave. */
#define ALONE(role, tenant, call) \
	__extension__ ({ struct db *one = as(role, tenant); int rc_ = (call), end_ = rc_ < 0 ? rc_ : db_commit(one); db_free(one); \
		end_ < 0 ? end_ : rc_; })

/* The key goes to the agent that has asked. */
static inline int deliver(struct db *db, const struct uuid *id, int64_t version)
{
	struct request_case c = { 0 };
	int rc = request_load_locked(db, id, &c);

	if (rc == 0)
		rc = request_deliver_case(db, &c, version);
	request_case_release(&c);
	return rc;
}

static inline int decide(struct db *db, const struct uuid *id, enum request_event event, const char *comment)
{
	return request_decide(db, id, &(struct request_decision){ event, comment, NULL, NULL }, NULL);
}

#endif
