/* test_store_locks.c - the order that rows are locked in: whoever waits for one holds none that comes after it, so no two changes wait for each other. Devices:
 * store/device_step.h. Requests come before their device, instances before their agents. */
#include "machine.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "check.h"
#include "store/device_clone.h"
#include "store/device_custody.h"
#include "store/destruction.h"
#include "store/export.h"
#include "store/heartbeat.h"
#include "store/inventory.h"
#include "store/raid.h"
#include "store/rotation.h"

#define ALL "(d.raid = $1 or d.id = $1 or d.provider_device = 'root')"
#define IDS "select d.id from device d where " ALL " order by d.raid is not null, d.id"

/* An array of vol-1 and vol-2; root is free. What changes them gets the array, or its first member. */
struct situation {
	struct machine machine;
	struct uuid array, member, free, policy, request;
};

static void become(struct db *db, const char *role)
{
	CHECK_INT(db_has(db, "select set_config('role', $1, true)", DB_ARGS(db_text_arg(role))), 1);
}

static int publishes(struct db *db, const struct situation *s)
{
	return inventory_publish(db, &s->machine.instance, &s->machine.inventory, &(size_t){ 0 });
}

static int loses(struct db *db, const struct situation *s)
{
	struct inventory less = s->machine.inventory;

	less.devices_count = 1;
	return inventory_publish(db, &s->machine.instance, &less, &(size_t){ 0 });
}

static int encrypts(struct db *db, const struct situation *s)
{
	return device_encrypt(db, &s->array, 1);
}

static int cancels(struct db *db, const struct situation *s)
{
	return device_cancel(db, &s->array);
}

static int configures(struct db *db, const struct situation *s)
{
	return device_configure(db, &s->array, &configuration);
}

static int reports_progress(struct db *db, const struct situation *s)
{
	return device_progress(db, &s->member, 40);
}

static int fails(struct db *db, const struct situation *s)
{
	return device_fail(db, &s->member, "broken");
}

static int start(struct db *db, const struct uuid *member)
{
	struct device_key_new key = { .wrapped = BUF_INIT };
	struct device d = { 0 };
	int rc = device_load(db, member, &d);

	buf_puts(&key.wrapped, "wrapped-key");
	if (rc == 0)
		rc = device_start(db, &d, &key);
	buf_free(&key.wrapped);
	device_release(&d);
	return rc;
}

static int starts(struct db *db, const struct situation *s)
{
	return start(db, &s->member);
}

static int finishes(struct db *db, const struct situation *s)
{
	return device_finish(db, &s->member, "luks-1", 1);
}

static int wants_rotation(struct db *db, const struct situation *s)
{
	return rotation_want(db, &s->array, ROTATION_DEVICE_KEY);
}

static int adds_key(struct db *db, const struct situation *s)
{
	struct rotation_keys keys = { .from = 1, .to = 2, .next = { .wrapped = BUF_INIT } };
	struct device d = { 0 };
	int rc = device_load(db, &s->member, &d);

	buf_puts(&keys.next.wrapped, "next-key");
	/* Agents order no rotation. */
	become(db, "postgres");
	if (rc == 0)
		rc = db_run_one(db, "insert into rotation (tenant, id, device, reason) values (current_tenant(), gen_random_uuid(), $1, 'age')",
			DB_ARGS(db_uuid_arg(&s->member)));
	become(db, "keyward_agent");
	if (rc == 0)
		rc = rotation_start(db, &d, &keys);
	if (rc == 0)
		rc = rotation_added(db, &d, 2);
	rotation_keys_free(&keys);
	device_release(&d);
	return rc;
}

static int changes_members(struct db *db, const struct situation *s)
{
	struct raid_definition d = { NULL, "with the free one", (const struct uuid[]){ s->member, s->free }, 2, &configuration };

	return raid_change(db, &s->array, &d);
}

static int dissolves(struct db *db, const struct situation *s)
{
	return device_delete(db, &s->array);
}

static json_t *ids_of(const struct uuid *first, const struct uuid *second)
{
	json_t *ids = json_array();
	char text[UUID_TEXT_SIZE];

	uuid_text(first, text);
	json_array_append_new(ids, json_string(text));
	if (second) {
		uuid_text(second, text);
		json_array_append_new(ids, json_string(text));
	}
	return ids;
}

static int exports(struct db *db, const struct situation *s)
{
	json_t *ids = ids_of(&s->array, NULL);
	int rc = export_ask(db, &s->policy, "keys.zip", ids);

	json_decref(ids);
	return rc;
}

static int moves(struct db *db, const struct situation *s, int in)
{
	json_t *ids = ids_of(&s->array, &s->free), *none = json_array();
	int rc = policy_move(db, &s->policy, POLICY_DEVICE, in ? ids : none, in ? none : ids);
	json_decref(ids);
	json_decref(none);
	return rc;
}

static int moves_to_policy(struct db *db, const struct situation *s)
{
	return moves(db, s, 1);
}

static int moves_from_policy(struct db *db, const struct situation *s)
{
	return moves(db, s, 0);
}

static int deletes_policy(struct db *db, const struct situation *s)
{
	struct uuid to = default_policy(&s->machine.tenant);

	return policy_delete(db, &s->policy, &to);
}

struct change {
	const char *name, *role;
	int (*make)(struct db *db, const struct situation *s);
	const char *status;          /* of the array and its members before */
	int in_policy;               /* not the default one */
};

/* jobd's: what is asked for is due. */
static int destroys(struct db *db, const struct situation *s)
{
	become(db, "postgres");
	CHECK_INT(db_run_one(db, "insert into destruction (tenant, id, device, people, asked_by, asked_by_name, due) values (current_tenant(),"
		" gen_random_uuid(), $1, 1, gen_random_uuid(), 'somebody', now())", DB_ARGS(db_uuid_arg(&s->array))), 0);
	become(db, "keyward_jobs");
	return destruction_run(db, clock_now(), 1) == 1 ? 0 : err_set(ERR_INTERNAL, "nothing was destroyed: %s", err_text());
}

static const struct change of_devices[] = {
	{ "inventory", "keyward_agent", publishes, "encrypted", 0 },
	{ "inventory without a member", "keyward_agent", loses, "encrypted", 0 },
	{ "start", "keyward_agent", starts, "encryption-pending", 0 },
	{ "progress", "keyward_agent", reports_progress, "encrypting", 0 },
	{ "finish", "keyward_agent", finishes, "encrypting", 0 },
	{ "failure", "keyward_agent", fails, "encrypting", 0 },
	{ "new key", "keyward_agent", adds_key, "encrypted", 0 },
	{ "rotation", "keyward_console", wants_rotation, "encrypted", 0 },
	{ "export", "keyward_console", exports, "encrypted", 0 },
	{ "configuration", "keyward_console", configures, "configured", 0 },
	{ "encryption", "keyward_console", encrypts, "configured", 0 },
	{ "cancellation", "keyward_console", cancels, "encryption-pending", 0 },
	{ "members", "keyward_console", changes_members, "configured", 0 },
	{ "deletion", "keyward_console", dissolves, "not-configured", 0 },
	{ "destruction", "keyward_jobs", destroys, "encrypted", 0 },
	{ "to a policy", "keyward_console", moves_to_policy, "encrypted", 0 },
	{ "from a policy", "keyward_console", moves_from_policy, "encrypted", 1 },
	{ "end of a policy", "keyward_console", deletes_policy, "encrypted", 1 },
};

/* As it is before each change, the rows of the table in the order opposite to that of the ids. */
static void lay_out(const struct situation *s, const struct change *c)
{
	struct db *db = as("keyward_console", &s->machine.tenant);
	struct uuid home = default_policy(&s->machine.tenant);

	become(db, "postgres");
	for (int i = 0; i < 2; i++)
		CHECK(db_run(db, "update device d set status = case when d.id = $1 or d.raid = $1 then $2 else 'not-configured' end, policy = $3,"
			" key_version = 1, luks_uuid = case when $2 = 'encrypted' and d.id <> $1 then 'luks-' || d.provider_device else '' end where "
			ALL " and (d.id = $1) = ($4 = 0)", DB_ARGS(db_uuid_arg(&s->array), db_text_arg(c->status),
			db_uuid_arg(c->in_policy ? &s->policy : &home), db_int_arg(i))) > 0);
	finish(db);
}

struct other {
	const struct situation *situation;
	const struct change *change;
	struct db *db;
	atomic_int done;
	int rc;
	char error[256];
};

static void *make_change(void *data)
{
	struct other *o = data;

	o->rc = o->change->make(o->db, o->situation);
	/* What was queued is done, too. */
	if (o->rc == 0)
		o->rc = db_has(o->db, "select 1", DB_NONE) == 1 ? 0 : ERR_DB;
	snprintf(o->error, sizeof o->error, "%s", err_text());
	db_rollback(o->db);
	atomic_store(&o->done, 1);
	return NULL;
}

static int64_t number(struct db *db, const char *sql, struct db_arg *args, size_t count)
{
	struct db_result *r;
	int64_t n = -1;

	if (db_query_row(db, &r, sql, args, count) < 0)
		return -1;
	n = db_int(r, 0, 0);
	db_result_free(r);
	return n;
}

/* 1: it waits for a lock, 0: it is done. */
static int wait_until_stopped(struct db *db, const struct other *o, int64_t process)
{
	while (!atomic_load(&o->done)) {
		if (number(db, "select count(*) from pg_locks where pid = $1 and not granted", DB_ARGS(db_int_arg(process))) > 0)
			return 1;
		poll(NULL, 0, 1);
	}
	return 0;
}

/* Rows, all in the order that they are locked in. $1: the id that they belong to. */
struct rows {
	const char *one;             /* locks the $2th of them */
	const char *rest;            /* it and all after it, without waiting */
};

static const struct rows devices = {
	"select 1 from device where id = (" IDS " offset $2 limit 1) for no key update",
	"select 1 from device where id in (" IDS " offset $2) for no key update nowait",
};

/* The change meets a row that is held, the Nth in the order; whoever holds that may then go on to all that come after it. */
static int meet(const struct situation *s, const struct change *c, const struct rows *rows, const struct uuid *of, int n)
{
	struct other o = { .situation = s, .change = c, .db = as(c->role, &s->machine.tenant) };
	struct db *db = as("keyward_console", &s->machine.tenant);
	int64_t process = number(o.db, "select pg_backend_pid()", DB_NONE);
	pthread_t thread;
	int stopped, rc;

	CHECK_INT(number(db, rows->one, DB_ARGS(db_uuid_arg(of), db_int_arg(n))), 1);
	pthread_create(&thread, NULL, make_change, &o);
	stopped = wait_until_stopped(db, &o, process);
	rc = db_run(db, rows->rest, DB_ARGS(db_uuid_arg(of), db_int_arg(n)));
	if (rc < 0)
		printf("    %s, waiting for row %d, holds one that comes after it: %s\n", c->name, n, err_text());
	CHECK(rc >= 0);
	undo(db);
	pthread_join(thread, NULL);
	if (o.rc < 0)
		printf("    %s: %s\n", c->name, o.error);
	CHECK_INT(o.rc, 0);
	db_free(o.db);
	return stopped;
}

/* Another one than the default. */
static struct uuid make_policy(const struct uuid *tenant)
{
	json_t *document = policy_document("other", "manual", NULL);
	struct uuid id = uuid_new();

	CHECK_INT(ALONE("keyward_console", tenant, policy_create(one, &id, document, "")), 0);
	json_decref(document);
	return id;
}

/* With a key for each member. */
static void make_array(struct situation *s, const struct uuid members[static 2])
{
	const struct raid_definition d = { "data", "", members, 2, &configuration };
	const struct uuid *tenant = &s->machine.tenant;

	CHECK_INT(ALONE("keyward_console", tenant, raid_create(one, &d, &s->array)), 0);
	CHECK_INT(ALONE("keyward_console", tenant, device_encrypt(one, &s->array, 1)), 0);
	for (size_t i = 0; i < 2; i++) {
		CHECK_INT(ALONE("keyward_agent", tenant, start(one, &members[i])), 0);
		CHECK_INT(ALONE("keyward_agent", tenant, device_finish(one, &members[i], "luks", 1)), 0);
	}
	s->member = members[0];
}

static struct situation make_situation(void)
{
	struct uuid tenant = make_tenant("locks"), ids[3];
	struct situation s = { .machine = make_machine(&tenant, "locks", 3), .policy = make_policy(&tenant) };

	s.machine.devices[2].system = 0;
	publish(&s.machine, 3);
	for (size_t i = 0; i < 3; i++) {
		struct device d = device_of(&s.machine, s.machine.devices[i].id);

		ids[i] = d.id;
		device_release(&d);
	}
	s.free = ids[2];
	make_array(&s, ids);
	return s;
}

/* A volume of a machine that asks for its key. */

static int opens(struct db *db, const struct situation *s)
{
	return request_opened(db, &s->request);
}

static int closes(struct db *db, const struct situation *s)
{
	return request_volume_closed(db, &s->machine.instance, &s->free, "shutdown");
}

static int reassigns(struct db *db, const struct situation *s)
{
	struct uuid image = uuid_new();

	become(db, "postgres");
	CHECK_INT(db_run_one(db, "insert into image (tenant, id, provider, provider_image, name) values (current_tenant(), $1, 'ec2', 'ami-2', '')",
		DB_ARGS(db_uuid_arg(&image))), 0);
	become(db, "keyward_console");
	return device_reassign(db, &s->free, &image);
}

static int gives_back(struct db *db, const struct situation *s)
{
	return device_release_finish(db, &s->free, &s->machine.instance, "");
}

static int deletes(struct db *db, const struct situation *s)
{
	return device_delete(db, &s->free);
}

static const struct change of_requests[] = {
	{ "opening", "keyward_agent", opens, "encrypted", 0 },
	{ "closing", "keyward_agent", closes, "in-use", 0 },
	{ "another image", "keyward_console", reassigns, "encrypted", 0 },
	{ "giving back", "keyward_agent", gives_back, "in-use", 0 },
	{ "deletion", "keyward_console", deletes, "undetected", 0 },
	{ "end of a policy", "keyward_console", deletes_policy, "encrypted", 0 },
};

static const struct rows request_and_device = {
	"select 1 from key_request where device = $1 and $2 = 0 for update",
	"select 1 from device where id = $1 and $2 = 0 for no key update nowait",
};

TEST(who_waits_for_a_request_does_not_hold_its_device, "RUN-2,DEV-5")
{
	struct uuid tenant = make_tenant("requests");
	struct situation s = { .machine = make_machine(&tenant, "requests", 2), .policy = make_policy(&tenant) };

	settle(&s.machine);
	s.free = encrypt(&s.machine, "vol-1");
	s.request = ask(&s.machine, &s.free, 1, 1);
	CHECK_INT(judge(&s.machine, &s.request, REQUEST_EVENT_APPROVE, 0), 0);
	CHECK_INT(ALONE("keyward_agent", &tenant, deliver(one, &s.request, 1)), 0);
	for (size_t i = 0; i < sizeof of_requests / sizeof of_requests[0]; i++) {
		struct db *db = as("keyward_console", &tenant);

		become(db, "postgres");
		CHECK_INT(db_run(db, "update device set status = $2, release = case when $2 = 'in-use' then 'hand-over' else '' end, policy = $3 where id = $1",
			DB_ARGS(db_uuid_arg(&s.free), db_text_arg(of_requests[i].status), db_uuid_arg(&s.policy))), 1);
		CHECK_INT(db_run(db, "update key_request set policy = $1 where id = $2", DB_ARGS(db_uuid_arg(&s.policy), db_uuid_arg(&s.request))), 1);
		finish(db);
		CHECK(meet(&s, &of_requests[i], &request_and_device, &s.free, 0));
	}
}

/* A machine whose agent is made anew. */

static int beats(struct db *db, const struct situation *s)
{
	struct heartbeat beat = { .agent = s->machine.agent, .at = clock_now() };

	return heartbeat_write(db, &beat, 1);
}

static int registers(struct db *db, const struct situation *s)
{
	struct uuid id = uuid_new(), instance;
	uint8_t key[AGENT_KEY_SIZE];

	machine_key(&id, key);
	return agent_register(db, &id, key, &s->machine.inventory, "1.0", "192.0.2.3", &instance);
}

static const struct change of_agents[] = {
	{ "heartbeat", "keyward_agent", beats, NULL, 0 }, { "registration", "keyward_agent", registers, NULL, 0 },
};

static const struct rows instance_and_agent = {
	"select 1 from instance where id = $1 and $2 = 0 for no key update",
	"select 1 from agent where instance = $1 and $2 = 0 for no key update nowait",
};

/* Keys that are to be destroyed, of a volume whose configuration is taken back meanwhile. */

static int unconfigures(struct db *db, const struct situation *s)
{
	return device_unconfigure(db, &s->free);
}

static const struct rows destruction_and_device = {
	"select 1 from destruction where device = $1 and $2 = 0 for update",
	"select 1 from device where id = $1 and $2 = 0 for no key update nowait",
};

TEST(who_waits_for_a_destruction_does_not_hold_its_device, "KEY-7")
{
	static const struct change change = { "configuration taken back", "keyward_console", unconfigures, NULL, 0 };
	struct uuid tenant = make_tenant("destruction");
	struct situation s = { .machine = make_machine(&tenant, "destruction", 2) };

	settle(&s.machine);
	s.free = encrypt(&s.machine, "vol-1");
	CHECK_INT(ALONE("keyward_console", &tenant, destruction_ask(one, &s.free, "")), 0);
	CHECK(meet(&s, &change, &destruction_and_device, &s.free, 0));
}

TEST(who_waits_for_an_instance_does_not_hold_its_agent, "AGT-1")
{
	struct uuid tenant = make_tenant("instances");
	struct situation s = { .machine = make_machine(&tenant, "instances", 0) };

	settle(&s.machine);
	for (size_t i = 0; i < sizeof of_agents / sizeof of_agents[0]; i++)
		CHECK(meet(&s, &of_agents[i], &instance_and_agent, &s.machine.instance, 0));
}

TEST(who_waits_for_a_device_holds_none_after_it, "DEV-9")
{
	struct situation s = make_situation();

	settle(&s.machine);
	for (size_t i = 0; i < sizeof of_devices / sizeof of_devices[0]; i++) {
		int stopped[4];

		lay_out(&s, &of_devices[i]);
		for (int n = 0; n < 4; n++)
			stopped[n] = meet(&s, &of_devices[i], &devices, &s.array, n);
		/* The array, which all of them concern, comes before its members; and else this would have shown nothing. */
		CHECK(stopped[1]);
	}
}

PG_TEST_MAIN
