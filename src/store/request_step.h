/* request_step.h - inside the store: a key request with its row locked, and one logged step of its life. */
#ifndef STORE_REQUEST_STEP_H
#define STORE_REQUEST_STEP_H

#include "store/audit.h"
#include "store/request.h"

struct request_held {
	struct uuid id, device, instance, agent;
	struct uuid asked;           /* the device that the agent knows it by: DEVICE unless a pool gave another */
	enum request_state status;
	int closed, unplaced;        /* unplaced: none of the pool is free */
	char *name;                  /* the device's, for the log */
	struct uuid policy;
	int64_t version;             /* of the key that was delivered; 0: none */
	clock_us approve_at, revoke_at, recheck_at;      /* 0: none */
	int revoke_ordered, by_person;       /* of a revocation: the agent has been told; it was not a check that did it */
	char *gist;
};

void request_held_release(struct request_held *h);
/* Locks the row; the caller releases H. */
int request_hold(struct db *db, const struct uuid *id, struct request_held *h);
/* Same, and it must be open: else ERR_CONFLICT. */
int request_hold_open(struct db *db, const struct uuid *id, struct request_held *h);
/* Locks what is open for the device, or was asked for by its name. Before the device's own row: who changes a request goes on to its device. Costs no round
 * trip; errors come with the next answer. */
int request_lock_open(struct db *db, const struct uuid *device);
/* DETAIL is taken over; NULL: none. */
int request_log(struct db *db, enum audit_event event, const struct request_held *h, json_t *detail);
/* Keeps who did WHAT: the name of an event of the state table, or another word that pages know ("vote"). COMMENT may be NULL. */
int request_record(struct db *db, const struct request_held *h, const char *what, const char *comment);
/* The caller has moved the status by the table in an update of its own: recorded and logged. */
int request_stepped(struct db *db, struct request_held *h, enum request_event event, enum audit_event log, const char *comment);
/* Moves the status by the table, records who did it, logs. */
int request_step(struct db *db, struct request_held *h, enum request_event event, enum audit_event log, const char *comment);
/* Approvals of some of several people are over: decided, or expired. */
int request_drop_votes(struct db *db, const struct uuid *id);
/* jobd looks again when the next request is due: with the commit. */
int request_wake(struct db *db);
/* It is over; its status stays readable. */
int request_end(struct db *db, const struct request_held *h, const char *reason);
/* The agent has closed what it was ordered to close: Revoking -> Revoked. */
int request_released(struct db *db, struct request_held *h);

#endif
