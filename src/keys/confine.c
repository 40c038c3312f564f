/* confine.c - locks memory, drops privileges, narrows system calls. */
#include "keys/confine.h"

#include <cap-ng.h>
#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/calls.h"
#include "base/err.h"
#include "base/mem.h"

/* After a change of user the kernel makes a process dumpable or not by its own rule. */
static void hide(void)
{
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		fatal("PR_SET_DUMPABLE: %s", strerror(errno));
}

void confine_memory(void)
{
	const struct rlimit none = { 0, 0 };

	if (setrlimit(RLIMIT_CORE, &none) < 0)
		fatal("RLIMIT_CORE: %s", strerror(errno));
	hide();
#ifndef __SANITIZE_ADDRESS__
	/* The sanitizer's shadow, 16 TiB of address space, cannot be locked. */
	if (mlockall(MCL_CURRENT | MCL_FUTURE) < 0)
		fatal("cannot lock memory (LimitMEMLOCK=infinity?): %s", strerror(errno));
#endif
}

/* The one capability that stays lets memory that is mapped later be locked too, whatever RLIMIT_MEMLOCK says. */
static void become(const struct passwd *pw)
{
	capng_clear(CAPNG_SELECT_BOTH);
	if (capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_IPC_LOCK) < 0
		|| capng_change_id((int)pw->pw_uid, (int)pw->pw_gid, CAPNG_INIT_SUPP_GRP | CAPNG_CLEAR_BOUNDING) < 0)
		fatal("cannot become %s: %s", pw->pw_name, strerror(errno));
	if (setuid(0) == 0 || setgid(0) == 0)
		fatal("could become root again");
}

void confine_user(const char *user)
{
	const struct passwd *pw = getpwnam(user);

	if (pw == NULL)
		fatal("no user %s", user);
	if (pw->pw_uid == 0)
		fatal("the key service must not run as root");
	if (geteuid() == 0)
		become(pw);
	else if (geteuid() != pw->pw_uid)
		fatal("started as user %u, not as %s", geteuid(), user);
	hide();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		fatal("PR_SET_NO_NEW_PRIVS: %s", strerror(errno));
}

static const int calls[] = {
	/* the loop */
	SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(accept4), SCMP_SYS(getsockopt), SCMP_SYS(recvmsg), SCMP_SYS(sendto),
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(close), SCMP_SYS(restart_syscall),
	/* memory: libsodium's guarded heap and malloc */
	SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(brk), SCMP_SYS(madvise), SCMP_SYS(mlock), SCMP_SYS(munlock),
	/* time, random numbers, locks, and how OpenSSL notices a fork */
	SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(getrandom), SCMP_SYS(futex), SCMP_SYS(getpid),
	/* the end */
	SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask), SCMP_SYS(gettid),
	SCMP_SYS(tgkill),
};

static int also(scmp_filter_ctx filter)
{
	int rc = calls_memory(filter, SCMP_ACT_KILL_PROCESS);

#ifdef __SANITIZE_ADDRESS__
	/* Reports. */
	if (rc == 0)
		rc = calls_reading(filter, SCMP_ACT_KILL_PROCESS);
#endif
	return rc;
}

void confine_calls(void)
{
	calls_narrow(calls, ARRAY_LEN(calls), also);
}
