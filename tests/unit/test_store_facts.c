/* test_store_facts.c - the facts document and the history of facts. */
#include "base/json.h"
#include "machine.h"
#include "store/facts.h"

static const json_t *values(const json_t *doc, const char *source)
{
	return json_object_get(json_object_get(doc, source), "values");
}

static const char *text_of(const json_t *doc, const char *source, const char *name)
{
	return json_string_value(json_object_get(values(doc, source), name));
}

static json_t *document(const struct machine *m, const struct facts_question *q)
{
	struct db *db = as("keyward_agent", &m->tenant);
	json_t *doc = NULL;

	CHECK_INT(facts_document(db, q, &doc), 0);
	finish(db);
	return doc;
}

static void run(const struct uuid *tenant, const char *sql)
{
	struct db *db = as("keyward_agent", tenant);

	CHECK(db_run(db, sql, DB_NONE) >= 0);
	finish(db);
}

static clock_us parsed(const char *text)
{
	clock_us at = 0;

	CHECK_INT(clock_parse(text ? text : "", &at), 0);
	return at;
}

/* What an agent says under the server's names is not even kept. */
TEST(agents_cannot_speak_for_the_server, "INT-5,RUL-1,RUL-5,RUL-11")
{
	struct uuid tenant = make_tenant("facts-forged");
	struct machine m = make_machine(&tenant, "i-1", 1);
	struct device d = device_of(&m, "vol-1");
	json_t *said = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:i,s:s}", "os.kernel", "6.1", "device.access", "read-only", "request.address",
		"10.0.0.1", "request.at", "2020-01-01T00:00:00Z", "instance.first_seen", "2001-01-01T00:00:00Z", "instance.last_seen",
		"2001-01-01T00:00:00Z", "device.mount_point", "/forged", "utc_offset_s", 9, "deep_security.status", "on");
	struct facts_question q = { .instance = &m.instance, .device = &d.id, .agent = said, .access = "read-write",
		.mount_point = "/data", .address = "192.0.2.9", .at = clock_now() };
	json_t *doc = document(&m, &q);
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)values(doc, "agent"), name, value)
		CHECK(strcmp(name, "os.kernel") == 0 || strcmp(name, "utc_offset_s") == 0);
	CHECK_STR(text_of(doc, "server", "device.access"), "read-write");
	CHECK_STR(text_of(doc, "server", "device.mount_point"), "/data");
	CHECK_STR(text_of(doc, "server", "request.address"), "192.0.2.9");
	CHECK_INT(parsed(text_of(doc, "server", "request.at")), q.at / 1000 * 1000);
	CHECK(parsed(text_of(doc, "server", "instance.first_seen")) > q.at - CLOCK_HOUR);
	CHECK_INT(json_integer_value(json_object_get(json_object_get(doc, "server"), "utc_offset_s")), 0);
	CHECK(json_object_get(doc, "deep_security") == NULL);
	json_decref(doc);
	/* Without a device there is nothing to say of one. */
	q.device = NULL;
	q.access = q.mount_point = NULL;
	doc = document(&m, &q);
	CHECK(text_of(doc, "server", "device.access") == NULL && text_of(doc, "server", "device.mount_point") == NULL);
	json_decref(doc);
	json_decref(said);
	device_release(&d);
}

TEST(time_zones_follow_the_season, "INT-1,RUL-4")
{
	static const struct { const char *zone, *at; int offset; } cases[] = {
		{ "Europe/Berlin", "2026-01-15T12:00:00Z", 3600 },
		{ "Europe/Berlin", "2026-07-15T12:00:00Z", 7200 },
		{ "Europe/Berlin", "2026-03-29T00:59:59Z", 3600 },
		{ "Europe/Berlin", "2026-03-29T01:00:00Z", 7200 },
		{ "Europe/Berlin", "2026-10-25T00:59:59Z", 7200 },
		{ "Europe/Berlin", "2026-10-25T01:00:00Z", 3600 },
		{ "America/New_York", "2026-07-15T12:00:00Z", -14400 },
		{ "Asia/Kolkata", "2026-07-15T12:00:00Z", 19800 },
		{ "UTC", "2026-07-15T12:00:00Z", 0 },
	};
	struct uuid tenant = make_tenant("facts-zone");
	struct machine m = make_machine(&tenant, "i-1", 1);

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		json_t *said = json_object(), *doc;
		struct facts_question q = { .instance = &m.instance, .agent = said, .at = parsed(cases[i].at) };
		struct db *db = as("keyward_console", &tenant);

		CHECK_INT(tenant_change_settings(db, cases[i].zone, NULL), 0);
		finish(db);
		doc = document(&m, &q);
		CHECK_INT(json_integer_value(json_object_get(json_object_get(doc, "server"), "utc_offset_s")), cases[i].offset);
		json_decref(doc);
		json_decref(said);
	}
}

/* The first words of a machine that was away do not hide for how long. */
TEST(last_seen_is_before_the_absence, "RUL-6")
{
	struct uuid tenant = make_tenant("facts-seen");
	struct machine m = make_machine(&tenant, "i-1", 1);
	json_t *said = json_object(), *doc;
	struct facts_question q = { .instance = &m.instance, .agent = said, .at = clock_now() };

	settle(&m);
	run(&tenant, "update instance set last_seen = now() - interval '10 days', back = null, seen_before = null");
	publish(&m, 1);
	publish(&m, 1);
	q.at = clock_now();
	doc = document(&m, &q);
	CHECK(q.at - parsed(text_of(doc, "server", "instance.last_seen")) > 9 * CLOCK_DAY);
	json_decref(doc);
	/* Having run for a while, it is the last heartbeat. */
	q.at += CLOCK_HOUR;
	doc = document(&m, &q);
	CHECK(q.at - parsed(text_of(doc, "server", "instance.last_seen")) < 2 * CLOCK_HOUR);
	json_decref(doc);
	json_decref(said);
}

/* A check in the night is held against the request of the day, from where the agent is now. */
TEST(a_check_asks_for_the_open_request, "RUL-4,INT-5")
{
	struct uuid tenant = make_tenant("facts-check"), device, id;
	struct machine m = make_machine(&tenant, "i-1", 1);
	uint8_t key[REQUEST_KEY_SIZE];
	struct request_question asked;
	struct facts_question q = { .instance = &m.instance, .at = clock_now() + CLOCK_DAY };
	json_t *doc;
	struct db *db;

	settle(&m);
	device = encrypt(&m, "vol-1");
	asked = question(&m, &device, key, 1);
	asked.access = "read-only";
	db = as("keyward_agent", &tenant);
	CHECK_INT(request_open(db, &asked, &id, NULL), 0);
	finish(db);
	q.device = &device;
	doc = document(&m, &q);
	CHECK_STR(text_of(doc, "server", "device.access"), "read-only");
	CHECK_STR(text_of(doc, "server", "request.address"), "192.0.2.3");
	CHECK(parsed(text_of(doc, "server", "request.at")) < q.at - CLOCK_HOUR);
	CHECK(json_object_get(doc, "agent") == NULL);
	json_decref(doc);
	/* The same with a report in hand; a new question has its own date. */
	q.agent = asked.facts;
	doc = document(&m, &q);
	CHECK(parsed(text_of(doc, "server", "request.at")) < q.at - CLOCK_HOUR);
	json_decref(doc);
	q.access = "read-write";
	doc = document(&m, &q);
	CHECK_INT(parsed(text_of(doc, "server", "request.at")), q.at / 1000 * 1000);
	json_decref(doc);
	/* Of nobody else's machine. */
	q.instance = &id;
	db = as("keyward_agent", &tenant);
	CHECK_INT(facts_document(db, &q, &doc), ERR_NOT_FOUND);
	undo(db);
}

/* The files of all policies that the machine is in, by its image or by a device, and of no other. */
TEST(files_to_watch_are_those_of_the_rules, "RUL-21")
{
	static const char *const rules[] = {
		"[{\"type\":\"file.sha256\",\"conditions\":[{\"subject\":\"/etc/b\"},{\"subject\":\"/etc/a\"},{\"subject\":\"relative\"},{\"subject\":7}]},"
		"{\"type\":\"package.version\",\"conditions\":[{\"subject\":\"/not/a/file\"}]}]",
		"[{\"not\":{\"any\":[{\"type\":\"os.kernel\",\"conditions\":[]},{\"type\":\"file.sha256\",\"conditions\":[{\"subject\":\"/etc/a\"},"
		"{\"subject\":\"/etc/deep\"}]}]}}]",
		"[{\"type\":\"file.sha256\",\"conditions\":[{\"subject\":\"/etc/others\"}]}]",
	};
	struct uuid tenant = make_tenant("facts-watch"), ids[3];
	struct machine m = make_machine(&tenant, "i-1", 1), other = make_machine_of(&tenant, "native", "i-2", 1);
	struct db *db = as("keyward_console", &tenant);
	json_t *paths = NULL;
	char *text;

	for (size_t i = 0; i < 3; i++) {
		json_t *list = json_loads(rules[i], 0, NULL);
		char name[] = { 'p', (char)('0' + i), '\0' };

		ids[i] = uuid_new();
		CHECK_INT(db_run(db, "insert into policy (tenant, id, name, rules) values (current_tenant(), $1, $2, $3)",
			DB_ARGS(db_uuid_arg(&ids[i]), db_text_arg(name), db_json_arg(list))), 1);
		json_decref(list);
	}
	CHECK_INT(db_run(db, "insert into policy_image select tenant, $1, image from instance where id = $2",
		DB_ARGS(db_uuid_arg(&ids[0]), db_uuid_arg(&m.instance))), 1);
	CHECK_INT(db_run(db, "update device set policy = $1 where instance = $2", DB_ARGS(db_uuid_arg(&ids[1]),
		db_uuid_arg(&m.instance))), 1);
	CHECK_INT(db_run(db, "update device set policy = $1 where instance = $2", DB_ARGS(db_uuid_arg(&ids[2]),
		db_uuid_arg(&other.instance))), 1);
	finish(db);
	db = as("keyward_agent", &tenant);
	CHECK_INT(facts_watched(db, &m.agent, 1023, 64, &paths), 0);
	text = json_dumps(paths, JSON_COMPACT);
	CHECK_STR(text, "[\"/etc/a\",\"/etc/b\",\"/etc/deep\"]");
	free(text);
	json_decref(paths);
	CHECK_INT(facts_watched(db, &m.agent, 6, 1, &paths), 0);
	CHECK_INT(json_array_size(paths), 1);
	json_decref(paths);
	finish(db);
}

static void report(const struct machine *m, const char *facts, clock_us at)
{
	json_t *said = json_loads(facts, 0, NULL);
	struct db *db = as("keyward_agent", &m->tenant);

	CHECK_INT(facts_report(db, &m->instance, said, "192.0.2.3", at), 0);
	finish(db);
	json_decref(said);
}

/* "fact subject kind old new" of each change, the oldest first. */
static void check_changes(const struct machine *m, const char *want)
{
	struct db *db = as("keyward_console", &m->tenant);
	struct list_query q = { .sort = "at", .order = 1, .limit = LIST_LIMIT_MAX };
	struct buf text = BUF_INIT;
	char id[UUID_TEXT_SIZE];
	json_t *page = NULL, *row;
	size_t i;

	uuid_text(&m->instance, id);
	q.filters[0].name = "instance";
	q.filters[0].value = id;
	CHECK_INT(fact_change_list(db, &q, &page), 0);
	json_array_foreach(json_object_get(page, "rows"), i, row) {
		char *old = json_dumps(json_object_get(row, "old"), JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
		char *new = json_dumps(json_object_get(row, "new"), JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);

		buf_printf(&text, "%s|%s|%s|%s|%s\n", json_string_value(json_object_get(row, "fact")),
			json_string_value(json_object_get(row, "subject")), json_string_value(json_object_get(row, "kind")), old, new);
		free(old);
		free(new);
	}
	CHECK_STR(buf_str(&text), want);
	buf_free(&text);
	json_decref(page);
	undo(db);
}

TEST(changes_between_reports_are_kept, "INT-6,SEC-7")
{
	struct uuid tenant = make_tenant("facts-change");
	struct machine m = make_machine(&tenant, "i-1", 1), other = make_machine_of(&tenant, "native", "i-2", 1);
	clock_us at = clock_now() - CLOCK_HOUR;
	json_t *names = NULL;
	struct db *db;
	char *text;

	report(&m, "{\"os.kernel\":\"6.1\",\"os.uptime_s\":7,\"packages\":{\"a\":\"1\",\"b\":\"1\"},\"processes\":{\"sshd\":1}}", at);
	check_changes(&m, "");
	/* A boot changes what passes by, and no more. */
	report(&m, "{\"os.kernel\":\"6.1\",\"os.uptime_s\":1,\"os.booted_at\":\"x\",\"packages\":{\"a\":\"1\",\"b\":\"1\"},"
		"\"processes\":{\"sshd\":9}}", at + CLOCK_SECOND);
	check_changes(&m, "");
	report(&m, "{\"os.kernel\":\"6.2\",\"packages\":{\"b\":\"2\",\"c\":\"1\"},\"device.access\":\"read-only\"}", at + 2 * CLOCK_SECOND);
	check_changes(&m, "os.kernel||changed|\"6.1\"|\"6.2\"\npackages|a|removed|\"1\"|null\npackages|b|changed|\"1\"|\"2\"\n"
		"packages|c|added|null|\"1\"\nprocesses||removed|null|null\n");
	check_changes(&other, "");
	db = as("keyward_console", &tenant);
	CHECK_INT(fact_change_facts(db, &m.instance, &names), 0);
	text = json_dumps(names, JSON_COMPACT);
	CHECK_STR(text, "[\"os.kernel\",\"packages\",\"processes\"]");
	free(text);
	json_decref(names);
	CHECK_INT(fact_change_facts(db, &other.instance, &names), 0);
	CHECK_INT(json_array_size(names), 0);
	json_decref(names);
	undo(db);
	db = as("keyward_jobs", &tenant);
	CHECK_INT(fact_change_clean(db, at + CLOCK_SECOND), 0);
	finish(db);
	db = as("keyward_jobs", &tenant);
	CHECK_INT(fact_change_clean(db, at + 3 * CLOCK_SECOND), 0);
	finish(db);
	check_changes(&m, "");
}

TEST(very_many_changes_are_counted, "INT-6,SEC-5")
{
	struct uuid tenant = make_tenant("facts-many");
	struct machine m = make_machine(&tenant, "i-1", 1);
	struct buf old = BUF_INIT, new = BUF_INIT;

	for (int i = 0; i <= FACT_CHANGES_MAX; i++) {
		buf_printf(&old, "%s\"p%d\":\"1\"", i ? "," : "{\"packages\":{", i);
		buf_printf(&new, "%s\"p%d\":\"2\"", i ? "," : "{\"packages\":{", i);
	}
	buf_puts(&old, "}}");
	buf_puts(&new, ",\"q\":\"1\"}}");
	report(&m, buf_str(&old), clock_now());
	report(&m, buf_str(&new), clock_now());
	check_changes(&m, "packages||many|null|{\"added\":1,\"changed\":201,\"removed\":0}\n");
	buf_free(&old);
	buf_free(&new);
}

/* Names and values are the guest's to choose; it cannot fill the server's disk with them. */
TEST(a_guest_that_changes_all_the_time, "INT-6,SEC-5")
{
	struct uuid tenant = make_tenant("facts-flood");
	struct machine m = make_machine(&tenant, "i-1", 1);
	struct buf said = BUF_INIT;
	clock_us at = clock_now() - CLOCK_HOUR;
	struct db *db;
	struct db_result *r;

	for (int round = 0; round < 6; round++) {
		buf_reset(&said);
		for (int i = 0; i < 1500; i++)
			buf_printf(&said, "%s\"f%d\":%d", i ? "," : "{", i, round);
		buf_puts(&said, ",\"long\":\"");
		for (int i = 0; i < 5000; i++)
			buf_putc(&said, (char)('a' + round));
		buf_puts(&said, "\"}");
		report(&m, buf_str(&said), at + round * CLOCK_SECOND);
	}
	db = as("keyward_console", &tenant);
	CHECK_INT(db_query_row(db, &r, "select count(*), max(length(new::text)), count(*) filter (where fact = 'long' and new is null)"
		" from fact_change", DB_NONE), 0);
	CHECK_INT(db_int(r, 0, 0), FACT_CHANGES_DAY);
	CHECK(db_int(r, 0, 1) <= FACT_CHANGE_VALUE_MAX);
	CHECK_INT(db_int(r, 0, 2), 3);
	db_result_free(r);
	undo(db);
	/* The next day is another. */
	buf_reset(&said);
	buf_puts(&said, "{\"f1\":77}");
	report(&m, buf_str(&said), at + 2 * CLOCK_DAY);
	db = as("keyward_console", &tenant);
	CHECK_INT(db_query_row(db, &r, "select count(*) from fact_change where fact = 'f1' and new = '77'", DB_NONE), 0);
	CHECK_INT(db_int(r, 0, 0), 1);
	db_result_free(r);
	undo(db);
	buf_free(&said);
}

TEST(what_passes_is_no_change, "INT-6,SEC-7")
{
	static const char *const same[] = { "{\"os.kernel\":\"6.1\",\"os.uptime_s\":9,\"processes\":{\"a\":1}}", "{\"os.kernel\":\"6.1\"}",
		"{\"os.kernel\":\"6.1\",\"gathered_at\":\"x\",\"os.booted_at\":\"y\"}" };
	static const char *const other[] = { "{\"os.kernel\":\"6.2\"}", "{}", "{\"os.kernel\":\"6.1\",\"packages\":{}}" };

	for (size_t i = 0; i < ARRAY_LEN(same); i++) {
		json_t *a = json_pack("{s:{s:o}}", "agent", "values", json_loads(same[i], 0, NULL));

		for (size_t j = 0; j < 3; j++) {
			json_t *b = json_pack("{s:{s:o}}", "agent", "values", json_loads(same[j], 0, NULL));
			json_t *c = json_pack("{s:{s:o}}", "agent", "values", json_loads(other[j], 0, NULL));

			CHECK_INT(facts_unchanged(a, b), 1);
			CHECK_INT(facts_unchanged(a, c), 0);
			CHECK_INT(facts_unchanged(c, a), 0);
			json_decref(b);
			json_decref(c);
		}
		json_decref(a);
	}
}

PG_TEST_MAIN
