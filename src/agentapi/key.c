/* key.c - key requests: judged by the policy, decided by it or by people, answered with the sealed key once approved.
 *
 * The order is fixed: decision and log entry are queued in the transaction, keyd seals, record.c (or, for several, together.c) commits, and only then
 * does the answer leave. A commit that fails takes the sealed key with it; an answer that is lost can be asked for again, under the
 * same one-time key. */
#include <stdio.h>
#include <string.h>

#include "agentapi/raid.h"
#include "agentapi/together.h"
#include "base/err.h"
#include "keys/client_server.h"
#include "store/device_origin.h"
#include "store/facts.h"
#include "store/key.h"
#include "store/request.h"

/* An agent asks again after a tenth of the time that it has waited already, within these bounds. */
#define POLL_LEAST_S 2
#define POLL_MOST_S 30
#define POLL_KEY_SERVER_S 3      /* once it is seen to be back, which takes about as long */
#define POLL_DENIED_S 3600       /* it rests: people who change their minds send an order */

static const int wire_status[REQUEST_STATE_COUNT] = {
	[REQUEST_PENDING] = PROTO_KEY_PENDING, [REQUEST_APPROVED] = PROTO_KEY_APPROVED, [REQUEST_DELIVERED] = PROTO_KEY_DELIVERED,
	[REQUEST_DENIED] = PROTO_KEY_DENIED, [REQUEST_REVOKING] = PROTO_KEY_REVOKING, [REQUEST_REVOKED] = PROTO_KEY_REVOKED,
};

static int64_t poll_after(const struct request_case *k, clock_us now)
{
	int64_t tenth = (now - k->requested) / CLOCK_SECOND / 10;

	if (k->status == REQUEST_DENIED || k->status == REQUEST_REVOKED)
		return POLL_DENIED_S;
	return tenth < POLL_LEAST_S ? POLL_LEAST_S : tenth > POLL_MOST_S ? POLL_MOST_S : tenth;
}

static const char *reason_for(const struct request_case *k)
{
	switch (k->status) {
	case REQUEST_PENDING:
		return k->unplaced ? REQUEST_NO_DEVICE : "waits for approval";
	case REQUEST_DENIED:
		return "the key request was denied";
	case REQUEST_REVOKING:
	case REQUEST_REVOKED:
		return "the key was revoked";
	default:
		return "";
	}
}

/* What the policy says to a request that nobody has decided yet. */
static int judge(struct agent_call *c, const struct request_case *k)
{
	struct verdict verdict;
	int rc;

	request_evaluate(k, NULL, c->frame->now, &verdict);
	rc = request_judge(c->db, k, &verdict);
	verdict_release(&verdict);
	return rc;
}

/* The other key, and what its volume's token names where that is the one on the disk: a clone's first key alone is another device's, too. */
static int seal_other(struct agent_call *c, const struct request_case *k, const struct key_pair *keys, const struct agent_recipient *recipient,
	struct proto_key_answer *answer)
{
	int rc = agent_give_other(c, &k->id, &(struct agent_other){ .device = &k->device.id, .name = k->device.name, .version = keys->other,
		.tenant = &keys->tenant, .recipient = recipient, .sealed = answer->other_sealed });

	return rc == 0 && uuid_is_nil(&keys->made_for) ? device_key_made_for(c->db, &k->device.id, keys->other, &answer->token_device) : rc;
}

/* What a delivered key is sealed and described with. */
static int seal(struct agent_call *c, const struct request_case *k, const struct key_pair *keys, struct proto_key_answer *answer)
{
	const struct agent_recipient recipient = { k->asked_name, k->recipient_key, k->signature };
	int rc = agent_seal(c, &k->id, &k->device.id, keys->version, &keys->tenant, &keys->wrapped, &keys->ticket, &recipient,
		answer->sealed);

	answer->token_device = keys->made_for;
	if (rc == 0 && keys->other)
		rc = seal_other(c, k, keys, &recipient, answer);
	if (rc == 0) {
		answer->key_version = keys->version;
		answer->other_version = keys->other;
		answer->status = PROTO_KEY_DELIVERED;
	}
	return rc;
}

static int deliver(struct agent_call *c, const struct request_case *k, const struct key_pair *keys, struct proto_key_answer *answer)
{
	int rc = k->unplaced ? err_set(ERR_CONFLICT, "%s", REQUEST_NO_DEVICE) : 0;

	if (rc == 0 && k->device.is_raid)
		return agent_deliver_raid(c, k, answer);
	if (rc == 0)
		rc = device_key_check(keys);
	if (rc == 0)
		rc = request_deliver_case(c->db, k, keys->version);
	return rc < 0 ? rc : seal(c, k, keys, answer);
}

static int is_released(const struct request_case *k)
{
	return k->status == REQUEST_APPROVED || k->status == REQUEST_DELIVERED;
}

/* What waits for a key server is no failure: the request stands, and its agent asks again. */
static int release(struct agent_call *c, const struct request_case *k, const struct key_pair *keys, struct proto_key_answer *answer)
{
	int rc = agent_key_waits(c, &k->device, &keys->wrapped);

	if (rc <= 0)
		return rc < 0 ? rc : deliver(c, k, keys, answer);
	answer->status = PROTO_KEY_APPROVED;
	snprintf(answer->reason, sizeof answer->reason, "%s", err_text());
	answer->retry_after_s = POLL_KEY_SERVER_S;
	return 0;
}

/* All but the key. */
static void describe(struct agent_call *c, const struct request_case *k, struct proto_key_answer *answer)
{
	int read_only = strcmp(k->access, "read-only") == 0 || strcmp(k->device.access, "read-only") == 0;

	answer->request = k->id;
	answer->status = wire_status[k->status];
	answer->access = read_only ? PROTO_ACCESS_READ_ONLY : PROTO_ACCESS_READ_WRITE;
	snprintf(answer->reason, sizeof answer->reason, "%s", reason_for(k));
	snprintf(answer->device, sizeof answer->device, "%s", k->device.provider_device);
	snprintf(answer->mount_point, sizeof answer->mount_point, "%s", k->device.mount_point);
	snprintf(answer->filesystem, sizeof answer->filesystem, "%s", k->device.filesystem);
	snprintf(answer->encryption, sizeof answer->encryption, "%s-%s", k->device.cipher, k->device.mode);
	answer->key_bits = k->device.key_bits;
	if (!is_released(k))
		answer->retry_after_s = poll_after(k, c->frame->now);
}

/* KEYS: of the device; looked at only when the key is released. */
static int answer_case(struct agent_call *c, const struct request_case *k, const struct key_pair *keys,
	struct proto_key_answer *answer)
{
	describe(c, k, answer);
	return is_released(k) ? release(c, k, keys, answer) : 0;
}

int key_is_plain(const struct agent_call *c, const struct request_case *k, const struct key_pair *keys)
{
	return uuid_equal(&k->agent, &c->agent) && !k->closed && k->agent_active && !k->unplaced && (!is_released(k) || (!k->device.is_raid
		&& keys->other == 0 && !keys_is_elsewhere(wire_view_of(&keys->wrapped))));
}

int key_answer_plain(struct agent_call *c, const struct request_case *k, const struct key_pair *keys, struct proto_key_answer *answer)
{
	int rc;

	describe(c, k, answer);
	if (!is_released(k))
		return 0;
	rc = device_key_check(keys);
	return rc < 0 ? rc : seal(c, k, keys, answer);
}

/* Where the disk bears another device's volume, that is the reason (VOL-5). */
static int refuse(struct agent_call *c, const struct device *device)
{
	struct buf text = BUF_INIT;
	json_t *origin = NULL;
	int rc = device_origin(c->db, &device->id, &origin);

	if (rc < 0)
		return rc;
	device_origin_say(origin, &text);
	rc = err_set(ERR_CONFLICT, "%s has no key: it is \"%s\"%s%s", device->name, device_state_label(device->status),
		text.len ? "; " : "", buf_str(&text));
	buf_free(&text);
	json_decref(origin);
	return rc;
}

static int check_device(struct agent_call *c, const struct device *device)
{
	int fits;

	if (!uuid_is_nil(&device->raid))
		return err_set(ERR_CONFLICT, "%s is a member of a RAID: its key comes with all of the array's", device->name);
	fits = device->has_key && (device->status == DEVICE_ENCRYPTED || device->status == DEVICE_IN_USE);
	return fits ? 0 : refuse(c, device);
}

/* A device that can be moved is an image's (DEV-4). Where one of both is not known there is nothing to hold against each other. */
static int check_image(const struct agent *agent, const struct device *device)
{
	if (!device->attaches || uuid_is_nil(&device->image) || uuid_is_nil(&agent->image) || uuid_equal(&device->image, &agent->image))
		return 0;
	return err_set(ERR_CONFLICT, "%s is assigned to another image than this instance was started from; reassign it in the console",
		device->name);
}

static int open_request(struct agent_call *c, const struct agent *agent, const struct device *device, struct uuid *id)
{
	const struct proto_key_request *m = c->message;
	struct request_question question = { .device = device->id, .given = device->id, .instance = agent->instance, .agent = c->agent,
		.access = proto_access_names[m->access], .mount_point = m->mount_point, .reason = proto_reason_names[m->reason],
		.recipient_key = m->recipient_key, .signature = m->signature, .address = c->frame->request->address };
	struct facts_question known = { .instance = &agent->instance, .device = &question.given, .agent = m->facts,
		.access = question.access, .mount_point = question.mount_point, .address = question.address, .at = c->frame->now };
	json_t *facts = NULL;
	int rc = request_place(c->db, &question);

	if (rc == 0 && !question.pooled)
		rc = agent_has_device(agent, device);
	if (rc == 0 && !question.pooled)
		rc = check_image(agent, device);
	if (rc == 0)
		rc = check_device(c, device);
	if (rc == 0)
		rc = facts_document(c->db, &known, &facts);
	question.facts = facts;
	if (rc == 0)
		rc = request_open(c->db, &question, id, NULL);
	json_decref(facts);
	return rc;
}

int message_key_request(struct agent_call *c)
{
	const struct proto_key_request *m = c->message;
	struct request_case k = { 0 };
	struct key_pair keys = { 0 };
	struct device device;
	struct agent agent;
	struct uuid id;
	int rc = agent_and_any_device(c, m->device, &agent, &device);

	if (rc == 0)
		rc = agent_check_recipient(c, &agent, m->device, m->recipient_key, m->signature);
	if (rc == 0)
		rc = open_request(c, &agent, &device, &id);
	if (rc == 0)
		rc = request_load_locked(c->db, &id, &k);
	if (rc == 0 && k.status == REQUEST_PENDING)
		rc = judge(c, &k);
	request_case_release(&k);
	if (rc == 0)
		rc = request_load_poll(c->db, &id, &k, &keys);
	if (rc == 0)
		rc = answer_case(c, &k, &keys, c->answer);
	request_case_release(&k);
	device_key_pair_free(&keys);
	device_release(&device);
	return rc;
}

/* The agent asks anew for what has become free: that is judged for the new device. */
static int look_for_free(struct agent_call *c, const struct request_case *k)
{
	struct request_question q = { .device = k->asked, .instance = k->instance, .access = k->access };
	int rc = request_place(c->db, &q);

	return rc == 0 && !q.unplaced ? err_set(ERR_NOT_FOUND, "a device may be free now; ask anew") : rc;
}

int message_key_poll(struct agent_call *c)
{
	const struct proto_key_poll *m = c->message;
	struct request_case k = { 0 };
	struct key_pair keys = { 0 };
	int rc;

	if (!c->waited && together_takes()) {
		c->join = &m->request;
		return 0;
	}
	rc = request_load_poll(c->db, &m->request, &k, &keys);
	if (rc == ERR_NOT_FOUND || (rc == 0 && (!uuid_equal(&k.agent, &c->agent) || k.closed)))
		rc = err_set(ERR_NOT_FOUND, "this request is over; ask anew");
	/* Its session may be older than that. */
	if (rc == 0 && !k.agent_active)
		rc = err_set(ERR_FORBIDDEN, "this agent was removed or replaced");
	if (rc == 0 && k.unplaced && k.status == REQUEST_PENDING)
		rc = look_for_free(c, &k);
	if (rc == 0)
		rc = answer_case(c, &k, &keys, c->answer);
	request_case_release(&k);
	device_key_pair_free(&keys);
	return rc;
}

int message_opened(struct agent_call *c)
{
	const struct proto_opened *m = c->message;
	struct request_case k = { 0 };
	int rc = request_load_locked(c->db, &m->request, &k);

	if (rc == ERR_NOT_FOUND || (rc == 0 && !uuid_equal(&k.agent, &c->agent)))
		rc = err_set(ERR_NOT_FOUND, "no such request");
	if (rc == 0)
		rc = request_opened(c->db, &m->request);
	if (rc == 0 && *m->repaired)
		rc = device_repaired(c->db, &k.device, m->repaired);
	request_case_release(&k);
	return rc;
}

int message_closed(struct agent_call *c)
{
	const struct proto_closed *m = c->message;
	struct device device;
	struct agent agent;
	int rc = agent_and_any_device(c, m->device, &agent, &device);

	if (rc == 0)
		rc = request_volume_closed(c->db, &agent.instance, &device.id, proto_reason_names[m->reason]);
	device_release(&device);
	return rc;
}
