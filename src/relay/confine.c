/* confine.c - narrows system calls: connections, threads, files to read (names of hosts), memory that is never executable. */
#include "relay/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/err.h"
#include "base/mem.h"

static const int calls[] = {
	SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(accept4), SCMP_SYS(recvmsg), SCMP_SYS(recvfrom), SCMP_SYS(sendto), SCMP_SYS(sendmsg), SCMP_SYS(sendmmsg),
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(close), SCMP_SYS(socket), SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(getsockname), SCMP_SYS(getpeername),
	SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(shutdown), SCMP_SYS(fcntl), SCMP_SYS(ioctl), SCMP_SYS(restart_syscall),
	/* names of hosts */
	SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(stat), SCMP_SYS(access), SCMP_SYS(lseek), SCMP_SYS(pread64), SCMP_SYS(uname), SCMP_SYS(geteuid),
	/* threads and memory */
	SCMP_SYS(clone), SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(futex), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity), SCMP_SYS(prctl),
	SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(brk), SCMP_SYS(madvise), SCMP_SYS(mlock), SCMP_SYS(munlock), SCMP_SYS(sysinfo),
	/* time, random numbers, the end */
	SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(clock_nanosleep), SCMP_SYS(getrandom), SCMP_SYS(getpid), SCMP_SYS(gettid),
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(tgkill), SCMP_SYS(exit), SCMP_SYS(exit_group),
#ifdef __SANITIZE_ADDRESS__
	/* its stacks and reports */
	SCMP_SYS(sigaltstack), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(pipe2), SCMP_SYS(dup2), SCMP_SYS(execve), SCMP_SYS(wait4), SCMP_SYS(mmap), SCMP_SYS(mprotect), SCMP_SYS(open),
	SCMP_SYS(getrlimit), SCMP_SYS(prlimit64), SCMP_SYS(kill),
#endif
};

static int allow_some(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp reading = SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE, O_RDONLY);
	int rc = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1, &reading);

#ifndef __SANITIZE_ADDRESS__
	const struct scmp_arg_cmp plain = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);

	for (int i = 0; rc == 0 && i < 2; i++)
		rc = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, i ? SCMP_SYS(mmap) : SCMP_SYS(mprotect), 1, &plain);
#endif
	/* Newer than what the C library needs. */
	return rc < 0 ? rc : seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
}

void confine_calls(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int rc = filter ? 0 : -ENOMEM;

	tzset();                     /* the log's clock would read the zone's file later */
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(calls); i++)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
	if (rc == 0)
		rc = allow_some(filter);
	if (rc == 0)
		rc = seccomp_load(filter);
	if (rc < 0)
		fatal("seccomp: %s", strerror(-rc));
	seccomp_release(filter);
}
