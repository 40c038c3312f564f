/* processes.h - a look at /proc: who runs, and who holds which socket. */
#ifndef AGENT_INTEGRITY_PROCESSES_H
#define AGENT_INTEGRITY_PROCESSES_H

#include <jansson.h>

#include "agent/integrity/facts.h"

#define PROCESS_NAME_MAX 63

/* Processes of the guest without the kernel's own threads; NULL when there are too many to tell all. The run owns it. */
const struct process_table *processes_of(struct facts_run *run);
void processes_free(struct process_table *t);                /* NULL is fine */
/* SOCKETS: "inode" -> any; calls FOUND with the inode and the name of each process that holds one of them, as far as it gets in two
 * seconds. */
void processes_of_sockets(
	const struct process_table *t, const json_t *sockets, void (*found)(void *ctx, const char *inode, const char *name), void *ctx);

/* A line of /proc/PID/stat, "pid (name) state ppid pgrp session tty tpgid flags ...", where the name may hold anything: 1 and the name,
 * or 0 for a thread of the kernel's and what is no such line. */
int processes_read_stat(const char *text, char name[static PROCESS_NAME_MAX + 1]);

json_t *fact_processes(struct facts_run *run);

#endif
