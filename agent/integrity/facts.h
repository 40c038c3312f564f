/* facts.h - the Integrity Check Module: a table of facts, each a name, a function and a time limit, one file per family. What
 * cannot be told is left out, which the server counts as unknown; a set that could only be told in part is left out as
 * well, since a rule that forbids a member would be satisfied by what is missing.
 *
 * Only what lies open is read: the kernel's files, the package manager's, those of the products. No command lines, no
 * environments, no contents. A set is an object: member -> detail, or null. */
#ifndef AGENT_INTEGRITY_FACTS_H
#define AGENT_INTEGRITY_FACTS_H

#include <jansson.h>

#include "agent/provider/provider.h"

/* What the caller knows that facts are made of; zeroed is fine, everything is borrowed. */
struct facts_wish {
	const struct proto_watch *files;     /* the server asks for their hashes */
	int files_count;
	const struct provider_identity *who;
};

/* One gathering: families that need the same thing look for it once. */
struct facts_run {
	const struct facts_wish *wish;
	const json_t *so_far;                /* facts that come before in the table */
	struct process_table *processes;     /* processes.h; NULL until somebody needs it */
};

struct fact {
	const char *name;
	json_t *(*gather)(struct facts_run *run);    /* a new reference, or NULL: not known */
	int limit_ms;                        /* what takes longer counts as not known */
};

extern const struct fact facts_table[];
extern const size_t facts_count;

/* All of them as one object, with "gathered_at"; a new reference. It fits into a message: where it would not, the facts that
 * a rule can best do without are left out, and "facts.left_out" names them. */
json_t *facts_gather(const struct facts_wish *wish);
/* Leaves out of FACTS until its text has at most MAX bytes. */
void facts_fit(json_t *facts, size_t max);
/* The longest that each fact took in N gatherings, and its size: the table in docs/agent.md is made with it. */
void facts_measure(const struct facts_wish *wish, int n, struct buf *out);

#endif
