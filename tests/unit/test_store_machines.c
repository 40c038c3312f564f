/* test_store_machines.c - agents, inventory, devices, orders, heartbeats, each under the role that uses them:
 * what the agent service does as keyward_agent, people as keyward_console, timers as keyward_jobs. */
#include "machine.h"
#include "store/heartbeat.h"
#include "store/image.h"
#include "store/instance.h"
#include "store/key.h"

TEST(registration, "AGT-1,LOG-2")
{
	struct uuid tenant = make_tenant("register"), again = uuid_new(), where;
	struct machine m = make_machine(&tenant, "i-1", 3);
	struct agent a;
	uint8_t key[AGENT_KEY_SIZE];
	struct db *db = as("keyward_agent", &tenant);

	settle(&m);
	CHECK_INT(agent_find(db, &m.agent, &a), 0);
	CHECK_STR(a.state, "active");
	CHECK_STR(a.tenant_state, "active");
	CHECK_STR(a.host_name, "i-1");
	machine_key(&m.agent, key);
	CHECK(memcmp(a.public_key, key, sizeof key) == 0);
	/* Its answer was lost: who it is is said again. */
	CHECK_INT(agent_register(db, &again, key, &m.inventory, "1.0", NULL, &where), 0);
	CHECK(uuid_equal(&again, &m.agent) && uuid_equal(&where, &m.instance));
	again = uuid_new();
	m.inventory.instance_id = "i-2";
	CHECK_INT(agent_register(db, &again, key, &m.inventory, "1.0", NULL, &where), ERR_CONFLICT);
	m.inventory.instance_id = "i-1";
	undo(db);
	db = as("keyward_agent", &tenant);
	machine_key(&again, key);
	CHECK_INT(agent_register(db, &again, key, &m.inventory, "1.0", NULL, &where), 0);
	CHECK(uuid_equal(&where, &m.instance));
	CHECK_INT(agent_find(db, &m.agent, &a), 0);
	CHECK_STR(a.state, "replaced");
	CHECK_INT(agent_find(db, &tenant, &a), ERR_NOT_FOUND);
	for (size_t i = 0; i < 4; i++) {
		struct heartbeat beat = { .agent = again, .at = clock_now(), .insecure_tls = i < 2 };

		CHECK_INT(heartbeat_write(db, &beat, 1), 0);
	}
	CHECK_INT(agent_stopped(db, &again, "shutdown"), 0);
	CHECK_INT(agent_booted(db, &again), 0);
	finish(db);
	CHECK_INT(logged(&tenant, "agent.registered"), 2);
	CHECK_INT(logged(&tenant, "agent.insecure-tls"), 1);
	CHECK_INT(logged(&tenant, "agent.secure-tls"), 1);
	CHECK_INT(logged(&tenant, "image.created"), 1);
	CHECK_INT(logged(&tenant, "instance.created"), 1);
	CHECK_INT(logged(&tenant, "device.created"), 3);
}

/* Every machine may call its first disk the same; a volume of a cloud has its id wherever it is attached. */
TEST(ids_of_native_devices_belong_to_one_machine, "DEV-1,DEV-4")
{
	struct uuid tenant = make_tenant("native");
	struct machine a = make_machine_of(&tenant, "native", "n-1", 1), b = make_machine_of(&tenant, "native", "n-2", 1);
	struct machine c = make_machine(&tenant, "i-1", 1), d = make_machine(&tenant, "i-2", 1);
	struct device of_a = device_of(&a, "vol-1"), of_b = device_of(&b, "vol-1"), of_c = device_of(&c, "vol-1"),
		of_d = device_of(&d, "vol-1");

	CHECK(!uuid_equal(&of_a.id, &of_b.id));
	CHECK(uuid_equal(&of_a.instance, &a.instance) && uuid_equal(&of_b.instance, &b.instance));
	CHECK(uuid_equal(&of_c.id, &of_d.id));
	device_release(&of_a);
	device_release(&of_b);
	device_release(&of_c);
	device_release(&of_d);
}

TEST(inventory_comes_and_goes, "DEV-2,DEV-7")
{
	struct uuid tenant = make_tenant("inventory"), device;
	struct machine m = make_machine(&tenant, "i-1", 2), other;
	struct device d;
	struct db *db;

	settle(&m);
	device = encrypt(&m, "vol-1");
	CHECK_INT(status_of(&m, "vol-1"), DEVICE_ENCRYPTED);
	publish(&m, 0);
	CHECK_INT(status_of(&m, "vol-1"), DEVICE_UNDETECTED);
	CHECK_INT(status_of(&m, "vol-2"), DEVICE_UNDETECTED);
	publish(&m, 2);
	CHECK_INT(status_of(&m, "vol-1"), DEVICE_ENCRYPTED);
	CHECK_INT(status_of(&m, "vol-2"), DEVICE_NOT_CONFIGURED);
	CHECK_INT(logged(&tenant, "device.lost"), 2);
	CHECK_INT(logged(&tenant, "device.found"), 2);
	/* The same device listed twice by one agent is one device. */
	m.devices[1] = m.devices[0];
	publish(&m, 2);
	m.devices[1].id = "vol-2";
	publish(&m, 2);
	CHECK_INT(status_of(&m, "vol-2"), DEVICE_NOT_CONFIGURED);
	/* A detached volume comes up on another instance. */
	publish(&m, 1);
	other = make_machine(&tenant, "i-2", 2);
	d = device_of(&m, "vol-2");
	CHECK(uuid_equal(&d.instance, &other.instance));
	device_release(&d);
	/* Only what is Undetected can be deleted. */
	settle(&other);
	publish(&other, 0);
	db = as("keyward_console", &tenant);
	CHECK_INT(device_delete(db, &device), 0);
	finish(db);
	CHECK_INT(logged(&tenant, "device.deleted"), 1);
}

TEST(device_life, "DEV-2,DEV-3,DEV-6,KEY-1")
{
	struct uuid tenant = make_tenant("device"), device;
	struct machine m = make_machine(&tenant, "i-1", 3);
	struct device root = device_of(&m, "root"), d;
	struct device_configuration wrong = configuration;
	struct buf wrapped = BUF_INIT;
	int64_t version = 0;
	json_t *doc = NULL;
	struct db *db;

	settle(&m);
	db = as("keyward_console", &tenant);
	CHECK_INT(device_configure(db, &root.id, &configuration), ERR_INVALID);
	undo(db);
	device = encrypt(&m, "vol-1");
	db = as("keyward_console", &tenant);
	CHECK_INT(device_key_get(db, &device, &version, &wrapped), 0);
	CHECK_INT(version, 1);
	CHECK_STR(buf_str(&wrapped), "wrapped-key");
	CHECK_INT(device_configure(db, &device, &configuration), ERR_CONFLICT);
	CHECK_INT(device_delete(db, &device), ERR_CONFLICT);
	CHECK_INT(device_rename(db, &device, "data", NULL), 0);
	CHECK_INT(device_get(db, &device, &doc), 0);
	CHECK_STR(json_string_value(json_object_get(doc, "name")), "data");
	CHECK_STR(json_string_value(json_object_get(doc, "status")), "encrypted");
	CHECK(json_is_true(json_object_get(doc, "has_key")));
	json_decref(doc);
	CHECK_INT(device_unconfigure(db, &device), 0);
	CHECK_INT(device_key_get(db, &device, &version, &wrapped), ERR_NOT_FOUND);
	finish(db);
	CHECK_INT(logged(&tenant, "key.destroyed"), 1);
	/* The next key has a version that no former one had. */
	d = device_of(&m, "vol-1");
	CHECK_INT(d.key_version, 1);
	CHECK_INT(d.has_key, 0);
	device_release(&d);
	wrong.key_bits = 192;
	db = as("keyward_console", &tenant);
	CHECK_INT(device_configure(db, &device, &wrong), ERR_INVALID);
	undo(db);
	db = as("keyward_console", &tenant);
	CHECK_INT(device_configure(db, &device, &configuration), 0);
	CHECK_INT(device_encrypt(db, &device, 0), 0);
	CHECK_INT(device_cancel(db, &device), 0);
	CHECK_INT(device_encrypt(db, &device, 0), 0);
	finish(db);
	db = as("keyward_agent", &tenant);
	CHECK_INT(device_fail(db, &device, "disk full"), 0);
	CHECK_INT(device_fail(db, &device, "disk full"), 0);
	finish(db);
	db = as("keyward_console", &tenant);
	CHECK_INT(device_get(db, &device, &doc), 0);
	CHECK_STR(json_string_value(json_object_get(doc, "error")), "disk full");
	json_decref(doc);
	finish(db);
	CHECK_INT(logged(&tenant, "device.failed"), 1);
	device_release(&root);
	buf_free(&wrapped);
}

TEST(lists_of_machines, "RUN-1,IMG-1,DEV-1,TEN-4")
{
	struct uuid tenant = make_tenant("lists-m"), empty = make_tenant("lists-e");
	struct machine m = make_machine(&tenant, "i-1", 2);
	const char *devices[] = { "name", "provider", "provider_device", "size", "status", "mount_point", "policy", "image", "instance",
		NULL };
	const char *device_members[] = { "id", "policy_name", "image_name", "instance_name", "has_key", "last_detected", NULL };
	const char *images[] = { "name", "provider", "provider_image", "instances", "created", NULL };
	const char *image_members[] = { "id", "policies", "instances", "devices", NULL };
	const char *policies[] = { "name", "changed", "images", "devices", NULL };
	const char *policy_members[] = { "id", "rules", "images", "devices", "version", NULL };
	const char *none[] = { NULL };
	struct list_query q = { .search = "i-1" };
	json_t *doc = NULL;
	struct db *db;

	check_list(device_list, &tenant, devices, device_members, 2);
	check_list(image_list, &tenant, images, image_members, 1);
	q.search = "default";
	doc = page_of(policy_list, &tenant, &q);
	CHECK_INT(json_array_size(doc), 1);
	CHECK_INT(json_integer_value(json_object_get(json_array_get(doc, 0), "devices")), 2);
	for (size_t i = 0; policy_members[i]; i++)
		CHECK(json_object_get(json_array_get(doc, 0), policy_members[i]) != NULL);
	json_decref(doc);
	q.search = NULL;
	for (size_t i = 0; policies[i]; i++) {
		q.sort = policies[i];
		doc = page_of(policy_list, &tenant, &q);
		CHECK_INT(json_array_size(doc), 1);
		json_decref(doc);
	}
	check_list(device_list, &empty, devices, none, 0);
	check_list(image_list, &empty, images, none, 0);
	db = as("keyward_console", &tenant);
	CHECK_INT(instance_get(db, &m.instance, &doc), 0);
	CHECK_INT(json_array_size(json_object_get(doc, "devices")), 2);
	CHECK_STR(json_string_value(json_object_get(json_object_get(doc, "agent"), "version")), "1.0");
	json_decref(doc);
	finish(db);
	db = as("keyward_console", &empty);
	CHECK_INT(instance_get(db, &m.instance, &doc), ERR_NOT_FOUND);
	finish(db);
}

/* As the foreign key of a request that is made does. */
static int refer_to(struct db *db, const struct uuid *instance)
{
	return db_run(db, "select from instance where id = $1 for key share nowait", DB_ARGS(db_uuid_arg(instance)));
}

TEST(heartbeats_and_missing_instances, "RUN-7,AGT-5")
{
	struct uuid tenant = make_tenant("beats"), device, id;
	struct machine m = make_machine(&tenant, "i-1", 2);
	clock_us now = clock_now();
	json_t *volumes = json_pack("[{s:s}]", "device", "vol-1");
	struct heartbeat beats[] = {
		{ m.agent, now - CLOCK_SECOND, volumes, "1.1", "debug", "192.0.2.7" },
		{ m.agent, now, NULL, NULL, NULL, NULL },
	};
	struct db_result *r = NULL;
	struct db *db;

	settle(&m);
	device = encrypt(&m, "vol-1");
	id = ask(&m, &device, 1, 1);
	CHECK_INT(judge(&m, &id, REQUEST_EVENT_APPROVE, 0), 0);
	CHECK_INT(ALONE("keyward_agent", &tenant, deliver(one, &id, 1)), 0);
	CHECK_INT(ALONE("keyward_agent", &tenant, request_opened(one, &id)), 0);
	CHECK_INT(ALONE("keyward_agent", &tenant, heartbeat_write(one, beats, 2)), 0);
	db = as("keyward_console", &tenant);
	CHECK_INT(db_query_row(db, &r, "select (select count(*) from heartbeat), last_heartbeat, version from agent", DB_NONE), 0);
	CHECK_INT(db_int(r, 0, 0), 2);
	CHECK(db_time(r, 0, 1) / 1000 == now / 1000);
	db_result_free(r);
	finish(db);
	CHECK_INT(ALONE("keyward_jobs", &tenant, instance_find_missing(one, now - CLOCK_MINUTE, 100)), 0);
	db = as("keyward_jobs", &tenant);
	CHECK_INT(instance_find_missing(db, now + CLOCK_MINUTE, 100), 1);
	/* Whoever locked it against that would wait for us, and we for him. */
	CHECK_INT(ALONE("keyward_agent", &tenant, refer_to(one, &m.instance)), 1);
	finish(db);
	CHECK_INT(logged(&tenant, "instance.missing"), 1);
	/* What it had open counts as closed. */
	CHECK_INT(status_of(&m, "vol-1"), DEVICE_ENCRYPTED);
	CHECK_INT(logged(&tenant, "key.closed"), 1);
	CHECK_INT(ALONE("keyward_agent", &tenant, heartbeat_write(one, beats, 1)), 0);
	CHECK_INT(logged(&tenant, "instance.back"), 1);
	CHECK_INT(ALONE("keyward_jobs", &tenant, instance_find_missing(one, now + CLOCK_MINUTE, 100)), 1);
	CHECK_INT(ALONE("keyward_jobs", &tenant, instance_expire(one, now + CLOCK_MINUTE, 100)), 1);
	CHECK_INT(logged(&tenant, "instance.deleted"), 1);
	CHECK_INT(ALONE("keyward_jobs", NULL, heartbeat_maintain(one, 12)), 0);
	json_decref(volumes);
}

TEST(other_tenants_ids, "TEN-4")
{
	struct uuid mine = make_tenant("mine"), theirs = make_tenant("theirs"), device, id, policy = default_policy(&theirs);
	struct machine m = make_machine(&theirs, "i-1", 2);
	struct request_case c = { 0 };
	struct device d = { 0 };
	struct agent a;
	struct buf key = BUF_INIT;
	int64_t version;
	json_t *doc = NULL;

	settle(&m);
	device = encrypt(&m, "vol-1");
	id = ask(&m, &device, 1, 1);
	/* Each as if the thing did not exist. */
	CHECK_INT(ALONE("keyward_console", &mine, device_load(one, &device, &d)), ERR_NOT_FOUND);
	CHECK_INT(ALONE("keyward_console", &mine, device_get(one, &device, &doc)), ERR_NOT_FOUND);
	CHECK_INT(ALONE("keyward_console", &mine, device_rename(one, &device, "x", "y")), ERR_NOT_FOUND);
	CHECK_INT(ALONE("keyward_console", &mine, device_unconfigure(one, &device)), ERR_NOT_FOUND);
	CHECK_INT(ALONE("keyward_console", &mine, device_delete(one, &device)), ERR_NOT_FOUND);
	CHECK_INT(ALONE("keyward_console", &mine, device_key_get(one, &device, &version, &key)), ERR_NOT_FOUND);
	CHECK_INT(ALONE("keyward_console", &mine, request_get(one, &id, &doc)), ERR_NOT_FOUND);
	CHECK_INT(ALONE("keyward_console", &mine, decide(one, &id, REQUEST_EVENT_APPROVE, NULL)), ERR_NOT_FOUND);
	CHECK_INT(ALONE("keyward_console", &mine, policy_get(one, &policy, &doc)), ERR_NOT_FOUND);
	CHECK_INT(ALONE("keyward_console", &mine, policy_delete(one, &policy, NULL)), ERR_NOT_FOUND);
	CHECK_INT(ALONE("keyward_console", &mine, agent_remove(one, &m.agent)), ERR_NOT_FOUND);
	CHECK_INT(ALONE("keyward_agent", &mine, agent_find(one, &m.agent, &a)), ERR_NOT_FOUND);
	CHECK_INT(ALONE("keyward_agent", &mine, request_load(one, &id, &c)), ERR_NOT_FOUND);
	CHECK_INT(ALONE("keyward_agent", &mine, deliver(one, &id, 1)), ERR_NOT_FOUND);
	CHECK_INT(ALONE("keyward_agent", &mine, device_fail(one, &device, "x")), ERR_NOT_FOUND);
	/* And the same id can be used here without anybody learning that it is there. */
	CHECK_INT(ALONE("keyward_console", &mine, db_run_one(one, "insert into policy (tenant, id, name) values (current_tenant(), $1, 'x')",
		DB_ARGS(db_uuid_arg(&policy)))), 0);
	CHECK_INT(status_of(&m, "vol-1"), DEVICE_ENCRYPTED);
	buf_free(&key);
}

PG_TEST_MAIN
