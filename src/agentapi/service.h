/* service.h - inside of the agent service: one frame's context, one message's context, and the table of messages. */
#ifndef AGENTAPI_SERVICE_H
#define AGENTAPI_SERVICE_H

#include "agentapi/agentapi.h"
#include "agentapi/hold.h"
#include "agentapi/sessions.h"
#include "proto/message.h"
#include "proto/server.h"
#include "store/agent.h"
#include "store/device.h"
#include "store/key.h"
#include "store/request.h"

/* One frame being answered. */
struct frame_call {
	struct web_thread *thread;
	struct db *db;                   /* role keyward_agent, no transaction open */
	struct keys_client *keys;
	struct sessions *sessions;
	const struct web_request *request;
	const void *data;
	size_t len;
	clock_us now;
	char request_text[UUID_TEXT_SIZE];
	void *owner;                     /* for an answer that is held back */
	struct agentapi_held *held;      /* set by frame_record: the answer comes later */
	int last;                        /* set by a message: the connection is to be closed */
};

/* One message of a session, its transaction open and bound. */
struct agent_call {
	struct frame_call *frame;
	struct db *db;
	struct uuid account, agent;
	const void *message;             /* the request struct of the type */
	void *answer;                    /* zeroed answer struct of the type, to be filled */
	int64_t hold_s;                  /* set by the handler: hold the answer back so many seconds; 0: it goes out */
	const struct uuid *join;         /* set by the handler: answer this key request together with others (together.h) */
	int waited;                      /* it has been with others, and its account's quota is taken */
};

/* The handler of each message: 0, or ERR_: then err_text becomes a refusal's text. */
extern int (*const agent_messages[PROTO_MESSAGE_COUNT])(struct agent_call *c);

/* Each answers one kind of frame: 0 and a frame in ANSWER, or ERR_ for an error frame. */
int frame_enrol_start(struct frame_call *c, struct buf *answer);
int frame_enrol_finish(struct frame_call *c, struct buf *answer);
int frame_hello(struct frame_call *c, struct buf *answer);
int frame_finish(struct frame_call *c, struct buf *answer);
int frame_record(struct frame_call *c, struct buf *answer);

/* The answer that was held back. */
int frame_held(struct frame_call *c, struct agentapi_held *h, struct buf *answer);
/* A frame for what is still to be done for H; REQUEST, filled in here, has to live as long. */
void frame_of_held(struct frame_call *c, struct web_thread *t, const struct agentapi_held *h, struct web_request *request);

/* C's message handled in a transaction of its own, and the answer or the refusal in TEXT; nothing there when C->hold_s or C->join is set. */
void message_answer(struct agent_call *c, enum proto_message type, struct buf *text);
/* ANSWER, or the refusal that RC and err_text() are. */
void message_encode(const struct agent_call *c, enum proto_message type, int rc, const void *answer, struct buf *text);

/* A transaction of this frame, bound to ACCOUNT, in the name of AGENT (NULL: not known yet). */
int frame_begin(struct frame_call *c, const struct uuid *account, const struct uuid *agent);
/* keyd's identity key and a signer that asks it. */
int frame_identity(struct frame_call *c, struct proto_identity *out);

/* The agent that speaks; ERR_FORBIDDEN when it was removed or replaced since its session began. */
int agent_active(struct agent_call *c, struct agent *agent);
/* The agent and the device that a message names, which must be on the agent's own instance: ERR_NOT_FOUND otherwise, whether
 * it is somebody else's or nobody's. DEVICE is released by device_release, also after a failure. */
int agent_and_device(struct agent_call *c, const char *name, struct agent *agent, struct device *device);
/* Same, wherever the device is attached; agent_has_device is 0 when that is the agent's own instance, else ERR_NOT_FOUND. */
int agent_and_any_device(struct agent_call *c, const char *name, struct agent *agent, struct device *device);
int agent_has_device(const struct agent *agent, const struct device *device);
/* ERR_TAMPERED unless the agent signed this one-time key for this device. */
int agent_check_recipient(struct agent_call *c, const struct agent *agent, const char *device, const uint8_t *key,
	const uint8_t *signature);
/* A one-time key as its agent has signed it, for the device that it named. */
struct agent_recipient {
	const char *device;
	const uint8_t *key, *signature;
};
/* The device's active key, sealed to RECIPIENT; WRAPPED_TENANT from device_key_for_task or request_load_poll, so a suspended account gets none.
 * REQUEST is what keyd logs, and what TICKET, the database's proof of approval, is for. SEALED holds PROTO_SEALED_MAX + 1 bytes. */
int agent_seal(struct agent_call *c, const struct uuid *request, const struct uuid *device, int64_t version,
	const struct buf *wrapped_tenant, const struct buf *wrapped_key, const struct buf *ticket, const struct agent_recipient *recipient,
	char *sealed);
/* The same for a task, under the id of this frame, with the account's key and the ticket looked up. */
int agent_give(struct agent_call *c, const struct device *device, int64_t version, const struct buf *wrapped,
	const struct agent_recipient *recipient, char *sealed);

/* What gives a key for a task: it is begun, or gone on with, and has this KEY of *VERSION; just the blob, where it is not new. It sees C's message. */
typedef int (*agent_begin)(struct agent_call *c, const struct agent *agent, const struct device *device, struct device_key_new *key,
	int64_t *version);
/* The answer to a message that asks for a task's key: the device is the agent's, the one-time key signed by it, the task begun by BEGIN, its key
 * sealed. In C's transaction: what fails later takes the beginning back. */
int agent_start_task(struct agent_call *c, const struct agent_recipient *recipient, agent_begin begin, struct proto_provision_start_answer *answer);

/* The key that DEVICE's is being rotated to or from, so that whatever a crash has left of that is opened; logged. */
struct agent_other {
	const struct uuid *device;
	const char *name;
	int64_t version;
	const struct buf *tenant;        /* the account's key, as in agent_seal */
	const struct agent_recipient *recipient;
	char *sealed;
};
int agent_give_other(struct agent_call *c, const struct uuid *request, const struct agent_other *o);

/* A new key for DEVICE, of the version after its last one, where the account keeps those; nothing is kept in the database yet.
 * ERR_UNAVAILABLE, ERR_TIMEOUT: its key server makes none now. */
int agent_create_key(struct agent_call *c, const struct device *device, struct device_key_new *out);
/* After RC, an error, has kept that key from being used: it is destroyed where the key server has it. Returns RC, its text as it was. */
int agent_drop_key(struct agent_call *c, int rc, const struct device *device, int64_t version, const struct device_key_new *key);
/* key_server.c: before a key that is kept on a key server is asked for: keyd knows that server then. ERR_UNAVAILABLE: it is away. Other keys: 0. */
int agent_prepare_key(struct agent_call *c, const struct uuid *device, int64_t version, const struct buf *wrapped_tenant,
	const struct buf *wrapped_key);
/* 1, and what to tell people as err_text, when DEVICE's key, WRAPPED, is on a key server that is away; an array's: one of its members'. */
int agent_key_waits(struct agent_call *c, const struct device *device, const struct buf *wrapped);

/* The files whose hashes this agent is to report: into an answer's watch_files, PROTO_WATCH_MAX at most. */
int agent_watch(struct agent_call *c, struct proto_watch *files, int *count);

/* key.c: whether all that the answer to K takes is K and KEYS: it is C's agent's, nothing has to be looked up for it, and no server asked. */
int key_is_plain(const struct agent_call *c, const struct request_case *k, const struct key_pair *keys);
/* The answer to a plain one. "Delivered": the key is sealed, and the caller has the delivery written and committed before it leaves. */
int key_answer_plain(struct agent_call *c, const struct request_case *k, const struct key_pair *keys, struct proto_key_answer *answer);

/* Outside a transaction, before a message is handled: there is room for one more heartbeat then. */
void heartbeat_make_room(struct frame_call *c);
/* Fills C->answer, a heartbeat's that was held back, after WHY has ended that; in a transaction of its own where it needs one. */
void heartbeat_resume(struct agent_call *c, enum hold_end why);

/* Messages, one file per family. */
int message_adopt_start(struct agent_call *c);
int message_adopt_done(struct agent_call *c);
int message_release_start(struct agent_call *c);
int message_release_done(struct agent_call *c);
int message_rotate_start(struct agent_call *c);
int message_rotate_added(struct agent_call *c);
int message_rotate_done(struct agent_call *c);
int message_reencrypt_start(struct agent_call *c);
int message_reencrypt_progress(struct agent_call *c);
int message_reencrypt_done(struct agent_call *c);
int message_inventory(struct agent_call *c);
int message_propose(struct agent_call *c);
int message_provisioning(struct agent_call *c);
int message_provision_start(struct agent_call *c);
int message_provision_progress(struct agent_call *c);
int message_provision_done(struct agent_call *c);
int message_provision_failed(struct agent_call *c);
int message_key_request(struct agent_call *c);
int message_key_poll(struct agent_call *c);
int message_opened(struct agent_call *c);
int message_closed(struct agent_call *c);
int message_heartbeat(struct agent_call *c);
int message_report(struct agent_call *c);
/* check.c: FACTS, as the agent of INSTANCE sent them, against the policies of the keys that it holds; REASON: enum proto_reason. */
int agent_check(struct agent_call *c, const struct uuid *instance, int reason, const json_t *facts);
int message_bye(struct agent_call *c);
int message_credentials(struct agent_call *c);
int message_credentials_set(struct agent_call *c);

#endif
