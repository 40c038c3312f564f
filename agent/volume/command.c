/* command.c - see command.h. */
#include "agent/volume/command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"

static char *const clean_environment[] = {
	(char[]){ "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" }, (char[]){ "LC_ALL=C" }, NULL,
};

/* ERRORS: where its standard error goes; -1: nowhere. */
static int start(char *const argv[], int output, int errors, pid_t *pid)
{
	static const char *const folders[] = { "/usr/sbin", "/usr/bin", "/sbin", "/bin" };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	char path[256];
	int error = ENOENT;

	/* A group of its own: Ctrl-C reaches us alone, and we decide what becomes of the work. */
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setpgroup(&attributes, 0);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, output, 1);
	if (errors < 0)
		posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	else
		posix_spawn_file_actions_adddup2(&actions, errors, 2);
	for (size_t i = 0; error == ENOENT && i < sizeof folders / sizeof *folders; i++) {
		snprintf(path, sizeof path, "%s/%s", folders[i], argv[0]);
		error = posix_spawn(pid, path, &actions, &attributes, argv, clean_environment);
	}
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	if (error)
		return err_set(error == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s: %s", argv[0], strerror(error));
	return 0;
}

/* The end of what comes, since that is where programs say why they stop. */
static void gather(int fd, char text[static COMMAND_TEXT_MAX])
{
	char more[COMMAND_TEXT_MAX];
	size_t len = 0, over;
	ssize_t n;

	while ((n = read(fd, more, sizeof more - 1)) > 0 || (n < 0 && errno == EINTR)) {
		if (n < 0)
			continue;
		over = len + (size_t)n > COMMAND_TEXT_MAX - 1 ? len + (size_t)n - (COMMAND_TEXT_MAX - 1) : 0;
		over = over > len ? len : over;
		memmove(text, text + over, len - over);
		memcpy(text + len - over, more, (size_t)n);
		len += (size_t)n - over;
	}
	while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == ' '))
		len--;
	text[len] = '\0';
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ')
			text[i] = ' ';
}

static int ended(char *const argv[], pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			fatal("waiting for %s: %s", argv[0], strerror(errno));
	return WIFEXITED(status) ? WEXITSTATUS(status) : err_set(ERR_IO, "%s ended by signal %d", argv[0], WTERMSIG(status));
}

int command_run(char *const argv[], char text[static COMMAND_TEXT_MAX])
{
	int rc, ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set(ERR_IO, "pipe: %s", strerror(errno));
	rc = start(argv, ends[1], ends[1], &pid);
	close(ends[1]);
	if (rc == 0) {
		gather(ends[0], text);
		rc = ended(argv, pid);
	}
	close(ends[0]);
	return rc;
}

/* All that comes, within time and size. */
static int gather_all(int fd, int limit_ms, size_t max, struct buf *out)
{
	clock_us until = clock_ticks() + limit_ms * (CLOCK_SECOND / 1000), left;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t before = out->len;
	char more[16384];
	ssize_t n;

	while ((left = until - clock_ticks()) > 0) {
		if (poll(&p, 1, (int)(left / 1000 + 1)) <= 0)
			continue;
		n = read(fd, more, sizeof more);
		if (n == 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return err_set(ERR_IO, "read: %s", strerror(errno));
		if (n > 0 && out->len - before + (size_t)n > max)
			return err_set(ERR_TOO_LARGE, "more than %zu bytes of output", max);
		if (n > 0)
			buf_add(out, more, (size_t)n);
	}
	return err_set(ERR_TIMEOUT, "no end after %d ms", limit_ms);
}

int command_output(char *const argv[], int limit_ms, size_t max, struct buf *out)
{
	int rc, status, ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set(ERR_IO, "pipe: %s", strerror(errno));
	rc = start(argv, ends[1], -1, &pid);
	close(ends[1]);
	if (rc == 0) {
		rc = gather_all(ends[0], limit_ms, max, out);
		if (rc < 0)
			kill(pid, SIGKILL);
		status = ended(argv, pid);
		rc = rc < 0 ? err_wrap(rc, "%s", argv[0]) : status;
	}
	close(ends[0]);
	return rc;
}
