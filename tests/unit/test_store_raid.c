/* test_store_raid.c - RAID 0 arrays in the store: made, configured, encrypted, opened, missing and taken apart as one device. */
#include "machine.h"

#include <string.h>

#include "check.h"
#include "store/inventory.h"
#include "store/key.h"
#include "store/raid.h"

#define MEMBERS(...) (const struct uuid[]) { __VA_ARGS__ }, sizeof (const struct uuid[]) { __VA_ARGS__ } / sizeof(struct uuid)

static struct uuid id_of(const struct machine *m, const char *name)
{
	struct device d = device_of(m, name);
	struct uuid id = d.id;

	device_release(&d);
	return id;
}

static int create(const struct machine *m, const char *name, const struct uuid *members, size_t count, struct uuid *id)
{
	struct raid_definition d = { name, "fast", members, count, &configuration };

	return ALONE("keyward_console", &m->tenant, raid_create(one, &d, id));
}

static int change(const struct machine *m, const struct uuid *id, const struct uuid *members, size_t count)
{
	struct raid_definition d = { NULL, "faster", members, count, &configuration };

	return ALONE("keyward_console", &m->tenant, raid_change(one, id, &d));
}

static struct machine make_disks(const char *slug, size_t count)
{
	struct uuid tenant = make_tenant(slug);
	struct machine m = make_machine(&tenant, slug, count);

	m.devices[2].system = 0;
	m.devices[2].size_bytes = 2 << 20;
	publish(&m, count);
	return m;
}

static int start(const struct machine *m, const char *name)
{
	struct device d = device_of(m, name);
	struct device_key_new wrapped = { .wrapped = BUF_INIT };
	int rc;

	buf_puts(&wrapped.wrapped, "wrapped-key");
	rc = ALONE("keyward_agent", &m->tenant, device_start(one, &d, &wrapped));
	buf_free(&wrapped.wrapped);
	device_release(&d);
	return rc;
}

static int finish_one(const struct machine *m, const char *name, const char *luks)
{
	struct device d = device_of(m, name);
	int rc = ALONE("keyward_agent", &m->tenant, device_finish(one, &d.id, luks, d.key_version));

	device_release(&d);
	return rc;
}

/* Encrypted, as people and agent do it. */
static struct uuid make_array(const struct machine *m)
{
	struct uuid id = { { 0 } };

	CHECK_INT(create(m, "data", MEMBERS(id_of(m, "vol-1"), id_of(m, "vol-2")), &id), 0);
	CHECK_INT(ALONE("keyward_console", &m->tenant, device_encrypt(one, &id, 0)), 0);
	CHECK_INT(start(m, "vol-1"), 0);
	CHECK_INT(start(m, "vol-2"), 0);
	CHECK_INT(finish_one(m, "vol-1", "luks-1"), 0);
	CHECK_INT(finish_one(m, "vol-2", "luks-2"), 0);
	CHECK_INT(status_of(m, RAID_PREFIX "data"), DEVICE_ENCRYPTED);
	return id;
}

static int is_member(const struct machine *m, const char *name, const struct uuid *of)
{
	struct device d = device_of(m, name);
	int is = of ? uuid_equal(&d.raid, of) : uuid_is_nil(&d.raid);

	device_release(&d);
	return is;
}

TEST(who_can_be_a_member, "RAID-1,TEN-4")
{
	struct machine m = make_disks("raid-who", 3), other;
	struct uuid a = id_of(&m, "vol-1"), b = id_of(&m, "vol-2"), c = id_of(&m, "root"), id, stranger;
	json_t *chosen = json_array(), *rows = NULL;
	char text[UUID_TEXT_SIZE];

	other = make_machine(&m.tenant, "raid-other", 0);
	other.inventory.image_id = "ami-2";
	other.devices[0] = (struct inventory_device){ .id = "vol-9", .name = "", .path = "/dev/vdx", .kind = "disk", .filesystem = "",
		.size_bytes = 1 << 20, .unusable = "", .token_account = "", .token_device = "", .token_server = "" };
	publish(&other, 1);
	stranger = id_of(&other, "vol-9");
	CHECK_INT(create(&m, "", MEMBERS(a, b), &id), ERR_INVALID);
	CHECK_INT(create(&m, "no blanks", MEMBERS(a, b), &id), ERR_INVALID);
	CHECK_INT(create(&m, "ümlaut", MEMBERS(a, b), &id), ERR_INVALID);
	CHECK_INT(create(&m, "data", MEMBERS(a), &id), ERR_INVALID);
	CHECK_INT(create(&m, "data", MEMBERS(a, a), &id), ERR_NOT_FOUND);
	CHECK_INT(create(&m, "data", MEMBERS(a, m.tenant), &id), ERR_NOT_FOUND);
	CHECK_INT(create(&m, "data", MEMBERS(a, stranger), &id), ERR_INVALID);
	CHECK(strstr(err_text(), "image") != NULL);
	CHECK_INT(ALONE("keyward_console", &m.tenant, device_configure(one, &c, &configuration)), 0);
	CHECK_INT(create(&m, "data", MEMBERS(a, c), &id), ERR_INVALID);
	CHECK(strstr(err_text(), "configured already") != NULL);
	/* Of another tenant nothing is known. */
	other = make_disks("raid-foreign", 2);
	CHECK_INT(create(&other, "data", MEMBERS(a, b), &id), ERR_NOT_FOUND);
	CHECK_INT(create(&m, "data", MEMBERS(a, b), &id), 0);
	CHECK_INT(ALONE("keyward_console", &other.tenant, raid_members(one, &id, &rows)), 0);
	CHECK_INT(json_array_size(rows), 0);
	json_decref(rows);
	CHECK_INT(create(&m, "two", MEMBERS(a, stranger), &id), ERR_INVALID);
	CHECK(strstr(err_text(), "another RAID") != NULL);
	/* The list to pick from says why not. */
	uuid_text(&stranger, text);
	json_array_append_new(chosen, json_string(text));
	CHECK_INT(ALONE("keyward_console", &m.tenant, raid_candidates(one, &(struct uuid){ { 0 } }, "VOL", chosen, 10, &rows)), 0);
	CHECK_INT(json_array_size(rows), 3);
	CHECK(json_is_true(json_object_get(json_array_get(rows, 0), "chosen")) && json_is_null(json_object_get(json_array_get(rows, 0), "reason")));
	CHECK_STR(json_string_value(json_object_get(json_array_get(rows, 1), "reason")), "member");
	json_decref(rows);
	json_decref(chosen);
}

TEST(an_array_is_a_device, "RAID-1,DEV-2,DEV-3,DEV-6,KEY-5,LOG-2")
{
	struct machine m = make_disks("raid-life", 3);
	struct uuid id = { { 0 } }, a = id_of(&m, "vol-1"), policy = default_policy(&m.tenant);
	struct device d;
	json_t *row = NULL, *tasks = NULL;

	CHECK_INT(create(&m, "data", MEMBERS(a, id_of(&m, "vol-2")), &id), 0);
	CHECK_INT(create(&m, "data", MEMBERS(id_of(&m, "root"), id_of(&m, "root")), &id), ERR_NOT_FOUND);
	id = id_of(&m, RAID_PREFIX "data");
	d = device_of(&m, RAID_PREFIX "data");
	CHECK(d.is_raid && d.status == DEVICE_CONFIGURED && uuid_equal(&d.policy, &policy) && uuid_equal(&d.instance, &m.instance));
	CHECK_INT(d.size_bytes, 2LL << 30);
	device_release(&d);
	CHECK_INT(status_of(&m, "vol-1"), DEVICE_CONFIGURED);
	/* A member is nobody's but its array's. */
	CHECK_INT(ALONE("keyward_console", &m.tenant, device_configure(one, &a, &configuration)), ERR_CONFLICT);
	CHECK_INT(ALONE("keyward_console", &m.tenant, device_encrypt(one, &a, 1)), ERR_CONFLICT);
	CHECK_INT(ALONE("keyward_console", &m.tenant, device_unconfigure(one, &a)), ERR_CONFLICT);
	CHECK_INT(ALONE("keyward_console", &m.tenant, device_delete(one, &a)), ERR_CONFLICT);
	CHECK_INT(ALONE("keyward_console", &m.tenant, device_delete(one, &id)), ERR_CONFLICT);
	/* Encryption: the agent begins with one after the other, and it is done when all are. */
	CHECK_INT(ALONE("keyward_console", &m.tenant, device_encrypt(one, &id, 1)), 0);
	CHECK_INT(ALONE("keyward_console", &m.tenant, device_cancel(one, &a)), ERR_CONFLICT);
	CHECK_INT(ALONE("keyward_agent", &m.tenant, device_tasks(one, &m.instance, &tasks)), 0);
	CHECK_INT(json_array_size(tasks), 2);
	for (int i = 0; i < 2; i++) {
		json_t *t = json_array_get(tasks, (size_t)i);

		CHECK_STR(json_string_value(json_object_get(t, "raid_name")), RAID_PREFIX "data");
		CHECK_INT(json_integer_value(json_object_get(t, "raid_index")), i);
		CHECK_INT(json_integer_value(json_object_get(t, "raid_members")), 2);
		CHECK_STR(json_string_value(json_object_get(t, "mount_point")), "/data");
		CHECK(json_is_true(json_object_get(t, "overwrite")));
	}
	json_decref(tasks);
	CHECK_INT(start(&m, "vol-1"), 0);
	CHECK_INT(status_of(&m, RAID_PREFIX "data"), DEVICE_ENCRYPTING);
	CHECK_INT(status_of(&m, "vol-2"), DEVICE_PENDING);
	CHECK_INT(start(&m, RAID_PREFIX "data"), ERR_CONFLICT);
	CHECK_INT(start(&m, "vol-2"), 0);
	CHECK_INT(ALONE("keyward_agent", &m.tenant, device_progress(one, &a, 60)), 0);
	d = device_of(&m, RAID_PREFIX "data");
	CHECK_INT(d.progress, 30);
	CHECK_INT(d.key_version, 1);
	device_release(&d);
	CHECK_INT(finish_one(&m, "vol-1", "luks-1"), 0);
	CHECK_INT(finish_one(&m, "vol-1", "luks-1"), 0);
	CHECK_INT(status_of(&m, RAID_PREFIX "data"), DEVICE_ENCRYPTING);
	CHECK_INT(finish_one(&m, "vol-2", "luks-2"), 0);
	CHECK_INT(finish_one(&m, "vol-2", "luks-2"), 0);
	CHECK_INT(finish_one(&m, "vol-2", "luks-3"), ERR_CONFLICT);
	CHECK_INT(status_of(&m, RAID_PREFIX "data"), DEVICE_ENCRYPTED);
	CHECK_INT(status_of(&m, "vol-1"), DEVICE_ENCRYPTED);
	/* Its page has what a device's has. */
	CHECK_INT(ALONE("keyward_console", &m.tenant, device_get(one, &id, &row)), 0);
	CHECK_INT(json_integer_value(json_object_get(row, "members")), 2);
	CHECK(json_is_true(json_object_get(row, "has_key")));
	json_decref(row);
	CHECK_INT(ALONE("keyward_console", &m.tenant, device_get(one, &a, &row)), 0);
	CHECK_STR(json_string_value(json_object_get(row, "raid_name")), "data");
	json_decref(row);
	/* Taken back, all keys are gone; taken apart, the devices are as new. */
	CHECK_INT(ALONE("keyward_console", &m.tenant, device_unconfigure(one, &id)), 0);
	d = device_of(&m, "vol-2");
	CHECK(d.status == DEVICE_NOT_CONFIGURED && !d.has_key && d.luks_uuid[0] == '\0');
	device_release(&d);
	CHECK_INT(logged(&m.tenant, "key.destroyed"), 2);
	CHECK_INT(ALONE("keyward_console", &m.tenant, device_delete(one, &id)), 0);
	CHECK(is_member(&m, "vol-1", NULL) && is_member(&m, "vol-2", NULL));
	CHECK_INT(ALONE("keyward_console", &m.tenant, device_configure(one, &a, &configuration)), 0);
	CHECK_INT(logged(&m.tenant, "raid.created"), 1);
	CHECK_INT(logged(&m.tenant, "raid.dissolved"), 1);
	CHECK_INT(logged(&m.tenant, "device.deleted"), 1);
}

TEST(an_array_fails_as_a_whole, "RAID-1,DEV-2")
{
	struct machine m = make_disks("raid-fail", 3);
	struct uuid id, a = id_of(&m, "vol-1"), b = id_of(&m, "vol-2"), c = id_of(&m, "root");
	json_t *row = NULL;

	CHECK_INT(create(&m, "data", MEMBERS(a, b), &id), 0);
	CHECK_INT(ALONE("keyward_console", &m.tenant, device_encrypt(one, &id, 0)), 0);
	CHECK_INT(start(&m, "vol-1"), 0);
	CHECK_INT(change(&m, &id, MEMBERS(a, c)), ERR_CONFLICT);
	CHECK_INT(ALONE("keyward_agent", &m.tenant, device_fail(one, &b, "it holds: ext4")), 0);
	CHECK_INT(status_of(&m, RAID_PREFIX "data"), DEVICE_ERROR);
	CHECK_INT(status_of(&m, "vol-1"), DEVICE_ERROR);
	CHECK_INT(ALONE("keyward_agent", &m.tenant, device_fail(one, &a, "the other one failed")), 0);
	CHECK_INT(ALONE("keyward_console", &m.tenant, device_get(one, &id, &row)), 0);
	CHECK_STR(json_string_value(json_object_get(row, "error")), "vol-2: it holds: ext4");
	json_decref(row);
	/* With another member it begins anew; the one that left is free, its key destroyed. */
	CHECK_INT(change(&m, &id, MEMBERS(b, c)), 0);
	CHECK(is_member(&m, "vol-1", NULL) && is_member(&m, "root", &id));
	CHECK_INT(status_of(&m, "vol-1"), DEVICE_NOT_CONFIGURED);
	CHECK_INT(status_of(&m, "root"), DEVICE_CONFIGURED);
	CHECK_INT(logged(&m.tenant, "raid.changed"), 1);
	CHECK_INT(logged(&m.tenant, "key.destroyed"), 1);
	CHECK_INT(ALONE("keyward_console", &m.tenant, device_encrypt(one, &id, 0)), 0);
	CHECK_INT(start(&m, "vol-2"), 0);
	CHECK_INT(start(&m, "root"), 0);
}

TEST(a_member_is_missing, "RAID-1,DEV-2")
{
	struct machine m = make_disks("raid-missing", 2);
	struct uuid id = make_array(&m), request;

	/* In use it stays what it is. */
	request = ask(&m, &id, 1, 1);
	CHECK_INT(judge(&m, &request, REQUEST_EVENT_APPROVE, 0), 0);
	CHECK_INT(ALONE("keyward_agent", &m.tenant, deliver(one, &request, 1)), 0);
	CHECK_INT(ALONE("keyward_agent", &m.tenant, request_opened(one, &request)), 0);
	CHECK_INT(status_of(&m, "vol-2"), DEVICE_IN_USE);
	publish(&m, 1);
	CHECK_INT(status_of(&m, RAID_PREFIX "data"), DEVICE_IN_USE);
	CHECK_INT(ALONE("keyward_agent", &m.tenant, request_volume_closed(one, &m.instance, &id, "shutdown")), 0);
	CHECK_INT(status_of(&m, "vol-1"), DEVICE_ENCRYPTED);
	publish(&m, 1);
	CHECK_INT(status_of(&m, RAID_PREFIX "data"), DEVICE_MEMBER_MISSING);
	CHECK_INT(status_of(&m, "vol-2"), DEVICE_UNDETECTED);
	CHECK_INT(status_of(&m, "vol-1"), DEVICE_ENCRYPTED);
	CHECK_INT(ALONE("keyward_console", &m.tenant, device_unconfigure(one, &id)), ERR_CONFLICT);
	/* Nothing of what an agent calls by an array's name touches it. */
	m.devices[1].id = RAID_PREFIX "data";
	publish(&m, 2);
	CHECK_INT(status_of(&m, RAID_PREFIX "data"), DEVICE_MEMBER_MISSING);
	m.devices[1].id = "vol-2";
	publish(&m, 2);
	CHECK_INT(status_of(&m, RAID_PREFIX "data"), DEVICE_ENCRYPTED);
	CHECK_INT(status_of(&m, "vol-2"), DEVICE_ENCRYPTED);
	/* Given up while a member is missing: free, also the one that is away. */
	publish(&m, 1);
	CHECK_INT(ALONE("keyward_console", &m.tenant, device_delete(one, &id)), 0);
	CHECK_INT(status_of(&m, "vol-2"), DEVICE_UNDETECTED);
	CHECK_INT(status_of(&m, "vol-1"), DEVICE_NOT_CONFIGURED);
	publish(&m, 2);
	CHECK_INT(status_of(&m, "vol-2"), DEVICE_NOT_CONFIGURED);
}

TEST(keys_of_all_members_or_none, "RAID-1,KEY-5,SEC-7")
{
	struct machine m = make_disks("raid-keys", 2);
	struct uuid id = make_array(&m), elsewhere = uuid_new();
	struct raid_key keys[RAID_MEMBERS_MAX] = { 0 };

	CHECK_INT(ALONE("keyward_agent", &m.tenant, raid_keys(one, &id, &id, &elsewhere, keys)), ERR_CONFLICT);
	{
		struct db *db = as("keyward_agent", &m.tenant);

		CHECK_INT(raid_keys(db, &id, &id, &m.instance, keys), 2);
		finish(db);
	}
	CHECK_STR(keys[0].provider_device, "vol-1");
	CHECK(keys[1].index == 1 && keys[1].version == 1 && keys[1].wrapped.len == 11);
	raid_keys_free(keys, 2);
	publish(&m, 1);
	CHECK_INT(ALONE("keyward_agent", &m.tenant, raid_keys(one, &id, &id, &m.instance, keys)), ERR_CONFLICT);
	CHECK(strstr(err_text(), "vol-2") && strstr(err_text(), "missing"));
}

TEST(policy_of_an_array_and_its_members, "RAID-1,POL-1,POL-5")
{
	struct machine m = make_disks("raid-policy", 2);
	struct uuid id = make_array(&m), policy = uuid_new(), member = id_of(&m, "vol-1");
	struct db *db = as("keyward_console", &m.tenant);
	struct device d;
	struct db_result *r;

	CHECK_INT(db_run(db, "insert into policy (tenant, id, name) values (current_tenant(), $1, 'Fast disks')", DB_ARGS(db_uuid_arg(&policy))), 1);
	/* One of them alone cannot be moved, also not past the store. */
	CHECK_INT(policy_set_members(db, &policy, POLICY_DEVICE, &member, 1), 0);
	finish(db);
	d = device_of(&m, "vol-1");
	CHECK(!uuid_equal(&d.policy, &policy));
	device_release(&d);
	CHECK_INT(ALONE("keyward_console", &m.tenant, db_run(one, "update device set policy = $1 where id = $2",
		DB_ARGS(db_uuid_arg(&policy), db_uuid_arg(&member)))), ERR_CONFLICT);
	CHECK_INT(ALONE("keyward_console", &m.tenant, policy_set_members(one, &policy, POLICY_DEVICE, &id, 1)), 0);
	d = device_of(&m, "vol-1");
	CHECK(uuid_equal(&d.policy, &policy));
	device_release(&d);
	/* A console makes nothing but arrays. */
	CHECK_INT(ALONE("keyward_console", &m.tenant, db_run(one, "insert into device (tenant, id, provider, provider_device, policy)"
		" select current_tenant(), $2, 'ec2', 'made', $1", DB_ARGS(db_uuid_arg(&policy), db_uuid_arg(&m.instance)))), ERR_FORBIDDEN);
	db = as("keyward_console", &m.tenant);
	CHECK_INT(db_query_row(db, &r, "select count(*) from device where policy = $1", DB_ARGS(db_uuid_arg(&policy))), 0);
	CHECK_INT(db_int(r, 0, 0), 3);
	db_result_free(r);
	finish(db);
}

PG_TEST_MAIN
