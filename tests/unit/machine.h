/* machine.h - for tests of the store: a tenant, a machine of it as its agent publishes it, and what people and agent do with its
 * devices, each under the database role that does it. */
#ifndef TESTS_MACHINE_H
#define TESTS_MACHINE_H

#include "base/json.h"
#include "pg.h"
#include "store/agent.h"
#include "store/audit.h"
#include "store/device.h"
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
	struct db *db = pg_db(role);

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
			.size_bytes = 1 << 30, .system = i == 2 };
	m.inventory = (struct inventory) { .provider = provider, .instance_id = name, .image_id = "ami-1", .image_name = "Debian",
		.region = "eu", .zone = "eu-1a", .host_name = name, .system = "linux", .distribution = "debian", .version = "12",
		.kernel = "6.1", .arch = "x86_64", .devices = m.devices, .devices_count = devices };
	machine_key(&m.agent, key);
	CHECK_INT(agent_register(db, &m.agent, key, &m.inventory, "1.0", "192.0.2.3", &m.instance), 0);
	CHECK_INT(inventory_publish(db, &m.instance, &m.inventory), 0);
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
	CHECK_INT(inventory_publish(db, &m->instance, &m->inventory), 0);
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
	struct wire_view wrapped = { (const uint8_t *)"wrapped-key", 11 };
	struct uuid device = d.id;
	json_t *tasks = NULL;
	struct db *db = as("keyward_console", &m->tenant);

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
		facts = json_pack("{s:s}", "os", "linux");
	memset(key, fill, REQUEST_KEY_SIZE);
	return (struct request_question) { .device = *device, .instance = m->instance, .agent = m->agent, .access = "read-write",
		.mount_point = "/data", .reason = "boot", .recipient_key = key, .signature = signature, .facts = facts,
		.address = "192.0.2.3" };
}

#endif
