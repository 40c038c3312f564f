/* container.h - files that hold a volume where there is no disk for one: on NFS, or any other file system (VOL-2). agent.conf names
 * them with their size. container_make.h makes them. */
#ifndef AGENT_COMMON_CONTAINER_H
#define AGENT_COMMON_CONTAINER_H

#include <stdint.h>

#define CONTAINER_PATH_MAX 1023
#define CONTAINER_SIZE_LEAST ((uint64_t)32 << 20)        /* bytes: header and a small file system */

struct container {
	char path[CONTAINER_PATH_MAX + 1];
	uint64_t size;                   /* bytes; 0: what is free, but a margin */
	int sparse;                      /* blocks are taken when they are written to */
};

/* "PATH,SIZE[,sparse]", SIZE "rest" or a number with K, M, G or T (1024 each). ERR_INVALID with a text. */
int container_parse(const char *text, struct container *out);

#endif
