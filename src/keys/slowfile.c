/* slowfile.c - forks the reader; a pipe brings what it has read: an int, the outcome, then the file or the reason. */
#include "keys/slowfile.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/keyfile.h"
#include "base/mem.h"

#define LIMIT_MS 2000
#define REASON_MAX 512
#define STUCK_MAX 8

/* Readers that hang: one for each path, and no more of them than these. */
static struct stuck {
	pid_t pid;                   /* 0: free */
	char *path;
} stuck[STUCK_MAX];

static int hangs(const char *path)
{
	int all = 1;

	for (size_t i = 0; i < STUCK_MAX; i++) {
		struct stuck *s = &stuck[i];

		/* Where nobody waits for children there is none left to wait for. */
		if (s->pid && waitpid(s->pid, NULL, WNOHANG) != 0) {
			free(s->path);
			*s = (struct stuck){ 0 };
		}
		if (s->pid && strcmp(s->path, path) == 0)
			return 1;
		all &= s->pid != 0;
	}
	return all;
}

static void note_stuck(pid_t pid, const char *path)
{
	for (size_t i = 0; i < STUCK_MAX; i++)
		if (stuck[i].pid == 0) {
			stuck[i] = (struct stuck){ pid, mem_strdup(path) };
			return;
		}
}

static int tell(int fd, const void *data, size_t len)
{
	ssize_t n;

	for (const char *at = data; len; at += n, len -= (size_t)n) {
		n = write(fd, at, len);
		if (n < 0 && errno == EINTR)
			n = 0;
		if (n < 0)
			return -1;
	}
	return 0;
}

static __attribute__((noreturn)) void run_reader(const char *path, size_t max, int fd)
{
	struct secret *file = NULL;
	int rc;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
#ifndef __SANITIZE_ADDRESS__
	/* A child's memory is not locked as its parent's is. */
	if (mlockall(MCL_CURRENT | MCL_FUTURE) < 0)
		_exit(1);
#endif
	if (fd != 3 && dup2(fd, 3) < 0)
		_exit(1);
	/* Whoever ends notices by these that it has ended. */
	close_range(4, ~0U, 0);
	rc = keyfile_read(path, max, &file);
	if (tell(3, &rc, sizeof rc) == 0)
		tell(3, rc < 0 ? (const void *)err_text() : file->data, rc < 0 ? strlen(err_text()) : file->len);
	secret_free(file);
	_exit(0);
}

/* What has come until the other end is closed: its length, or -1 when that takes too long. */
static ssize_t collect(int fd, struct secret *in)
{
	clock_us until = clock_ticks() + LIMIT_MS * (CLOCK_SECOND / 1000);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t have = 0;

	for (;;) {
		clock_us left = until - clock_ticks();
		int ready = left > 0 ? poll(&p, 1, (int)(left / 1000) + 1) : 0;
		ssize_t n = ready > 0 ? read(fd, in->data + have, in->len - have) : ready;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || ready == 0)
			return -1;
		if (n == 0)
			return (ssize_t)have;
		have += (size_t)n;
	}
}

static int take(const struct secret *in, ssize_t len, const char *path, struct secret **out)
{
	int rc = ERR_IO;

	if (len < (ssize_t)sizeof rc)
		return err_set(ERR_IO, "%s: its reader has ended", path);
	memcpy(&rc, in->data, sizeof rc);
	len -= (ssize_t)sizeof rc;
	if (rc < 0)
		return err_set(rc, "%.*s", (int)len, (const char *)in->data + sizeof rc);
	*out = secret_new((size_t)len);
	memcpy((*out)->data, in->data + sizeof rc, (size_t)len);
	return 0;
}

static int read_within(const char *path, size_t max, struct secret **out)
{
	/* With room for one byte more: a read of no bytes is the end. */
	struct secret *in = secret_new(sizeof(int) + (max > REASON_MAX ? max : REASON_MAX) + 1);
	int ends[2], rc = 0;
	ssize_t len = 0;
	pid_t pid = -1;

	if (pipe2(ends, O_CLOEXEC) < 0) {
		secret_free(in);
		return err_set(ERR_IO, "pipe: %s", strerror(errno));
	}
	pid = fork();
	if (pid == 0)
		run_reader(path, max, ends[1]);
	close(ends[1]);
	if (pid < 0)
		rc = err_set(ERR_IO, "fork: %s", strerror(errno));
	else if ((len = collect(ends[0], in)) < 0)
		rc = err_set(ERR_TIMEOUT, "%s: its file system does not answer", path);
	close(ends[0]);
	if (rc == ERR_TIMEOUT) {
		kill(pid, SIGKILL);
		note_stuck(pid, path);
	} else if (pid > 0) {
		waitpid(pid, NULL, 0);
		rc = take(in, len, path, out);
	}
	secret_free(in);
	return rc;
}

int slowfile_read(const char *path, size_t max, struct secret **out)
{
	return hangs(path) ? err_set(ERR_TIMEOUT, "%s: its file system does not answer", path) : read_within(path, max, out);
}
