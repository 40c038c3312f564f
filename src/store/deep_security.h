/* deep_security.h - the connection to a tenant's Deep Security Manager, and its newest answers (ADM-4). The secret is a blob of keyd. */
#ifndef STORE_DEEP_SECURITY_H
#define STORE_DEEP_SECURITY_H

#include "store/db.h"

#define DEEP_SECURITY_PURPOSE "deep-security"    /* of the blob */
#define DEEP_SECURITY_JOB_TEST "deep-security-test"
#define DEEP_SECURITY_JOB_ASK "deep-security-ask"      /* payload {"instance": id} */

/* API_KEY NULL leaves the secret as it is; with another URL there is none then. */
struct deep_security_change {
	int enabled;
	const char *url, *ca;
	int64_t keep_s;
	const struct buf *api_key;
};

/* {enabled, url, ca, has_key, keep_s, changed, test_asked, tested, test_error}; what a new connection has when none was set. Console. */
int deep_security_get(struct db *db, json_t **out);
/* ERR_INVALID: enabled without address or secret. Answers to the former connection are good no more. Console. */
int deep_security_set(struct db *db, const struct deep_security_change *c);
/* Queues a test; its outcome stands in deep_security_get once "tested" is later than "test_asked". ERR_CONFLICT: not enabled. Console. */
int deep_security_ask_test(struct db *db);

/* What a facts document says under "deep_security" of INSTANCE at NOW: {"off": true}, {"at", "values"} of an answer that is not too old,
 * or {"waiting": true} when one has to be fetched: its job is queued then. *OUT is the caller's. Agent, console, jobs. */
int deep_security_facts(struct db *db, const struct uuid *instance, clock_us now, json_t **out);

/* Jobs. The connection: {url, ca, since (which one it is)} and the secret's blob; ERR_NOT_FOUND when it is off. */
int deep_security_connection(struct db *db, json_t **out, struct buf *api_key);
int deep_security_host(struct db *db, const struct uuid *instance, char **host_name);       /* the caller frees */
/* FACTS NULL: ERROR says why there are none. ERR_CONFLICT: the connection is no longer the one of SINCE. */
int deep_security_keep(struct db *db, const struct uuid *instance, const char *since, const char *host_name, const json_t *facts,
	const char *error);
/* ERROR NULL: it worked. Of a connection that is no longer the one of SINCE nothing is kept. */
int deep_security_tested(struct db *db, const char *since, const char *error);

#endif
