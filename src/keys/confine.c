/* confine.c - locks memory, drops privileges, narrows system calls. */
#include "keys/confine.h"

#include <cap-ng.h>
#include <errno.h>
#include <pwd.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

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
#ifdef __SANITIZE_ADDRESS__
	/* reports: they read files, run a symbolizer, and look at every thread */
	SCMP_SYS(openat), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(stat),
	SCMP_SYS(lseek), SCMP_SYS(pread64), SCMP_SYS(sigaltstack), SCMP_SYS(rt_sigaction), SCMP_SYS(sched_yield),
	SCMP_SYS(getrlimit), SCMP_SYS(prlimit64), SCMP_SYS(sched_getaffinity), SCMP_SYS(ioctl), SCMP_SYS(fcntl), SCMP_SYS(dup),
	SCMP_SYS(dup2), SCMP_SYS(pipe2), SCMP_SYS(clone), SCMP_SYS(execve), SCMP_SYS(wait4), SCMP_SYS(access), SCMP_SYS(prctl),
	SCMP_SYS(getuid), SCMP_SYS(mprotect), SCMP_SYS(mmap),
#endif
};

#ifdef __SANITIZE_ADDRESS__
/* The search for leaks at exit traces the process, which it has just forbidden. */
__attribute__((visibility("default"))) int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
	return 1;
}
#endif

/* Memory may be mapped and protected, but never so that it can be executed. */
static int allow_memory(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp not_executable = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
	int rc = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, &not_executable);

	return rc < 0 ? rc : seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, &not_executable);
}

void confine_calls(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int rc = filter ? 0 : -ENOMEM;

	tzset();                     /* the log's clock would read the zone's file later */
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(calls); i++)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
	if (rc == 0)
		rc = allow_memory(filter);
	if (rc == 0)
		rc = seccomp_load(filter);
	if (rc < 0)
		fatal("seccomp: %s", strerror(-rc));
	seccomp_release(filter);
}
