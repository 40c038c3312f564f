/* stop.c - the end: teardown, close all, tell the server. A volume that stays in use is left open rather than torn
 * away. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "agent/daemon/daemon.h"
#include "agent/guest/inventory.h"
#include "agent/guest/pool.h"
#include "agent/guest/request.h"
#include "base/err.h"
#include "base/log.h"

#define STEP_NS 500000000L
#define TELL_SECONDS 5           /* for each message: a stop must not hang on the network */

static int open_count(const struct daemon *a)
{
	int n = 0;

	for (int i = 0; i < a->g.devices_count; i++)
		n += a->g.devices[i].state == DEVICE_OPEN || a->g.devices[i].state == DEVICE_CLOSING;
	return n;
}

static void close_all(struct daemon *a)
{
	for (int i = 0; i < a->g.devices_count; i++) {
		struct device *d = &a->g.devices[i];

		if (d->state == DEVICE_OPEN)
			daemon_close_begin(a, d, PROTO_REASON_SHUTDOWN, 0);
		if (d->state == DEVICE_CLOSING && d->wake <= clock_ticks())
			request_close(&a->g, d);
	}
}

/* Where the server is away it learns of it from the heartbeats that stay out. */
static void say_goodbye(struct daemon *a)
{
	struct proto_bye bye = { PROTO_REASON_SHUTDOWN };
	struct guest *g = &a->g;

	g->next_try = 0;
	link_set_limit(g->link, TELL_SECONDS, 0);
	for (int i = 0; i < g->devices_count && guest_may_call(g); i++)
		request_tell(g, &g->devices[i]);
	if (a->results_count > 0 && guest_may_call(g))
		beat(a, 0);
	link_set_limit(g->link, TELL_SECONDS, 0);
	if (guest_tell(g, PROTO_BYE, &bye, NULL) < 0)
		log_warning("the server could not be told of the stop", "reason", err_text(), NULL);
}

int stop(struct daemon *a)
{
	static const struct timespec step = { 0, STEP_NS };
	clock_us until = clock_ticks() + agent_conf_number(&a->g.conf, AGENT_STOP_SECONDS) * CLOCK_SECOND;
	int left;

	log_info("stopping", NULL);
	/* Asked to stop before it has looked around: what an earlier run left open is to be closed as well. */
	if (a->g.registered && !a->g.scanned && inventory_scan(&a->g) < 0)
		log_error("the devices cannot be listed", "reason", err_text(), NULL);
	if (open_count(a) > 0)
		daemon_teardown(a, NULL, PROTO_REASON_SHUTDOWN);
	close_all(a);
	while ((left = open_count(a)) > 0 && clock_ticks() < until) {
		nanosleep(&step, NULL);
		close_all(a);
	}
	for (int i = 0; left && i < a->g.devices_count; i++)
		if (a->g.devices[i].state == DEVICE_CLOSING)
			log_error("a volume is LEFT OPEN because it is in use", "device", a->g.devices[i].id, "mounted",
				a->g.devices[i].mount_point, "reason", a->g.devices[i].detail, NULL);
	/* Of volumes that could not be opened. */
	for (int i = 0; i < a->g.devices_count; i++)
		if (a->g.devices[i].state != DEVICE_CLOSING)
			pool_return(&a->g, &a->g.devices[i]);
	if (a->g.link)
		say_goodbye(a);
	log_info("stopped", NULL);
	return left ? err_set(ERR_BUSY, "%d volumes are left open", left) : 0;
}
