/* test_store_lists.c - what pages count and find without reading everything: the same as if everything had been read. */
#include "machine.h"

/* SQL with the tenant as $1, as the superuser. */
static void change(const struct uuid *tenant, const char *sql)
{
	struct db *db = as("postgres", tenant);

	CHECK(db_run(db, sql, DB_ARGS(db_uuid_arg(tenant))) >= 0);
	finish(db);
}

/* COUNT closed requests, each a minute more than six hours older than the one before. */
static void make_requests(const struct uuid *tenant, int count)
{
	struct db *db = as("postgres", tenant);

	CHECK_INT(db_run_one(db, "insert into instance (tenant, id, provider, provider_instance) values ($1, gen_random_uuid(), 'ec2', 'i-1')",
		DB_ARGS(db_uuid_arg(tenant))), 0);
	CHECK_INT(db_run_one(db, "insert into agent (tenant, id, instance, public_key) select $1, gen_random_uuid(), id,"
		" decode(repeat('00', 65), 'hex') from instance where tenant = $1", DB_ARGS(db_uuid_arg(tenant))), 0);
	CHECK_INT(db_run_one(db, "insert into device (tenant, id, provider, provider_device, policy) select $1, gen_random_uuid(), 'ec2',"
		" 'vol-1', id from policy where tenant = $1", DB_ARGS(db_uuid_arg(tenant))), 0);
	CHECK_INT(db_run(db, "insert into key_request (tenant, id, device, instance, agent, access, recipient_key, signature, requested,"
		" closed) select $1, gen_random_uuid(), d.id, i.id, a.id, 'read-only', decode(repeat('00', 65), 'hex'), decode(repeat('00',"
		" 64), 'hex'), now() - n * interval '361 minutes', now() from device d, instance i, agent a, generate_series(0, $2 - 1) n"
		" where d.tenant = $1 and i.tenant = $1 and a.tenant = $1", DB_ARGS(db_uuid_arg(tenant), db_int_arg(count))), count);
	finish(db);
}

/* The chart in ZONE is what the requests themselves say. */
static void check_counts(const struct uuid *tenant, const char *zone)
{
	struct db *db = as("keyward_console", tenant);
	json_t *counted = NULL, *expected = NULL;
	char *a, *b;

	CHECK_INT(request_per_day(db, zone, 30, &counted), 0);
	CHECK_INT(db_get_rows(db, &expected, "select to_char(g, 'YYYY-MM-DD') as day, count(*) filter (where status not in ('pending',"
		" 'denied') and decided_by is null) as by_policy, count(*) filter (where status not in ('pending', 'denied') and decided_by"
		" is not null) as by_person, count(*) filter (where status = 'denied') as denied, count(*) filter (where status ="
		" 'pending') as pending from generate_series((now() at time zone $1)::date - 29, (now() at time zone $1)::date,"
		" interval '1 day') g left join key_request on (requested at time zone $1)::date = g::date group by g order by g",
		DB_ARGS(db_text_arg(zone))), 0);
	undo(db);
	a = json_text(counted);
	b = json_text(expected);
	CHECK_STR(a, b);
	free(a);
	free(b);
	json_decref(counted);
	json_decref(expected);
}

static void check_zones(const struct uuid *tenant)
{
	static const char *const zones[] = { "UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns", "Australia/Lord_Howe",
		"Pacific/Kiritimati", "Pacific/Pago_Pago" };

	for (size_t i = 0; i < ARRAY_LEN(zones); i++)
		check_counts(tenant, zones[i]);
}

static int rows_of(const char *table, const struct uuid *tenant)
{
	char *sql = mem_printf("select count(*) from %s where tenant = $1", table);
	struct db *db = as("postgres", tenant);
	struct db_result *r = NULL;
	int count;

	CHECK_INT(db_query_row(db, &r, sql, DB_ARGS(db_uuid_arg(tenant))), 0);
	count = (int)db_int(r, 0, 0);
	db_result_free(r);
	undo(db);
	free(sql);
	return count;
}

TEST(counts_follow_requests, "WEB-2,PERF-2")
{
	static const char *const steps[] = {
		"update key_request set status = 'approved', decided = now() where tenant = $1 and id::text < '6'",
		"update key_request set status = 'approved', decided_by = gen_random_uuid() where tenant = $1 and id::text > 'b'",
		"update key_request set status = 'delivered' where tenant = $1 and status = 'approved' and id::text > '3'",
		"update key_request set status = 'denied' where tenant = $1 and status = 'pending' and id::text < '9'",
		"update key_request set status = 'revoked' where tenant = $1 and status = 'delivered' and id::text > 'd'",
		"update key_request set status = 'pending' where tenant = $1 and status = 'revoked' and id::text > 'e'",
		"update key_request set status = 'denied', decided_by = gen_random_uuid() where tenant = $1 and status = 'pending'",
		"update key_request set status = 'approved' where tenant = $1 and status = 'denied' and id::text > 'f'",
		"delete from key_request where tenant = $1 and substr(id::text, 2, 1) < '8'",
		"delete from device where tenant = $1",
	};
	struct uuid tenant = make_tenant("counted"), other = make_tenant("not-counted");

	make_requests(&tenant, 130);
	make_requests(&other, 3);
	check_zones(&tenant);
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		change(&tenant, steps[i]);
		check_zones(&tenant);
		/* Some are added up, some not. */
		if (i % 2 == 0)
			CHECK_INT(ALONE("keyward_jobs", &tenant, request_count_fold(one)), 0);
		check_zones(&tenant);
	}
	CHECK_INT(ALONE("keyward_jobs", &tenant, request_count_fold(one)), 0);
	CHECK_INT(rows_of("request_count_change", &tenant), 0);
	CHECK_INT(rows_of("request_count_change", &other), 3);
	check_zones(&other);
}

PG_TEST_MAIN
