/* daemon.c - how our services begin: users who may ask, the socket, who they become, the signals to stop. */
#include "base/daemon.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/ipc.h"
#include "base/mem.h"

void daemon_allow(struct daemon_users *u, const char *names)
{
	char *copy = mem_strdup(names), *rest = copy, *name;

	while ((name = strsep(&rest, ",")) != NULL) {
		const struct passwd *pw = getpwnam(name);

		if (pw == NULL)
			fatal("--allow: no user %s", name);
		if (u->count == DAEMON_USERS_MAX)
			fatal("--allow: more than %d users", DAEMON_USERS_MAX);
		u->ids[u->count++] = pw->pw_uid;
	}
	free(copy);
}

int daemon_allows(const struct daemon_users *u, uid_t id)
{
	for (size_t i = 0; i < u->count; i++)
		if (u->ids[i] == id)
			return 1;
	return 0;
}

int daemon_listen(const char *path, const char *group)
{
	const struct group *found = group ? getgrnam(group) : NULL;
	int fd;

	if (group && found == NULL)
		fatal("no group %s", group);
	umask(0117);
	fd = ipc_listen(path, 0660);
	if (fd < 0)
		fatal("%s", err_text());
	if (found && chown(path, (uid_t)-1, found->gr_gid) < 0)
		fatal("%s: %s", path, strerror(errno));
	return fd;
}

static void hide(void)
{
	const struct rlimit none = { 0, 0 };

	if (setrlimit(RLIMIT_CORE, &none) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		fatal("core dumps: %s", strerror(errno));
}

void daemon_become(const char *user)
{
	const struct passwd *pw = user ? getpwnam(user) : getpwuid(geteuid());

	if (pw == NULL)
		fatal("no user %s", user ? user : "of this number");
	if (pw->pw_uid == 0)
		fatal("this service must not run as root");
	if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) < 0
			|| setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) < 0))
		fatal("cannot become %s: %s", pw->pw_name, strerror(errno));
	if (geteuid() != pw->pw_uid || setuid(0) == 0)
		fatal("is not, or not only, user %s", pw->pw_name);
	hide();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		fatal("PR_SET_NO_NEW_PRIVS: %s", strerror(errno));
}

int daemon_signals(void)
{
	sigset_t stop;
	int fd;

	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGINT);
	if (sigprocmask(SIG_BLOCK, &stop, NULL) < 0 || (fd = signalfd(-1, &stop, SFD_CLOEXEC | SFD_NONBLOCK)) < 0)
		fatal("signals: %s", strerror(errno));
	return fd;
}
