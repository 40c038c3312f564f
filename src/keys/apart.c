/* apart.c - forks keyd's children. */
#include "keys/apart.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "keys/confine.h"

int apart_start(const char *name, void (*body)(int fd, void *ctx, const char *user), void *ctx, const char *user, int *fd)
{
	int ends[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return err_set(ERR_IO, "socket pair: %s", strerror(errno));
	pid = fork();
	if (pid < 0) {
		close(ends[0]);
		close(ends[1]);
		return err_set(ERR_IO, "fork: %s", strerror(errno));
	}
	if (pid == 0) {
		close(ends[0]);
		prctl(PR_SET_NAME, name);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGPIPE, SIG_IGN);
		confine_memory();
		body(ends[1], ctx, user);
		_exit(0);
	}
	close(ends[1]);
	*fd = ends[0];
	return 0;
}
