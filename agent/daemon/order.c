/* order.c - the table of orders. An order is carried out once, however often it is given, and its result is told until
 * a heartbeat has arrived with it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/daemon/daemon.h"
#include "agent/daemon/rotate.h"
#include "agent/guest/credentials.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"

#define LATER 1                  /* the result follows when the device is closed */

static void result(struct daemon *a, const struct uuid *order, int done, const char *detail)
{
	struct proto_order_result r = { .order = *order, .done = done };
	struct proto_order_result *known = &a->done[a->done_count++ % DAEMON_DONE_MAX];

	snprintf(r.detail, sizeof r.detail, "%s", detail);
	*known = r;
	if (a->results_count < PROTO_ORDERS_MAX)
		a->results[a->results_count++] = r;
	a->beat_at = clock_ticks();
}

static const struct proto_order_result *finished(const struct daemon *a, const struct uuid *order)
{
	unsigned n = a->done_count < DAEMON_DONE_MAX ? a->done_count : DAEMON_DONE_MAX;

	for (unsigned i = 0; i < n; i++)
		if (uuid_equal(&a->done[i].order, order))
			return &a->done[i];
	return NULL;
}

static int is_under_way(const struct daemon *a, const struct uuid *order)
{
	for (int i = 0; i < a->orders_count; i++)
		if (uuid_equal(&a->orders[i].id, order))
			return 1;
	for (int i = 0; i < a->g.devices_count; i++)
		if (uuid_equal(&a->g.devices[i].close_order, order))
			return 1;
	return !uuid_is_nil(&a->reencrypt.order) && uuid_equal(&a->reencrypt.order, order);
}

int order_list(const struct daemon *a, struct proto_order_begun out[static PROTO_ORDERS_MAX])
{
	int count = 0;

	for (int i = 0; i < a->orders_count && count < PROTO_ORDERS_MAX; i++)
		out[count++].order = a->orders[i].id;
	if (!uuid_is_nil(&a->reencrypt.order) && count < PROTO_ORDERS_MAX)
		out[count++].order = a->reencrypt.order;
	for (int i = 0; i < a->g.devices_count && count < PROTO_ORDERS_MAX; i++)
		if (!uuid_is_nil(&a->g.devices[i].close_order))
			out[count++].order = a->g.devices[i].close_order;
	return count;
}

void order_take(struct daemon *a, const struct proto_order *o)
{
	const struct proto_order_result *known = finished(a, &o->id);

	if (known && a->results_count < PROTO_ORDERS_MAX)
		a->results[a->results_count++] = *known;
	if (known || is_under_way(a, &o->id) || a->orders_count >= PROTO_ORDERS_MAX)
		return;
	log_info("order received", "order", proto_order_names[o->kind], "device", o->device, NULL);
	a->orders[a->orders_count++] = *o;
}

/* Calls DO for the order's device, or for all. ERR_NOT_FOUND when it names one that is not here. */
static int each(struct daemon *a, const struct proto_order *o,
	void (*act)(struct daemon *, const struct proto_order *, struct device *))
{
	int count = 0;

	for (int i = 0; i < a->g.devices_count; i++)
		if (o->device[0] == '\0' || strcmp(o->device, a->g.devices[i].id) == 0) {
			act(a, o, &a->g.devices[i]);
			count++;
		}
	return count || o->device[0] == '\0' ? 0
		: err_set(ERR_NOT_FOUND, "this machine has no such device open or waiting");
}

static void close_one(struct daemon *a, const struct proto_order *o, struct device *d)
{
	int kill = o->kind == PROTO_ORDER_KILL;

	if (d->state == DEVICE_OPEN && !kill)
		daemon_teardown(a, d, PROTO_REASON_REVOKED);
	if (o->kind == PROTO_ORDER_LOCK)
		d->locked = 1;
	daemon_close_begin(a, d, kill ? PROTO_REASON_KILLED : PROTO_REASON_REVOKED, kill);
	if (d->state == DEVICE_CLOSING)
		d->close_order = o->id;
}

static int do_close(struct daemon *a, const struct proto_order *o)
{
	int rc = each(a, o, close_one);

	return rc == 0 && is_under_way(a, &o->id) ? LATER : rc;
}

static void ask_again(struct daemon *a, const struct proto_order *o, struct device *d)
{
	if (o->kind == PROTO_ORDER_UNLOCK)
		d->locked = 0;
	if (d->state == DEVICE_CLOSED || d->state == DEVICE_FAILED)
		device_move(d, DEVICE_EVENT_RETRY);
	if (d->state == DEVICE_WAITING || d->state == DEVICE_PENDING || d->state == DEVICE_DENIED) {
		d->ask_reason = PROTO_REASON_ORDER;
		d->failures = 0;
		d->wake = clock_ticks();
	}
}

static int do_ask(struct daemon *a, const struct proto_order *o)
{
	return each(a, o, ask_again);
}

int daemon_report(struct daemon *a, enum proto_reason reason, const struct uuid *order)
{
	struct proto_report *r = proto_request_new(PROTO_REPORT);
	int rc;

	r->reason = (int)reason;
	r->order = *order;
	r->facts = guest_facts(&a->g);
	rc = guest_tell(&a->g, PROTO_REPORT, r, NULL);
	proto_request_free(PROTO_REPORT, r);
	return rc;
}

static int do_check(struct daemon *a, const struct proto_order *o)
{
	return daemon_report(a, PROTO_REASON_ORDER, &o->id);
}

static int do_provision(struct daemon *a, const struct proto_order *o)
{
	a->scan_at = 0;
	a->provision_due = 1;
	a->provision_at = 0;
	return 0;
}

static int do_inventory(struct daemon *a, const struct proto_order *o)
{
	a->scan_at = 0;
	a->inventory_due = 1;
	return 0;
}

static int do_log_level(struct daemon *a, const struct proto_order *o)
{
	return daemon_log_level(a, o->argument);
}

/* What a server may change from afar: nothing that says whom to trust, what to run, or what to format. */
static int do_configure(struct daemon *a, const struct proto_order *o)
{
	static const char *const allowed[] = { "heartbeat", "stop_seconds", "script_seconds" };
	const char *equals = strchr(o->argument, '=');
	size_t len = equals ? (size_t)(equals - o->argument) : 0;

	for (size_t i = 0; i < ARRAY_LEN(allowed); i++)
		if (len == strlen(allowed[i]) && strncmp(o->argument, allowed[i], len) == 0)
			return agent_conf_set(&a->g.conf, allowed[i], equals + 1);
	return err_set(ERR_FORBIDDEN, "this setting cannot be changed by the server");
}

static int do_credentials(struct daemon *a, const struct proto_order *o)
{
	int rc = credentials_fetch(&a->g);

	if (rc > 0)
		a->scan_at = 0;
	return rc < 0 ? rc : 0;
}

/* The token on the disk has changed: the server learns it with the inventory. */
static int do_rotate(struct daemon *a, const struct proto_order *o)
{
	int rc = rotate(&a->g, o->device);

	if (rc == 0)
		a->scan_at = 0;
	return rc;
}

static int do_reencrypt(struct daemon *a, const struct proto_order *o)
{
	int rc = reencrypt_begin(&a->g, &a->reencrypt, &o->id, o->device);

	return rc < 0 ? rc : LATER;
}

/* While the server is away it is told later: the process has ended, the order has not. */
void order_reencrypted(struct daemon *a)
{
	struct reencrypt *r = &a->reencrypt;
	int rc = r->done ? reencrypt_tell_done(&a->g, r) : 0;

	if (rc < 0 && a->g.offline)
		return;
	if (r->done && rc == 0)
		log_info("volume encrypted anew", "device", r->id, NULL);
	else
		log_error("a volume was not encrypted anew", "device", r->id, "reason", rc < 0 ? err_text() : r->failed, NULL);
	result(a, &r->order, r->done && rc == 0, rc < 0 ? err_text() : r->failed);
	*r = (struct reencrypt){ .fd = -1 };
}

static const struct {
	enum proto_order_kind kind;
	/* 0: done; LATER; ERR_: not done, err_text() says why */
	int (*run)(struct daemon *a, const struct proto_order *o);
} table[] = {
	{ PROTO_ORDER_CHECK, do_check },
	{ PROTO_ORDER_REVOKE, do_close },
	{ PROTO_ORDER_LOCK, do_close },
	{ PROTO_ORDER_KILL, do_close },
	{ PROTO_ORDER_UNLOCK, do_ask },
	{ PROTO_ORDER_REQUEST_KEY, do_ask },
	{ PROTO_ORDER_PROVISION, do_provision },
	{ PROTO_ORDER_INVENTORY, do_inventory },
	{ PROTO_ORDER_CONFIGURE, do_configure },
	{ PROTO_ORDER_LOG_LEVEL, do_log_level },
	{ PROTO_ORDER_CREDENTIALS, do_credentials },
	{ PROTO_ORDER_ROTATE, do_rotate },
	{ PROTO_ORDER_REENCRYPT, do_reencrypt },
};

static int run_one(struct daemon *a, const struct proto_order *o)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if ((int)table[i].kind == o->kind)
			return table[i].run(a, o);
	return err_set(ERR_UNSUPPORTED, "this agent does not know that order");
}

void order_run(struct daemon *a)
{
	while (a->orders_count > 0) {
		struct proto_order o = a->orders[0];
		int rc;

		rc = run_one(a, &o);
		if (rc < 0 && a->g.offline)
			return;          /* still queued: it could not be told */
		memmove(a->orders, a->orders + 1, (size_t)--a->orders_count * sizeof a->orders[0]);
		if (rc < 0)
			log_warning("order not carried out", "order", proto_order_names[o.kind], "reason", err_text(), NULL);
		if (rc != LATER)
			result(a, &o.id, rc == 0, rc < 0 ? err_text() : "");
	}
}

void order_closed(struct daemon *a, const struct device *d)
{
	struct uuid order = d->close_order;

	if (uuid_is_nil(&order))
		return;
	for (int i = 0; i < a->g.devices_count; i++)
		if (&a->g.devices[i] == d)
			a->g.devices[i].close_order = (struct uuid){ { 0 } };
	if (!is_under_way(a, &order))
		result(a, &order, 1, d->detail);
}
