/* command.c - see command.h. */
#include "agent/volume/command.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"

static char *const clean_environment[] = {
	(char[]){ "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" }, (char[]){ "LC_ALL=C" }, NULL,
};

static int start(char *const argv[], int output, pid_t *pid)
{
	static const char *const folders[] = { "/usr/sbin", "/usr/bin", "/sbin", "/bin" };
	posix_spawn_file_actions_t actions;
	char path[256];
	int error = ENOENT;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, output, 1);
	posix_spawn_file_actions_adddup2(&actions, output, 2);
	for (size_t i = 0; error == ENOENT && i < sizeof folders / sizeof *folders; i++) {
		snprintf(path, sizeof path, "%s/%s", folders[i], argv[0]);
		error = posix_spawn(pid, path, &actions, NULL, argv, clean_environment);
	}
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

int command_run(char *const argv[], char text[static COMMAND_TEXT_MAX])
{
	int rc, status, ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set(ERR_IO, "pipe: %s", strerror(errno));
	rc = start(argv, ends[1], &pid);
	close(ends[1]);
	if (rc == 0) {
		gather(ends[0], text);
		while (waitpid(pid, &status, 0) < 0)
			if (errno != EINTR)
				fatal("waiting for %s: %s", argv[0], strerror(errno));
		rc = WIFEXITED(status) ? WEXITSTATUS(status) : err_set(ERR_IO, "%s ended by signal %d", argv[0], WTERMSIG(status));
	}
	close(ends[0]);
	return rc;
}
