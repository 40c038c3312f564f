/* wish.h - what keyward-facts is told on its standard input: what the facts are made of, and which need not be gathered. */
#ifndef AGENT_INTEGRITY_WISH_H
#define AGENT_INTEGRITY_WISH_H

#include "agent/integrity/facts.h"

#define WISH_MAX (8u << 20)      /* bytes; facts that are known already are the most of it */

/* As text; the caller frees. */
char *wish_text(const struct facts_wish *wish, const json_t *known, const json_t *skip);

struct wish {
	struct facts_wish facts;             /* points to what follows */
	struct provider_identity who;
	json_t *known, *skip;                /* facts_walk's */
	json_t *doc;
};

/* ERR_INVALID. The caller ends *OUT with wish_clear. */
int wish_parse(const char *text, size_t len, struct wish *out);
void wish_clear(struct wish *w);

#endif
