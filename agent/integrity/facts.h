/* facts.h - the seam of the Integrity Check Module: a table of facts, each a name, a function and a time limit. What
 * cannot be told is left out, which the server counts as unknown. */
#ifndef AGENT_INTEGRITY_FACTS_H
#define AGENT_INTEGRITY_FACTS_H

#include <jansson.h>

struct fact {
	const char *name;
	json_t *(*gather)(void);     /* a new reference, or NULL: not known */
	int limit_ms;                /* what takes longer counts as not known */
};

extern const struct fact facts_table[];
extern const size_t facts_count;

/* All of them as one object, with "gathered_at"; a new reference. */
json_t *facts_gather(void);

#endif
