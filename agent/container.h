/* container.h - files that hold a volume where there is no disk for one: on NFS, or any other file system (VOL-2). agent.conf names
 * them with their size; they are made once, and never made again by themselves: where one has gone, its file system is not mounted. */
#ifndef AGENT_CONTAINER_H
#define AGENT_CONTAINER_H

#include <stdint.h>

#include "agent/conf.h"

#define CONTAINER_PATH_MAX 1023

struct container {
	char path[CONTAINER_PATH_MAX + 1];
	uint64_t size;                   /* bytes; 0: what is free, but a margin */
	int sparse;                      /* blocks are taken when they are written to */
};

/* "PATH,SIZE[,sparse]", SIZE "rest" or a number with K, M, G or T (1024 each). ERR_INVALID with a text. */
int container_parse(const char *text, struct container *out);

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
