/* record.c - one message of a session: opened, decoded, handled in a transaction, answered. Whatever the handler decides is
 * committed before the answer is sealed. */
#include <stdlib.h>
#include <string.h>

#include "agentapi/service.h"
#include "agentapi/quota.h"
#include "agentapi/together.h"
#include "base/err.h"
#include "base/log.h"
#include "base/secret.h"

#define RETRY_AFTER_S 5

int (*const agent_messages[PROTO_MESSAGE_COUNT])(struct agent_call *c) = {
	[PROTO_INVENTORY] = message_inventory,
	[PROTO_PROPOSE] = message_propose,
	[PROTO_PROVISIONING] = message_provisioning,
	[PROTO_ADOPT_START] = message_adopt_start,
	[PROTO_ADOPT_DONE] = message_adopt_done,
	[PROTO_RELEASE_START] = message_release_start,
	[PROTO_RELEASE_DONE] = message_release_done,
	[PROTO_ROTATE_START] = message_rotate_start,
	[PROTO_ROTATE_ADDED] = message_rotate_added,
	[PROTO_ROTATE_DONE] = message_rotate_done,
	[PROTO_REENCRYPT_START] = message_reencrypt_start,
	[PROTO_REENCRYPT_PROGRESS] = message_reencrypt_progress,
	[PROTO_REENCRYPT_DONE] = message_reencrypt_done,
	[PROTO_PROVISION_START] = message_provision_start,
	[PROTO_PROVISION_PROGRESS] = message_provision_progress,
	[PROTO_PROVISION_DONE] = message_provision_done,
	[PROTO_PROVISION_FAILED] = message_provision_failed,
	[PROTO_KEY_REQUEST] = message_key_request,
	[PROTO_KEY_POLL] = message_key_poll,
	[PROTO_OPENED] = message_opened,
	[PROTO_CLOSED] = message_closed,
	[PROTO_HEARTBEAT] = message_heartbeat,
	[PROTO_REPORT] = message_report,
	[PROTO_BYE] = message_bye,
	[PROTO_CREDENTIALS] = message_credentials,
	[PROTO_CREDENTIALS_SET] = message_credentials_set,
};

static int open_record(struct frame_call *c, struct buf *plain, struct proto_reply *reply, struct uuid *account,
	struct uuid *agent)
{
	struct proto_server_session *s;
	struct proto_frame frame;
	int rc = proto_frame_peek(c->data, c->len, &frame);

	if (rc < 0)
		return rc;
	s = sessions_lock(c->sessions, &frame.id, c->now);
	if (s == NULL)
		return err_set(ERR_NOT_FOUND, "no such session");
	*account = s->account;
	*agent = s->agent;
	rc = proto_record_open(s, c->data, c->len, c->now, plain, reply);
	sessions_unlock(c->sessions, s);
	return rc;
}

/* Handler and commit; on failure everything is rolled back. */
static int handle(struct agent_call *c, enum proto_message type)
{
	int rc = frame_begin(c->frame, &c->account, &c->agent);

	if (rc == 0 && !c->waited)
		rc = quota_take(c->frame, &c->account);
	if (rc == 0)
		rc = agent_messages[type](c);
	if (rc == 0)
		rc = db_commit(c->db);
	db_rollback(c->db);
	return rc;
}

static void refuse(const struct frame_call *c, enum proto_message type, int rc, struct buf *text)
{
	int later = rc == ERR_UNAVAILABLE || rc == ERR_TIMEOUT || rc == ERR_BUSY || rc == ERR_SEALED || rc == ERR_TOO_MANY;
	int ours = rc == ERR_DB || rc == ERR_INTERNAL || rc == ERR_CRYPTO || rc == ERR_IO;

	(ours || later ? log_warning : log_info)("message refused", "type", proto_messages[type].name, "code", err_name(rc), "why",
		err_text(), "request", c->request_text, NULL);
	/* Our own troubles are not the agent's business, but for their number in the log. */
	proto_refusal_encode(rc, ours ? c->request_text : err_text(), later ? RETRY_AFTER_S : 0, text);
}

void message_encode(const struct agent_call *c, enum proto_message type, int rc, const void *answer, struct buf *text)
{
	if (rc == 0)
		rc = proto_answer_encode(type, answer, text);
	if (rc < 0)
		refuse(c->frame, type, rc, text);
}

void message_answer(struct agent_call *c, enum proto_message type, struct buf *text)
{
	int rc;

	c->answer = proto_answer_new(type);
	rc = handle(c, type);
	if (rc < 0)
		c->hold_s = 0, c->join = NULL;
	if (c->hold_s == 0 && c->join == NULL)
		message_encode(c, type, rc, c->answer, text);
	proto_answer_free(type, c->answer);
}

/* TEXT, or what is held until there is one. */
static struct agentapi_held *answer_plain(struct agent_call *c, const struct buf *plain, struct proto_reply *reply, struct buf *text)
{
	enum proto_message type = 0;
	struct agentapi_held *held = NULL;
	void *message = NULL;
	int rc = proto_request_decode(plain->data, plain->len, &type, &message);

	if (rc < 0) {
		refuse(c->frame, type, rc, text);
		return NULL;
	}
	c->message = message;
	message_answer(c, type, text);
	if (c->join)
		held = together_add(&c->account, &c->agent, c->join, reply, c->frame->owner);
	else if (c->hold_s > 0)
		held = hold_begin(&c->account, &c->agent, reply, c->hold_s, c->frame->owner);
	proto_request_free(type, message);
	return held;
}

int frame_record(struct frame_call *c, struct buf *answer)
{
	struct agent_call call = { .frame = c, .db = c->db };
	struct buf plain = BUF_INIT, text = BUF_INIT;
	struct proto_reply reply = { 0 };
	int rc = open_record(c, &plain, &reply, &call.account, &call.agent);

	if (rc == 0) {
		heartbeat_make_room(c);
		c->held = answer_plain(&call, &plain, &reply, &text);
	}
	if (rc == 0 && c->held == NULL)
		rc = proto_record_seal(&reply, text.data, text.len, answer);
	proto_reply_wipe(&reply);
	buf_free(&plain);
	buf_free(&text);
	return rc;
}

int frame_held(struct frame_call *c, struct agentapi_held *h, struct buf *answer)
{
	struct agent_call call = { .frame = c, .db = c->db, .account = h->account, .agent = h->agent };
	struct buf text = BUF_INIT;
	int rc;

	if (h->end == HOLD_ANSWERED)
		return proto_record_seal(&h->reply, h->text.data, h->text.len, answer);
	call.answer = proto_answer_new(PROTO_HEARTBEAT);
	heartbeat_resume(&call, h->end);
	rc = proto_answer_encode(PROTO_HEARTBEAT, call.answer, &text);
	if (rc == 0)
		rc = proto_record_seal(&h->reply, text.data, text.len, answer);
	proto_answer_free(PROTO_HEARTBEAT, call.answer);
	buf_free(&text);
	return rc;
}
