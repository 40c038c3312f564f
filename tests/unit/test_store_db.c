/* test_store_db.c - the database wrapper against a real server: binding, ending, pipelining, errors, broken connections. */
#include "base/clock.h"
#include "pg.h"

static const struct db_actor actor = { .kind = DB_ACTOR_SYSTEM, .name = "test" };

static struct uuid new_tenant(const char *slug)
{
	struct db *db = pg_db("keyward_central");
	struct uuid id = uuid_new();

	CHECK_INT(db_begin(db, NULL, &actor), 0);
	CHECK_INT(db_run_one(db, "insert into tenant (id, slug, name) values ($1, $2, $2)",
		DB_ARGS(db_uuid_arg(&id), db_text_arg(slug))), 0);
	CHECK_INT(db_commit(db), 0);
	db_free(db);
	return id;
}

static int64_t one_int(struct db *db, const char *sql)
{
	struct db_result *r = NULL;
	int64_t v = -1;

	if (db_query_row(db, &r, sql, DB_NONE) == 0)
		v = db_int(r, 0, 0);
	db_result_free(r);
	return v;
}

TEST(values_round_trip, "")
{
	struct db *db = pg_db("keyward_console");
	struct db_result *r = NULL;
	struct uuid id = uuid_new(), got;
	clock_us now = clock_now();
	json_t *doc = json_pack("{s:[i,i]}", "a", 1, 2), *row;
	struct wire_view bytes;

	CHECK_INT(db_begin(db, NULL, &actor), 0);
	CHECK_INT(db_query(db, &r, "select $1 as id, $2 as name, $3 as n, $4 as yes, $5 as at, $6 as raw, $7::jsonb as doc,"
		" null::text as none, $8::text as nothing, $9 as never, -5::smallint as small, 'x' as _hidden",
		DB_ARGS(db_uuid_arg(&id), db_text_arg("n'ame"), db_int_arg(-9007199254740993), db_bool_arg(1), db_time_arg(now),
			db_bytes_arg("\0\1\xff", 3), db_json_arg(doc), db_text_arg(NULL), db_time_arg(0))), 0);
	got = db_uuid(r, 0, 0);
	CHECK(uuid_equal(&got, &id));
	CHECK_STR(db_text(r, 0, 1), "n'ame");
	CHECK_INT(db_int(r, 0, 2), -9007199254740993);
	CHECK_INT(db_bool(r, 0, 3), 1);
	CHECK_INT(db_time(r, 0, 4), now);
	bytes = db_bytes(r, 0, 5);
	CHECK(bytes.len == 3 && memcmp(bytes.data, "\0\1\xff", 3) == 0);
	CHECK(db_is_null(r, 0, 7) && db_is_null(r, 0, 8) && db_is_null(r, 0, 9));
	CHECK(db_text(r, 0, 7) == NULL);
	row = db_row_json(r, 0);
	CHECK_INT(json_array_size(json_object_get(json_object_get(row, "doc"), "a")), 2);
	CHECK_STR(json_string_value(json_object_get(row, "raw")), "0001ff");
	CHECK_INT(json_integer_value(json_object_get(row, "small")), -5);
	CHECK(json_is_true(json_object_get(row, "yes")) && json_is_null(json_object_get(row, "none")));
	CHECK(json_object_get(row, "_hidden") == NULL);
	json_decref(row);
	json_decref(doc);
	db_result_free(r);
	CHECK_INT(db_commit(db), 0);
	db_free(db);
}

TEST(binding_ends_with_the_transaction, "TEN-4")
{
	struct uuid a = new_tenant("bind-a"), b = new_tenant("bind-b");
	struct db *db = pg_db("keyward_console");

	for (int round = 0; round < 3; round++) {
		CHECK_INT(db_begin(db, &a, &actor), 0);
		CHECK_INT(one_int(db, "select count(*) from tenant where slug = 'bind-a'"), 1);
		CHECK_INT(one_int(db, "select count(*) from tenant where slug = 'bind-b'"), 0);
		if (round == 1)
			db_rollback(db);
		else
			CHECK_INT(db_commit(db), 0);
		CHECK(db_tenant(db) == NULL);
		CHECK_INT(db_begin(db, NULL, &actor), 0);
		CHECK_INT(one_int(db, "select count(*) from tenant"), 0);
		CHECK_INT(one_int(db, "select count(*) from policy"), 0);
		CHECK_INT(db_commit(db), 0);
		CHECK_INT(db_begin(db, &b, &actor), 0);
		CHECK_INT(one_int(db, "select count(*) from policy"), 1);
		CHECK_INT(one_int(db, "select count(*) from tenant where slug = 'bind-a'"), 0);
		/* A failed transaction must not leave its binding either. */
		CHECK_INT(db_run(db, "select 1/0", DB_NONE), ERR_INVALID);
		CHECK_INT(db_commit(db), ERR_INVALID);
		CHECK_INT(db_begin(db, NULL, &actor), 0);
		CHECK_INT(one_int(db, "select count(*) from tenant"), 0);
		CHECK_INT(db_commit(db), 0);
	}
	db_free(db);
}

TEST(open_transaction_is_never_inherited, "TEN-4")
{
	struct uuid a = new_tenant("inherit-a");
	struct db *db = pg_db("keyward_console");

	CHECK_INT(db_begin(db, &a, &actor), 0);
	CHECK_INT(db_run(db, "update tenant set time_zone = 'Europe/Berlin'", DB_NONE), 1);
	CHECK_INT(db_begin(db, NULL, &actor), ERR_INTERNAL);
	CHECK(!db_is_open(db));
	CHECK_INT(db_run(db, "select 1", DB_NONE), ERR_INTERNAL);
	CHECK_INT(db_commit(db), ERR_INTERNAL);
	CHECK_INT(db_begin(db, &a, &actor), 0);
	CHECK_INT(one_int(db, "select count(*) from tenant where time_zone = 'UTC'"), 1);
	CHECK_INT(db_commit(db), 0);
	db_free(db);
}

TEST(errors_are_mapped, "SEC-7")
{
	struct uuid a = new_tenant("errors-a"), b = new_tenant("errors-b"), id = uuid_new();
	struct db *db = pg_db("keyward_console");
	const struct { const char *sql; int code; } cases[] = {
		{ "select 1 from operator_user", ERR_FORBIDDEN },
		{ "insert into setting values ('a', '1')", ERR_FORBIDDEN },
		{ "select nonsense", ERR_DB },
		{ "select 'x'::uuid", ERR_INVALID },
		{ "update tenant set time_zone = null", ERR_INVALID },
		{ "insert into policy (tenant, id, name) select tenant, id, name from policy", ERR_CONFLICT },
		{ "delete from policy where is_default", ERR_CONFLICT },
	};
	struct db_result *r = NULL;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CHECK_INT(db_begin(db, &a, &actor), 0);
		CHECK_INT(db_run(db, cases[i].sql, DB_NONE), cases[i].code);
		CHECK_INT(db_run(db, "select 1", DB_NONE), cases[i].code);
		db_rollback(db);
	}
	/* Another tenant's row: refused by row security, not by us. */
	CHECK_INT(db_begin(db, &a, &actor), 0);
	CHECK_INT(db_run(db, "insert into policy (tenant, id, name) values ($1, $2, 'x')",
		DB_ARGS(db_uuid_arg(&b), db_uuid_arg(&id))), ERR_FORBIDDEN);
	db_rollback(db);
	CHECK_INT(db_begin(db, &a, &actor), 0);
	CHECK_INT(db_run(db, "insert into app_user (tenant, id, email, name, role) values ($1, $2, 'a@b.c', 'secret-name', 'none')",
		DB_ARGS(db_uuid_arg(&a), db_uuid_arg(&id))), ERR_INVALID);
	CHECK(strstr(err_text(), "secret-name") == NULL);
	CHECK_STR(db_constraint(db), "app_user_role_check");
	db_rollback(db);
	CHECK_INT(db_begin(db, &a, &actor), 0);
	CHECK_INT(db_query(db, &r, "select $1::uuid", DB_ARGS(db_text_arg("secret-value"))), ERR_INVALID);
	CHECK(strstr(err_text(), "secret-value") == NULL);
	db_rollback(db);
	db_free(db);
}

TEST(queued_statements_fail_the_commit, "LOG-3")
{
	struct uuid a = new_tenant("queue-a");
	struct db *db = pg_db("keyward_console");

	CHECK_INT(db_begin(db, &a, &actor), 0);
	CHECK_INT(db_queue(db, "update tenant set time_zone = 'A'", DB_NONE), 0);
	CHECK_INT(db_queue(db, "select 1/0", DB_NONE), 0);
	CHECK_INT(db_queue(db, "update tenant set time_zone = 'B'", DB_NONE), 0);
	CHECK_INT(db_commit(db), ERR_INVALID);
	CHECK(!db_is_open(db));
	CHECK_INT(db_begin(db, &a, &actor), 0);
	CHECK_INT(one_int(db, "select count(*) from tenant where time_zone = 'UTC'"), 1);
	/* Rolled back with a failure still under way; the statement that was prepared in vain works later. */
	CHECK_INT(db_queue(db, "select 1/0", DB_NONE), 0);
	CHECK_INT(db_queue(db, "update tenant set time_zone = 'C'", DB_NONE), 0);
	db_rollback(db);
	CHECK_INT(db_begin(db, &a, &actor), 0);
	CHECK_INT(db_run(db, "update tenant set time_zone = 'C'", DB_NONE), 1);
	CHECK_INT(db_commit(db), 0);
	/* More than one round trip holds. */
	CHECK_INT(db_begin(db, &a, &actor), 0);
	for (int i = 0; i < 1000; i++)
		CHECK_INT(db_queue(db, "update tenant set time_zone = $1", DB_ARGS(db_text_arg("D"))), 0);
	CHECK_INT(db_commit(db), 0);
	db_free(db);
}

TEST(many_different_statements, "")
{
	struct db *db = pg_db("keyward_console");

	for (int i = 0; i < 1200; i++) {
		char *sql = mem_printf("select %d", i);

		CHECK_INT(db_begin(db, NULL, &actor), 0);
		CHECK_INT(one_int(db, sql), i);
		CHECK_INT(db_commit(db), 0);
		free(sql);
	}
	db_free(db);
}

static int64_t backend(struct db *db)
{
	int64_t pid;

	CHECK_INT(db_begin(db, NULL, &actor), 0);
	pid = one_int(db, "select pg_backend_pid()");
	CHECK_INT(db_commit(db), 0);
	return pid;
}

static void kill_backend(int64_t pid)
{
	struct db *admin = pg_db("postgres");

	CHECK_INT(db_begin(admin, NULL, &actor), 0);
	CHECK_INT(db_run(admin, "select pg_terminate_backend($1::int, 5000)", DB_ARGS(db_int_arg(pid))), 1);
	CHECK_INT(db_commit(admin), 0);
	db_free(admin);
}

TEST(killed_backend, "OPS-3")
{
	struct uuid a = new_tenant("killed-a");
	struct db *db = pg_db("keyward_console");
	int64_t pid = backend(db);

	/* One connection serves one transaction after the other. */
	CHECK_INT(backend(db), pid);
	CHECK_INT(backend(db), pid);
	/* While idle: the next transaction has a new connection and notices nothing. */
	kill_backend(pid);
	CHECK(backend(db) != pid);
	/* Inside: lost, everything up to the end fails, the next is well again. */
	CHECK_INT(db_begin(db, &a, &actor), 0);
	CHECK_INT(db_run(db, "update tenant set time_zone = 'X'", DB_NONE), 1);
	pid = one_int(db, "select pg_backend_pid()");
	kill_backend(pid);
	CHECK_INT(db_run(db, "select 1", DB_NONE), ERR_UNAVAILABLE);
	CHECK_INT(db_run(db, "select 1", DB_NONE), ERR_UNAVAILABLE);
	CHECK_INT(db_commit(db), ERR_UNAVAILABLE);
	CHECK_INT(db_begin(db, &a, &actor), 0);
	CHECK_INT(one_int(db, "select count(*) from tenant where time_zone = 'UTC'"), 1);
	CHECK_INT(db_commit(db), 0);
	/* At the commit. */
	CHECK_INT(db_begin(db, &a, &actor), 0);
	pid = one_int(db, "select pg_backend_pid()");
	kill_backend(pid);
	CHECK_INT(db_commit(db), ERR_UNAVAILABLE);
	CHECK(!db_is_open(db));
	CHECK(backend(db) > 0);
	db_free(db);
}

TEST(no_server, "SEC-7")
{
	struct db *db = db_new("host=/nonexistent dbname=keyward");

	CHECK_INT(db_ping(db), ERR_UNAVAILABLE);
	CHECK_INT(db_begin(db, NULL, &actor), 0);
	CHECK_INT(db_queue(db, "select 1", DB_NONE), ERR_UNAVAILABLE);
	CHECK_INT(db_commit(db), ERR_UNAVAILABLE);
	CHECK(!db_is_open(db));
	db_free(db);
}

TEST(time_limits, "SEC-5")
{
	struct uuid a = new_tenant("limits-a");
	struct db *one = pg_db("keyward_console"), *two = pg_db("keyward_console"), *slow = pg_db("keyward_console");

	/* Each limit alone: what else a slow machine takes its time for is not what is met. */
	db_limits(slow, 1000, 60000);
	CHECK_INT(db_begin(slow, NULL, &actor), 0);
	CHECK_INT(db_run(slow, "select pg_sleep(60)", DB_NONE), ERR_TIMEOUT);
	db_rollback(slow);
	db_free(slow);
	db_limits(one, 60000, 100);
	CHECK_INT(db_begin(two, &a, &actor), 0);
	CHECK_INT(db_run(two, "update tenant set time_zone = 'A'", DB_NONE), 1);
	CHECK_INT(db_begin(one, &a, &actor), 0);
	CHECK_INT(db_run(one, "update tenant set time_zone = 'B'", DB_NONE), ERR_BUSY);
	db_rollback(one);
	CHECK_INT(db_commit(two), 0);
	db_free(one);
	db_free(two);
}

TEST(notifications, "")
{
	struct db *ear = pg_db("keyward_jobs"), *mouth = pg_db("keyward_jobs");

	CHECK_INT(db_listen(ear, "keyward_job"), 0);
	CHECK_INT(db_wait(ear, 0), 0);
	CHECK_INT(db_begin(mouth, NULL, &actor), 0);
	CHECK_INT(db_run(mouth, "select pg_notify('keyward_job', '')", DB_NONE), 1);
	CHECK_INT(db_wait(ear, 50), 0);
	CHECK_INT(db_commit(mouth), 0);
	CHECK_INT(db_wait(ear, 60000), 1);
	CHECK_INT(db_wait(ear, 0), 0);
	kill_backend(backend(ear));
	CHECK(db_wait(ear, 60000) != 0);
	CHECK(db_wait(ear, 2000) >= 0);
	db_free(ear);
	db_free(mouth);
}

PG_TEST_MAIN
