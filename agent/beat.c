/* beat.c - heartbeats: what the volumes are like goes out, orders come in. */
#include <stdio.h>
#include <string.h>

#include "agent/daemon.h"
#include "agent/host.h"
#include "base/err.h"
#include "base/log.h"

#define NEXT_STANDARD 60
#define NEXT_MOST 3600
#define WAIT_SLACK 15            /* seconds for the answer beyond what it is held back */

static void add_volume(struct proto_heartbeat *h, const struct device *d)
{
	struct proto_volume *v = &h->volumes[h->volumes_count++];

	snprintf(v->device, sizeof v->device, "%s", d->id);
	snprintf(v->detail, sizeof v->detail, "%s", d->detail);
	v->status = device_status(d);
	v->request = d->request;
}

static void fill(const struct daemon *a, int64_t wait, struct proto_heartbeat *h)
{
	const struct guest *g = &a->g;

	h->uptime_s = host_uptime();
	h->wait_s = wait;
	snprintf(h->log_level, sizeof h->log_level, "%s", a->log_level);
	snprintf(h->agent_version, sizeof h->agent_version, "%s", HOST_AGENT_VERSION);
	h->insecure_tls = g->reg.ignore_ssl_errors || agent_conf_flag(&g->conf, AGENT_IGNORE_SSL_ERRORS);
	for (int i = 0; i < g->devices_count; i++)
		add_volume(h, &g->devices[i]);
	h->results_count = a->results_count;
	memcpy(h->results, a->results, sizeof h->results);
}

/* A server that holds the line has the next heartbeat at once; one that answers at once says when. */
static void set_next(struct daemon *a, int64_t wait, clock_us began, int64_t next_s, int orders)
{
	clock_us now = clock_ticks();
	int64_t next = agent_conf_number(&a->g.conf, AGENT_HEARTBEAT);

	if (next == 0)
		next = next_s > 0 ? next_s : NEXT_STANDARD;
	if (next > NEXT_MOST)
		next = NEXT_MOST;
	if (orders > 0 || (wait > 1 && now - began >= (wait - 1) * CLOCK_SECOND))
		a->beat_at = now;
	else
		a->beat_at = now + device_jitter(next);
}

/* With an order that wants facts comes what they shall be of. */
static void take(struct daemon *a, const struct proto_heartbeat_answer *answer, const struct proto_order *o)
{
	if (o->kind == PROTO_ORDER_CHECK || o->kind == PROTO_ORDER_REQUEST_KEY)
		guest_watch(&a->g, answer->watch_files, answer->watch_files_count);
	order_take(a, o);
}

int beat(struct daemon *a, int64_t wait)
{
	struct proto_heartbeat *h = proto_request_new(PROTO_HEARTBEAT);
	struct proto_heartbeat_answer *answer = proto_answer_new(PROTO_HEARTBEAT);
	clock_us began = clock_ticks();
	int rc;

	fill(a, wait, h);
	link_set_limit(a->g.link, wait ? wait + WAIT_SLACK : LINK_SECONDS, wait > 0);
	rc = guest_call(&a->g, PROTO_HEARTBEAT, h, answer);
	link_set_limit(a->g.link, LINK_SECONDS, 0);
	if (rc == 0) {
		a->results_count = 0;
		for (int i = 0; i < answer->orders_count; i++)
			take(a, answer, &answer->orders[i]);
		set_next(a, wait, began, answer->next_s, answer->orders_count);
	} else if (link_was_woken(a->g.link)) {
		a->beat_at = clock_ticks();
	} else if (a->g.client.refusal.code[0]) {
		log_warning("the server refuses the heartbeat", "reason", err_text(), NULL);
		a->beat_at = clock_ticks() + device_jitter(guest_retry_after(&a->g, NEXT_STANDARD));
	}
	proto_answer_free(PROTO_HEARTBEAT, answer);
	proto_request_free(PROTO_HEARTBEAT, h);
	return rc;
}
