/* request_fetch.c - requests with all that their agents' next answers take, keys and proofs of approval with them: of one, or of several of
 * several accounts together. */
#include "store/request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "store/packed.h"

static void take_bytes(struct buf *b, struct wire_view v)
{
	buf_reset(b);
	buf_add(b, v.data, v.len);
}

static void take_fixed(struct wire_reader *r, uint8_t *out, size_t len)
{
	struct wire_view v = packed_bytes(r);

	if (v.len == len)
		memcpy(out, v.data, len);
	else if (r->error == 0)
		r->error = ERR_INVALID;
}

/* Of the request and its key. */
static int take_request(struct wire_view row, struct request_case *c, struct key_pair *keys)
{
	struct wire_reader r = packed_open(row);
	char *status;
	int rc;

	c->agent = packed_uuid(&r);
	status = packed_text(&r);
	c->closed = packed_bool(&r);
	c->access = packed_text(&r);
	take_fixed(&r, c->recipient_key, sizeof c->recipient_key);
	c->requested = packed_time(&r);
	c->delivered_version = packed_int(&r);
	c->instance = packed_uuid(&r);
	c->asked = packed_uuid(&r);
	c->unplaced = packed_bool(&r);
	take_fixed(&r, c->signature, sizeof c->signature);
	keys->version = packed_int(&r);
	take_bytes(&keys->wrapped, packed_bytes(&r));
	keys->made_for = packed_uuid(&r);
	keys->other = packed_int(&r);
	rc = packed_end(&r);
	if (rc == 0)
		rc = request_state_parse(status, &c->status);
	free(status);
	return rc;
}

static int take_device(struct wire_view row, struct device *d)
{
	struct wire_reader r = packed_open(row);

	d->id = packed_uuid(&r);
	d->name = packed_text(&r);
	d->provider_device = packed_text(&r);
	d->filesystem = packed_text(&r);
	d->mount_point = packed_text(&r);
	d->access = packed_text(&r);
	d->is_raid = packed_bool(&r);
	d->key_version = packed_int(&r);
	d->cipher = packed_text(&r);
	d->mode = packed_text(&r);
	d->key_bits = packed_int(&r);
	return packed_end(&r);
}

/* As keys_fetch returns it (sql/0059). */
static int take_fetched(struct wire_view all, struct request_case *c, struct key_pair *keys)
{
	struct wire_reader r = packed_open(all);
	char *account;
	int rc = take_request(packed_bytes(&r), c, keys);

	if (rc == 0)
		rc = take_device(packed_bytes(&r), &c->device);
	take_bytes(&keys->tenant, packed_bytes(&r));
	account = packed_text(&r);
	snprintf(keys->account, sizeof keys->account, "%s", account);
	free(account);
	c->agent_active = packed_bool(&r);
	take_bytes(&keys->ticket, packed_bytes(&r));
	return rc < 0 ? rc : packed_end(&r);
}

/* What the agent calls the device that it asked for; where a pool gave another one, that is not the request's. */
static int find_asked(struct db *db, struct request_case *c)
{
	struct db_result *r;
	int rc;

	if (uuid_equal(&c->asked, &c->device.id)) {
		c->asked_name = mem_strdup(c->device.provider_device);
		return 0;
	}
	rc = db_query_row(db, &r, "select provider_device from device where id = $1", DB_ARGS(db_uuid_arg(&c->asked)));
	if (rc < 0)
		return rc;
	c->asked_name = mem_strdup(db_text(r, 0, 0));
	db_result_free(r);
	return 0;
}

static int fetch(struct db *db, struct db_result **out, const struct uuid *const accounts[], const struct uuid *const ids[],
	const struct uuid *const agents[], size_t count)
{
	struct db_arg of[REQUEST_POLLS_MAX], wanted[REQUEST_POLLS_MAX], asking[REQUEST_POLLS_MAX];

	for (size_t i = 0; i < count; i++) {
		of[i] = db_uuid_arg(accounts[i]);
		wanted[i] = db_uuid_arg(ids[i]);
		asking[i] = db_uuid_arg(agents[i]);
	}
	return db_query(db, out, "select * from keys_fetch($1, $2, $3)", DB_ARGS(db_array_arg(of, count), db_array_arg(wanted, count),
		db_array_arg(asking, count)));
}

int request_load_poll(struct db *db, const struct uuid *id, struct request_case *out, struct key_pair *keys)
{
	const struct uuid *account = db_tenant(db), *agent = &db_actor(db)->id;
	struct request_case c = { .id = *id };
	struct db_result *r = NULL;
	/* Where somebody else is at it, it is waited for here. */
	int rc = db_queue(db, "select 1 from key_request where id = $1 for update", DB_ARGS(db_uuid_arg(id)));

	if (rc == 0)
		rc = fetch(db, &r, &account, &id, &agent, 1);
	if (rc < 0)
		return rc;
	rc = db_is_null(r, 0, 0) ? err_set(ERR_NOT_FOUND, "no such request") : take_fetched(db_bytes(r, 0, 0), &c, keys);
	db_result_free(r);
	if (rc == 0)
		rc = find_asked(db, &c);
	if (rc == 0)
		*out = c;
	else
		request_case_release(&c);
	return rc;
}

int request_any_decided(struct db *db, const struct uuid ids[], size_t count)
{
	struct db_arg *wanted = mem_array(count, sizeof *wanted);
	int rc;

	for (size_t i = 0; i < count; i++)
		wanted[i] = db_uuid_arg(&ids[i]);
	rc = db_has(db, "select 1 from unnest($1::uuid[]) w(id) left join key_request r on r.id = w.id and r.agent = $2 and r.closed is null"
		" and r.status = 'pending' where r.id is null limit 1", DB_ARGS(db_array_arg(wanted, count), db_uuid_arg(&db_actor(db)->id)));
	free(wanted);
	return rc;
}

/* A device that a pool gave in another's place is left to who loads one, and so is what cannot be read: it is no trouble of the others. */
static void take_poll(struct db_result *r, size_t row, struct request_poll *p)
{
	if (db_is_null(r, row, 0))
		return;
	p->k.id = p->request;
	p->found = take_fetched(db_bytes(r, row, 0), &p->k, &p->keys) == 0 && uuid_equal(&p->k.asked, &p->k.device.id);
	if (p->found)
		p->k.asked_name = mem_strdup(p->k.device.provider_device);
}

int request_load_polls(struct db *db, struct request_poll *polls, size_t count)
{
	const struct uuid *accounts[REQUEST_POLLS_MAX], *ids[REQUEST_POLLS_MAX], *agents[REQUEST_POLLS_MAX];
	struct db_result *r;
	int rc;

	for (size_t i = 0; i < count; i++) {
		accounts[i] = &polls[i].account;
		ids[i] = &polls[i].request;
		agents[i] = &polls[i].agent;
	}
	rc = fetch(db, &r, accounts, ids, agents, count);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < count; i++)
		take_poll(r, i, &polls[i]);
	db_result_free(r);
	return rc;
}

void request_poll_release(struct request_poll *p)
{
	request_case_release(&p->k);
	device_key_pair_free(&p->keys);
	p->found = 0;
}
