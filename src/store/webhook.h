/* webhook.h - webhooks (NTF-3) and their deliveries: of the tenant that is bound; where none is, the operator's. The secret that signs is a blob of keyd, of the purpose below and the webhook as its object. */
#ifndef STORE_WEBHOOK_H
#define STORE_WEBHOOK_H

#include "base/buf.h"
#include "store/db.h"
#include "store/list.h"

#define WEBHOOK_PURPOSE "webhook"
/* The operator's are under the root key, each of a purpose of its own. */
#define WEBHOOK_SYSTEM_PURPOSE_SIZE 48
void webhook_system_purpose(const struct uuid *webhook, char out[static WEBHOOK_SYSTEM_PURPOSE_SIZE]);
#define WEBHOOK_JOB "webhook"            /* payload {"delivery": id} */
#define WEBHOOKS_MOST 50                 /* of a tenant, of the operator */
#define WEBHOOK_ATTEMPTS 8
#define WEBHOOK_FAILURES_MOST 5          /* deliveries that came to nothing, one after the other: it is switched off */
#define WEBHOOK_KEPT (30 * CLOCK_DAY)    /* a delivery */
#define WEBHOOK_ANSWER_MAX 500           /* bytes of an answer that are kept */

/* Texts are borrowed; EVENTS an array of names. */
struct webhook {
	const char *name, *url, *format, *ca;
	const json_t *events;
	int enabled;
};

/* Consoles. A row: id, name, url, format, events, ca, enabled, stopped, failures, changed, changed_by, last {state, at}. Sorts "name", "changed";
 * filter "state" (on, off); search in name and address. */
int webhook_list(struct db *db, const struct list_query *query, json_t **page);
int webhook_get(struct db *db, const struct uuid *id, json_t **out);
/* The log is told of the address without its path and query, which are a secret of many receivers. ERR_CONFLICT: the name; ERR_TOO_MANY. */
int webhook_create(struct db *db, const struct uuid *id, const struct webhook *w, const struct buf *secret);
int webhook_save(struct db *db, const struct uuid *id, const struct webhook *w);
int webhook_enable(struct db *db, const struct uuid *id, int enabled);
int webhook_set_secret(struct db *db, const struct uuid *id, const struct buf *secret);
int webhook_delete(struct db *db, const struct uuid *id);
/* Queues a delivery of BODY as a test; it is logged. ID is the delivery's. */
int webhook_test(struct db *db, const struct uuid *webhook, const struct uuid *id, const char *event, const char *body);
/* Deliveries, the newest first; filters "webhook" (must be given), "state". */
int webhook_deliveries(struct db *db, const struct list_query *query, json_t **page);

/* Jobs */

int webhook_tenants(struct db *db, json_t **out);
/* One webhook that has to be told, and what of: {id, format, events, tenant, notices: [{events, severity, item, at}]}; it counts as told when the
 * transaction commits. At most MOST notices, the others the next time. ERR_NOT_FOUND: none. */
int webhook_take(struct db *db, int64_t most, json_t **out);
int webhook_deliver(struct db *db, const struct uuid *webhook, const struct uuid *id, const char *event, const char *body, int away);
/* {webhook, url, ca, body, event, enabled, is_test, state}, and the secret's blob. ERR_NOT_FOUND: deleted meanwhile. */
int webhook_delivery_get(struct db *db, const struct uuid *id, json_t **out, struct buf *secret);
struct webhook_outcome {
	int delivered, last;         /* LAST: it is not tried again */
	int64_t attempts, status, took_ms;
	const char *answer, *error;  /* NULL: none */
};
int webhook_delivery_note(struct db *db, const struct uuid *id, const struct webhook_outcome *o);
int webhook_clean(struct db *db, clock_us before);
/* Bound to none, jobs and central: {failed}, deliveries of all accounts that were given up in the last day. */
int webhook_given_up(struct db *db, json_t **out);

#endif
