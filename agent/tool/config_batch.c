/* config_batch.c - keyward-config --devices: proposes what the batch file says to the server, and tells what became of each device. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/guest/inventory.h"
#include "agent/tool/columns.h"
#include "agent/tool/tool.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

enum outcome { NOT_YET, PROPOSED, WAITING, ENCRYPTED, FAILED };

static const char *const outcome_names[] = { "not-proposed", "requested", "waiting", "encrypted", "failed" };

struct tool_batch {
	struct batch file;
	struct { enum outcome outcome; char detail[PROTO_TEXT_MAX + 1]; } results[PROTO_DEVICES_MAX];
};

static void conclude(struct tool_batch *b, int i, enum outcome outcome, const char *detail)
{
	b->results[i].outcome = outcome;
	snprintf(b->results[i].detail, sizeof b->results[i].detail, "%s", detail);
}

int batch_read(struct tool *t)
{
	struct buf text = BUF_INIT, mistakes = BUF_INIT;
	int rc = file_read(t->o.devices, BATCH_FILE_MAX, &text);

	t->batch = mem_alloc(sizeof *t->batch);
	if (rc == 0)
		rc = batch_parse(buf_str(&text), text.len, &t->batch->file, &mistakes);
	if (rc == ERR_INVALID)
		err_set(rc, "%s:\n%.*s", t->o.devices, (int)(mistakes.len ? mistakes.len - 1 : 0), buf_str(&mistakes));
	buf_free(&mistakes);
	buf_free(&text);
	return rc < 0 ? ERR_INVALID : 0;
}

void batch_free(struct tool *t)
{
	free(t->batch);
	t->batch = NULL;
}

/* By its id, or by its path. */
static const struct proto_device *match(const struct tool *t, const char *name)
{
	const struct proto_inventory *inv = t->g.found;

	for (int i = 0; i < inv->devices_count; i++)
		if (strcmp(inv->devices[i].id, name) == 0 || strcmp(inv->devices[i].path, name) == 0)
			return &inv->devices[i];
	return NULL;
}

/* Ids as the inventory has them; what is not there is failed already. */
static void match_all(struct tool *t)
{
	struct tool_batch *b = t->batch;

	for (int i = 0; i < b->file.count; i++) {
		const struct proto_device *found = match(t, b->file.devices[i].want.device);

		if (found == NULL)
			conclude(b, i, FAILED, "this machine has no such device; --get-device-list shows the ids");
		else
			snprintf(b->file.devices[i].want.device, sizeof b->file.devices[i].want.device, "%s", found->id);
	}
}

static void take_answer(struct tool_batch *b, int i, const struct proto_proposal_answer *a)
{
	int there = strcmp(a->status, "encrypted") == 0 || strcmp(a->status, "in-use") == 0;

	if (a->outcome == PROTO_PROPOSAL_APPLIED)
		conclude(b, i, PROPOSED, "encryption is requested");
	else if (a->outcome == PROTO_PROPOSAL_WAITING)
		conclude(b, i, WAITING, "a person has to accept it in the console");
	else if (there)
		conclude(b, i, ENCRYPTED, "it is so already");
	else if (strcmp(a->status, "configured") == 0)
		conclude(b, i, WAITING, "it is configured so; Encrypt in the console begins");
	else
		conclude(b, i, PROPOSED, "it is on its way already");
}

/* What keeps all of them from being proposed, or 0. */
static int propose(struct tool *t, int i)
{
	struct proto_proposal_answer *a = proto_answer_new(PROTO_PROPOSE);
	int rc = guest_call(&t->g, PROTO_PROPOSE, &t->batch->file.devices[i].want, a);

	if (rc == 0)
		take_answer(t->batch, i, a);
	else if (t->g.client.refusal.code[0] && rc != ERR_UNAUTHENTICATED && rc != ERR_SUSPENDED)
		conclude(t->batch, i, FAILED, err_text());
	proto_answer_free(PROTO_PROPOSE, a);
	return t->batch->results[i].outcome == NOT_YET ? rc : 0;
}

static int count(const struct tool_batch *b, enum outcome outcome)
{
	int n = 0;

	for (int i = 0; i < b->file.count; i++)
		n += b->results[i].outcome == outcome;
	return n;
}

enum tool_exit batch_propose(struct tool *t)
{
	enum tool_exit code = tool_link(t);
	int rc = code == TOOL_OK ? inventory_scan(&t->g) : 0;

	if (code != TOOL_OK)
		return code;
	/* The server must know the devices as they are now before it is asked about them. */
	if (rc == 0)
		rc = inventory_publish(&t->g);
	if (rc == 0)
		match_all(t);
	for (int i = 0; rc == 0 && i < t->batch->file.count; i++)
		if (t->batch->results[i].outcome == NOT_YET)
			rc = propose(t, i);
	if (rc < 0) {
		code = tool_failed(t, rc, "the devices could not be proposed");
		batch_show(t);
		return code;
	}
	tool_wake_agent(&t->g);
	return t->o.with_provisioning ? TOOL_OK : batch_show(t);
}

void batch_ended(struct tool *t, const char *device, const char *reason)
{
	struct tool_batch *b = t->batch;

	for (int i = 0; b && i < b->file.count; i++)
		if (strcmp(b->file.devices[i].want.device, device) == 0)
			conclude(b, i, reason ? FAILED : ENCRYPTED, reason ? reason : "");
}

static int is_ours(const struct tool *t, const char *device)
{
	for (int i = 0; i < t->g.devices_count; i++)
		if (strcmp(t->g.devices[i].id, device) == 0)
			return 1;
	return 0;
}

static int is_task(const struct proto_provisioning_answer *a, const char *device)
{
	for (int i = 0; i < a->tasks_count; i++)
		if (strcmp(a->tasks[i].device, device) == 0)
			return 1;
	return 0;
}

void batch_watch(struct tool *t, const struct proto_provisioning_answer *a)
{
	struct tool_batch *b = t->batch;

	for (int i = 0; i < b->file.count; i++) {
		const char *device = b->file.devices[i].want.device;
		enum outcome now = b->results[i].outcome;

		if (now != PROPOSED && now != WAITING)
			continue;
		if (is_task(a, device))
			b->results[i].outcome = PROPOSED;
		else if (is_ours(t, device))
			conclude(b, i, ENCRYPTED, "by keyward-agent");
		else if (now == PROPOSED)
			conclude(b, i, FAILED, "keyward-agent could not encrypt it: its log and the console say why");
	}
}

int batch_is_over(const struct tool *t)
{
	return count(t->batch, PROPOSED) + count(t->batch, WAITING) + count(t->batch, NOT_YET) == 0;
}

enum tool_exit batch_show(struct tool *t)
{
	struct columns c = { .count = 4 };
	struct tool_batch *b = t->batch;
	json_t *list = json_array();
	int failed = count(b, FAILED);

	columns_add(&c, (const char *[]){ "SECTION", "RESULT", "MOUNT POINT", "DEVICE" });
	for (int i = 0; i < b->file.count; i++) {
		const struct batch_device *d = &b->file.devices[i];
		const char *result = outcome_names[b->results[i].outcome], *detail = b->results[i].detail;
		char *device = mem_printf("%s%s%s", d->want.device, *detail ? ": " : "", detail);

		columns_add(&c, (const char *[]){ d->section, result, d->want.mount_point, device });
		free(device);
		json_array_append_new(list, json_pack("{s:s, s:i, s:s, s:s, s:s, s:s}", "section", d->section, "line", d->line, "device",
			d->want.device, "mountpoint", d->want.mount_point, "result", result, "detail", detail));
	}
	tool_end_bar();
	if (!t->o.quiet && !t->o.json)
		columns_print(&c);
	columns_free(&c);
	json_object_set_new(t->result, "batch", list);
	if (failed)
		return tool_complain(t, TOOL_FAILURE, "%d of %d devices failed", failed, b->file.count);
	return TOOL_OK;
}
