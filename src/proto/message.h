/* message.h - what agents and server say to each other inside a session: typed structs and their one table.
 *
 * A message travels as one JSON object in a record: {"type": "<name>", ...members}. Its answer bears the same type, or
 * "refusal". Every message can arrive twice (proto_call repeats after a lost session) and must then have the same
 * effect. Sizes below count bytes without the closing zero; messages are big, so allocate them with proto_request_new
 * and proto_answer_new.
 *
 * A new message is one struct here, one table of fields and one row in message.c. */
#ifndef PROTO_MESSAGE_H
#define PROTO_MESSAGE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/uuid.h"
#include "proto/crypto.h"
#include "proto/field.h"

#define PROTO_TEXT_MAX 255               /* names, descriptions, reasons */
#define PROTO_ID_MAX 127                 /* ids given by a provider, of devices, instances, images */
#define PROTO_WORD_MAX 63                /* file systems, ciphers, versions */
#define PROTO_PATH_MAX 1023              /* mount points */
#define PROTO_SEALED_MAX 4095            /* a JWE in compact form (RFC 7516) */
#define PROTO_FACTS_MAX (256 * 1024)
#define PROTO_DEVICES_MAX 128
#define PROTO_RAID_MAX 16                /* members of an array */
#define PROTO_ORDERS_MAX 64
#define PROTO_WATCH_MAX 64
#define PROTO_WAIT_MAX 60                /* seconds that the server may hold a heartbeat's answer back */
#define PROTO_CREDENTIALS_MAX 2048       /* JSON text of a provider's credentials */
#define PROTO_MESSAGE_MAX (384 * 1024)   /* JSON text of one message */

/* name of the type, request struct, answer struct */
#define PROTO_MESSAGES(X) \
	X(INVENTORY, "inventory", inventory, inventory_answer)         /* what there is: instance, host, devices */ \
	X(PROPOSE, "propose", proposal, proposal_answer)               /* how a device of mine shall be encrypted */ \
	X(PROVISIONING, "provisioning", empty, provisioning_answer)    /* what shall be encrypted? */ \
	X(ADOPT_START, "adopt_start", adopt_start, provision_start_answer) \
	X(ADOPT_DONE, "adopt_done", provision_done, ack) \
	X(RELEASE_START, "release_start", release_start, provision_start_answer) \
	X(RELEASE_DONE, "release_done", release_done, ack) \
	X(ROTATE_START, "rotate_start", provision_start, rotate_start_answer)      /* by order: the old key and the new one */ \
	X(ROTATE_ADDED, "rotate_added", rotate_step, ack)              /* the new key was seen to open; so does the old one, still */ \
	X(ROTATE_DONE, "rotate_done", rotate_step, ack)                /* the old one no longer does */ \
	X(REENCRYPT_START, "reencrypt_start", provision_start, provision_start_answer)     /* by order: the device key once more */ \
	X(REENCRYPT_PROGRESS, "reencrypt_progress", provision_progress, ack) \
	X(REENCRYPT_DONE, "reencrypt_done", rotate_step, ack)          /* all of it is under the new volume key */ \
	X(PROVISION_START, "provision_start", provision_start, provision_start_answer) \
	X(PROVISION_PROGRESS, "provision_progress", provision_progress, ack) \
	X(PROVISION_DONE, "provision_done", provision_done, ack) \
	X(PROVISION_FAILED, "provision_failed", provision_failed, ack) \
	X(KEY_REQUEST, "key_request", key_request, key_answer) \
	X(KEY_POLL, "key_poll", key_poll, key_answer) \
	X(OPENED, "opened", opened, ack)                               /* volume open and mounted */ \
	X(CLOSED, "closed", closed, ack)                               /* volume closed, key wiped */ \
	X(HEARTBEAT, "heartbeat", heartbeat, heartbeat_answer) \
	X(REPORT, "report", report, ack)                               /* facts, for an integrity check */ \
	X(BYE, "bye", bye, ack) \
	X(CREDENTIALS, "credentials", credentials, credentials_answer)     /* those of the provider, for this image */ \
	X(CREDENTIALS_SET, "credentials_set", credentials_set, ack)        /* new ones, which the sender has checked */

enum proto_message {
#define X(id, name, request, answer) PROTO_##id,
	PROTO_MESSAGES(X)
#undef X
	PROTO_MESSAGE_COUNT
};

/* Names in JSON; 0 is always "unknown": a name that this build does not have. */
#define PROTO_ACCESSES(X) X(READ_ONLY, "read-only") X(READ_WRITE, "read-write")
#define PROTO_DEVICE_KINDS(X) \
	X(DISK, "disk") X(PARTITION, "partition") X(RAID, "raid") X(LOGICAL, "logical") X(FILE, "file") \
	X(OTHER, "other")
#define PROTO_KEY_STATUSES(X) \
	X(PENDING, "pending") X(APPROVED, "approved") X(DELIVERED, "delivered") X(DENIED, "denied") X(REVOKING, "revoking") \
	X(REVOKED, "revoked")
#define PROTO_VOLUME_STATUSES(X) \
	X(WAITING, "waiting")           /* for a key */ \
	X(OPEN, "open")                 /* mounted */ \
	X(CLOSED, "closed") \
	X(FAILED, "failed")             /* detail says why */ \
	X(PROVISIONING, "provisioning") \
	X(LOCKED, "locked")             /* key suspended, mounted */
#define PROTO_ORDERS(X) \
	X(CHECK, "check")               /* send a report now */ \
	X(REVOKE, "revoke")             /* tear down, unmount, close, wipe the key, say closed */ \
	X(LOCK, "lock") \
	X(UNLOCK, "unlock") \
	X(KILL, "kill")                 /* close at once, without teardown script */ \
	X(REQUEST_KEY, "request-key")   /* ask (again) for a device's key */ \
	X(PROVISION, "provision")       /* ask for provisioning tasks */ \
	X(INVENTORY, "inventory")       /* publish the inventory again */ \
	X(CONFIGURE, "configure")       /* argument: "name=value" */ \
	X(LOG_LEVEL, "log-level")       /* argument: "info" or "debug" */ \
	X(CREDENTIALS, "credentials")   /* the provider's credentials have changed: fetch them */ \
	X(ROTATE, "rotate")             /* another key for an open device, or a member of an open array */ \
	X(REENCRYPT, "reencrypt")       /* another volume key for it: all of it is encrypted anew */
#define PROTO_REASONS(X) \
	X(SHUTDOWN, "shutdown") X(REVOKED, "revoked") X(KILLED, "killed") X(USER, "user") X(FAILURE, "failure") \
	X(RESTART, "restart") X(REMOVED, "removed") X(ORDER, "order") X(SCHEDULE, "schedule") X(BOOT, "boot")

/* What becomes of a proposal. */
#define PROTO_PROPOSALS(X) \
	X(APPLIED, "applied")           /* configured, and encryption requested: ask for the task */ \
	X(UNCHANGED, "unchanged")       /* it is so already, or on its way there */ \
	X(WAITING, "waiting")           /* for a person in the console */

#define X(id, name) PROTO_ACCESS_##id,
enum proto_access { PROTO_ACCESS_UNKNOWN, PROTO_ACCESSES(X) };
#undef X
#define X(id, name) PROTO_DEVICE_##id,
enum proto_device_kind { PROTO_DEVICE_UNKNOWN, PROTO_DEVICE_KINDS(X) };
#undef X
#define X(id, name) PROTO_KEY_##id,
enum proto_key_status { PROTO_KEY_UNKNOWN, PROTO_KEY_STATUSES(X) };
#undef X
#define X(id, name) PROTO_VOLUME_##id,
enum proto_volume_status { PROTO_VOLUME_UNKNOWN, PROTO_VOLUME_STATUSES(X) };
#undef X
#define X(id, name) PROTO_ORDER_##id,
enum proto_order_kind { PROTO_ORDER_UNKNOWN, PROTO_ORDERS(X) };
#undef X
#define X(id, name) PROTO_PROPOSAL_##id,
enum proto_proposal_outcome { PROTO_PROPOSAL_UNKNOWN, PROTO_PROPOSALS(X) };
#undef X
#define X(id, name) PROTO_REASON_##id,
enum proto_reason { PROTO_REASON_UNKNOWN, PROTO_REASONS(X) };
#undef X

/* NULL-terminated lists of the names above, by number: proto_access_names[PROTO_ACCESS_READ_ONLY]. */
extern const char *const proto_access_names[], *const proto_device_kind_names[], *const proto_key_status_names[],
	*const proto_volume_status_names[], *const proto_order_names[], *const proto_reason_names[],
	*const proto_proposal_names[];

struct proto_empty {
	int unused;
};

struct proto_ack {
	char warning[PROTO_TEXT_MAX + 1];        /* for the agent's log */
	int cancel;                              /* provision_progress: stop, the task was withdrawn */
};

/* The answer when the server will not: type "refusal". */
struct proto_refusal {
	char code[32];                           /* err_name() of the code */
	char text[PROTO_TEXT_MAX + 1];
	int64_t retry_after_s;
};

struct proto_host {
	char name[PROTO_TEXT_MAX + 1];
	char system[PROTO_WORD_MAX + 1];         /* "linux" */
	char distribution[PROTO_WORD_MAX + 1];
	char version[PROTO_WORD_MAX + 1];        /* of the distribution */
	char kernel[PROTO_TEXT_MAX + 1];
	char arch[PROTO_WORD_MAX + 1];           /* "x86_64" */
	char agent_version[PROTO_WORD_MAX + 1];
};

/* What an agent tells with its enrolment. */
struct proto_description {
	char provider[PROTO_WORD_MAX + 1];
	char instance_id[PROTO_ID_MAX + 1];
	char image_id[PROTO_ID_MAX + 1];
	struct proto_host host;
};

struct proto_device {
	char id[PROTO_ID_MAX + 1];               /* as the provider names it: how all messages name a device */
	char name[PROTO_TEXT_MAX + 1];
	char path[PROTO_TEXT_MAX + 1];           /* in the guest */
	int64_t size_bytes;
	int kind;                                /* enum proto_device_kind */
	int in_use;                              /* mounted, swap, or part of something that is */
	int system;                              /* holds the root file system or what the guest boots from */
	char filesystem[PROTO_WORD_MAX + 1];     /* signature found: "ext4", "crypto_LUKS", "" for none */
	char luks_uuid[37];
	char key_device[PROTO_ID_MAX + 1];       /* from our token in the LUKS2 header: device id ... */
	int64_t key_version;                     /* ... and version of its key ... */
	char key_account[37];                    /* ... and whose it is */
	char key_server[PROTO_TEXT_MAX + 1];
	char unusable[PROTO_TEXT_MAX + 1];       /* why it cannot be encrypted now, for people; "" when it can */
};

struct proto_inventory {
	char provider[PROTO_WORD_MAX + 1];
	char instance_id[PROTO_ID_MAX + 1];
	char image_id[PROTO_ID_MAX + 1];
	char image_name[PROTO_TEXT_MAX + 1];
	char region[PROTO_WORD_MAX + 1];
	char zone[PROTO_WORD_MAX + 1];
	struct proto_host host;
	int devices_count;
	struct proto_device devices[PROTO_DEVICES_MAX];
};

/* A file whose hash the rules of this machine's policies ask for: fact "files". */
struct proto_watch {
	char path[PROTO_PATH_MAX + 1];
};

struct proto_inventory_answer {
	char warning[PROTO_TEXT_MAX + 1];        /* for the agent's log */
	int watch_files_count;
	struct proto_watch watch_files[PROTO_WATCH_MAX];         /* from now on these and no others */
};

/* What whoever administers this machine wants of one of its devices (keyward-config --devices). Only for a device of the agent's own
 * that nobody has configured; whether it is done at once or waits for a person is the tenant's choice. */
struct proto_proposal {
	char device[PROTO_ID_MAX + 1];
	char label[PROTO_TEXT_MAX + 1];          /* what to call it; "": as it is */
	char os[PROTO_WORD_MAX + 1];             /* "linux" */
	char filesystem[PROTO_WORD_MAX + 1];     /* "ext3", "ext4", "xfs" */
	char mount_point[PROTO_PATH_MAX + 1];
	int access;                              /* enum proto_access */
	char mode[PROTO_WORD_MAX + 1];           /* as in a task */
	int64_t key_bits;
	int overwrite;                           /* what is on it may go: it was named for that */
};

struct proto_proposal_answer {
	int outcome;                             /* enum proto_proposal_outcome */
	char status[PROTO_WORD_MAX + 1];         /* of the device, as the console names it */
};

/* One device to encrypt. Members of a RAID are tasks of their own with the same raid_name: the id by which the array is asked for. */
struct proto_task {
	char device[PROTO_ID_MAX + 1];
	char label[PROTO_TEXT_MAX + 1];
	char cipher[PROTO_WORD_MAX + 1];         /* "aes" */
	char mode[PROTO_WORD_MAX + 1];           /* "xts-plain64", "cbc-essiv:sha256" */
	char hash[PROTO_WORD_MAX + 1];           /* "sha256" */
	int64_t key_bits;                        /* of the cipher: 128, 192, 256 */
	char filesystem[PROTO_WORD_MAX + 1];     /* "ext3", "ext4", "xfs" */
	char mount_point[PROTO_PATH_MAX + 1];
	int access;                              /* enum proto_access */
	int overwrite;                           /* a person has confirmed that what is on it may go */
	char raid_name[PROTO_WORD_MAX + 1];
	int64_t raid_index, raid_members;        /* 0.., and how many; 0 members: no RAID */
};

struct proto_provisioning_answer {
	int tasks_count;
	struct proto_task tasks[PROTO_DEVICES_MAX];
};

struct proto_provision_start {
	char device[PROTO_ID_MAX + 1];
	uint8_t recipient_key[PROTO_POINT_SIZE];         /* one-time */
	uint8_t signature[PROTO_SIGNATURE_SIZE];         /* evidence.h */
};

struct proto_provision_start_answer {
	char sealed[PROTO_SEALED_MAX + 1];       /* the device key, sealed to recipient_key */
	int64_t key_version;
};

/* A LUKS2 volume that is there already comes under management: what its header says, and where it is to be mounted. */
struct proto_adopt_start {
	char device[PROTO_ID_MAX + 1];
	char cipher[PROTO_WORD_MAX + 1];         /* "aes" */
	char mode[PROTO_WORD_MAX + 1];
	char hash[PROTO_WORD_MAX + 1];
	int64_t key_bits;                        /* of the cipher */
	char filesystem[PROTO_WORD_MAX + 1];     /* "" when it is not known */
	char mount_point[PROTO_PATH_MAX + 1];    /* "" for the one that is configured; proposed where nobody has configured one */
	int access;                              /* enum proto_access */
	uint8_t recipient_key[PROTO_POINT_SIZE];
	uint8_t signature[PROTO_SIGNATURE_SIZE];
};

/* A volume is to be given back: "hand-over" or "decrypt". Its key for that comes only when somebody has allowed just this. */
struct proto_release_start {
	char device[PROTO_ID_MAX + 1];
	char release[PROTO_WORD_MAX + 1];
	uint8_t recipient_key[PROTO_POINT_SIZE];
	uint8_t signature[PROTO_SIGNATURE_SIZE];
};

struct proto_release_done {
	char device[PROTO_ID_MAX + 1];
	char luks_uuid[37];                      /* of the volume handed over; "" when it is decrypted */
};

struct proto_rotate_start_answer {
	char sealed[PROTO_SEALED_MAX + 1];       /* the key that goes */
	int64_t key_version;
	char next_sealed[PROTO_SEALED_MAX + 1];  /* the key that comes, sealed to the same one-time key */
	int64_t next_version;
};

struct proto_rotate_step {
	char device[PROTO_ID_MAX + 1];
	int64_t key_version;                     /* of the new one */
};

struct proto_provision_progress {
	char device[PROTO_ID_MAX + 1];
	int64_t percent;
};

struct proto_provision_done {
	char device[PROTO_ID_MAX + 1];
	char luks_uuid[37];
	int64_t key_version;
};

struct proto_provision_failed {
	char device[PROTO_ID_MAX + 1];
	char reason[PROTO_TEXT_MAX + 1];
};

struct proto_key_request {
	char device[PROTO_ID_MAX + 1];
	int access;                              /* enum proto_access */
	char mount_point[PROTO_PATH_MAX + 1];
	int reason;                              /* enum proto_reason: boot, user, order */
	uint8_t recipient_key[PROTO_POINT_SIZE];
	uint8_t signature[PROTO_SIGNATURE_SIZE];
	json_t *facts;                           /* PROTO_FACTS_MAX */
};

struct proto_key_poll {
	struct uuid request;
};

/* The key of one member of a RAID, sealed to the same one-time key as all of them. */
struct proto_key_member {
	char device[PROTO_ID_MAX + 1];
	int64_t index;                           /* its place in the array, from 0 */
	char sealed[PROTO_SEALED_MAX + 1];
	int64_t key_version;
	char other_sealed[PROTO_SEALED_MAX + 1];
	int64_t other_version;
};

struct proto_key_answer {
	struct uuid request;
	int status;                              /* enum proto_key_status; a key comes only with "delivered" */
	char reason[PROTO_TEXT_MAX + 1];
	int64_t retry_after_s;                   /* poll no sooner; 0: no need to poll */
	char device[PROTO_ID_MAX + 1];           /* the one released: pooling may choose another than asked for */
	char sealed[PROTO_SEALED_MAX + 1];
	int64_t key_version;
	char other_sealed[PROTO_SEALED_MAX + 1]; /* while the key is being rotated: the one to try where the first does not open */
	int64_t other_version;
	struct uuid token_device;                /* for which the key was made, where that is another: what a clone's token names */
	char mount_point[PROTO_PATH_MAX + 1];
	int access;
	char filesystem[PROTO_WORD_MAX + 1];
	char encryption[2 * PROTO_WORD_MAX + 2]; /* as the server knows the volume: "aes-xts-plain64"; "": it does not say */
	int64_t key_bits;                        /* of the cipher */
	struct proto_key_member members[PROTO_RAID_MAX];     /* of an array, in place of sealed */
	int members_count;
};

struct proto_opened {
	struct uuid request;
	char device[PROTO_ID_MAX + 1];
	char repaired[PROTO_TEXT_MAX + 1];       /* what checking its file system found and mended; "" when all was well */
};

struct proto_closed {
	char device[PROTO_ID_MAX + 1];
	int reason;                              /* enum proto_reason */
	char detail[PROTO_TEXT_MAX + 1];
};

struct proto_volume {
	char device[PROTO_ID_MAX + 1];
	int status;                              /* enum proto_volume_status */
	struct uuid request;                     /* the key request it was opened under, or waits for */
	char detail[PROTO_TEXT_MAX + 1];
	int pending;                             /* that request was not decided when its agent heard of it last */
};

struct proto_order_result {
	struct uuid order;
	int done;
	char detail[PROTO_TEXT_MAX + 1];
};

struct proto_order_begun {
	struct uuid order;
};

struct proto_heartbeat {
	int64_t uptime_s;
	int64_t wait_s;                          /* hold the answer back this long unless there is an order */
	char log_level[PROTO_WORD_MAX + 1];
	char agent_version[PROTO_WORD_MAX + 1];
	int insecure_tls;                        /* certificate checks are switched off by a setting (AGT-1) */
	int volumes_count;
	struct proto_volume volumes[PROTO_DEVICES_MAX];
	int results_count;
	struct proto_order_result results[PROTO_ORDERS_MAX];     /* of orders since the last heartbeat that arrived */
	int begun_count;
	struct proto_order_begun begun[PROTO_ORDERS_MAX];        /* received and under way: not given again */
};

struct proto_order {
	struct uuid id;                          /* the same order has the same id when it is given again */
	int kind;                                /* enum proto_order_kind; unknown: report it as not done */
	char device[PROTO_ID_MAX + 1];           /* "" for all, or for orders without one */
	char argument[PROTO_TEXT_MAX + 1];
};

struct proto_heartbeat_answer {
	int64_t next_s;                          /* the next heartbeat no later than this */
	int held;                                /* held back as wished, or until there was something: the next one at once */
	int poll;                                /* something was decided or ordered, also before this heartbeat came: poll the pending key requests now */
	int orders_count;
	struct proto_order orders[PROTO_ORDERS_MAX];
	int watch_files_count;                   /* with an order check or request-key: as in inventory_answer; else none */
	struct proto_watch watch_files[PROTO_WATCH_MAX];
};

struct proto_report {
	int reason;                              /* enum proto_reason: order, schedule, boot */
	struct uuid order;                       /* the check order it answers */
	json_t *facts;
};

struct proto_bye {
	int reason;                              /* enum proto_reason: shutdown, restart, removed */
};

#define PROTO_NO_DEVICE ""               /* signed with a one-time key that is for credentials: no device is called so */

struct proto_credentials {
	uint8_t recipient_key[PROTO_POINT_SIZE];
	uint8_t signature[PROTO_SIGNATURE_SIZE];         /* evidence.h, for PROTO_NO_DEVICE */
};

struct proto_credentials_answer {
	int64_t version;                         /* 0: there have never been any */
	char provider[PROTO_WORD_MAX + 1];
	char label[PROTO_TEXT_MAX + 1];          /* what of them is no secret: an access key id, a user name */
	char sealed[PROTO_SEALED_MAX + 1];       /* "": there are none now */
};

struct proto_credentials_set {
	char provider[PROTO_WORD_MAX + 1];
	char label[PROTO_TEXT_MAX + 1];
	int64_t replaces;                        /* the version that they replace; 0: there have never been any */
	char values[PROTO_CREDENTIALS_MAX + 1];  /* text of a JSON object, names and values as the plug-in describes them */
};

/* One row per message. */
struct proto_message_row {
	const char *name;
	const struct proto_fields *request, *answer;
};

extern const struct proto_message_row proto_messages[PROTO_MESSAGE_COUNT];
extern const struct proto_fields proto_description_fields, proto_refusal_fields;

/* A zeroed struct of the message's request or answer; the caller ends it with the matching _free. */
void *proto_request_new(enum proto_message type);
void *proto_answer_new(enum proto_message type);
void proto_request_free(enum proto_message type, void *request);     /* NULL is fine */
void proto_answer_free(enum proto_message type, void *answer);

/* Agent: request to JSON text (OUT is replaced); answer from JSON text. A refusal gives its ERR_ code (ERR_FORBIDDEN
 * for a code this build does not know) and fills *REFUSAL (may be NULL). */
int proto_request_encode(enum proto_message type, const void *request, struct buf *out);
int proto_answer_decode(
	enum proto_message type, const void *text, size_t len, void *answer, struct proto_refusal *refusal);
/* Server: *TYPE and a new request struct (proto_request_free) from JSON text; ERR_UNSUPPORTED for an unknown type,
 * ERR_INVALID, ERR_TOO_LARGE. Answer or refusal to JSON text (OUT is replaced). */
int proto_request_decode(const void *text, size_t len, enum proto_message *type, void **request);
int proto_answer_encode(enum proto_message type, const void *answer, struct buf *out);
void proto_refusal_encode(int code, const char *text, int64_t retry_after_s, struct buf *out);

/* The whole table as Markdown: the part of docs/protocol.md about messages is made from it and tested against it. */
void proto_message_describe(struct buf *out);

#endif
