/* await.c - waiting for what people decide in the console: provisioning, and keys to mount with. Where keyward-agent
 * runs, it does the work, and this only watches. */
#include <stdio.h>
#include <string.h>

#include "agent/guest/inventory.h"
#include "agent/guest/provision.h"
#include "agent/guest/request.h"
#include "agent/tool/tool.h"
#include "base/err.h"
#include "base/log.h"

#define POLL_SECONDS 5
#define HELD_LOOKS 10            /* a volume that the agent is just opening is in use for a moment before it is known to be its */

/* What is decided when nobody waits here any more is not lost: who is to do it then. */
static void say_who_goes_on(struct tool *t)
{
	tool_say(t, tool_agent_runs(&t->g) ? "keyward-agent goes on with what is decided later."
		: "What is decided later is done by keyward-agent: systemctl enable --now keyward-agent, or run this again.");
}

static enum tool_exit timed_out(struct tool *t, const char *what)
{
	say_who_goes_on(t);
	return tool_complain(t, TOOL_TIMED_OUT, "%s within %ld minutes (--timeout)", what, t->o.timeout);
}

static enum tool_exit interrupted(struct tool *t)
{
	say_who_goes_on(t);
	return tool_complain(t, TOOL_INTERRUPTED, "interrupted; what was not finished can be begun again");
}

static int on_progress(void *ctx, const char *device, const char *stage, int percent)
{
	tool_progress(ctx, device, stage, percent);
	return tool_interrupted();
}

static void on_end(void *ctx, const char *device, const char *reason)
{
	struct tool *t = ctx;
	json_t *list = json_object_get(t->result, "provisioned");

	if (list == NULL) {
		list = json_array();
		json_object_set_new(t->result, "provisioned", list);
	}
	json_array_append_new(list, json_pack("{s:s, s:b, s:s?}", "device", device, "ok", reason == NULL, "reason", reason));
	tool_say(t, "%s: %s%s", device, reason ? "failed: " : "encrypted", reason ? reason : "");
	batch_ended(t, device, reason);
}

struct watch {
	int ours_at_first;       /* finished volumes of this account */
	int seen;                /* tasks were there */
	int failed, offline_told;
};

/* What the agent does: tasks that were there and are no more, or volumes that have come. */
static int watch_agent(struct tool *t, struct watch *w, int *over)
{
	struct proto_empty nothing = { 0 };
	struct proto_provisioning_answer *a = proto_answer_new(PROTO_PROVISIONING);
	int rc = guest_call(&t->g, PROTO_PROVISIONING, &nothing, a);

	if (rc == 0)
		inventory_scan(&t->g);
	if (rc == 0 && a->tasks_count > 0 && !w->seen)
		tool_say(t, "keyward-agent is at work on %d device%s.", a->tasks_count, a->tasks_count == 1 ? "" : "s");
	if (rc == 0) {
		w->seen |= a->tasks_count > 0;
		*over = a->tasks_count == 0 && (w->seen || t->g.devices_count > w->ours_at_first);
		if (t->batch) {
			batch_watch(t, a);
			*over = batch_is_over(t);
		}
	}
	proto_answer_free(PROTO_PROVISIONING, a);
	return rc;
}

static int work_here(struct tool *t, struct watch *w, int *over)
{
	struct provision_run run = { .progress = on_progress, .ended = on_end, .ctx = t };
	int rc = inventory_scan(&t->g);

	if (rc == 0)
		rc = provision(&t->g, &run);
	if (rc == ERR_BUSY && !t->g.client.refusal.code[0])
		return watch_agent(t, w, over);
	if (rc < 0)
		return rc;
	w->seen |= run.done > 0;
	w->failed += run.failed;
	if (run.tasks > 0)
		tool_say(t, "Devices: %d encrypted, %d failed, %d waiting.", run.done, run.failed, run.waiting);
	*over = t->batch ? batch_is_over(t) : run.waiting == 0 && (w->seen || w->failed);
	return 0;
}

/* A server that is away is waited for; one that refuses is not. */
static int is_lasting(struct tool *t, struct watch *w, int rc)
{
	if (!t->g.offline)
		return 1;
	if (rc == ERR_UNAUTHENTICATED || rc == ERR_VERSION)
		return 1;
	if (!w->offline_told)
		tool_say(t, "The server cannot be reached (%s); waiting for it.", err_text());
	w->offline_told = 1;
	return 0;
}

static enum tool_exit given_up(struct tool *t)
{
	if (t->batch)
		batch_show(t);
	return tool_interrupted() ? interrupted(t)
		: timed_out(t, t->batch ? "not all devices were encrypted" : "no device was encrypted");
}

enum tool_exit await_provisioning(struct tool *t)
{
	enum tool_exit code = tool_link(t);
	struct watch w = { 0 };
	int over = 0, rc = code == TOOL_OK ? inventory_scan(&t->g) : 0;

	if (code != TOOL_OK)
		return code;
	if (rc < 0)
		return tool_failed(t, rc, "the devices cannot be listed");
	w.ours_at_first = t->g.devices_count;
	if (t->batch == NULL)
		tool_say(t, "Waiting for devices to be configured and encrypted in the console (Devices).");
	while (!over) {
		rc = tool_agent_runs(&t->g) ? watch_agent(t, &w, &over) : work_here(t, &w, &over);
		if (rc < 0 && is_lasting(t, &w, rc))
			return tool_failed(t, rc, "provisioning cannot go on");
		if (over)
			break;
		if (tool_interrupted() || clock_ticks() >= t->until)
			return given_up(t);
		tool_nap(POLL_SECONDS);
	}
	if (t->batch)
		return batch_show(t);
	tool_say(t, w.failed ? "Provisioning ended with failures; the console shows the reasons."
		: "Provisioning is done.");
	return w.failed ? TOOL_FAILURE : TOOL_OK;
}

static int any_held(const struct tool *t)
{
	for (int i = 0; i < t->g.devices_count; i++)
		if (t->g.devices[i].held)
			return 1;
	return 0;
}

/* Counts of devices that are mounted and that never will be without somebody's help; WAIT: what is in use may become free. */
static void count(const struct tool *t, int wait, int *open, int *lost)
{
	*open = *lost = 0;
	for (int i = 0; i < t->g.devices_count; i++) {
		const struct device *d = &t->g.devices[i];

		*open += d->state == DEVICE_OPEN;
		*lost += d->state == DEVICE_FAILED || d->state == DEVICE_DENIED || (d->held && !wait);
	}
}

static void step(struct tool *t)
{
	for (int i = 0; i < t->g.devices_count; i++) {
		struct device *d = &t->g.devices[i];
		enum device_state before = d->state;

		d->ask_reason = PROTO_REASON_USER;
		if (d->wake > clock_ticks() || device_rests(d))
			continue;
		if (d->state == DEVICE_WAITING)
			request_ask(&t->g, d);
		else if (d->state == DEVICE_PENDING)
			request_poll(&t->g, d);
		request_tell(&t->g, d);
		/* Who waits for a person should know it. */
		if (d->state == DEVICE_PENDING && before != DEVICE_PENDING)
			tool_say(t, "%s: its key waits to be approved in the console (Running Instances).", d->id);
	}
}

enum tool_exit await_mounts(struct tool *t)
{
	enum tool_exit code = tool_link(t);
	int open = 0, lost = 0, held = 0, watches, wanted, rc;

	if (code != TOOL_OK)
		return code;
	watches = tool_agent_runs(&t->g);
	t->g.tends = !watches;
	rc = inventory_scan(&t->g);
	if (rc < 0)
		return tool_failed(t, rc, "the devices cannot be listed");
	if (t->g.devices_count == 0)
		return tool_complain(t, TOOL_FAILURE, "this machine has no encrypted device of this account");
	wanted = t->g.devices_count;
	tool_say(t, watches ? "keyward-agent asks for the keys of %d device%s; what the policy does not release has to be approved in the console"
		" (Running Instances)." : "Asking for the keys of %d device%s.", wanted, wanted == 1 ? "" : "s");
	for (;;) {
		/* It may be started meanwhile; then it asks, and two would take each other's answers. */
		watches |= tool_agent_runs(&t->g);
		t->g.tends = !watches;
		if (watches)
			inventory_scan(&t->g);
		else
			step(t);
		/* A disk that was pulled meanwhile is not one that is mounted. */
		if (t->g.devices_count < wanted)
			return tool_complain(t, TOOL_FAILURE, "%d of %d encrypted devices %s not there any more", wanted - t->g.devices_count, wanted,
				wanted - t->g.devices_count == 1 ? "is" : "are");
		held = any_held(t) ? held + 1 : 0;
		count(t, watches && held < HELD_LOOKS, &open, &lost);
		if (open + lost == t->g.devices_count)
			break;
		if (tool_interrupted())
			return interrupted(t);
		if (clock_ticks() >= t->until)
			return timed_out(t, "not all volumes were mounted");
		tool_nap(1);
	}
	for (int i = 0; i < t->g.devices_count; i++)
		tool_say(t, "%s: %s, %s", t->g.devices[i].id, device_state_name(t->g.devices[i].state), t->g.devices[i].detail);
	return lost ? TOOL_FAILURE : TOOL_OK;
}
