/* beat.c - heartbeats: what the volumes are like goes out, orders come in. */
#include <stdio.h>
#include <string.h>

#include "agent/common/host.h"
#include "agent/daemon/daemon.h"
#include "base/err.h"
#include "base/log.h"

#define NEXT_STANDARD 60
#define NEXT_MOST 3600
#define WAIT_SLACK 15            /* seconds for the answer beyond what it is held back */
#define HOLD_STANDARD 50         /* seconds: proxies and firewalls cut a silent line after 60, most of them */
#define HOLD_LEAST 5             /* where a line breaks even sooner, holding it is of little use, but does no harm */
#define BREAKS 2                 /* in a row: it is the way that breaks them, not a server that was started again */
#define HOLD_AGAIN (60 * CLOCK_MINUTE)

static void add_volume(struct proto_heartbeat *h, const struct device *d)
{
	struct proto_volume *v = &h->volumes[h->volumes_count++];

	snprintf(v->device, sizeof v->device, "%s", d->id);
	snprintf(v->detail, sizeof v->detail, "%s", d->detail);
	v->status = device_status(d);
	v->request = d->request;
	v->pending = device_is_told(d);
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
	h->begun_count = order_list(a, h->begun);
}

static int64_t interval(const struct daemon *a, int64_t next_s)
{
	int64_t next = agent_conf_number(&a->g.conf, AGENT_HEARTBEAT);

	if (next == 0)
		next = next_s > 0 ? next_s : NEXT_STANDARD;
	return next < NEXT_MOST ? next : NEXT_MOST;
}

int64_t beat_hold(const struct daemon *a, clock_us until)
{
	int64_t left = (until - clock_ticks()) / CLOCK_SECOND, hold = a->hold_s ? a->hold_s : HOLD_STANDARD;
	int64_t wish = agent_conf_number(&a->g.conf, AGENT_HEARTBEAT);

	if (wish > 0 && wish < hold)
		hold = wish;
	return left < 0 ? 0 : left < hold ? left : hold;
}

/* What the server has decided is asked for at once: until then there was no need to. */
static void poll_now(struct daemon *a)
{
	for (int i = 0; i < a->g.devices_count; i++)
		if (a->g.devices[i].state == DEVICE_PENDING)
			a->g.devices[i].wake = clock_ticks();
}

static void results_told(struct daemon *a, int count)
{
	a->results_count -= count;
	memmove(a->results, a->results + count, (size_t)a->results_count * sizeof a->results[0]);
}

/* With an order that wants facts comes what they shall be of. */
static void take(struct daemon *a, const struct proto_heartbeat_answer *answer, const struct proto_order *o)
{
	if (o->kind == PROTO_ORDER_CHECK || o->kind == PROTO_ORDER_REQUEST_KEY)
		guest_watch(&a->g, answer->watch_files, answer->watch_files_count);
	order_take(a, o);
}

static void take_answer(struct daemon *a, int64_t wait, const struct proto_heartbeat_answer *answer)
{
	for (int i = 0; i < answer->orders_count; i++)
		take(a, answer, &answer->orders[i]);
	if (answer->poll)
		poll_now(a);
	if (wait > 0)
		a->holds = answer->held;
	if (answer->held)
		a->breaks = 0;
	if (clock_ticks() >= a->hold_until)
		a->hold_s = 0;
	/* A server that holds the line has the next heartbeat at once; one that does not says when. */
	a->beat_at = clock_ticks() + (answer->held ? 0 : device_jitter(interval(a, answer->next_s)));
}

/* The line broke while it was held, again: something between us and the server does not keep silent lines for so long. */
static void shorten(struct daemon *a, int64_t wait, clock_us began)
{
	int64_t lasted = (clock_ticks() - began) / CLOCK_SECOND;
	char text[24];

	if (lasted < 1 || ++a->breaks < BREAKS)
		return;
	lasted = (lasted < wait ? lasted : wait) * 3 / 4;
	a->hold_s = lasted > HOLD_LEAST ? lasted : HOLD_LEAST;
	a->hold_until = clock_ticks() + HOLD_AGAIN;
	snprintf(text, sizeof text, "%lld", (long long)a->hold_s);
	log_info("lines that wait for orders break on the way to the server; they are kept shorter", "seconds", text, NULL);
}

int beat(struct daemon *a, int64_t wait)
{
	struct proto_heartbeat *h = proto_request_new(PROTO_HEARTBEAT);
	struct proto_heartbeat_answer *answer = proto_answer_new(PROTO_HEARTBEAT);
	clock_us began = clock_ticks();
	int told, rc;

	fill(a, wait, h);
	told = h->results_count;
	link_set_limit(a->g.link, wait ? wait + WAIT_SLACK : LINK_SECONDS, wait > 0);
	link_set_note(a->g.link, wait ? daemon_while_held : NULL, a);
	rc = guest_call(&a->g, PROTO_HEARTBEAT, h, answer);
	link_set_limit(a->g.link, LINK_SECONDS, 0);
	link_set_note(a->g.link, NULL, NULL);
	if (rc == 0) {
		results_told(a, told);
		take_answer(a, wait, answer);
	} else if (link_was_woken(a->g.link)) {
		a->beat_at = clock_ticks();
	} else if (a->g.client.refusal.code[0]) {
		log_warning("the server refuses the heartbeat", "reason", err_text(), NULL);
		a->beat_at = clock_ticks() + device_jitter(guest_retry_after(&a->g, NEXT_STANDARD));
	} else if (wait > 0) {
		shorten(a, wait, began);
	}
	proto_answer_free(PROTO_HEARTBEAT, answer);
	proto_request_free(PROTO_HEARTBEAT, h);
	return rc;
}
