/* conform.h - does a provider plug-in keep to docs/plugins.md? A table of checks, for authors (keyward-plugin-test), for our tests and, in
 * its basic part, before keyward-config installs one. */
#ifndef AGENT_PROVIDER_CONFORM_H
#define AGENT_PROVIDER_CONFORM_H

#include "agent/provider/provider.h"

struct conform_wish {
	const char *path;
	int basic;                               /* only what needs neither settings nor a provider */
	const char *const *settings;             /* "name=value", NULL-terminated; may be NULL */
	const struct secret *credentials;        /* may be NULL: then made-up ones are tried, and must not come out again */
	const char *attach;                      /* id of a device that may be attached and detached; NULL: that is not tried */
	/* Told after each check. RC: 0, CONFORM_SKIPPED or an ERR_ code; TEXT: why. */
	void (*told)(void *arg, const char *check, int rc, const char *text);
	void *arg;
};

#define CONFORM_SKIPPED 1

/* How many checks failed. */
int conform(const struct conform_wish *w);

#endif
