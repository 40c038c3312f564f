/* test_store_requests.c - the life of a key request: asked, judged, decided, delivered, revoked. Decisions by time and by several people
 * are in test_store_votes.c. */
#include "machine.h"
#include "store/packed.h"

/* For another REASON than `ask`. */
static struct uuid ask_because(const struct machine *m, const struct uuid *device, int fill, const char *reason)
{
	uint8_t key[REQUEST_KEY_SIZE];
	struct request_question q = question(m, device, key, fill);
	struct uuid id = { { 0 } };

	q.reason = reason;
	CHECK_INT(ALONE("keyward_agent", &m->tenant, request_open(one, &q, &id, NULL)), 0);
	return id;
}

/* Orders to ask for a key. */
static int waiting_orders(struct db *db, const struct machine *m)
{
	json_t *orders = NULL, *o;
	int count = 0;
	size_t i;

	CHECK_INT(order_take(db, &m->agent, 9, &orders), 0);
	json_array_foreach(orders, i, o)
		count += strcmp(json_string_value(json_object_get(o, "kind")), "request-key") == 0;
	json_decref(orders);
	return count;
}

/* A person's denial stands until there is something new: the clock alone is not. */
TEST(a_denied_device_does_not_nag, "RUN-2,RUN-3")
{
	struct uuid tenant = make_tenant("denied"), device, id, other;
	struct machine m = make_machine(&tenant, "i-1", 2);
	struct request_case c = { 0 };
	struct db *db;

	settle(&m);
	device = encrypt(&m, "vol-1");
	id = ask(&m, &device, 1, 1);
	CHECK_INT(ALONE("keyward_console", &tenant, request_order(one, &id)), ERR_CONFLICT);
	CHECK_INT(ALONE("keyward_console", &tenant, decide(one, &id, REQUEST_EVENT_DENY, "not today")), 0);
	other = ask_because(&m, &device, 2, "schedule");
	CHECK(uuid_equal(&id, &other));
	CHECK_INT(logged(&tenant, "key.requested"), 1);
	/* It can be approved after all, and the key goes to the newest one-time key. */
	db = as("keyward_agent", &tenant);
	CHECK_INT(request_load(db, &id, &c), 0);
	CHECK_INT(c.status, REQUEST_DENIED);
	CHECK_INT(c.recipient_key[0], 2);
	CHECK_INT(waiting_orders(db, &m), 0);
	request_case_release(&c);
	undo(db);
	CHECK_INT(ALONE("keyward_console", &tenant, request_order(one, &id)), 0);
	db = as("keyward_agent", &tenant);
	CHECK_INT(waiting_orders(db, &m), 1);
	undo(db);
	/* By order, or after a restart, it is a new question. */
	other = ask_because(&m, &device, 3, "order");
	CHECK(!uuid_equal(&id, &other));
	id = other;
	CHECK_INT(ALONE("keyward_console", &tenant, decide(one, &id, REQUEST_EVENT_DENY, NULL)), 0);
	other = ask_because(&m, &device, 4, "boot");
	CHECK(!uuid_equal(&id, &other));
	/* And what the policy denied, it judges again. */
	id = other;
	CHECK_INT(judge(&m, &id, REQUEST_EVENT_DENY, 0), 0);
	other = ask_because(&m, &device, 5, "schedule");
	CHECK(!uuid_equal(&id, &other));
}

/* With other FACTS or another MOUNT_POINT than `ask`. */
static struct uuid ask_otherwise(const struct machine *m, const struct uuid *device, int fill, json_t *facts, const char *mount_point)
{
	uint8_t key[REQUEST_KEY_SIZE];
	struct request_question q = question(m, device, key, fill);
	struct uuid id = { { 0 } };

	if (facts)
		q.facts = facts;
	if (mount_point)
		q.mount_point = mount_point;
	CHECK_INT(ALONE("keyward_agent", &m->tenant, request_open(one, &q, &id, NULL)), 0);
	return id;
}

/* An agent that lost its one-time key before it fetched the approved key gets it under a new one; a changed machine is judged anew. */
TEST(approval_outlives_a_one_time_key, "RUN-2,KEY-4")
{
	struct uuid tenant = make_tenant("approval"), device, id;
	struct machine m = make_machine(&tenant, "i-1", 2);
	json_t *later = json_pack("{s:{s:s, s:{s:s, s:i}}}", "agent", "at", "2026-01-02T00:00:00Z", "values", "os.system", "linux",
		"os.uptime_s", 7);
	json_t *changed = json_pack("{s:{s:s, s:{s:s}}}", "agent", "at", "2026-01-02T00:00:00Z", "values", "os.system", "another");
	struct request_case c = { 0 };
	struct uuid other;
	struct db *db;

	settle(&m);
	device = encrypt(&m, "vol-1");
	id = ask(&m, &device, 1, 1);
	CHECK_INT(ALONE("keyward_console", &tenant, decide(one, &id, REQUEST_EVENT_APPROVE, NULL)), 0);
	other = ask_otherwise(&m, &device, 2, later, NULL);
	CHECK(uuid_equal(&id, &other));
	db = as("keyward_agent", &tenant);
	CHECK_INT(request_load(db, &id, &c), 0);
	CHECK_INT(c.status, REQUEST_APPROVED);
	CHECK_INT(c.recipient_key[0], 2);
	request_case_release(&c);
	undo(db);
	/* Anything else is another request. */
	other = ask_otherwise(&m, &device, 3, changed, NULL);
	CHECK(!uuid_equal(&id, &other));
	id = other;
	CHECK_INT(ALONE("keyward_console", &tenant, decide(one, &id, REQUEST_EVENT_APPROVE, NULL)), 0);
	/* Where the console says the place, what the agent says of it changes nothing; where it does not, that is another question. */
	other = ask_otherwise(&m, &device, 4, changed, "/elsewhere");
	CHECK(uuid_equal(&id, &other));
	db = as("keyward_console", &tenant);
	CHECK_INT(db_run_one(db, "update device set mount_point = '' where id = $1", DB_ARGS(db_uuid_arg(&device))), 0);
	finish(db);
	other = ask_otherwise(&m, &device, 4, changed, "/there");
	CHECK(!uuid_equal(&id, &other));
	/* What the policy approved, it judges again; what was delivered stays with its key. */
	id = other;
	CHECK_INT(judge(&m, &id, REQUEST_EVENT_APPROVE, 0), 0);
	other = ask_otherwise(&m, &device, 5, changed, "/there");
	CHECK(!uuid_equal(&id, &other));
	id = other;
	CHECK_INT(ALONE("keyward_console", &tenant, decide(one, &id, REQUEST_EVENT_APPROVE, NULL)), 0);
	CHECK_INT(ALONE("keyward_agent", &tenant, deliver(one, &id, 1)), 0);
	other = ask_otherwise(&m, &device, 6, changed, "/there");
	CHECK(!uuid_equal(&id, &other));
	json_decref(later);
	json_decref(changed);
}

TEST(request_life, "RUN-2,RUN-5,INT-3,LOG-3")
{
	struct uuid tenant = make_tenant("request"), device, id, second;
	struct machine m = make_machine(&tenant, "i-1", 2);
	struct request_case c = { 0 };
	json_t *doc = NULL;
	struct db *db;

	settle(&m);
	device = encrypt(&m, "vol-1");
	id = ask(&m, &device, 1, 1);
	second = ask(&m, &device, 1, 0);
	CHECK(uuid_equal(&id, &second));
	/* Asked anew while pending: keeps its place, takes the new key. */
	second = ask(&m, &device, 2, 0);
	CHECK(uuid_equal(&id, &second));
	CHECK_INT(judge(&m, &id, -1, 0), 0);
	CHECK_INT(judge(&m, &id, -1, 0), 0);
	CHECK_INT(logged(&tenant, "key.pending"), 1);
	db = as("keyward_agent", &tenant);
	CHECK_INT(request_load(db, &id, &c), 0);
	CHECK_INT(c.status, REQUEST_PENDING);
	CHECK_INT(c.integrity, INTEGRITY_GOOD);
	CHECK_INT(c.recipient_key[0], 2);
	CHECK_INT(c.policy.on_match, POLICY_ACTION_MANUAL);
	CHECK(c.image_in_policy && c.tenant_active && uuid_is_nil(&c.used_by));
	CHECK(json_is_object(json_object_get(c.facts, "agent")));
	CHECK_STR(c.device.provider_device, "vol-1");
	request_case_release(&c);
	/* Not before approval. */
	CHECK_INT(deliver(db, &id, 1), ERR_CONFLICT);
	undo(db);
	CHECK_INT(ALONE("keyward_console", &tenant, request_revoke(one, &id, NULL)), ERR_CONFLICT);
	CHECK_INT(ALONE("keyward_console", &tenant, decide(one, &id, REQUEST_EVENT_DENY, "who are you?")), 0);
	CHECK_INT(ALONE("keyward_console", &tenant, decide(one, &id, REQUEST_EVENT_DENY, NULL)), ERR_CONFLICT);
	CHECK_INT(ALONE("keyward_console", &tenant, decide(one, &id, REQUEST_EVENT_APPROVE, "fine")), 0);
	CHECK_INT(judge(&m, &id, REQUEST_EVENT_APPROVE, 0), ERR_CONFLICT);
	CHECK_INT(ALONE("keyward_agent", &tenant, deliver(one, &id, 1)), 0);
	CHECK_INT(ALONE("keyward_agent", &tenant, deliver(one, &id, 1)), 0);
	CHECK_INT(ALONE("keyward_console", &tenant, decide(one, &id, REQUEST_EVENT_DENY, NULL)), ERR_CONFLICT);
	CHECK_INT(ALONE("keyward_agent", &tenant, request_opened(one, &id)), 0);
	CHECK_INT(ALONE("keyward_agent", &tenant, request_opened(one, &id)), 0);
	CHECK_INT(status_of(&m, "vol-1"), DEVICE_IN_USE);
	/* In use, it is not lost with the inventory. */
	publish(&m, 0);
	CHECK_INT(status_of(&m, "vol-1"), DEVICE_IN_USE);
	CHECK_INT(ALONE("keyward_console", &tenant, request_revoke(one, &id, "bad")), 0);
	db = as("keyward_agent", &tenant);
	CHECK_INT(order_take(db, &m.agent, 10, &doc), 0);
	CHECK_INT(json_array_size(doc), 3);              /* provision, request-key, revoke */
	CHECK_STR(json_string_value(json_object_get(json_array_get(doc, 2), "kind")), "revoke");
	CHECK_STR(json_string_value(json_object_get(json_array_get(doc, 2), "device")), "vol-1");
	CHECK_INT(json_get_uuid(json_array_get(doc, 2), "id", &second), 0);
	json_decref(doc);
	CHECK_INT(request_volume_closed(db, &m.instance, &device, "revoked"), 0);
	CHECK_INT(request_volume_closed(db, &m.instance, &device, "revoked"), 0);
	CHECK_INT(order_finish(db, &m.agent, &second, 1, "done"), 0);
	CHECK_INT(order_finish(db, &m.agent, &second, 1, "done"), ERR_NOT_FOUND);
	CHECK_INT(order_finish(db, &m.instance, &id, 1, "done"), ERR_NOT_FOUND);
	finish(db);
	CHECK_INT(status_of(&m, "vol-1"), DEVICE_ENCRYPTED);
	db = as("keyward_console", &tenant);
	CHECK_INT(request_get(db, &id, &doc), 0);
	CHECK_STR(json_string_value(json_object_get(doc, "status")), "revoked");
	CHECK_STR(json_string_value(json_object_get(doc, "decided_by_name")), "admin@example.com");
	CHECK_STR(json_string_value(json_object_get(doc, "comment")), "fine");
	CHECK_INT(json_array_size(json_object_get(doc, "decisions")), 5);
	json_decref(doc);
	finish(db);
	CHECK_INT(logged(&tenant, "key.delivered"), 2);
	CHECK_INT(logged(&tenant, "key.revoked"), 1);
}

/* What the policy of ID says when the machine's agent asks. */
static enum policy_action evaluated(const struct machine *m, const struct uuid *id)
{
	struct request_case c = { 0 };
	struct verdict v = { .action = POLICY_ACTION_DENY };
	struct db *db = as("keyward_agent", &m->tenant);

	CHECK_INT(request_load_locked(db, id, &c), 0);
	request_evaluate(&c, NULL, clock_now(), &v);
	verdict_release(&v);
	request_case_release(&c);
	finish(db);
	return v.action;
}

/* Whoever asks again, with another one-time key and another reason, does not get what a person took away. */
TEST(what_a_person_revoked_a_policy_does_not_give_back, "INT-4,RUN-5,SEC-7")
{
	struct uuid tenant = make_tenant("taken"), device, other, id, policy = default_policy(&tenant);
	struct machine m = make_machine(&tenant, "i-1", 2);
	json_t *document = json_loads("{\"keyward_policy\": 1, \"name\": \"Default policy\", \"description\": \"d\", \"rules\": [{\"type\":"
		" \"os.system\", \"conditions\": [{\"operator\": \"equals\", \"value\": \"linux\"}]}], \"action\": {\"on_match\": \"approve\","
		" \"on_mismatch\": \"deny\", \"timeout_s\": 0}}", 0, NULL);

	settle(&m);
	device = encrypt(&m, "vol-1");
	other = encrypt(&m, "vol-2");
	CHECK_INT(ALONE("keyward_console", &tenant, policy_change(one, &policy, document, "", 0)), 0);
	json_decref(document);
	id = ask(&m, &device, 1, 1);
	CHECK_INT(evaluated(&m, &id), POLICY_ACTION_APPROVE);
	CHECK_INT(judge(&m, &id, REQUEST_EVENT_APPROVE, 0), 0);
	CHECK_INT(ALONE("keyward_agent", &tenant, deliver(one, &id, 1)), 0);
	CHECK_INT(ALONE("keyward_console", &tenant, request_revoke(one, &id, "stolen")), 0);
	/* Before it has closed the volume, after that, and after a denial. */
	id = ask(&m, &device, 2, 1);
	CHECK_INT(evaluated(&m, &id), POLICY_ACTION_MANUAL);
	CHECK_INT(judge(&m, &id, -1, 0), 0);
	CHECK_INT(ALONE("keyward_agent", &tenant, request_volume_closed(one, &m.instance, &device, "revoked")), 0);
	CHECK_INT(evaluated(&m, &id), POLICY_ACTION_MANUAL);
	CHECK_INT(ALONE("keyward_console", &tenant, decide(one, &id, REQUEST_EVENT_DENY, "no")), 0);
	id = ask(&m, &device, 3, 1);
	CHECK_INT(evaluated(&m, &id), POLICY_ACTION_MANUAL);
	/* The machine's other device was not taken away. */
	other = ask(&m, &other, 4, 1);
	CHECK_INT(evaluated(&m, &other), POLICY_ACTION_APPROVE);
	/* A person has approved it: then the policy decides again. */
	CHECK_INT(judge(&m, &id, -1, 0), 0);
	CHECK_INT(ALONE("keyward_console", &tenant, decide(one, &id, REQUEST_EVENT_APPROVE, NULL)), 0);
	CHECK_INT(ALONE("keyward_agent", &tenant, deliver(one, &id, 1)), 0);
	id = ask(&m, &device, 5, 1);
	CHECK_INT(evaluated(&m, &id), POLICY_ACTION_APPROVE);
}

TEST(requests_of_two_instances, "POL-5,RUN-4,RUN-1")
{
	struct uuid tenant = make_tenant("two"), device, a, b, policy = uuid_new();
	struct machine m = make_machine(&tenant, "i-1", 2), n;
	json_t *document = json_pack("{s:s, s:s, s:{s:s, s:s}}", "name", "P", "description", "d", "action", "on_match", "approve", "on_mismatch",
		"manual");
	struct request_case c = { 0 };
	const char *sorts[] = { "requested", "status", "integrity", "device", "image", "instance", "provider", "policy", NULL };
	const char *members[] = { "id", "device_name", "image_name", "instance_name", "policy_name", "requested", NULL };
	json_t *doc = NULL;
	struct db *db;

	settle(&m);
	device = encrypt(&m, "vol-1");
	n = make_machine(&tenant, "i-2", 0);
	settle(&n);
	a = ask(&m, &device, 1, 1);
	b = ask(&n, &device, 2, 1);
	CHECK_INT(judge(&m, &a, REQUEST_EVENT_APPROVE, 0), 0);
	CHECK_INT(ALONE("keyward_agent", &tenant, deliver(one, &a, 1)), 0);
	CHECK_INT(ALONE("keyward_agent", &tenant, request_opened(one, &a)), 0);
	db = as("keyward_agent", &tenant);
	CHECK_INT(request_load(db, &b, &c), 0);
	CHECK(uuid_equal(&c.used_by, &m.instance));
	request_case_release(&c);
	finish(db);
	/* The device stays where it is in use, whatever another instance publishes. */
	n.devices[0] = m.devices[0];
	n.inventory.devices = n.devices;
	publish(&n, 1);
	{
		struct device d = device_of(&m, "vol-1");

		CHECK(uuid_equal(&d.instance, &m.instance));
		device_release(&d);
	}
	check_list(request_list, &tenant, sorts, members, 2);
	check_list(request_history, &tenant, sorts, members, 2);
	db = as("keyward_console", &tenant);
	CHECK_INT(request_totals(db, &doc), 0);
	CHECK_INT(json_integer_value(json_object_get(doc, "instances")), 2);
	CHECK_INT(json_integer_value(json_object_get(doc, "pending")), 1);
	CHECK_INT(json_integer_value(json_object_get(doc, "delivered")), 1);
	json_decref(doc);
	/* Assigning a policy moves the device and brings the image along. */
	CHECK_INT(policy_create(db, &policy, document, ""), 0);
	json_decref(document);
	CHECK_INT(request_assign_policy(db, &a, &policy), ERR_CONFLICT);
	CHECK_INT(request_assign_policy(db, &b, &device), ERR_NOT_FOUND);
	CHECK_INT(request_assign_policy(db, &b, &policy), 0);
	CHECK_INT(request_load(db, &b, &c), 0);
	CHECK(uuid_equal(&c.device.policy, &policy) && c.image_in_policy);
	request_case_release(&c);
	finish(db);
}

/* What a server of another version, or a mistake in SQL, could send is an error and no key. */
TEST(a_packed_row_is_read_as_it_is_or_not_at_all, "SEC-7,SEC-5")
{
	static const uint8_t row[] = { 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 17, 0, 0, 0, 6, 0, 0, 0, 1,
		0, 0, 0, 4, 255, 255, 255, 254, 255, 255, 255, 255, 0, 0, 0, 1, 1, 0, 0, 0, 2, 'o', 'k',
		0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1, 255, 255, 255, 255 };
	struct wire_reader r = packed_open((struct wire_view){ row, sizeof row });
	struct uuid nil = { { 0 } }, id;
	char *text;

	CHECK_INT(packed_int(&r), -2);
	CHECK_INT(packed_int(&r), 0);
	CHECK(packed_bool(&r));
	text = packed_text(&r);
	CHECK_STR(text, "ok");
	free(text);
	CHECK_INT(packed_time(&r), 946684800 * CLOCK_SECOND + 1);
	id = packed_uuid(&r);
	CHECK(uuid_equal(&id, &nil));
	CHECK_INT(packed_end(&r), 0);
	/* Cut anywhere. */
	for (size_t len = 1; len < sizeof row; len++) {
		r = packed_open((struct wire_view){ row, len });
		for (int i = 0; i < 6; i++)
			packed_bytes(&r);
		CHECK_INT(packed_end(&r), ERR_DB);
	}
	/* A column of another size, and one more than was asked for. */
	r = packed_open((struct wire_view){ row, sizeof row });
	CHECK(!packed_bool(&r));
	CHECK_INT(packed_end(&r), ERR_DB);
	r = packed_open((struct wire_view){ row, sizeof row });
	packed_int(&r);
	CHECK_INT(packed_end(&r), ERR_DB);
	/* None at all. */
	r = packed_open((struct wire_view){ NULL, 0 });
	CHECK_INT(packed_bytes(&r).len, 0);
	CHECK_INT(packed_end(&r), 0);
}

PG_TEST_MAIN

/* Kinds and arguments of what the agent is given, "log-level debug, check"; the caller frees. */
static void check_given(const struct machine *m, const char *expected)
{
	struct db *db = as("keyward_agent", &m->tenant);
	struct buf text = BUF_INIT;
	json_t *orders = NULL, *o;
	size_t i;

	CHECK_INT(order_take(db, &m->agent, 9, &orders), 0);
	json_array_foreach(orders, i, o)
		buf_printf(&text, "%s%s %s", i ? ", " : "", json_string_value(json_object_get(o, "kind")),
			json_string_value(json_object_get(o, "argument")));
	CHECK_STR(buf_str(&text), expected);
	json_decref(orders);
	buf_free(&text);
	finish(db);
}

static size_t orders_kept(const struct machine *m)
{
	struct db *db = as("keyward_console", &m->tenant);
	json_t *page = NULL;
	size_t count;

	CHECK_INT(order_list(db, &(struct list_query){ .limit = 9 }, &page), 0);
	count = json_array_size(json_object_get(page, "rows"));
	json_decref(page);
	undo(db);
	return count;
}

TEST(a_log_level_is_ordered_for_a_time, "AGT-8")
{
	struct uuid tenant = make_tenant("levels");
	struct machine m = make_machine(&tenant, "i-1", 0);

	CHECK_INT(ALONE("keyward_console", &tenant, order_log_level(one, &m.instance, "debug", CLOCK_HOUR)), 0);
	check_given(&m, "log-level debug");
	CHECK_INT(ALONE("keyward_console", &tenant, order_log_level(one, &m.instance, "debug", 1)), 0);
	check_given(&m, "log-level debug, log-level info");
	/* For ever: nothing is left of what was ordered before. */
	CHECK_INT(ALONE("keyward_console", &tenant, order_log_level(one, &m.instance, "warning", 0)), 0);
	check_given(&m, "log-level warning");
	CHECK_INT(orders_kept(&m), 5);
	CHECK_INT(ALONE("keyward_jobs", &tenant, order_clean(one, clock_now() - CLOCK_HOUR)), 0);
	CHECK_INT(orders_kept(&m), 5);
	CHECK_INT(ALONE("keyward_jobs", &tenant, order_clean(one, clock_now() + CLOCK_HOUR)), 0);
	CHECK_INT(orders_kept(&m), 1);
	CHECK_INT(ALONE("keyward_console", &tenant, order_log_level(one, &tenant, "debug", 0)), ERR_NOT_FOUND);
}
