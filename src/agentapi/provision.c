/* provision.c - encrypting a device (DEV-3): the tasks, the key to do it with, progress, outcome. A person has asked for it in
 * the console; that is the approval, so the key needs no further one. */
#include <stdio.h>
#include <string.h>

#include "agentapi/service.h"
#include "base/err.h"
#include "base/json.h"
#include "store/key.h"
#include "store/licence.h"
#include "store/tenant.h"

static void copy(const json_t *row, const char *name, char *out, size_t size)
{
	const char *text = json_string_value(json_object_get(row, name));

	snprintf(out, size, "%s", text ? text : "");
}

static void to_task(const json_t *row, struct proto_task *t)
{
	copy(row, "provider_device", t->device, sizeof t->device);
	copy(row, "label", t->label, sizeof t->label);
	copy(row, "cipher", t->cipher, sizeof t->cipher);
	copy(row, "mode", t->mode, sizeof t->mode);
	copy(row, "hash", t->hash, sizeof t->hash);
	copy(row, "filesystem", t->filesystem, sizeof t->filesystem);
	copy(row, "mount_point", t->mount_point, sizeof t->mount_point);
	copy(row, "raid_name", t->raid_name, sizeof t->raid_name);
	t->raid_index = json_integer_value(json_object_get(row, "raid_index"));
	t->raid_members = json_integer_value(json_object_get(row, "raid_members"));
	t->key_bits = json_integer_value(json_object_get(row, "key_bits"));
	t->access = strcmp(json_string_value(json_object_get(row, "access")), "read-only") == 0 ? PROTO_ACCESS_READ_ONLY :
		PROTO_ACCESS_READ_WRITE;
	t->overwrite = json_is_true(json_object_get(row, "overwrite"));
}

int message_provisioning(struct agent_call *c)
{
	struct proto_provisioning_answer *answer = c->answer;
	struct agent agent;
	json_t *tasks = NULL;
	const json_t *row;
	size_t i;
	int rc = agent_active(c, &agent);

	if (rc == 0)
		rc = device_tasks(c->db, &agent.instance, &tasks);
	if (rc < 0)
		return rc;
	json_array_foreach(tasks, i, row)
		if (answer->tasks_count < PROTO_DEVICES_MAX)
			to_task(row, &answer->tasks[answer->tasks_count++]);
	json_decref(tasks);
	return 0;
}

/* The device moves to Encrypting, with the key it has from an interrupted attempt on this machine, or a new one. */
static int begin(struct agent_call *c, const struct agent *agent, const struct device *device, struct device_key_new *key, int64_t *version)
{
	int rc, again = 0;

	(void)agent;
	if (device->status == DEVICE_ENCRYPTING && device->has_key) {
		rc = device_key_is_for(c->db, &device->id, &device->instance, &again);
		if (rc < 0)
			return rc;
	}
	if (again) {
		rc = device_key_get(c->db, &device->id, version, &key->wrapped);
		return rc == 0 ? device_start(c->db, device, NULL) : rc;
	}
	/* Before a key is made for nothing. */
	rc = device_next(device->status, DEVICE_EVENT_START);
	if (rc >= 0)
		rc = licence_check(c->db, &device->id, 1);
	if (rc >= 0)
		rc = agent_create_key(c, device, key);
	*version = device->key_version + 1;
	return rc < 0 ? rc : device_start(c->db, device, key);
}

int message_provision_start(struct agent_call *c)
{
	const struct proto_provision_start *m = c->message;

	return agent_start_task(c, &(struct agent_recipient){ m->device, m->recipient_key, m->signature }, begin, c->answer);
}

int message_provision_progress(struct agent_call *c)
{
	const struct proto_provision_progress *m = c->message;
	struct proto_ack *answer = c->answer;
	struct device device;
	struct agent agent;
	int rc = agent_and_device(c, m->device, &agent, &device);

	/* Withdrawn in the meantime: the agent is to stop, which is no failure of its message. */
	answer->cancel = rc == 0 && device.status != DEVICE_ENCRYPTING && device.status != DEVICE_DECRYPTING;
	if (rc == 0 && !answer->cancel)
		rc = device_progress(c->db, &device.id, (int)m->percent);
	device_release(&device);
	return rc;
}

int message_provision_done(struct agent_call *c)
{
	const struct proto_provision_done *m = c->message;
	struct device device;
	struct agent agent;
	int rc = agent_and_device(c, m->device, &agent, &device);

	if (rc == 0)
		rc = device_finish(c->db, &device.id, m->luks_uuid, m->key_version);
	device_release(&device);
	return rc;
}

int message_provision_failed(struct agent_call *c)
{
	const struct proto_provision_failed *m = c->message;
	struct device device;
	struct agent agent;
	int rc = agent_and_device(c, m->device, &agent, &device);

	if (rc == 0)
		rc = device_fail(c->db, &device.id, m->reason);
	device_release(&device);
	return rc;
}
