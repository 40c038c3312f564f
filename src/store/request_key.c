/* request_key.c - what becomes of a decided key request: the key delivered, the volume opened and closed, the request closed.
 * Revocation is in request_revoke.c. */
#include "store/request.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/json.h"
#include "store/device_step.h"
#include "store/request_step.h"
#include "store/rotation.h"

/* One delivery, as the log will have it. */
struct delivery {
	struct uuid account, request, agent;
	int64_t version;
	int again;
	const char *name, *address, *web_request;
};

static int plan(const struct request_held *h, int64_t version, struct delivery *out)
{
	/* The answer was lost: the same key to the same one-time key is nothing new, but it is logged. */
	int again = h->status == REQUEST_DELIVERED && h->version == version;
	int to = again ? REQUEST_DELIVERED : request_next(h->status, REQUEST_EVENT_DELIVER);

	out->request = h->id;
	out->version = version;
	out->again = again;
	out->name = h->name;
	return to < 0 ? to : 0;
}

static struct db_arg detail_of(const struct delivery *d)
{
	json_t *detail = json_pack("{s:s}", "device", d->name);
	struct db_arg arg;

	if (d->again) {
		json_set_bool(detail, "again", 1);
		json_set_int(detail, "version", d->version);
	}
	arg = db_json_arg(detail);
	json_decref(detail);
	return arg;
}

/* Nothing here waits for the database: all of it travels with the commit, as one statement. */
static int write_deliveries(struct db *db, enum db_actor_kind kind, const char *actor_name, const struct delivery *d, size_t count)
{
	enum { ACCOUNT, REQUEST, VERSION, AGAIN, AGENT, NAME, DETAIL, ADDRESS, WEB_REQUEST, COLUMNS };
	struct db_arg c[COLUMNS][REQUEST_POLLS_MAX];

	for (size_t i = 0; i < count; i++, d++) {
		c[ACCOUNT][i] = db_uuid_arg(&d->account);
		c[REQUEST][i] = db_uuid_arg(&d->request);
		c[VERSION][i] = db_int_arg(d->version);
		c[AGAIN][i] = db_bool_arg(d->again);
		c[AGENT][i] = db_uuid_arg(uuid_is_nil(&d->agent) ? NULL : &d->agent);
		c[NAME][i] = db_text_arg(d->name);
		c[DETAIL][i] = detail_of(d);
		c[ADDRESS][i] = db_text_arg(d->address);
		c[WEB_REQUEST][i] = db_text_arg(d->web_request);
	}
	return db_at_commit(db, "select keys_delivered($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)", DB_ARGS(db_array_arg(c[ACCOUNT], count),
		db_array_arg(c[REQUEST], count), db_array_arg(c[VERSION], count), db_array_arg(c[AGAIN], count),
		db_text_arg(db_actor_kind_name(kind)), db_array_arg(c[AGENT], count), db_text_arg(actor_name), db_array_arg(c[NAME], count),
		db_array_arg(c[DETAIL], count), db_array_arg(c[ADDRESS], count), db_array_arg(c[WEB_REQUEST], count)));
}

static int deliver(struct db *db, const struct request_held *h, int64_t version)
{
	const struct db_actor *a = db_actor(db);
	struct delivery d = { .account = *db_tenant(db), .agent = a->id, .address = a->address, .web_request = a->request };
	int rc = plan(h, version, &d);

	return rc < 0 ? rc : write_deliveries(db, a->kind, a->name, &d, 1);
}

static struct request_held held_of(const struct request_case *c)
{
	return (struct request_held){ .id = c->id, .device = c->device.id, .instance = c->instance, .agent = c->agent, .status = c->status,
		.name = c->device.name, .version = c->delivered_version };
}

int request_deliver_case(struct db *db, const struct request_case *c, int64_t version)
{
	const struct request_held h = held_of(c);

	return c->closed ? err_set(ERR_CONFLICT, "the request is closed") : deliver(db, &h, version);
}

int request_deliver_polls(struct db *db, const struct request_poll *polls, size_t count)
{
	struct delivery d[REQUEST_POLLS_MAX];
	size_t n = 0;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < count; i++) {
		const struct request_poll *p = &polls[i];
		const struct request_held h = held_of(&p->k);

		if (!p->deliver)
			continue;
		d[n] = (struct delivery){ .account = p->account, .agent = p->agent, .address = p->address, .web_request = p->web_request };
		rc = plan(&h, p->keys.version, &d[n++]);
	}
	return rc < 0 || n == 0 ? rc : write_deliveries(db, DB_ACTOR_AGENT, NULL, d, n);
}

int request_opened(struct db *db, const struct uuid *id)
{
	struct request_held h;
	int rc = request_hold_open(db, id, &h);

	if (rc < 0)
		return rc;
	if (h.status != REQUEST_DELIVERED && h.status != REQUEST_REVOKING)
		rc = err_set(ERR_CONFLICT, "no key was delivered for this request");
	if (rc == 0)
		rc = db_queue(db, "update key_request set opened = coalesce(opened, now()) where id = $1", DB_ARGS(db_uuid_arg(id)));
	if (rc == 0)
		rc = device_step(db, &h.device, DEVICE_EVENT_OPEN, AUDIT_DEVICE_OPENED, NULL);
	if (rc == 0)
		rc = rotation_opened(db, &h.device, id);
	request_held_release(&h);
	return rc;
}

/* Nobody else has it open: then it is no longer In-use. */
static int close_device(struct db *db, const struct uuid *device, const char *reason)
{
	struct db_result *r;
	int rc = db_query(db, &r, "select 1 from device d where d.id = $1 and d.status = 'in-use' and not exists (select 1 from"
		" key_request r where r.device = d.id and r.closed is null and r.opened is not null"
		" and r.status in ('delivered', 'revoking'))", DB_ARGS(db_uuid_arg(device)));

	if (rc < 0)
		return rc;
	if (db_rows(r) == 1)
		rc = device_step(db, device, DEVICE_EVENT_CLOSE, AUDIT_DEVICE_CLOSED, json_pack("{s:s}", "reason", reason));
	db_result_free(r);
	return rc;
}

int request_close(struct db *db, const struct uuid *id, const char *reason)
{
	struct request_held h;
	int rc = request_hold(db, id, &h);

	if (rc < 0)
		return rc;
	/* Where it was only announced, the volume was closed for another reason: that is no revocation. */
	if (!h.closed && h.status == REQUEST_REVOKING && h.revoke_ordered)
		rc = request_released(db, &h);
	/* A revoked key can be granted again (INT-4): its request stays open for that. */
	if (rc == 0 && !h.closed && h.status != REQUEST_REVOKED)
		rc = request_end(db, &h, reason);
	if (rc == 0)
		rc = close_device(db, &h.device, reason);
	request_held_release(&h);
	return rc;
}

int request_volume_closed(struct db *db, const struct uuid *instance, const struct uuid *device, const char *reason)
{
	struct db_result *r;
	int rc = db_query(db, &r, "select id from key_request where (device = $1 or asked_device = $1) and instance = $2"
		" and closed is null and status in ('delivered', 'revoking') for update", DB_ARGS(db_uuid_arg(device), db_uuid_arg(instance)));

	for (size_t i = 0; rc == 0 && i < db_rows(r); i++) {
		struct uuid id = db_uuid(r, i, 0);

		rc = request_close(db, &id, reason);
	}
	if (rc >= 0)
		db_result_free(r);
	return rc;
}
