/* provision.c - volume by volume: may it be overwritten, fetch the key, format, make the file system, say so. A volume has one part, or,
 * as a RAID 0 array, a task and a part for each of its members: those are formatted one after the other, and the file system is
 * made on all of them. */
#include "agent/guest/provision.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/guest/inventory.h"
#include "agent/guest/taskkey.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/word.h"

#define TELL_EVERY CLOCK_SECOND
#define HEADER_PERCENT 5         /* of the whole work, without and with a wipe */
#define WIPE_PERCENT 90

struct work;

struct part {
	struct work *work;
	const struct proto_task *task;
	const struct proto_device *found;
	struct uuid id;                  /* the server's, from the sealed key */
	struct secret *key;
	uint32_t version;
	int percent, told;
	clock_us told_at;
};

struct work {
	struct guest *g;
	struct provision_run *run;
	const char *name;                /* the device's id, or the array's */
	struct part parts[VOLUME_PARTS_MAX];     /* in their places */
	int count;
	struct device *device;           /* its row, for heartbeats; NULL while it has none */
	const struct part *failed;       /* of an array: by which it failed; NULL: by all of it */
	int withdrawn;
};

static int is_array(const struct work *w)
{
	return w->parts[0].task->raid_members > 0;
}

/* Cipher names of the task as parameters; anything else is refused rather than replaced. */
static int params_of(const struct part *p, struct volume_params *out)
{
	const struct proto_task *t = p->task;
	const struct guest *g = p->work->g;

	*out = (struct volume_params){ .key_bits = (unsigned)t->key_bits, .hash = t->hash[0] ? t->hash : NULL };
	if (strcmp(t->cipher, "aes") != 0)
		return err_set(ERR_UNSUPPORTED, "cipher %s is not supported", t->cipher);
	if (strcmp(t->mode, "xts-plain64") == 0)
		out->cipher = VOLUME_XTS;
	else if (strcmp(t->mode, "cbc-essiv:sha256") == 0)
		out->cipher = VOLUME_CBC_ESSIV;
	else
		return err_set(ERR_UNSUPPORTED, "mode %s is not supported", t->mode);
	out->wipe = agent_conf_flag(&g->conf, AGENT_WIPE);
	out->token = (struct volume_token){
		.account = g->reg.account, .device = p->id, .key_version = p->version, .keyslot = -1, .provisioning = 1
	};
	if (is_array(p->work)) {
		out->token.place = (struct volume_place){ .index = (uint32_t)t->raid_index, .count = (uint32_t)t->raid_members,
			.chunk = VOLUME_CHUNK };
		snprintf(out->token.place.array, sizeof out->token.place.array, "%s", t->raid_name);
	}
	snprintf(out->token.server, sizeof out->token.server, "%.*s", VOLUME_SERVER_MAX - 1, g->reg.url);
	return 0;
}

/* Before a key is fetched. A volume of ours may be one that was left unfinished, or finished without the server hearing
 * of it: which of them, only the key can tell. */
static int may_begin(const struct part *p)
{
	struct volume_report r;
	int rc;

	if (p->found == NULL)
		return err_set(ERR_NOT_FOUND, "this machine has no such device now");
	rc = volume_inspect(p->found->path, &r);
	if (rc < 0)
		return rc;
	if (r.content == VOLUME_OURS && uuid_equal(&r.token.account, &p->work->g->reg.account))
		return r.use == VOLUME_FREE ? 0 : err_set(ERR_BUSY, "%s", r.use_text);
	return volume_may_overwrite(&r, &p->id, p->task->overwrite);
}

/* An array is begun with all its members or not at all. */
static int may_begin_all(struct work *w)
{
	const struct proto_task *t = w->parts[0].task;
	int rc = 0;

	if (is_array(w) && w->count != t->raid_members)
		return err_set(ERR_NOT_FOUND, "%d of %d devices of the RAID are here", w->count, (int)t->raid_members);
	for (int i = 0; rc == 0 && i < w->count; i++) {
		rc = w->parts[i].task->raid_index == i ? may_begin(&w->parts[i]) : err_set(ERR_INVALID, "the RAID has no device %d", i);
		w->failed = &w->parts[i];
	}
	return rc;
}

static int fetch_key(struct part *p)
{
	struct task_key key;
	int rc = taskkey_fetch_for(p->work->g, PROTO_PROVISION_START, p->task->device, &key);

	if (rc == 0) {
		p->id = key.device;
		p->version = key.version;
		p->key = key.key;
	}
	return rc;
}

static int fetch_keys(struct work *w)
{
	int rc = 0;

	for (int i = 0; rc == 0 && i < w->count; i++) {
		rc = fetch_key(&w->parts[i]);
		w->failed = &w->parts[i];
	}
	return rc;
}

/* MORE has room for all parts. */
static struct volume_open_params open_params(const struct work *w, const char *name, struct volume_part *more)
{
	for (int i = 1; i < w->count; i++)
		more[i - 1] = (struct volume_part){ w->parts[i].found->path, w->parts[i].key };
	return (struct volume_open_params){ .path = w->parts[0].found->path, .name = name, .more = more,
		.more_count = (size_t)w->count - 1, .chunk = VOLUME_CHUNK };
}

/* The part as an earlier run has made it, for the key that it has now. READY: nothing was left to do on it. */
static int is_made(const struct part *p, int *ready)
{
	struct volume_report r;

	if (volume_inspect(p->found->path, &r) < 0 || r.content != VOLUME_OURS || !uuid_equal(&r.token.device, &p->id)
		|| r.token.key_version != p->version || strcmp(r.token.place.array, is_array(p->work) ? p->task->raid_name : "") != 0
		|| (is_array(p->work) && r.token.place.index != (uint32_t)p->task->raid_index))
		return 0;
	*ready = !r.token.provisioning;
	return 1;
}

/* The finished volume of an earlier run whose last word did not reach the server: known by the key that opens it. The mark is taken
 * from an array's members one after the other when its file system is made: one without it tells that of all. */
static int is_finished(struct work *w)
{
	struct volume_part more[VOLUME_PARTS_MAX];
	struct volume_open_params params = open_params(w, "keyward-check", more);
	char block[VOLUME_TEXT_MAX];
	int ready = 0, one = 0;

	for (int i = 0; i < w->count; i++) {
		if (!is_made(&w->parts[i], &one))
			return 0;
		ready += one;
	}
	params.read_only = 1;
	if (ready == 0 || volume_open(&w->g->env, w->g->engine, &params, w->parts[0].key, block) < 0)
		return 0;
	volume_close(&w->g->env, params.name, 0);
	for (int i = 0; i < w->count; i++)
		if (volume_ready(w->parts[i].found->path) < 0)
			return 0;
	return 1;
}

static void tell_progress(struct part *p)
{
	struct proto_provision_progress *m;
	clock_us now = clock_ticks();
	int cancel = 0;

	if (p->percent == p->told || now - p->told_at < TELL_EVERY)
		return;
	p->told = p->percent;
	p->told_at = now;
	m = proto_request_new(PROTO_PROVISION_PROGRESS);
	snprintf(m->device, sizeof m->device, "%s", p->task->device);
	m->percent = p->percent;
	/* Work goes on without the server: it is asked again at the end. */
	if (guest_tell(p->work->g, PROTO_PROVISION_PROGRESS, m, &cancel) == 0 && cancel)
		p->work->withdrawn = 1;
	proto_request_free(PROTO_PROVISION_PROGRESS, m);
}

static int overall(const struct guest *g, const char *stage, int percent)
{
	int wipes = agent_conf_flag(&g->conf, AGENT_WIPE), after = wipes ? WIPE_PERCENT : HEADER_PERCENT;

	if (strcmp(stage, "header") == 0)
		return percent * HEADER_PERCENT / 100;
	if (strcmp(stage, "wipe") == 0)
		return HEADER_PERCENT + percent * (WIPE_PERCENT - HEADER_PERCENT) / 100;
	return after + percent * (99 - after) / 100;
}

static int on_progress(void *ctx, const char *stage, int percent)
{
	struct part *p = ctx;
	struct work *w = p->work;
	int now = overall(w->g, stage, percent), all = 0;

	if (now > p->percent)
		p->percent = now;
	for (int i = 0; i < w->count; i++)
		all += w->parts[i].percent;
	if (w->device)
		device_say(w->device, "%s, %d %%", stage, all / w->count);
	tell_progress(p);
	if (w->run->progress && w->run->progress(w->run->ctx, w->name, stage, all / w->count))
		w->run->stopped = 1;
	return w->withdrawn || w->run->stopped;
}

/* The same of all parts at once. */
static int on_all(struct work *w, const char *stage, int percent)
{
	int stop = 0;

	for (int i = 0; i < w->count; i++)
		stop = on_progress(&w->parts[i], stage, percent);
	return stop ? err_set(ERR_CONFLICT, "interrupted while doing: %s", stage) : 0;
}

static int format_all(struct work *w)
{
	struct volume_params params;
	int rc = 0;

	for (int i = 0; rc == 0 && i < w->count; i++) {
		struct part *p = &w->parts[i];

		w->failed = p;
		rc = params_of(p, &params);
		if (rc == 0)
			rc = volume_format(p->found->path, &params, p->key, p->task->overwrite, on_progress, p);
	}
	return rc;
}

static int make_volume(struct work *w)
{
	const struct proto_task *first = w->parts[0].task;
	const char *fstype = first->filesystem[0] ? first->filesystem : "ext4";
	struct volume_part more[VOLUME_PARTS_MAX];
	struct volume_open_params params;
	char name[DEVICE_NAME_SIZE], label[VOLUME_LABEL_SIZE];
	int rc = format_all(w);

	if (rc < 0)
		return rc;
	w->failed = NULL;
	device_name(w->name, name);
	params = open_params(w, name, more);
	volume_label(fstype, w->count > 1 ? first->raid_name : first->label, label);
	rc = on_all(w, "mkfs", 0);
	if (rc == 0)
		rc = volume_make_fs(&w->g->env, w->g->engine, &params, w->parts[0].key, fstype, label[0] ? label : NULL);
	if (rc == 0)
		rc = on_all(w, "mkfs", 100);
	for (int i = 0; rc == 0 && i < w->count; i++)
		rc = volume_ready(w->parts[i].found->path);
	return rc;
}

static int tell_done(struct work *w)
{
	struct proto_provision_done *d = proto_request_new(PROTO_PROVISION_DONE);
	int rc = 0;

	for (int i = 0; rc == 0 && i < w->count; i++) {
		const struct part *p = &w->parts[i];

		snprintf(d->device, sizeof d->device, "%s", p->task->device);
		inventory_luks_uuid(p->found->path, d->luks_uuid);
		d->key_version = p->version;
		rc = guest_tell(w->g, PROTO_PROVISION_DONE, d, NULL);
	}
	proto_request_free(PROTO_PROVISION_DONE, d);
	return rc;
}

static void tell_failed(struct work *w, const char *reason)
{
	struct proto_provision_failed *f = proto_request_new(PROTO_PROVISION_FAILED);

	snprintf(f->device, sizeof f->device, "%s", (w->failed ? w->failed : &w->parts[0])->task->device);
	snprintf(f->reason, sizeof f->reason, "%s", reason);
	if (guest_tell(w->g, PROTO_PROVISION_FAILED, f, NULL) < 0)
		log_warning("the server could not be told of it", "device", w->name, "reason", err_text(), NULL);
	proto_request_free(PROTO_PROVISION_FAILED, f);
}

static int encrypt(struct work *w)
{
	int rc = may_begin_all(w);

	if (rc == 0)
		rc = fetch_keys(w);
	if (rc < 0)
		return rc;
	if (is_finished(w)) {
		log_info("device was encrypted already by an earlier run", "device", w->name, NULL);
		return 0;
	}
	log_info("encrypting a device", "device", w->name, "path", w->parts[0].found->path, "mode", w->parts[0].task->mode,
		"filesystem", w->parts[0].task->filesystem, NULL);
	return make_volume(w);
}

/* A row for heartbeats to show, and for the request that follows when it is done. */
static void enter(struct work *w)
{
	const struct part *p = &w->parts[0];

	w->device = p->found ? guest_device_add(w->g, w->name, is_array(w) ? "" : p->found->path) : NULL;
	if (w->device == NULL)
		return;
	if (p->task->mount_point[0])
		snprintf(w->device->mount_point, sizeof w->device->mount_point, "%s", p->task->mount_point);
	w->device->access = p->task->access;
	if (device_move(w->device, DEVICE_EVENT_PROVISION) < 0)
		w->device = NULL;
}

static void leave(struct work *w, int rc, const char *reason)
{
	if (w->device == NULL)
		return;
	device_move(w->device, rc == 0 ? DEVICE_EVENT_PROVISIONED : DEVICE_EVENT_FAIL);
	w->device->wake = rc == 0 ? clock_ticks() : DEVICE_NEVER;
	if (!is_array(w))
		w->device->key_device = w->parts[0].id;
	w->device->failures = 0;
	device_say(w->device, "%s", rc == 0 ? "encrypted" : reason);
}

/* Refusals that say nothing of the device: asking again later may do. */
static int is_passing(const struct guest *g, int rc)
{
	return g->client.refusal.code[0] && (rc == ERR_UNAVAILABLE || rc == ERR_TIMEOUT || rc == ERR_SEALED
		|| rc == ERR_TOO_MANY || rc == ERR_SUSPENDED || rc == ERR_DB || rc == ERR_INTERNAL);
}

/* The outcome for the server, unless the run was stopped: then the task stays as it is, for the next run. */
static void conclude(struct work *w, int rc)
{
	char reason[PROTO_TEXT_MAX + 1] = "";
	int failed = w->run->failed;

	if (rc < 0)
		snprintf(reason, sizeof reason, "%.*s", PROTO_TEXT_MAX, err_text());
	word_readable(reason);
	if (rc == 0) {
		rc = tell_done(w);
		w->run->done++;
		log_info("device is encrypted", "device", w->name, NULL);
		if (rc < 0)
			log_warning("the server does not know yet; the next run tells it", "device", w->name, NULL);
		rc = 0;
	} else if (w->run->stopped) {
		log_info("encryption interrupted; the next run continues", "device", w->name, NULL);
	} else if (w->withdrawn) {
		log_info("encryption withdrawn by the server", "device", w->name, NULL);
	} else if (w->g->offline || is_passing(w->g, rc)) {
		w->run->waiting++;
		log_warning("encryption waits for the server", "device", w->name, "reason", reason, NULL);
	} else {
		w->run->failed++;
		log_error("device cannot be encrypted", "device", w->name, "reason", reason, NULL);
		tell_failed(w, reason);
	}
	leave(w, rc, reason);
	for (int i = 0; w->run->ended && (rc == 0 || w->run->failed > failed) && i < w->count; i++)
		w->run->ended(w->run->ctx, w->parts[i].task->device, rc == 0 ? NULL : reason);
}

/* The tasks of one volume, from TASKS of which LEFT are left: one, or all of an array's that are there. How many. */
static int gather(struct work *w, const struct proto_task *tasks, int left)
{
	w->name = tasks[0].raid_members > 0 ? tasks[0].raid_name : tasks[0].device;
	do {
		const struct proto_task *t = &tasks[w->count];

		w->parts[w->count++] = (struct part){ .work = w, .task = t, .found = guest_found(w->g, t->device), .told = -1 };
	} while (w->count < left && w->count < VOLUME_PARTS_MAX && tasks[0].raid_members > 0
		&& tasks[w->count].raid_members > 0 && strcmp(tasks[w->count].raid_name, w->name) == 0);
	return w->count;
}

static int carry_out(struct guest *g, struct provision_run *run, const struct proto_task *tasks, int left)
{
	struct work w = { .g = g, .run = run };
	int count = gather(&w, tasks, left);

	enter(&w);
	conclude(&w, encrypt(&w));
	for (int i = 0; i < count; i++)
		secret_free(w.parts[i].key);
	return count;
}

int provision(struct guest *g, struct provision_run *run)
{
	struct proto_empty nothing = { 0 };
	struct proto_provisioning_answer *a = proto_answer_new(PROTO_PROVISIONING);
	int lock = guest_lock(g, "provision");
	int rc = lock < 0 ? lock : guest_call(g, PROTO_PROVISIONING, &nothing, a);

	run->tasks = run->done = run->failed = run->waiting = run->stopped = 0;
	if (rc == 0)
		run->tasks = a->tasks_count;
	for (int i = 0; rc == 0 && i < a->tasks_count && !run->stopped;)
		i += carry_out(g, run, &a->tasks[i], a->tasks_count - i);
	if (rc == 0 && run->tasks > 0)
		inventory_scan(g);
	if (lock >= 0)
		close(lock);
	proto_answer_free(PROTO_PROVISIONING, a);
	return rc;
}
