/* script.c - posix_spawn, a time limit, and nothing inherited but standard error. */
#include "agent/daemon/script.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"

#define STEP_NS 20000000L

static void attributes(posix_spawnattr_t *attr)
{
	sigset_t none, all;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_init(attr);
	posix_spawnattr_setsigmask(attr, &none);
	posix_spawnattr_setsigdefault(attr, &all);
	posix_spawnattr_setpgroup(attr, 0);
	posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
}

int script_start(struct script *s, const char *path, const char *event, const char *device, const char *point,
	const char *reason, long seconds)
{
	char *program = mem_strdup(path), *argv[] = { program, NULL };
	char *env[] = {
		mem_strdup("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
		mem_printf("KEYWARD_EVENT=%s", event), mem_printf("KEYWARD_DEVICE=%s", device ? device : ""),
		mem_printf("KEYWARD_MOUNT_POINT=%s", point ? point : ""),
		mem_printf("KEYWARD_REASON=%s", reason ? reason : ""), NULL
	};
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	int rc;

	attributes(&attr);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO);
	rc = posix_spawn(&s->pid, path, &files, &attr, argv, env);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	for (size_t i = 0; env[i]; i++)
		free(env[i]);
	free(program);
	if (rc != 0) {
		s->pid = 0;
		return err_set(ERR_IO, "cannot start %s: %s", path, strerror(rc));
	}
	s->until = clock_ticks() + seconds * CLOCK_SECOND;
	s->event = event;
	log_info("script started", "event", event, "program", path, NULL);
	return 0;
}

int script_poll(struct script *s, int *status)
{
	pid_t got = waitpid(s->pid, status, WNOHANG);

	if (got == 0 && clock_ticks() < s->until)
		return 0;
	if (got == 0) {
		log_error("script has had its time and is killed", "event", s->event, NULL);
		kill(-s->pid, SIGKILL);
		while (waitpid(s->pid, status, 0) < 0 && errno == EINTR)
			continue;
	}
	*status = WIFEXITED(*status) ? WEXITSTATUS(*status) : 128 + WTERMSIG(*status);
	s->pid = 0;
	return 1;
}

int script_finish(struct script *s, int *status)
{
	static const struct timespec step = { 0, STEP_NS };

	while (script_poll(s, status) == 0)
		nanosleep(&step, NULL);
	return 0;
}
