/* test_store_pool.c - resource pooling: which device a question is answered with, and that nobody gets what another has. */
#include "machine.h"

struct pool {
	struct uuid tenant;
	struct machine owner;        /* has devices[0] open; the others are attached to nothing */
	struct uuid devices[3];
};

static void run(const struct uuid *tenant, const char *sql, const struct uuid *id)
{
	struct db *db = as("postgres", tenant);

	CHECK(db_run(db, sql, DB_ARGS(db_uuid_arg(id))) >= 0);
	finish(db);
}

static void set_policy(const struct uuid *tenant, int pooling)
{
	struct uuid policy = default_policy(tenant);
	json_t *document = json_pack("{s:i, s:s, s:s, s:b, s:[{s:s, s:[{s:s, s:s}]}], s:{s:s, s:s, s:i}}", "keyward_policy", 1, "name",
		"Default policy", "description", "d", "pooling", pooling, "rules", "type", "os.system", "conditions", "operator", "equals", "value",
		"linux", "action", "on_match", "approve", "on_mismatch", "deny", "timeout_s", 0);

	CHECK_INT(ALONE("keyward_console", tenant, policy_change(one, &policy, document, "", 0)), 0);
	json_decref(document);
}

/* What the request that answers Q is; DB is left open. */
static struct uuid place(struct db *db, const struct machine *m, const struct uuid *device, const char *access, int *unplaced)
{
	uint8_t key[REQUEST_KEY_SIZE];
	struct request_question q = question(m, device, key, 1);

	q.access = access;
	CHECK_INT(request_place(db, &q), 0);
	if (unplaced)
		*unplaced = q.unplaced;
	return q.given;
}

static struct uuid placed(const struct machine *m, const struct uuid *device, const char *access, int *unplaced)
{
	struct db *db = as("keyward_agent", &m->tenant);
	struct uuid given = place(db, m, device, access, unplaced);

	undo(db);
	return given;
}

/* As the agent service does: placed and asked. */
static struct uuid ask_pool(const struct machine *m, const struct uuid *device, int fill, struct request_question *q, int expect_fresh)
{
	static uint8_t key[REQUEST_KEY_SIZE];
	struct db *db = as("keyward_agent", &m->tenant);
	struct uuid id = { { 0 } };
	int fresh = -1;

	*q = question(m, device, key, fill);
	CHECK_INT(request_place(db, q), 0);
	CHECK_INT(request_open(db, q, &id, &fresh), 0);
	CHECK_INT(fresh, expect_fresh);
	finish(db);
	return id;
}

static void open_it(const struct machine *m, const struct uuid *id)
{
	CHECK_INT(judge(m, id, REQUEST_EVENT_APPROVE, 0), 0);
	CHECK_INT(ALONE("keyward_agent", &m->tenant, deliver(one, id, 1)), 0);
	CHECK_INT(ALONE("keyward_agent", &m->tenant, request_opened(one, id)), 0);
}

static struct pool make_pool(const char *slug)
{
	struct pool p = { .tenant = make_tenant(slug) };
	struct request_question q;
	struct uuid id;

	p.owner = make_machine(&p.tenant, "i-1", 2);
	settle(&p.owner);
	p.owner.devices[2] = p.owner.devices[1];
	p.owner.devices[2].id = "vol-3";
	publish(&p.owner, 3);
	p.devices[0] = encrypt(&p.owner, "vol-1");
	p.devices[1] = encrypt(&p.owner, "vol-2");
	p.devices[2] = encrypt(&p.owner, "vol-3");
	set_policy(&p.tenant, 1);
	run(&p.tenant, "update device set instance = null where id <> $1", &p.devices[0]);
	id = ask_pool(&p.owner, &p.devices[0], 1, &q, 1);
	CHECK(uuid_equal(&q.given, &p.devices[0]) && q.pooled && !q.unplaced);
	open_it(&p.owner, &id);
	return p;
}

static struct request_case load(const struct machine *m, const struct uuid *id)
{
	struct db *db = as("keyward_agent", &m->tenant);
	struct request_case c = { 0 };

	CHECK_INT(request_load(db, id, &c), 0);
	finish(db);
	return c;
}

TEST(two_that_ask_at_once_get_different_devices, "POL-5")
{
	struct pool p = make_pool("pool-once");
	struct machine a = make_machine(&p.tenant, "i-2", 0), b = make_machine(&p.tenant, "i-3", 0), c = make_machine(&p.tenant, "i-4", 0);
	struct db *first = as("keyward_agent", &p.tenant), *second = as("keyward_agent", &p.tenant);
	uint8_t key[REQUEST_KEY_SIZE];
	struct request_question q = question(&a, &p.devices[0], key, 1), r = question(&b, &p.devices[0], key, 1);
	struct uuid id;
	int unplaced = 0;

	CHECK_INT(request_place(first, &q), 0);
	CHECK_INT(request_place(second, &r), 0);
	CHECK(q.pooled && r.pooled && !q.unplaced && !r.unplaced);
	CHECK(!uuid_equal(&q.given, &r.given));
	CHECK(!uuid_equal(&q.given, &p.devices[0]) && !uuid_equal(&r.given, &p.devices[0]));
	/* While neither has committed there is nothing for a third. */
	placed(&c, &p.devices[0], "read-write", &unplaced);
	CHECK(unplaced);
	CHECK_INT(request_open(first, &q, &id, NULL), 0);
	finish(first);
	CHECK_INT(request_open(second, &r, &id, NULL), 0);
	finish(second);
	placed(&c, &p.devices[0], "read-write", &unplaced);
	CHECK(unplaced);
	/* Who asks again gets what he has. */
	id = placed(&a, &p.devices[0], "read-write", &unplaced);
	CHECK(!unplaced && uuid_equal(&id, &q.given));
	/* By its own name it is not to be had a second time. */
	r = question(&a, &q.given, key, 2);
	CHECK_INT(ALONE("keyward_agent", &p.tenant, request_place(one, &r)), ERR_CONFLICT);
}

TEST(none_free_waits_and_is_never_given, "POL-5,SEC-7")
{
	struct pool p = make_pool("pool-none");
	struct machine a = make_machine(&p.tenant, "i-2", 0), b = make_machine(&p.tenant, "i-3", 0), c = make_machine(&p.tenant, "i-4", 0);
	struct request_question qa, qb, qc;
	struct uuid ia = ask_pool(&a, &p.devices[0], 2, &qa, 1), ib = ask_pool(&b, &p.devices[0], 3, &qb, 1);
	struct uuid ic = ask_pool(&c, &p.devices[0], 4, &qc, 1), again;
	struct request_case k = load(&c, &ic);
	struct verdict v;
	json_t *doc = NULL;
	struct db *db;

	open_it(&a, &ia);
	open_it(&b, &ib);
	CHECK(k.unplaced && uuid_equal(&k.asked, &p.devices[0]));
	request_evaluate(&k, NULL, clock_now(), &v);
	CHECK_INT(v.action, POLICY_ACTION_MANUAL);
	CHECK_INT(ALONE("keyward_agent", &p.tenant, request_judge(one, &k, &v)), 0);
	verdict_release(&v);
	request_case_release(&k);
	CHECK_INT(ALONE("keyward_console", &p.tenant, decide(one, &ic, REQUEST_EVENT_APPROVE, NULL)), ERR_CONFLICT);
	db = as("keyward_console", &p.tenant);
	CHECK_INT(request_get(db, &ic, &doc), 0);
	CHECK_STR(json_string_value(json_object_get(doc, "waits")), REQUEST_NO_DEVICE);
	json_decref(doc);
	CHECK_INT(request_get(db, &ia, &doc), 0);
	CHECK_STR(json_string_value(json_object_get(doc, "asked_name")), "vol-1");
	CHECK(strcmp(json_string_value(json_object_get(doc, "device_name")), "vol-1") != 0);
	json_decref(doc);
	finish(db);
	/* The same question keeps waiting in its place. */
	again = ask_pool(&c, &p.devices[0], 5, &qc, 0);
	CHECK(qc.unplaced && uuid_equal(&again, &ic));
	/* Closed under the name it was asked for: what was given is free, and the one that waits gets it. */
	CHECK_INT(ALONE("keyward_agent", &p.tenant, request_volume_closed(one, &b.instance, &p.devices[0], "shutdown")), 0);
	again = ask_pool(&c, &p.devices[0], 6, &qc, 1);
	CHECK(!qc.unplaced && uuid_equal(&qc.given, &qb.given) && !uuid_equal(&again, &ic));
	k = load(&c, &again);
	CHECK(!k.unplaced && uuid_equal(&k.device.id, &qb.given) && uuid_equal(&k.asked, &p.devices[0]));
	request_evaluate(&k, NULL, clock_now(), &v);
	CHECK_INT(v.action, POLICY_ACTION_APPROVE);
	verdict_release(&v);
	request_case_release(&k);
	/* And under the name it was given by. */
	CHECK_INT(ALONE("keyward_agent", &p.tenant, request_volume_closed(one, &a.instance, &qa.given, "shutdown")), 0);
	k = load(&a, &ia);
	CHECK(k.closed);
	request_case_release(&k);
}

TEST(what_a_pool_does_not_give, "POL-5")
{
	struct pool p = make_pool("pool-not");
	struct machine a = make_machine(&p.tenant, "i-2", 0), n = make_machine_of(&p.tenant, "native", "m-1", 1);
	uint8_t key[REQUEST_KEY_SIZE];
	struct request_question q;
	struct device d;
	struct uuid given;
	int unplaced = 0;

	settle(&n);
	/* Another zone, another state, without a key, wider access. */
	run(&p.tenant, "update device set status = 'undetected' where id = $1", &p.devices[1]);
	given = placed(&a, &p.devices[0], "read-write", &unplaced);
	CHECK(!unplaced && uuid_equal(&given, &p.devices[2]));
	run(&p.tenant, "update device set access = 'read-only' where id = $1", &p.devices[0]);
	placed(&a, &p.devices[0], "read-write", &unplaced);
	CHECK(unplaced);
	placed(&a, &p.devices[0], "read-only", &unplaced);
	CHECK(!unplaced);
	run(&p.tenant, "update device set access = 'read-write' where id = $1", &p.devices[0]);
	run(&p.tenant, "update device_key set state = 'former' where device = $1", &p.devices[2]);
	placed(&a, &p.devices[0], "read-write", &unplaced);
	CHECK(unplaced);
	run(&p.tenant, "update device_key set state = 'active' where device = $1", &p.devices[2]);
	/* Attached to another machine that runs; to one that is stopped, in another zone, and in this one. */
	run(&p.tenant, "update device d set instance = i.id from instance i where d.id = $1 and i.host_name = 'm-1'", &p.devices[2]);
	placed(&a, &p.devices[0], "read-write", &unplaced);
	CHECK(unplaced);
	run(&p.tenant, "update instance set state = 'stopped', zone = 'eu-1b' where id = $1", &n.instance);
	placed(&a, &p.devices[0], "read-write", &unplaced);
	CHECK(unplaced);
	run(&p.tenant, "update instance set zone = 'eu-1a' where id = $1", &n.instance);
	placed(&a, &p.devices[0], "read-write", &unplaced);
	CHECK(!unplaced);
	/* Native ones are never pooled, nor those of a policy that does not pool. */
	d = device_of(&n, "vol-1");
	q = question(&n, &d.id, key, 1);
	CHECK_INT(ALONE("keyward_agent", &p.tenant, request_place(one, &q)), 0);
	CHECK(!q.pooled && uuid_equal(&q.given, &d.id));
	device_release(&d);
	set_policy(&p.tenant, 0);
	q = question(&a, &p.devices[0], key, 1);
	CHECK_INT(ALONE("keyward_agent", &p.tenant, request_place(one, &q)), 0);
	CHECK(!q.pooled && !q.unplaced && uuid_equal(&q.given, &p.devices[0]));
}

/* What is made of the question of M for DEVICE. */
static enum policy_action verdict_on(const struct machine *m, const struct uuid *device, int fill)
{
	struct request_question q;
	struct uuid id = ask_pool(m, device, fill, &q, 1);
	struct request_case k = load(m, &id);
	struct verdict v;
	enum policy_action action;

	CHECK(q.pooled && !q.unplaced);
	request_evaluate(&k, NULL, clock_now(), &v);
	action = v.action;
	verdict_release(&v);
	request_case_release(&k);
	return action;
}

/* Devices of a pool may be assigned to any image: what counts is which images the policy has. */
TEST(a_pool_is_for_the_images_of_its_policy, "POL-5,POL-1,RUN-4,SEC-7")
{
	struct pool p = make_pool("pool-images");
	struct machine a = make_machine(&p.tenant, "i-2", 0), b = make_machine(&p.tenant, "i-3", 0);

	run(&p.tenant, "update device d set image = i.image from instance i where i.id = $1 and d.tenant = i.tenant", &p.owner.instance);
	run(&p.tenant, "with m as (insert into image (tenant, id, provider, provider_image) select tenant, gen_random_uuid(), 'ec2', 'ami-2'"
		" from instance where id = $1 returning tenant, id) update instance i set image = m.id from m where i.tenant = m.tenant"
		" and i.host_name in ('i-2', 'i-3')", &a.instance);
	CHECK_INT(verdict_on(&a, &p.devices[0], 1), POLICY_ACTION_MANUAL);
	run(&p.tenant, "insert into policy_image (tenant, policy, image) select p.tenant, p.id, i.image from policy p join instance i"
		" on i.tenant = p.tenant where p.is_default and i.id = $1", &b.instance);
	CHECK_INT(verdict_on(&b, &p.devices[0], 2), POLICY_ACTION_APPROVE);
}

/* {ordered_by} of ID is the user's that had it encrypted. */
static int is_ordered(const struct uuid *tenant, const struct uuid *id)
{
	struct db *db = as("postgres", tenant);
	struct db_result *r;
	int is = -1;

	if (db_query_row(db, &r, "select coalesce(ordered_by = $2, false) from key_request where id = $1",
		DB_ARGS(db_uuid_arg(id), db_uuid_arg(&user_actor.id))) == 0) {
		is = db_bool(r, 0, 0);
		db_result_free(r);
	}
	finish(db);
	return is;
}

TEST(who_had_it_encrypted_is_known_until_a_key_is_delivered, "RUN-8")
{
	struct uuid tenant = make_tenant("ordered"), device, id;
	struct machine m = make_machine(&tenant, "i-1", 2);

	settle(&m);
	device = encrypt(&m, "vol-1");
	id = ask(&m, &device, 1, 1);
	CHECK_INT(is_ordered(&tenant, &id), 1);
	/* A new question before anything was delivered is still about the first key. */
	CHECK_INT(judge(&m, &id, REQUEST_EVENT_DENY, 0), 0);
	id = ask(&m, &device, 2, 1);
	CHECK_INT(is_ordered(&tenant, &id), 1);
	open_it(&m, &id);
	CHECK_INT(ALONE("keyward_agent", &tenant, request_volume_closed(one, &m.instance, &device, "shutdown")), 0);
	id = ask(&m, &device, 3, 1);
	CHECK_INT(is_ordered(&tenant, &id), 0);
}

PG_TEST_MAIN
