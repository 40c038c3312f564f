/* fleet.c - agents, devices, keys and requests, written outside the measured time in the columns that the server itself writes. */
#include "fleet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "proto/evidence.h"
#include "store/tenant.h"

static void must(int rc)
{
	if (rc < 0)
		fatal("preparation: %s", err_text());
}

static void begin(struct db *db, const struct uuid *account)
{
	must(db_begin(db, account, NULL));
}

static void device_name(const struct fleet_device *d, char out[static UUID_TEXT_SIZE])
{
	uuid_text(&d->id, out);
}

static void make_device(struct fleet_device *d, const struct fleet_agent *a, struct db *db, struct keys_client *keys,
	const struct buf *tenant)
{
	struct buf wrapped = BUF_INIT;
	char name[UUID_TEXT_SIZE];
	struct keys_device which = { .tenant = a->account, .version = 1,
		.wrapped_tenant = { (uint8_t *)tenant->data, tenant->len } };

	which.device = d->id = uuid_new();
	device_name(d, name);
	must(keys_device_create(keys, &d->id, &which, KEYS_DEVICE_KEY_SIZE, &wrapped));
	must(db_queue(db, "insert into device (tenant, id, provider, machine, provider_device, name, instance, policy, status, os,"
		" filesystem, mount_point, key_version, key_created, size_bytes) select current_tenant(), $1, 'native',"
		" device_machine('native', $2), $3, $3, $2, p.id, 'encrypted', 'linux', 'ext4', '/mnt/data', 1, now(), 1073741824 from policy p"
		" where p.tenant = current_tenant() and p.is_default", DB_ARGS(db_uuid_arg(&d->id), db_uuid_arg(&a->instance),
		db_text_arg(name))));
	must(db_queue(db, "insert into device_key (tenant, device, version, wrapped) values (current_tenant(), $1, 1, $2)",
		DB_ARGS(db_uuid_arg(&d->id), db_bytes_arg(wrapped.data, wrapped.len))));
	buf_free(&wrapped);
}

static void make_agent(struct fleet_agent *a, const struct uuid *account, int devices, struct db *db, struct keys_client *keys,
	const struct buf *tenant)
{
	char name[UUID_TEXT_SIZE];

	*a = (struct fleet_agent){ .account = *account, .id = uuid_new(), .instance = uuid_new(), .device_count = devices,
		.devices = mem_array((size_t)devices, sizeof *a->devices) };
	a->key = proto_key_new(a->public_key);
	if (a->key == NULL || sealed_new(&a->one_time) < 0)
		fatal("no keys");
	uuid_text(&a->instance, name);
	/* Heard of tomorrow: preparing for long, or measuring without heartbeats, makes none of them missing, which would end its requests. */
	must(db_queue(db, "insert into instance (tenant, id, provider, provider_instance, host_name, last_seen) values (current_tenant(), $1,"
		" 'native', $2, $2, now() + interval '1 day')", DB_ARGS(db_uuid_arg(&a->instance), db_text_arg(name))));
	must(db_queue(db, "insert into agent (tenant, id, instance, public_key, version, last_heartbeat) values (current_tenant(),"
		" $1, $2, $3, 'bench', now())",
		DB_ARGS(db_uuid_arg(&a->id), db_uuid_arg(&a->instance), db_bytes_arg(a->public_key, sizeof a->public_key))));
	for (int i = 0; i < devices; i++)
		make_device(&a->devices[i], a, db, keys, tenant);
}

static struct uuid find_account(struct db *db, const char *slug)
{
	struct db_result *r;
	struct uuid id;

	begin(db, NULL);
	must(db_query_row(db, &r, "select id from tenant where slug = $1", DB_ARGS(db_text_arg(slug))));
	id = db_uuid(r, 0, 0);
	db_result_free(r);
	db_rollback(db);
	return id;
}

void fleet_make(struct fleet *f, struct db *db, struct keys_client *keys, const char *const *accounts, int account_count,
	int agents, int devices)
{
	struct buf tenant = BUF_INIT;

	f->count = account_count * agents;
	f->agents = mem_array((size_t)f->count, sizeof *f->agents);
	for (int i = 0; i < account_count; i++) {
		struct uuid account = find_account(db, accounts[i]);

		begin(db, &account);
		must(tenant_key(db, &tenant));
		for (int n = 0; n < agents; n++)
			make_agent(&f->agents[i * agents + n], &account, devices, db, keys, &tenant);
		must(db_commit(db));
	}
	buf_free(&tenant);
}

static void ask(struct fleet_device *d, const struct fleet_agent *a, struct db *db, struct keys_client *keys)
{
	uint8_t point[PROTO_POINT_SIZE], signature[PROTO_SIGNATURE_SIZE];
	struct proto_signer signer = proto_signer_of(a->key);
	char name[UUID_TEXT_SIZE];
	struct proto_recipient recipient = { .account = a->account, .agent = a->id, .device = name, .key = point };

	d->request = uuid_new();
	device_name(d, name);
	sealed_public(a->one_time, point);
	must(proto_recipient_sign(&recipient, &signer, signature));
	must(keys_recipient_check(keys, &d->request, &(struct keys_recipient){ a->account, a->id, name, point, a->public_key, signature }));
	must(db_queue(db, "insert into key_request (tenant, id, device, instance, agent, policy, policy_name, policy_version, status,"
		" access, mount_point, reason, recipient_key, signature, verdict, decided) select current_tenant(), $1, $2, $3, $4, p.id, p.name,"
		" p.version, 'approved', 'read-write', '/mnt/data', 'boot', $5, $6, '{}', now() from policy p where p.tenant = current_tenant()"
		" and p.is_default", DB_ARGS(db_uuid_arg(&d->request), db_uuid_arg(&d->id), db_uuid_arg(&a->instance), db_uuid_arg(&a->id),
		db_bytes_arg(point, sizeof point), db_bytes_arg(signature, sizeof signature))));
}

void fleet_approve(const struct fleet *f, struct db *db, struct keys_client *keys)
{
	for (int i = 0; i < f->count; i++) {
		struct fleet_agent *a = &f->agents[i];

		begin(db, &a->account);
		must(db_queue(db, "delete from key_request where tenant = current_tenant() and agent = $1", DB_ARGS(db_uuid_arg(&a->id))));
		for (int n = 0; n < a->device_count; n++)
			ask(&a->devices[n], a, db, keys);
		must(db_commit(db));
	}
	/* Otherwise the first requests would pay for plans that were made for empty tables. */
	begin(db, NULL);
	must(db_queue(db, "analyze key_request, key_decision, device, device_key, instance, agent", DB_NONE));
	must(db_commit(db));
}

int64_t fleet_delivered(const struct fleet *f, struct db *db)
{
	int64_t total = 0;

	for (int i = 0; i < f->count; i++) {
		struct db_result *r;

		begin(db, &f->agents[i].account);
		must(db_query_row(db, &r, "select count(*) from key_request q where q.tenant = current_tenant() and q.agent = $1 and q.status"
			" = 'delivered' and exists (select 1 from audit_entry e where e.tenant = q.tenant and e.object_id = q.id and e.event"
			" = 'key.delivered')", DB_ARGS(db_uuid_arg(&f->agents[i].id))));
		total += db_int(r, 0, 0);
		db_result_free(r);
		db_rollback(db);
	}
	return total;
}
