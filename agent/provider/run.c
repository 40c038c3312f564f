/* run.c - fork, what a child must not have, exec, and three pipes within limits. */
#include "agent/provider/run.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"

#define CHUNK 16384
#define FILES_MAX 256
#define STEP_LEAST_US 200
#define STEP_MOST_US 10000

enum { INPUT, OUTPUT, ERRORS, PIPES };

struct job {
	const struct run *r;
	struct run_result *out;
	int ours[PIPES], theirs[PIPES];
	pid_t pid;
	clock_us until;
	int part;                /* of the input, and how far in it */
	size_t at;
};

static void close_one(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int open_pipes(struct job *j)
{
	for (int i = 0; i < PIPES; i++) {
		int ends[2];

		if (pipe2(ends, O_CLOEXEC) < 0)
			return err_set(ERR_IO, "pipe: %s", strerror(errno));
		j->ours[i] = ends[i == INPUT];
		j->theirs[i] = ends[i != INPUT];
		fcntl(j->ours[i], F_SETFL, O_NONBLOCK);
	}
	return 0;
}

static void limit(int what, rlim_t most)
{
	const struct rlimit r = { most, most };

	setrlimit(what, &r);
}

/* Between fork and exec: nothing but system calls. Exit status 127 when it cannot become the program. */
static void become(const struct job *j, char *const argv[], char *const env[])
{
	sigset_t none;
	int ok = 1;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int i = 0; i < PIPES; i++)
		ok = ok && dup2(j->theirs[i], i) == i;
	/* What was opened without O_CLOEXEC by whatever library. */
	if (syscall(SYS_close_range, 3, ~0U, 0) < 0)
		for (int fd = 3; fd < 1024; fd++)
			close(fd);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_NOFILE, FILES_MAX);
	limit(RLIMIT_CPU, (rlim_t)j->r->seconds);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	for (int n = 1; n < NSIG; n++)
		signal(n, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (ok && chdir("/") == 0)
		execve(j->r->path, argv, env);
	_exit(127);
}

static int start(struct job *j)
{
	char path_env[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", lc_env[] = "LC_ALL=C";
	char *program = mem_strdup(j->r->path), *argv[] = { program, NULL }, *env[] = { path_env, lc_env, NULL };
	int rc = 0;

	j->pid = fork();
	if (j->pid == 0)
		become(j, argv, env);
	if (j->pid < 0)
		rc = err_set(ERR_IO, "fork: %s", strerror(errno));
	else
		setpgid(j->pid, j->pid);         /* whichever of the two comes first */
	free(program);
	for (int i = 0; i < PIPES; i++)
		close_one(&j->theirs[i]);
	return rc;
}

static void feed(struct job *j)
{
	while (j->part < j->r->input_count) {
		const struct iovec *v = &j->r->input[j->part];
		ssize_t n = v->iov_len > j->at ? write(j->ours[INPUT], (const char *)v->iov_base + j->at, v->iov_len - j->at) : 0;

		if (n < 0 && errno == EAGAIN)
			return;
		/* It need not read what it does not want. */
		if (n < 0 && errno != EINTR)
			break;
		j->at += n > 0 ? (size_t)n : 0;
		if (j->at >= v->iov_len) {
			j->part++;
			j->at = 0;
		}
	}
	close_one(&j->ours[INPUT]);
}

/* 0, or ERR_TOO_LARGE. */
static int take(struct job *j, int which, struct buf *into, size_t max)
{
	char more[CHUNK];
	ssize_t n = read(j->ours[which], more, sizeof more);
	size_t room = max - into->len;

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		close_one(&j->ours[which]);
	if (n <= 0)
		return 0;
	buf_add(into, more, (size_t)n > room ? room : (size_t)n);
	return (size_t)n > room && which == OUTPUT ? err_set(ERR_TOO_LARGE, "more than %zu bytes of output", max) : 0;
}

static int overdue(const struct job *j)
{
	return err_set(ERR_TIMEOUT, "no answer within %d seconds", j->r->seconds);
}

/* Until both outputs are closed. */
static int talk(struct job *j)
{
	int rc = 0;

	while (rc == 0 && (j->ours[OUTPUT] >= 0 || j->ours[ERRORS] >= 0)) {
		struct pollfd p[PIPES] = { { j->ours[INPUT], POLLOUT, 0 }, { j->ours[OUTPUT], POLLIN, 0 }, { j->ours[ERRORS], POLLIN, 0 } };
		clock_us left = j->until - clock_ticks();

		if (left <= 0)
			return overdue(j);
		if (poll(p, PIPES, (int)(left / 1000 + 1)) <= 0)
			continue;
		if (p[INPUT].revents)
			feed(j);
		if (p[OUTPUT].revents)
			rc = take(j, OUTPUT, &j->out->output, j->r->max);
		if (rc == 0 && p[ERRORS].revents)
			rc = take(j, ERRORS, &j->out->errors, RUN_ERRORS_MAX);
	}
	return rc;
}

/* Closed outputs are as good as the end; who lingers on has until the same limit. */
static int reap(struct job *j)
{
	clock_us step = STEP_LEAST_US;
	int status, got;

	while ((got = waitpid(j->pid, &status, WNOHANG)) == 0 || (got < 0 && errno == EINTR)) {
		const struct timespec nap = { 0, (long)step * 1000 };

		if (clock_ticks() >= j->until)
			return overdue(j);
		nanosleep(&nap, NULL);
		step = step * 2 < STEP_MOST_US ? step * 2 : STEP_MOST_US;
	}
	j->out->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return got < 0 ? err_set(ERR_IO, "waiting for it: %s", strerror(errno)) : 0;
}

static int conclude(struct job *j, int rc)
{
	if (rc == 0)
		rc = reap(j);
	if (rc == ERR_TIMEOUT || rc == ERR_TOO_LARGE) {
		kill(-j->pid, SIGKILL);
		while (waitpid(j->pid, NULL, 0) < 0 && errno == EINTR)
			continue;
	}
	/* The leader is gone: whatever still answers to its group was left behind. */
	j->out->left_over = kill(-j->pid, SIGKILL) == 0;
	if (rc == 0 && j->out->status == 127 && j->out->output.len == 0)
		rc = err_set(ERR_IO, "it cannot be executed");
	return rc;
}

int run_program(const struct run *r, struct run_result *out)
{
	struct job j = { .r = r, .out = out, .ours = { -1, -1, -1 }, .theirs = { -1, -1, -1 }, .until = clock_ticks() + r->seconds * CLOCK_SECOND };
	int rc;

	*out = (struct run_result){ BUF_INIT, BUF_INIT, -1, 0 };
	if (access(r->path, X_OK) < 0)
		return err_set(ERR_NOT_FOUND, "%s: %s", r->path, strerror(errno));
	rc = open_pipes(&j);
	if (rc == 0)
		rc = start(&j);
	if (rc == 0)
		rc = conclude(&j, talk(&j));
	for (int i = 0; i < PIPES; i++) {
		close_one(&j.ours[i]);
		close_one(&j.theirs[i]);
	}
	return rc;
}

void run_result_free(struct run_result *r)
{
	buf_free(&r->output);
	buf_free(&r->errors);
}

int run_may(const char *path)
{
	char *copy = mem_strdup(path);
	int rc = file_trusted(path, S_IFREG);

	if (rc == 0)
		rc = file_trusted(dirname(copy), S_IFDIR);
	free(copy);
	return rc;
}
