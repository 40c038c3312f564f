/* script.h - the administrator's programs: mount_complete and teardown. Started without a shell, with a small
 * environment (PATH, KEYWARD_EVENT, KEYWARD_DEVICE, KEYWARD_MOUNT_POINT, KEYWARD_REASON), in a process group of their
 * own. */
#ifndef AGENT_DAEMON_SCRIPT_H
#define AGENT_DAEMON_SCRIPT_H

#include <sys/types.h>

#include "base/clock.h"

struct script {
	pid_t pid;               /* 0: none is running */
	clock_us until;          /* clock_ticks() when it has had its time */
	const char *event;
};

/* DEVICE, POINT, REASON may be NULL. ERR_IO when it cannot be started. */
int script_start(struct script *s, const char *path, const char *event, const char *device, const char *point,
	const char *reason, long seconds);
/* 0 while it runs (and is killed when its time is over); 1 when it is over, with its exit status, or 128 and a signal. */
int script_poll(struct script *s, int *status);
/* Waits for it. */
int script_finish(struct script *s, int *status);

#endif
