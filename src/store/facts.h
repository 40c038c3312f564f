/* facts.h - what is known of a machine, as one document: what its agent says, what the server itself knows, each with its time
 * (INT-5). Key requests, checks and the instance keep it; policy/facts.h reads it. And what changed from one report to the
 * next (INT-6).
 *
 *     {"agent": {"at": ..., "values": {"os.kernel": ...}}, "server": {"at": ..., "utc_offset_s": ..., "values": {...}}}
 *
 * An agent's words stay in the agent's part: names of the server's facts are dropped from it. */
#ifndef STORE_FACTS_H
#define STORE_FACTS_H

#include <jansson.h>

#include "store/db.h"
#include "store/list.h"

/* Everything is borrowed. */
struct facts_question {
	const struct uuid *instance;
	const struct uuid *device;           /* NULL: no device is in question, and no fact of one is given */
	const json_t *agent;                 /* facts as the agent sent them; NULL: what the instance last reported */
	const char *access, *mount_point;    /* as the agent asks for them now; NULL, for checks: as the open key request has them */
	const char *address;                 /* of the agent as the server sees it; NULL: that of its last heartbeat */
	clock_us at;
};

/* The facts of a key request or a check at Q->at; *OUT is the caller's reference. In a check (ACCESS NULL) the date of the request and
 * the offset of the tenant's time zone at it are those of the open request, so that a check does not fail because it is night.
 * One query. ERR_NOT_FOUND: no such instance. Roles: agent, jobs, console. */
int facts_document(struct db *db, const struct facts_question *q, json_t **out);

/* Agent. The paths that file rules of policies name which its instance's image or a device of it is in: a list of at most LIMIT
 * texts of at most MAX bytes, the caller's. */
int facts_watched(struct db *db, const struct uuid *agent, int max, int limit, json_t **out);

/* Agent. The instance has reported; what differs from its last report is kept. AGENT and ADDRESS as in facts_question. */
int facts_report(struct db *db, const struct uuid *instance, const json_t *agent, const char *address, clock_us now);

#define FACT_CHANGES_MAX 200     /* members of one set that change at once are kept one by one up to so many, else by their number */
#define FACT_CHANGES_DAY 5000    /* of one instance within a day; what it changes beyond that is not kept */
#define FACT_CHANGE_VALUE_MAX 2048       /* bytes of a value or a name; longer values are not kept, only that they changed */
#define FACT_CHANGES_KEPT (400 * CLOCK_DAY)

/* Console. Members of the sets that instances last reported. Sorts: name, fact; filters: instance (always give it), fact; rows: fact, name,
 * detail. */
int fact_member_list(struct db *db, const struct list_query *query, json_t **page);
/* Console. Sort: at; filters: instance, fact; rows: id, at, fact, subject ("" but for members of sets), kind ("added", "removed",
 * "changed", or "many": new is {added, removed, changed}), old, new. The newest first. */
int fact_change_list(struct db *db, const struct list_query *query, json_t **page);
/* Console. Names of the facts of which the instance has changes: a list of texts. */
int fact_change_facts(struct db *db, const struct uuid *instance, json_t **out);
#define FACTS_SEEN_INSTANCES 200 /* that were heard of last: more would make a page wait */
#define FACTS_SEEN_MAX 8         /* values of one fact */
/* Console. What machines report of each of FACTS, a list of names: {name: [{value (text), count}]}, the commonest first; values that are longer than a line are left
 * out. */
int facts_seen(struct db *db, const json_t *facts, json_t **out);
/* jobd: those from before BEFORE go, a part of them at a time. */
int fact_change_clean(struct db *db, clock_us before);

/* 1 when two documents differ in nothing but what passes by itself: times, counts, processes that come and go. */
int facts_unchanged(const json_t *a, const json_t *b);
/* Same, for facts as agents send them. */
int facts_agent_unchanged(const json_t *a, const json_t *b);

#endif
