/* facts.h - what is known about a machine when a policy is held against it: one layer per source, so that nobody can supply what
 * is not his to say. Which fact comes from which source, and what it looks like, are rows of policy/catalogue.h.
 *
 * As JSON (kept with a request, a check and an instance): a member per source, absent where nothing is known from it:
 *     {"agent": {"at": RFC 3339, "values": {"host.name": "db-4", ...}},
 *      "server": {"at": ..., "utc_offset_s": 3600, "values": {...}},
 *      "deep_security": {"at": ..., "off": true, "values": {}}}
 */
#ifndef POLICY_FACTS_H
#define POLICY_FACTS_H

#include <jansson.h>

#include "base/clock.h"

#define FACT_SOURCE_ROWS(X) \
	X(AGENT, "agent", "Agent") \
	X(SERVER, "server", "Server") \
	X(DEEP_SECURITY, "deep_security", "Deep Security")

enum fact_source {
#define X(id, name, label) FACT_##id,
	FACT_SOURCE_ROWS(X)
#undef X
	FACT_SOURCES
};

struct facts {
	struct {
		const json_t *values;    /* name -> value; borrowed; NULL: nothing is known */
		clock_us at;             /* when it was so; 0: unknown */
		int off;                 /* the source is switched off (ADM-4): its rules are skipped */
	} from[FACT_SOURCES];
	int64_t utc_offset_s;        /* east of UTC, of the tenant's time zone at that moment: for time windows */
	uint64_t sound;              /* facts_check's knowledge: quicker; 0 is always right */
};

#define FACTS_UTC_OFFSET_MAX (18 * 3600)

/* The one reader of the JSON form above; *OUT borrows from DOC. NULL and {} give facts of which nothing is known. ERR_INVALID names
 * the member that is not as it should be. */
int facts_read(const json_t *doc, struct facts *out);
/* For facts that were put together by hand: remembers which sets hold well-formed members only, so that looking up one of them
 * needs no walk through all. facts_read does it. Call it again when values change. */
void facts_check(struct facts *f);
const char *fact_source_name(enum fact_source s);            /* "deep_security" */
const char *fact_source_label(enum fact_source s);           /* "Deep Security" */

#endif
