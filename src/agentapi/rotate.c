/* rotate.c - rotation of a device key (KEY-6): both keys to the agent whose volume is open, and what it says of its steps. Somebody whose
 * role may, or the maximum age, has asked for it; that the machine may have the key was decided when it was released. */
#include "agentapi/service.h"

#include "base/err.h"
#include "store/audit.h"
#include "store/key.h"
#include "store/rotation.h"

/* The next key, where there is none yet. */
static int make_next(struct agent_call *c, const struct device *device, struct rotation_keys *k)
{
	/* The version after the last one, which need not be the current one's. */
	struct device next = *device;
	int rc;

	next.key_version = k->to - 1;
	rc = agent_create_key(c, &next, &k->next);
	return rc < 0 ? rc : rotation_start(c->db, device, k);
}

int message_rotate_start(struct agent_call *c)
{
	const struct proto_provision_start *m = c->message;
	struct proto_rotate_start_answer *answer = c->answer;
	const struct agent_recipient recipient = { m->device, m->recipient_key, m->signature };
	struct rotation_keys keys = { 0 };
	struct device device;
	struct agent agent;
	int rc = agent_and_device(c, m->device, &agent, &device);

	if (rc == 0)
		rc = agent_check_recipient(c, &agent, m->device, m->recipient_key, m->signature);
	if (rc == 0)
		rc = rotation_begin(c->db, &device, &agent.instance, &keys);
	if (rc == 0 && keys.fresh)
		rc = make_next(c, &device, &keys);
	if (rc == 0)
		rc = agent_give(c, &device, keys.from, &keys.old, &recipient, answer->sealed);
	if (rc == 0)
		rc = agent_give(c, &device, keys.to, &keys.next.wrapped, &recipient, answer->next_sealed);
	if (rc < 0 && keys.fresh)
		rc = agent_drop_key(c, rc, &device, keys.to, &keys.next);
	answer->key_version = keys.from;
	answer->next_version = keys.to;
	rotation_keys_free(&keys);
	device_release(&device);
	return rc;
}

static int step(struct agent_call *c, int (*take)(struct db *db, const struct device *d, int64_t version))
{
	const struct proto_rotate_step *m = c->message;
	struct device device;
	struct agent agent;
	int rc = agent_and_device(c, m->device, &agent, &device);

	if (rc == 0)
		rc = take(c->db, &device, m->key_version);
	device_release(&device);
	return rc;
}

int message_rotate_added(struct agent_call *c)
{
	return step(c, rotation_added);
}

int message_rotate_done(struct agent_call *c)
{
	return step(c, rotation_done);
}

static int reencrypt(struct agent_call *c, const struct agent *agent, const struct device *device, struct device_key_new *key, int64_t *version)
{
	return rotation_reencrypt(c->db, device, &agent->instance, version, &key->wrapped);
}

int message_reencrypt_start(struct agent_call *c)
{
	const struct proto_provision_start *m = c->message;

	return agent_start_task(c, &(struct agent_recipient){ m->device, m->recipient_key, m->signature }, reencrypt, c->answer);
}

int message_reencrypt_progress(struct agent_call *c)
{
	const struct proto_provision_progress *m = c->message;
	struct proto_ack *answer = c->answer;
	struct device device;
	struct agent agent;
	int rc = agent_and_device(c, m->device, &agent, &device);

	if (rc == 0)
		rc = rotation_progress(c->db, &device.id, (int)m->percent);
	device_release(&device);
	/* Withdrawn (unconfigured): the agent is to stop, which is no failure of its message. */
	answer->cancel = rc == ERR_CONFLICT;
	return rc == ERR_CONFLICT ? 0 : rc;
}

static int take_reencrypted(struct db *db, const struct device *d, int64_t version)
{
	return rotation_reencrypted(db, d);
}

int message_reencrypt_done(struct agent_call *c)
{
	return step(c, take_reencrypted);
}

int agent_give_other(struct agent_call *c, const struct uuid *request, const struct agent_other *o)
{
	struct buf wrapped = BUF_INIT, ticket = BUF_INIT;
	int rc = device_key_version(c->db, o->device, o->version, &wrapped);

	if (rc == 0)
		rc = device_key_ticket(c->db, request, o->device, o->version, &ticket);
	if (rc == 0)
		rc = agent_seal(c, request, o->device, o->version, o->tenant, &wrapped, &ticket, o->recipient, o->sealed);
	if (rc == 0)
		rc = audit_log(c->db, AUDIT_KEY_BOTH_GIVEN, &(struct audit_object) { "device", o->device, o->name },
			json_pack("{s:I}", "other_version", (json_int_t)o->version));
	buf_free(&wrapped);
	buf_free(&ticket);
	return rc;
}
