/* cause.h - what keeps the key service sealed, in words for people: one table for /readyz, pages, health and `keyward status`. */
#ifndef HEALTH_CAUSE_H
#define HEALTH_CAUSE_H

#include "keys/cause.h"

struct health_cause {
	const char *name;            /* in what processes say of themselves (beat.c) */
	const char *briefly;         /* English, of a few words: for programs that watch */
	const char *advice;          /* what to do, a text to be translated */
};

/* Never NULL. */
const struct health_cause *health_cause(enum keys_cause cause);
/* By its name; that of KEYS_CAUSE_NONE for what is none. */
const struct health_cause *health_cause_named(const char *name);

#endif
