/* provision.c - task by task: may it be overwritten, fetch the key, format, make the file system, say so. */
#include "agent/provision.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/claims.h"
#include "agent/inventory.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "proto/evidence.h"

#define TELL_EVERY CLOCK_SECOND
#define HEADER_PERCENT 5         /* of the whole work, without and with a wipe */
#define WIPE_PERCENT 90

struct work {
	struct guest *g;
	struct provision_run *run;
	const struct proto_task *task;
	const struct proto_device *found;
	struct device *device;           /* its row, for heartbeats; NULL while it has none */
	struct sealed *one_time;
	struct uuid id;                  /* the server's, from the sealed key */
	struct secret *key;
	uint32_t version;
	int percent, told;
	clock_us told_at;
	int withdrawn;
};

/* Cipher names of the task as parameters; anything else is refused rather than replaced. */
static int params_of(const struct work *w, struct volume_params *out)
{
	const struct proto_task *t = w->task;

	*out = (struct volume_params){ .key_bits = (unsigned)t->key_bits, .hash = t->hash[0] ? t->hash : NULL };
	if (strcmp(t->cipher, "aes") != 0)
		return err_set(ERR_UNSUPPORTED, "cipher %s is not supported", t->cipher);
	if (strcmp(t->mode, "xts-plain64") == 0)
		out->cipher = VOLUME_XTS;
	else if (strcmp(t->mode, "cbc-essiv:sha256") == 0)
		out->cipher = VOLUME_CBC_ESSIV;
	else
		return err_set(ERR_UNSUPPORTED, "mode %s is not supported", t->mode);
	out->wipe = agent_conf_flag(&w->g->conf, AGENT_WIPE);
	out->token = (struct volume_token){
		.account = w->g->reg.account, .device = w->id, .key_version = w->version, .keyslot = -1, .provisioning = 1
	};
	snprintf(out->token.server, sizeof out->token.server, "%.*s", VOLUME_SERVER_MAX - 1, w->g->reg.url);
	return 0;
}

static const struct proto_device *find(const struct guest *g, const char *id)
{
	for (int i = 0; i < g->found->devices_count; i++)
		if (strcmp(g->found->devices[i].id, id) == 0)
			return &g->found->devices[i];
	return NULL;
}

/* Before a key is fetched. A volume of ours may be one that was left unfinished, or finished without the server hearing
 * of it: which of them, only the key can tell. */
static int may_begin(const struct work *w)
{
	struct volume_report r;
	int rc;

	if (w->found == NULL)
		return err_set(ERR_NOT_FOUND, "this machine has no such device now");
	if (w->task->raid_members > 0)
		return err_set(ERR_UNSUPPORTED, "members of a RAID are not supported by this version");
	rc = volume_inspect(w->found->path, &r);
	if (rc < 0)
		return rc;
	if (r.content == VOLUME_OURS && uuid_equal(&r.token.account, &w->g->reg.account))
		return r.use == VOLUME_FREE ? 0 : err_set(ERR_BUSY, "%s", r.use_text);
	return volume_may_overwrite(&r, &w->id, w->task->overwrite);
}

static int unseal(struct work *w, const struct proto_provision_start_answer *a)
{
	struct sealed_expected expected = {
		.tenant = w->g->reg.account, .agent = w->g->reg.agent, .version = (uint32_t)a->key_version
	};
	int rc = claims_read(a->sealed, &expected);

	if (rc == 0)
		rc = sealed_open(w->one_time, a->sealed, strlen(a->sealed), &expected, &w->key);
	if (rc == 0) {
		w->id = expected.device;
		w->version = expected.version;
	}
	return rc;
}

static int fetch_key(struct work *w)
{
	struct proto_provision_start *r = proto_request_new(PROTO_PROVISION_START);
	struct proto_provision_start_answer *a = proto_answer_new(PROTO_PROVISION_START);
	struct proto_recipient recipient = { w->g->reg.account, w->g->reg.agent, w->task->device, r->recipient_key };
	int rc = sealed_new(&w->one_time);

	if (rc == 0) {
		snprintf(r->device, sizeof r->device, "%s", w->task->device);
		sealed_public(w->one_time, r->recipient_key);
		rc = proto_recipient_sign(&recipient, &w->g->client.signer, r->signature);
	}
	if (rc == 0)
		rc = guest_call(w->g, PROTO_PROVISION_START, r, a);
	if (rc == 0)
		rc = unseal(w, a);
	sealed_free(w->one_time);
	w->one_time = NULL;
	proto_answer_free(PROTO_PROVISION_START, a);
	proto_request_free(PROTO_PROVISION_START, r);
	return rc;
}

/* The finished volume of an earlier run whose last word did not reach the server: known by the key that opens it. */
static int is_finished(struct work *w)
{
	struct volume_open_params params = { w->found->path, "keyward-check", 1, 0 };
	char block[VOLUME_TEXT_MAX];
	struct volume_report r;

	if (volume_inspect(w->found->path, &r) < 0 || r.content != VOLUME_OURS || r.token.provisioning
		|| !uuid_equal(&r.token.device, &w->id) || r.token.key_version != w->version)
		return 0;
	if (volume_open(&w->g->env, w->g->engine, &params, w->key, block) < 0)
		return 0;
	volume_close(&w->g->env, params.name, 0);
	return 1;
}

static void tell_progress(struct work *w)
{
	struct proto_provision_progress *p;
	clock_us now = clock_ticks();
	int cancel = 0;

	if (w->percent == w->told || now - w->told_at < TELL_EVERY)
		return;
	w->told = w->percent;
	w->told_at = now;
	p = proto_request_new(PROTO_PROVISION_PROGRESS);
	snprintf(p->device, sizeof p->device, "%s", w->task->device);
	p->percent = w->percent;
	/* Work goes on without the server: it is asked again at the end. */
	if (guest_tell(w->g, PROTO_PROVISION_PROGRESS, p, &cancel) == 0 && cancel)
		w->withdrawn = 1;
	proto_request_free(PROTO_PROVISION_PROGRESS, p);
}

static int overall(const struct work *w, const char *stage, int percent)
{
	int wipes = agent_conf_flag(&w->g->conf, AGENT_WIPE), after = wipes ? WIPE_PERCENT : HEADER_PERCENT;

	if (strcmp(stage, "header") == 0)
		return percent * HEADER_PERCENT / 100;
	if (strcmp(stage, "wipe") == 0)
		return HEADER_PERCENT + percent * (WIPE_PERCENT - HEADER_PERCENT) / 100;
	return after + percent * (99 - after) / 100;
}

static int on_progress(void *ctx, const char *stage, int percent)
{
	struct work *w = ctx;
	int now = overall(w, stage, percent);

	if (now > w->percent)
		w->percent = now;
	if (w->device)
		device_say(w->device, "%s, %d %%", stage, w->percent);
	tell_progress(w);
	if (w->run->progress && w->run->progress(w->run->ctx, w->task->device, stage, w->percent))
		w->run->stopped = 1;
	return w->withdrawn || w->run->stopped;
}

static int make_volume(struct work *w)
{
	struct volume_params params;
	char name[DEVICE_NAME_SIZE];
	int rc = params_of(w, &params);

	if (rc < 0)
		return rc;
	device_name(w->task->device, name);
	return volume_provision(&w->g->env, w->found->path, name, &params, w->key,
		w->task->filesystem[0] ? w->task->filesystem : "ext4", NULL, w->task->overwrite, on_progress, w);
}

static int tell_done(struct work *w)
{
	struct proto_provision_done *d = proto_request_new(PROTO_PROVISION_DONE);
	int rc;

	snprintf(d->device, sizeof d->device, "%s", w->task->device);
	inventory_luks_uuid(w->found->path, d->luks_uuid);
	d->key_version = w->version;
	rc = guest_tell(w->g, PROTO_PROVISION_DONE, d, NULL);
	proto_request_free(PROTO_PROVISION_DONE, d);
	return rc;
}

static void tell_failed(struct work *w, const char *reason)
{
	struct proto_provision_failed *f = proto_request_new(PROTO_PROVISION_FAILED);

	snprintf(f->device, sizeof f->device, "%s", w->task->device);
	snprintf(f->reason, sizeof f->reason, "%s", reason);
	if (guest_tell(w->g, PROTO_PROVISION_FAILED, f, NULL) < 0)
		log_warning("the server could not be told of it", "device", w->task->device, "reason", err_text(), NULL);
	proto_request_free(PROTO_PROVISION_FAILED, f);
}

static int encrypt(struct work *w)
{
	int rc = may_begin(w);

	if (rc == 0)
		rc = fetch_key(w);
	if (rc < 0)
		return rc;
	if (is_finished(w)) {
		log_info("device was encrypted already by an earlier run", "device", w->task->device, NULL);
		return 0;
	}
	log_info("encrypting a device", "device", w->task->device, "path", w->found->path, "mode", w->task->mode,
		"filesystem", w->task->filesystem, NULL);
	return make_volume(w);
}

/* A row for heartbeats to show, and for the request that follows when it is done. */
static void enter(struct work *w)
{
	w->device = w->found ? guest_device_add(w->g, w->task->device, w->found->path) : NULL;
	if (w->device == NULL)
		return;
	if (w->task->mount_point[0])
		snprintf(w->device->mount_point, sizeof w->device->mount_point, "%s", w->task->mount_point);
	w->device->access = w->task->access;
	if (device_move(w->device, DEVICE_EVENT_PROVISION) < 0)
		w->device = NULL;
}

static void leave(struct work *w, int rc, const char *reason)
{
	if (w->device == NULL)
		return;
	device_move(w->device, rc == 0 ? DEVICE_EVENT_PROVISIONED : DEVICE_EVENT_FAIL);
	w->device->wake = rc == 0 ? clock_ticks() : DEVICE_NEVER;
	w->device->key_device = w->id;
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
	if (rc == 0) {
		rc = tell_done(w);
		w->run->done++;
		log_info("device is encrypted", "device", w->task->device, NULL);
		if (rc < 0)
			log_warning("the server does not know yet; the next run tells it", "device", w->task->device, NULL);
		rc = 0;
	} else if (w->run->stopped) {
		log_info("encryption interrupted; the next run continues", "device", w->task->device, NULL);
	} else if (w->withdrawn) {
		log_info("encryption withdrawn by the server", "device", w->task->device, NULL);
	} else if (w->g->offline || is_passing(w->g, rc)) {
		w->run->waiting++;
		log_warning("encryption waits for the server", "device", w->task->device, "reason", reason, NULL);
	} else {
		w->run->failed++;
		log_error("device cannot be encrypted", "device", w->task->device, "reason", reason, NULL);
		tell_failed(w, reason);
	}
	leave(w, rc, reason);
	if (w->run->ended && (rc == 0 || w->run->failed > failed))
		w->run->ended(w->run->ctx, w->task->device, rc == 0 ? NULL : reason);
}

static void carry_out(struct guest *g, struct provision_run *run, const struct proto_task *task)
{
	struct work w = { .g = g, .run = run, .task = task, .found = find(g, task->device), .told = -1 };

	enter(&w);
	conclude(&w, encrypt(&w));
	secret_free(w.key);
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
	for (int i = 0; rc == 0 && i < a->tasks_count && !run->stopped; i++)
		carry_out(g, run, &a->tasks[i]);
	if (rc == 0 && run->tasks > 0)
		inventory_scan(g);
	if (lock >= 0)
		close(lock);
	proto_answer_free(PROTO_PROVISIONING, a);
	return rc;
}
