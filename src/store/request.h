/* request.h - key requests: from the agent's question to the end of the volume's use (RUN-1 to RUN-6, INT-2, INT-3). Every change
 * of status goes through the table in policy/request_state.h; what that does not allow gives ERR_CONFLICT with its words.
 *
 * A request is open until it is closed; a device has at most one open request from an instance. */
#ifndef STORE_REQUEST_H
#define STORE_REQUEST_H

#include "base/say.h"
#include "policy/evaluate.h"
#include "policy/request_state.h"
#include "store/db.h"
#include "store/device.h"
#include "store/key.h"
#include "store/list.h"

#define REQUEST_MISSING N_("instance missing")       /* why a request was closed */
#define REQUEST_KEY_SIZE 65      /* P-256 point, uncompressed */
#define REQUEST_SIGNATURE_SIZE 64

#define REQUEST_NO_DEVICE "the device is in use, and no other device of its policy is free"       /* why one waits */

/* What an agent asks. Strings and FACTS are borrowed. */
struct request_question {
	struct uuid device, instance, agent;
	const char *access, *mount_point, *reason;
	const uint8_t *recipient_key, *signature;    /* of the sizes above */
	const json_t *facts;         /* the document of store/facts.h */
	const char *address;         /* as the server saw it */
	struct uuid given;           /* by request_place; nil: the one asked for */
	int pooled, unplaced;        /* by request_place: the device's policy pools; and none of its devices is free */
};

/* All that a decision needs, from one query. */
struct request_case {
	struct uuid id, agent, instance, image;      /* image: nil when unknown */
	struct uuid asked;           /* the device that the agent asked for: device.id unless a pool gave another (POL-5) */
	enum request_state status;
	enum integrity integrity;
	int closed, judged;          /* judged: a verdict was kept already */
	char *access, *mount_point, *address;
	uint8_t recipient_key[REQUEST_KEY_SIZE], signature[REQUEST_SIGNATURE_SIZE];     /* the signature, and ... */
	char *asked_name;            /* ... for which device the agent made it (its provider's id): by request_load_poll alone */
	json_t *facts;
	clock_us requested, approve_at, votes_expire;
	int64_t delivered_version;   /* of the key; 0: not delivered */
	struct device device;
	/* The device's policy, ready for policy_evaluate: policy.rules is policy_rules below. */
	struct policy policy;
	char *policy_name;
	int64_t policy_version, judged_version;      /* now, and when the verdict was made */
	int64_t approvals_needed;    /* of different people (RUN-8) */
	int policy_pooling;
	json_t *policy_rules;
	int image_in_policy;         /* the instance's image belongs to the device's policy too (RUN-4) */
	struct uuid used_by;         /* another instance that has the device open; nil: none */
	int unplaced;                /* none of the pool is free: whatever is decided, no key */
	char *gist;                  /* what an approver sees of it, in short (sql/0006) */
	int tenant_active, agent_active;     /* agent_active: by request_load_poll alone */
	int person_revoked;          /* a person revoked this key here before, and no person has approved it since */
};

void request_case_release(struct request_case *c);           /* frees what it points to; zeroed is fine */

/* Agent */

/* Which device answers Q (its device, instance and access): where the policy pools and the device is in use elsewhere, a free one of the
 * same policy, locked until this transaction ends. Native and vCloud devices belong to one machine and are never pooled.
 * ERR_CONFLICT: this very device is given to the instance in place of another already. */
int request_place(struct db *db, struct request_question *q);
/* The open request for the question, new or not; *FRESH (may be NULL) tells. A pending one, and one whose decision holds
 * (request_holds), takes the new question's one-time key and facts and keeps its place; the same question again gives what there
 * is; any other open one ends as superseded. */
int request_open(struct db *db, const struct request_question *q, struct uuid *id, int *fresh);
/* What the answer to an agent that asks again takes, locked, with the keys that may have to be sealed, in one question to the database.
 * The acting agent is the one whose state counts. Of *OUT just id, agent, instance, asked, asked_name, unplaced, status, closed, access, recipient_key, signature, requested, delivered_version,
 * agent_active, and of its device id, name, provider_device, filesystem, mount_point, access, is_raid, key_version,
 * cipher, mode and key_bits are filled in. KEYS
 * have a ticket where the key may go to that agent. */
int request_load_poll(struct db *db, const struct uuid *id, struct request_case *out, struct key_pair *keys);
/* Whether one of the acting agent's requests IDS is not pending any more, or there is none such of its: 1, 0 or an error. */
int request_any_decided(struct db *db, const struct uuid ids[], size_t count);
/* The key of VERSION is being sealed to the agent; it leaves only after the commit. An APPROVED one only, or a DELIVERED one with the
 * same key again (an answer was lost). C is what request_load_locked or request_load_poll gave in this transaction: no further question to the database. */
int request_deliver_case(struct db *db, const struct request_case *c, int64_t version);

/* One of several agents that ask again, each of its own account, in one transaction that is bound to none (docs/performance.md). */
struct request_poll {
	struct uuid account, agent, request;
	const char *address, *web_request;           /* for the log; borrowed */
	struct request_case k;                       /* by request_load_polls, as request_load_poll fills it in, and so are the keys */
	struct key_pair keys;
	int found;                                   /* 0: there is none, somebody else is at it, or a pool gave another device: ask for it alone */
	int deliver;                                 /* by the caller, who has checked that it may: for request_deliver_polls */
};

#define REQUEST_POLLS_MAX 32
/* Nobody is waited for: what cannot be locked at once is not found. POLLS sorted by account, then by request, none of them twice; every one is released
 * by request_poll_release. */
int request_load_polls(struct db *db, struct request_poll *polls, size_t count);
/* request_deliver_case for those with DELIVER, with the commit. ERR_CONFLICT, and nothing is changed, when the table of states forbids one. */
int request_deliver_polls(struct db *db, const struct request_poll *polls, size_t count);
void request_poll_release(struct request_poll *p);           /* zeroed is fine */

/* The agent says that the volume is open: the device is In-use. */
int request_opened(struct db *db, const struct uuid *id);
/* The agent says that the volume is closed and the key wiped; whatever is open for that device (given or asked for) and instance ends, a revocation as
 * revoked. Can be repeated. */
int request_volume_closed(struct db *db, const struct uuid *instance, const struct uuid *device, const char *reason);

/* All roles that decide */

int request_load(struct db *db, const struct uuid *id, struct request_case *out);
/* Same, and nobody else changes the request until this transaction ends. */
int request_load_locked(struct db *db, const struct uuid *id, struct request_case *out);
/* The order to the agent to ask again, for an open request at which it rests (request_rests); else ERR_CONFLICT. */
int request_order(struct db *db, const struct uuid *id);
/* What C's policy says to FACTS (borrowed; NULL: those of the request), with all that keeps it from deciding by itself: image and
 * device in different policies (RUN-4: Unknown), approvals of several people, or of none (RUN-8), and a person's revocation before.
 * Pure; verdict_release. */
void request_evaluate(const struct request_case *c, const json_t *facts, clock_us now, struct verdict *out);
/* Keeps V of a pending request and acts on it: approved, denied, or pending with V's approve_at; a time that runs already runs on. C is
 * from request_load_locked in this transaction. */
int request_judge(struct db *db, const struct request_case *c, const struct verdict *v);
/* jobd: pending requests of INSTANCE that wait for Deep Security Manager are judged anew, now that its answer is kept. */
int request_judge_awaiting(struct db *db, const struct uuid *instance, clock_us now);

/* A person's decision. */
struct request_decision {
	enum request_event event;    /* APPROVE or DENY */
	const char *comment;         /* NULL: none */
	const json_t *roles;         /* names of the roles that may decide: approvals of others do not count */
	const char *seen;            /* the gist that the person saw; NULL: whatever it is */
	const struct uuid *by;       /* jobd, which carries out what this user has confirmed; NULL: the acting user */
	const char *by_name;
};

struct request_outcome {
	int decided;                 /* 0: the approval is kept, more are needed */
	int64_t given, needed;
};

/* The one place where people decide; the acting user is the one of the transaction. One denial denies. An approval approves when the
 * policy, as it is now, has what it asks for: so many approvals of different people, of those that it names, each active and of a role
 * that may decide now, none of whom the request is (RUN-8); otherwise it is kept until then. *OUT may be NULL.
 * ERR_CONFLICT: decided or closed already, no longer what was seen, or this user has approved it already; ERR_FORBIDDEN: this user may
 * not approve this one. err_text says it in words for people. */
int request_decide(struct db *db, const struct uuid *id, const struct request_decision *d, struct request_outcome *out);
/* {needed, given, expires, named (a list of approvers is given), may (the acting user, now), why_not (text or
 * null), voted (the acting user), votes: [{approver, name, at, comment, counts}], others: [{id, name} of who else can approve; at most 20]} */
int request_approvals(struct db *db, const struct uuid *id, const json_t *roles, json_t **out);
/* A person takes the key back: Delivered -> Revoking, and the order to the agent; also when a revocation was announced already, so
 * that it is not waited for. ERR_CONFLICT once the agent has been told. COMMENT may be NULL. */
int request_revoke(struct db *db, const struct uuid *id, const char *comment);
/* Agent: the instance was missing and is heard again, its heartbeat is written: requests that ended for that reason are open again where
 * the volume still is, and the instance is checked. */
int request_back(struct db *db, const struct uuid *instance);
/* Agent: [id] of the instance's keys that a check is about: delivered, being revoked, revoked and not given up. */
int request_handed_out(struct db *db, const struct uuid *instance, json_t **out);
/* The verdict of an integrity check on a key that was handed out (INT-2 to INT-4): keeps Good or Failed with the verdict and FACTS, and
 * does what policy/check.h says follows. ERR_CONFLICT where no key was handed out. */
int request_checked(struct db *db, const struct uuid *id, const struct verdict *v, const json_t *facts, clock_us now);
/* jobd: sends the orders whose announced time has come, asks for further checks where a key is being or was taken away, ends what
 * was not granted again in time, logs agents that do not answer. At most LIMIT, of which none is in EXCEPT (ids; NULL: none); how many had
 * something due. After a failure *AT is the one it failed at. */
int request_revocations_due(struct db *db, clock_us now, int limit, const json_t *except, struct uuid *at);
/* RUN-4: the device goes to POLICY, and so does the image when it is not there. Load and judge again afterwards. Console. */
int request_assign_policy(struct db *db, const struct uuid *id, const struct uuid *policy);
/* Policies that have rules, whose name contains SEARCH (NULL: all), by name, at most 20: [{id, name, rules (the list), devices (number)}] */
int request_policies(struct db *db, const char *search, json_t **out);
int request_close(struct db *db, const struct uuid *id, const char *reason);
/* jobd: [{id}] of at most LIMIT open requests of which something is due, the longest due first, each locked; those that another jobd
 * has locked are its. EXCEPT: ids that are left out; NULL: none. */
int request_due(struct db *db, clock_us now, int limit, const json_t *except, json_t **out);
/* jobd: the time for automatic approval has come (POL-4). V is the verdict of now on FACTS (borrowed, kept): satisfied still, it is
 * approved; otherwise it stays pending and says why. ERR_CONFLICT: no longer pending or due. C is from request_load_locked. */
int request_approve_due(struct db *db, const struct request_case *c, const json_t *facts, const struct verdict *v, clock_us now);
/* jobd: adds up what has changed since, for request_per_day, which is right before it as well. */
int request_count_fold(struct db *db);
/* jobd, bound to none: [{id}] of tenants for which there is something to add up. */
int request_count_tenants(struct db *db, json_t **out);
/* jobd: approvals of some of several that were due to expire are void; logged. */
int request_void_votes(struct db *db, const struct request_case *c);

/* Console */

/* Open requests. Sorts: requested, status, integrity, device, image, instance, provider, policy; filters: status, integrity,
 * policy, image, instance, device, provider. Rows: id, status, integrity, device, device_name, kind, image, image_name, instance,
 * instance_name, provider, policy, policy_name, requested, decided, delivered, approve_at, mount_point, access. */
int request_list(struct db *db, const struct list_query *query, json_t **page);
/* Bulk: puts the pending ones that QUERY's filters and search leave, and that are in IDS (NULL: all), on the list BULK as they are now. The
 * number of them. */
int request_choose(struct db *db, const struct uuid *bulk, const struct list_query *query, const json_t *ids);
/* Closed ones too; the newest first. Sort: requested; filters as above. */
int request_history(struct db *db, const struct list_query *query, json_t **page);
/* {instances, pending, approved, delivered, denied, revoking, revoked}: numbers up to LIST_COUNT_MAX + 1 (RUN-1). */
int request_totals(struct db *db, json_t **out);
int request_pending(struct db *db, int64_t *out);            /* the same number of pending ones alone */
/* Requests of the last DAYS days of ZONE, closed ones too, the oldest day first: [{day: "2026-11-21", by_policy, by_person (approved
 * by whom), denied, pending: numbers}], a row for every day. */
int request_per_day(struct db *db, const char *zone, int days, json_t **out);
/* A row with everything: description, size, os, file system, cipher and key sizes, facts, verdict, address, comment, decided_by_name,
 * policy_version, gist, waits, closed, closed_reason, decisions [{decision, at, by_kind, by_name, comment}]. */
int request_get(struct db *db, const struct uuid *id, json_t **out);

#endif
