/* test_store_lists.c - what pages count and find without reading everything: the same as if everything had been read. */
#include "machine.h"
#include "store/instance.h"

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

typedef int lists(struct db *db, const struct list_query *query, json_t **page);

/* The number of rows that a search gives to the last page; ONE, where it is not NULL, is the name of one of them. */
static int found(const struct uuid *tenant, lists *list, const char *text, const char *member, const char *one)
{
	struct db *db = as("keyward_console", tenant);
	struct list_query q = { .search = text, .limit = LIST_LIMIT_MAX };
	json_t *page = NULL, *row;
	int count = 0, seen = one == NULL;
	char *cursor = NULL;
	size_t i;

	do {
		CHECK_INT(list(db, &q, &page), 0);
		json_array_foreach(json_object_get(page, "rows"), i, row) {
			count++;
			seen |= one && strcmp(json_string_value(json_object_get(row, member)), one) == 0;
		}
		free(cursor);
		cursor = json_is_string(json_object_get(page, "next")) ? mem_strdup(json_string_value(json_object_get(page, "next"))) : NULL;
		q.cursor = cursor;
		json_decref(page);
	} while (cursor);
	undo(db);
	CHECK(seen);
	return count;
}

/* COUNT machines with a disk and an open request each: host-1 with disk-1 ... */
static void make_fleet(const struct uuid *tenant, int count)
{
	struct db *db = as("postgres", tenant);
	struct db_arg args[] = { db_uuid_arg(tenant), db_int_arg(count) };

	CHECK_INT(db_run(db, "insert into instance (tenant, id, provider, provider_instance, host_name) select $1, gen_random_uuid(), 'ec2',"
		" 'i-' || n, 'host-' || n from generate_series(1, $2) n", args, 2), count);
	CHECK_INT(db_run(db, "insert into agent (tenant, id, instance, public_key) select tenant, gen_random_uuid(), id,"
		" decode(rpad(md5(id::text), 130, '0'), 'hex') from instance where tenant = $1", args, 1), count);
	CHECK_INT(db_run(db, "insert into device (tenant, id, provider, provider_device, name, instance, policy) select i.tenant,"
		" gen_random_uuid(), 'ec2', 'vol-' || substr(i.host_name, 6), 'disk-' || substr(i.host_name, 6), i.id, p.id from instance i,"
		" policy p where i.tenant = $1 and p.tenant = $1", args, 1), count);
	CHECK_INT(db_run(db, "insert into key_request (tenant, id, device, instance, agent, access, recipient_key, signature)"
		" select d.tenant, gen_random_uuid(), d.id, d.instance, a.id, 'read-only', decode(repeat('00', 65), 'hex'), decode(repeat('00',"
		" 64), 'hex') from device d join agent a on a.instance = d.instance where d.tenant = $1", args, 1), count);
	finish(db);
}

TEST(search_finds_parts_of_names, "RUN-1,PERF-2")
{
	struct uuid tenant = make_tenant("found"), other = make_tenant("not-found");

	make_fleet(&tenant, 12);
	make_fleet(&other, 3);
	CHECK_INT(found(&tenant, request_list, "nothing says this", NULL, NULL), 0);
	CHECK_INT(found(&tenant, request_list, "ISK-1", "device_name", "disk-1"), 4);
	CHECK_INT(found(&tenant, request_list, "host-1", "device_name", "disk-12"), 4);
	CHECK_INT(found(&tenant, request_list, "vol-7", "device_name", "disk-7"), 1);
	CHECK_INT(found(&tenant, request_list, "i-7", "device_name", "disk-7"), 1);
	CHECK_INT(found(&tenant, request_list, "-7", "device_name", "disk-7"), 1);
	CHECK_INT(found(&tenant, request_list, "Default", NULL, NULL), 12);
	CHECK_INT(found(&tenant, device_list, "isk", NULL, NULL), 12);
	CHECK_INT(found(&tenant, device_list, "host-12", "name", "disk-12"), 1);
	CHECK_INT(found(&tenant, device_list, "host-1", NULL, NULL), 4);
	/* A name that spans two, wild cards. */
	CHECK_INT(found(&tenant, device_list, "disk-1\nvol", NULL, NULL), 0);
	CHECK_INT(found(&tenant, device_list, "disk%1", NULL, NULL), 0);
	CHECK_INT(found(&tenant, device_list, "disk_1", NULL, NULL), 0);
	CHECK_INT(found(&tenant, device_list, "\\disk-1", NULL, NULL), 0);
	/* Changes of all that is searched. */
	change(&tenant, "update device set name = 'Größe 100%_x\\y', mount_point = '/srv/mount' where tenant = $1 and name = 'disk-3'");
	change(&tenant, "update device set description = 'the spare one' where tenant = $1 and name = 'disk-4'");
	change(&tenant, "update instance set host_name = 'renamed' where tenant = $1 and host_name = 'host-5'");
	change(&tenant, "update instance set distribution = 'trixie' where tenant = $1 and host_name = 'renamed'");
	change(&tenant, "insert into image (tenant, id, provider, provider_image, name) values ($1, gen_random_uuid(), 'ec2', 'ami-4711',"
		" 'golden')");
	change(&tenant, "update instance i set image = m.id from image m where i.tenant = $1 and m.tenant = $1 and host_name = 'host-6'");
	change(&tenant, "update key_request r set image = i.image from instance i where r.tenant = $1 and i.id = r.instance");
	CHECK_INT(found(&tenant, device_list, "disk-3", NULL, NULL), 0);
	CHECK_INT(found(&tenant, device_list, "GRÖSSE", NULL, NULL), 0);
	CHECK_INT(found(&tenant, device_list, "öße", NULL, NULL), 1);
	CHECK_INT(found(&tenant, request_list, "GRÖ", NULL, NULL), 1);
	CHECK_INT(found(&tenant, device_list, "100%_X\\", NULL, NULL), 1);
	CHECK_INT(found(&tenant, device_list, "%_", NULL, NULL), 1);
	CHECK_INT(found(&tenant, request_list, "srv/mo", NULL, NULL), 1);
	CHECK_INT(found(&tenant, device_list, "spare", "name", "disk-4"), 1);
	CHECK_INT(found(&tenant, request_list, "host-5", NULL, NULL), 0);
	CHECK_INT(found(&tenant, request_list, "enam", "device_name", "disk-5"), 1);
	CHECK_INT(found(&tenant, request_list, "ami-47", "device_name", "disk-6"), 1);
	change(&tenant, "update image set name = 'silver' where tenant = $1");
	CHECK_INT(found(&tenant, request_list, "golden", NULL, NULL), 0);
	CHECK_INT(found(&tenant, request_list, "silver", NULL, NULL), 1);
	/* Requests that are over, devices that are gone. */
	change(&tenant, "update key_request set closed = now() from device d where d.id = device and d.tenant = $1 and d.name = 'disk-1'");
	CHECK_INT(found(&tenant, request_list, "disk-1", NULL, NULL), 3);
	change(&tenant, "delete from device where tenant = $1");
	CHECK_INT(found(&tenant, device_list, "disk", NULL, NULL), 0);
	CHECK_INT(rows_of("search_text", &tenant), 12 + 1 + 1);
	CHECK_INT(found(&other, request_list, "disk", NULL, NULL), 3);
}

/* What is found in too many rows for the index is found without it; and the index is never asked about one row too few. */
TEST(search_finds_much, "RUN-1,PERF-2")
{
	struct uuid tenant = make_tenant("much");

	make_fleet(&tenant, 1111);
	CHECK_INT(found(&tenant, device_list, "disk-", NULL, NULL), 1111);
	CHECK_INT(found(&tenant, request_list, "host-", NULL, NULL), 1111);
	CHECK_INT(found(&tenant, request_list, "default", NULL, NULL), 1111);
	CHECK_INT(found(&tenant, request_list, "disk-11", NULL, NULL), 1 + 10 + 12);
	CHECK_INT(found(&tenant, request_list, "disk-999", "device_name", "disk-999"), 1);
	/* Few machines with many devices. */
	change(&tenant, "update device set instance = (select id from instance where tenant = $1 and host_name = 'host-7') where tenant = $1");
	CHECK_INT(found(&tenant, device_list, "host-7", NULL, NULL), 1111);
	change(&tenant, "delete from device where tenant = $1 and name > 'disk-6'");
	CHECK_INT(found(&tenant, device_list, "host-7", NULL, NULL), rows_of("device", &tenant));
}

PG_TEST_MAIN
