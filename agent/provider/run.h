/* run.h - one run of a program that is not trusted to behave: input from memory, output into memory, limits on time and size, and
 * nothing inherited. Who asks what, and what answers mean, is not its affair. */
#ifndef AGENT_PROVIDER_RUN_H
#define AGENT_PROVIDER_RUN_H

#include <sys/uio.h>

#include "base/buf.h"

#define RUN_ERRORS_MAX 4096              /* of standard error: what comes first; the rest is dropped */

struct run {
	const char *path;                /* absolute */
	const struct iovec *input;       /* written one after the other, never joined: parts may lie in secrets */
	int input_count;
	int seconds;                     /* then its whole process group is killed */
	size_t max;                      /* bytes of standard output */
};

struct run_result {
	struct buf output, errors;       /* the caller's to free */
	int status;                      /* exit status; 128 and the number of the signal that ended it */
	int left_over;                   /* processes of its group were still there when it had ended, and were killed */
};

/* The program gets the path as its only argument, an environment of PATH and LC_ALL, / as its folder, a process group of its own, no
 * descriptor but 0, 1 and 2, no way to new privileges, no core dump; it dies with its parent. ERR_TIMEOUT, ERR_TOO_LARGE, ERR_NOT_FOUND
 * and ERR_IO (it could not be started). Whatever it left behind in its group is killed. OUT is written in any case. */
int run_program(const struct run *r, struct run_result *out);
void run_result_free(struct run_result *r);

/* A program that may be run as root: a regular file in a folder, both owned by root or by this process's user and writable by
 * nobody else. ERR_NOT_FOUND, ERR_FORBIDDEN with what is wrong. */
int run_may(const char *path);

#endif
