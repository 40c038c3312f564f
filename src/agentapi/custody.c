/* custody.c - volumes that change hands (VOL-7): an agent takes one over with the data on it, or gives one back. Taking over needs
 * nobody's leave: its key is given by the policy from then on. Giving back does: the guest's root has the data, but the log must
 * show who allowed it. */
#include <stdio.h>

#include "agentapi/service.h"
#include "base/err.h"
#include "base/mount_point.h"
#include "store/device_custody.h"
#include "store/key.h"
#include "store/licence.h"

static int read_adoption(const struct proto_adopt_start *m, struct device_adoption *out)
{
	const char *problem = *m->mount_point ? mount_point_problem(m->mount_point) : NULL;

	*out = (struct device_adoption){ .cipher = m->cipher, .mode = m->mode, .hash = m->hash, .filesystem = m->filesystem,
		.mount_point = m->mount_point, .key_bits = m->key_bits,
		.access = m->access == PROTO_ACCESS_READ_ONLY ? "read-only" : "read-write" };
	return problem ? err_set(ERR_INVALID, "mount point: %s", problem) : 0;
}

/* The key of an interrupted attempt, or a new one. */
static int adopt(struct agent_call *c, const struct agent *agent, const struct device *device, struct device_key_new *key, int64_t *version)
{
	struct device_adoption a;
	int rc = read_adoption(c->message, &a);

	(void)agent;
	if (rc == 0 && device->status == DEVICE_ENCRYPTING && device->adopting) {
		rc = device_key_get(c->db, &device->id, version, &key->wrapped);
		return rc == 0 ? device_adopt(c->db, device, &a, NULL) : rc;
	}
	/* Before a key is made for nothing. */
	if (rc == 0)
		rc = device_may_adopt(device, &a);
	if (rc == 0)
		rc = licence_check(c->db, &device->id, 1);
	if (rc == 0)
		rc = agent_create_key(c, device, key);
	*version = device->key_version + 1;
	return rc < 0 ? rc : device_adopt(c->db, device, &a, key);
}

int message_adopt_start(struct agent_call *c)
{
	const struct proto_adopt_start *m = c->message;

	return agent_start_task(c, &(struct agent_recipient){ m->device, m->recipient_key, m->signature }, adopt, c->answer);
}

int message_adopt_done(struct agent_call *c)
{
	const struct proto_provision_done *m = c->message;
	struct device device;
	struct agent agent;
	int rc = agent_and_device(c, m->device, &agent, &device);

	if (rc == 0)
		rc = device_adopt_finish(c->db, &device.id, m->luks_uuid, m->key_version);
	device_release(&device);
	return rc;
}

static int release(struct agent_call *c, const struct agent *agent, const struct device *device, struct device_key_new *key, int64_t *version)
{
	const struct proto_release_start *m = c->message;
	int rc = device_release_begin(c->db, &device->id, m->release);

	(void)agent;
	return rc < 0 ? rc : device_key_get(c->db, &device->id, version, &key->wrapped);
}

int message_release_start(struct agent_call *c)
{
	const struct proto_release_start *m = c->message;

	return agent_start_task(c, &(struct agent_recipient){ m->device, m->recipient_key, m->signature }, release, c->answer);
}

int message_release_done(struct agent_call *c)
{
	const struct proto_release_done *m = c->message;
	struct device device;
	struct agent agent;
	int rc = agent_and_device(c, m->device, &agent, &device);

	if (rc == 0)
		rc = device_release_finish(c->db, &device.id, &agent.instance, m->luks_uuid);
	device_release(&device);
	return rc;
}
