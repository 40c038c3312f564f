/* rotate.c - see rotate.h. */
#include "agent/daemon/rotate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/guest/taskkey.h"
#include "base/err.h"
#include "base/log.h"

struct rotation {
	const char *id, *path;
	struct secret *old, *new;
	struct uuid device;              /* the server's id, of both keys */
	int64_t from, version;           /* of the old and of the new one */
};

/* By its own id: a device that was given in place of another has that other one's row. */
static const char *path_of(const struct guest *g, const char *id)
{
	const struct proto_device *found;

	for (int i = 0; i < g->devices_count; i++) {
		const struct device *d = &g->devices[i];

		if (strcmp(d->given[0] ? d->given : d->id, id) == 0 && d->path[0])
			return d->path;
	}
	found = guest_found(g, id);
	return found ? found->path : NULL;
}

static int fetch(struct guest *g, struct rotation *r)
{
	struct proto_provision_start *q = proto_request_new(PROTO_ROTATE_START);
	struct proto_rotate_start_answer *a = proto_answer_new(PROTO_ROTATE_START);
	struct task_key old = { .key = NULL }, new = { .key = NULL };
	struct sealed *one_time = NULL;
	int rc = guest_recipient(g, r->id, &one_time, q->recipient_key, q->signature);

	snprintf(q->device, sizeof q->device, "%s", r->id);
	if (rc == 0)
		rc = guest_call(g, PROTO_ROTATE_START, q, a);
	if (rc == 0)
		rc = taskkey_unseal(g, one_time, a->sealed, a->key_version, &old);
	if (rc == 0)
		rc = taskkey_unseal(g, one_time, a->next_sealed, a->next_version, &new);
	if (rc == 0 && !uuid_equal(&old.device, &new.device))
		rc = err_set(ERR_TAMPERED, "the two keys are of different devices");
	r->device = new.device;
	r->from = a->key_version;
	r->version = a->next_version;
	r->old = old.key;
	r->new = new.key;
	sealed_free(one_time);
	proto_answer_free(PROTO_ROTATE_START, a);
	proto_request_free(PROTO_ROTATE_START, q);
	return rc;
}

int rotate_tell(struct guest *g, enum proto_message what, const char *id, int64_t version)
{
	struct proto_rotate_step *m = proto_request_new(what);
	int rc;

	snprintf(m->device, sizeof m->device, "%s", id);
	m->key_version = version;
	rc = guest_tell(g, what, m, NULL);
	proto_request_free(what, m);
	return rc;
}

/* Until the server has taken the new key as the current one, the old one must open. */
static int change(struct guest *g, const struct rotation *r)
{
	struct volume_rekey k = { .old = r->old, .new = r->new, .version = (uint32_t)r->version, .device = r->device };
	int rc = volume_rekey_add(r->path, &k);

	if (rc == ERR_FORBIDDEN)
		rc = volume_rekey_explain(r->path, r->from);
	if (rc == 0)
		rc = rotate_tell(g, PROTO_ROTATE_ADDED, r->id, r->version);
	if (rc == 0)
		rc = volume_rekey_drop(r->path, &k);
	return rc < 0 ? rc : rotate_tell(g, PROTO_ROTATE_DONE, r->id, r->version);
}

/* What of this guest's work on devices must not be done at the same time. */
static int locked_change(struct guest *g, const struct rotation *r)
{
	int lock = guest_lock(g, "provision"), rc = lock < 0 ? lock : change(g, r);

	if (lock >= 0)
		close(lock);
	return rc;
}

int rotate(struct guest *g, const char *id)
{
	struct rotation r = { .id = id, .path = path_of(g, id) };
	char version[24];
	int rc = r.path ? fetch(g, &r) : err_set(ERR_NOT_FOUND, "this machine has no such device now");

	if (rc == 0)
		rc = locked_change(g, &r);
	secret_free(r.old);
	secret_free(r.new);
	if (rc < 0)
		return err_wrap(rc, "the key was not rotated");
	snprintf(version, sizeof version, "%lld", (long long)r.version);
	log_info("device key rotated", "device", id, "version", version, NULL);
	return 0;
}
