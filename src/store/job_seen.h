/* job_seen.h - the queue as the operator sees it (ADM-2): kinds, states, errors of all accounts' jobs, never what they are about; trying one again, removing
 * one. Role central, bound to no tenant. */
#ifndef STORE_JOB_SEEN_H
#define STORE_JOB_SEEN_H

#include "store/db.h"
#include "store/list.h"

/* Name, what pages call it, whether one that waits may be removed: of the others something is on the way that would stay half done. */
#define JOB_KINDS(X) \
	X("mail", "Mail", 1) \
	X("mail-test", "Test mail", 1) \
	X("report", "Report", 0) \
	X("what-if", "Trial of a policy", 0) \
	X("bulk-decide", "Decision on many requests", 0) \
	X("deep-security-test", "Test of Deep Security", 1) \
	X("deep-security-ask", "Question to Deep Security", 1) \
	X("key-server", "Look at a key server", 1) \
	X("webhook", "Delivery of a webhook", 0) \
	X("log-forward", "Sending the log on", 1) \
	X("log", "Signing and archiving of a log", 0) \
	X("log-search", "Index of texts in the log", 1) \
	X("rotate-root", "Root key being replaced", 0) \
	X("rotate-tenant", "Tenant's key being replaced", 0) \
	X("close-tenant", "Closing of an account", 0) \
	X("export-tenant", "Export of an account", 0)

/* What pages call a kind, in English; its name where this build does not know it. */
const char *job_kind_label(const char *kind);
/* STATE as below. What waits can be removed by kind, what was given up always. */
int job_may_drop(const char *kind, const char *state);
/* What was given up, or has a later time. */
int job_may_retry(const char *state);

/* Sorts: created, run_at, attempts, kind, account; filters: state (waiting, later, again, running, failed), kind; search in kind, account, error. Rows:
 * id, account, account_name, kind, state, attempts, created, run_at, last_error. */
int job_seen_list(struct db *db, const struct list_query *query, json_t **page);
/* One such row; ERR_NOT_FOUND. */
int job_seen_get(struct db *db, const struct uuid *id, json_t **out);
/* {kind: number} of all there are. */
int job_seen_kinds(struct db *db, json_t **out);
/* Logged, in the account's own log too. ERR_CONFLICT: it is not in a state for it any more. */
int job_seen_retry(struct db *db, const struct uuid *id);
int job_seen_drop(struct db *db, const struct uuid *id);

#endif
