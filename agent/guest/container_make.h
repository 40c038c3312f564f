/* container_make.h - makes the files that agent.conf names as containers (common/container.h). Once: never again automatically, since where one has gone,
 * its file system is not mounted. */
#ifndef AGENT_GUEST_CONTAINER_MAKE_H
#define AGENT_GUEST_CONTAINER_MAKE_H

#include "agent/common/conf.h"
#include "agent/common/container.h"

/* Makes the file, all zeros, whole or not at all: 0, ERR_CONFLICT when it is there, ERR_FORBIDDEN ("rest" on the root file system, no
 * such folder), ERR_TOO_LARGE. PROGRESS (may be NULL): per cent; nonzero stops it. Takes long where blocks must be written. */
int container_make(const struct container *c, int (*progress)(void *ctx, int percent), void *ctx);

/* Those of CONF that were never made, one after the other; PROGRESS as above, with the file's path. How many were made, or the first error. */
int container_make_all(const struct agent_conf *conf, const char *state_dir,
	int (*progress)(void *ctx, const char *path, int percent), void *ctx);
/* The same for a process that must not wait: makes them in a process of its own, one at a time, and notes in STATE_DIR that
 * they were made. Call it now and then. 1 when one has become ready since the last call. */
int container_look_after(const struct agent_conf *conf, const char *state_dir);

#endif
