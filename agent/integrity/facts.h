/* facts.h - the Integrity Check Module: a table of facts, each a name, a function and a time limit, one file per family. What
 * cannot be told is left out, which the server counts as unknown; a set that could only be told in part is left out as
 * well, since a rule that forbids a member would be satisfied by what is missing.
 *
 * They are gathered in a process of its own (keyward-facts, probe.c), so that a file system that hangs or a parser that
 * fails costs one fact and not the agent: ask.h is how the agent gets them.
 *
 * Only what lies open is read: the kernel's files, the package manager's, those of the products. No command lines, no
 * environments, no contents. A set is an object: member -> detail, or null. */
#ifndef AGENT_INTEGRITY_FACTS_H
#define AGENT_INTEGRITY_FACTS_H

#include <jansson.h>

#include "agent/provider/provider.h"
#include "base/clock.h"

/* What the caller knows that facts are made of; zeroed is fine, everything is borrowed. */
struct facts_wish {
	const struct proto_watch *files;     /* the server asks for their hashes */
	int files_count;
	const struct provider_identity *who;
	const char *user_data;               /* NULL: not known */
	const char *cache;                   /* folder for what is worked out rarely; NULL: nothing is kept */
};

struct updates {
	int looked, pending, security;       /* -1: not known */
};

/* One gathering: families that need the same thing look for it once. */
struct facts_run {
	const struct facts_wish *wish;
	const json_t *so_far;                /* facts that come before in the table */
	struct process_table *processes;     /* processes.h; NULL until somebody needs it */
	struct updates updates;
};

struct fact {
	const char *name;
	json_t *(*gather)(struct facts_run *run);    /* a new reference, or NULL: not known */
	int limit_ms;                        /* after that its gathering is ended, and it counts as not known */
};

extern const struct fact facts_table[];
extern const size_t facts_count;

/* Told of each fact as soon as it is there, in the table's order. VALUE is borrowed; NULL: not known. */
typedef void (*facts_sink)(void *ctx, const struct fact *f, json_t *value, clock_us took);
/* Gathers here and now, without limits, what is neither a member of KNOWN nor of SKIP (NULL: none); what is found is added to
 * KNOWN. */
void facts_walk(const struct facts_wish *wish, json_t *known, const json_t *skip, facts_sink sink, void *ctx);

/* Leaves out of FACTS until its text has at most MAX bytes: those first that a rule can best do without. "facts.left_out" names
 * them. */
void facts_fit(json_t *facts, size_t max);
/* The longest that each fact took in N gatherings, and its size: the table in docs/agent.md is made with it. */
void facts_measure(const struct facts_wish *wish, int n, struct buf *out);

#endif
