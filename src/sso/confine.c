/* confine.c - narrows system calls, bounds what one question may use. */
#include "sso/confine.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/calls.h"
#include "base/err.h"
#include "base/mem.h"

#define CHILD_MEMORY (512UL * 1024 * 1024)       /* address space beyond what libraries take: far more than an honest answer needs */
#define CHILD_FILES 64

/* What the loop needs and a question's process does not: made ready once, as a program of the kernel's. */
static const int not_in_child[] = { SCMP_SYS(clone), SCMP_SYS(kill), SCMP_SYS(wait4), SCMP_SYS(accept4) };
static struct sock_fprog child_program;

static const int calls[] = {
	/* the loop, and the processes that it makes and ends */
	SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(accept4), SCMP_SYS(recvmsg), SCMP_SYS(recvfrom), SCMP_SYS(sendto), SCMP_SYS(sendmsg),
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(close), SCMP_SYS(restart_syscall), SCMP_SYS(socketpair), SCMP_SYS(clone), SCMP_SYS(wait4),
	SCMP_SYS(kill), SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(prlimit64), SCMP_SYS(setrlimit), SCMP_SYS(getrlimit), SCMP_SYS(prctl),
	SCMP_SYS(close_range), SCMP_SYS(getppid),
	/* connections, and the names of their far ends */
	SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt),
	SCMP_SYS(sendmmsg), SCMP_SYS(recvmmsg), SCMP_SYS(shutdown), SCMP_SYS(writev), SCMP_SYS(readv), SCMP_SYS(ioctl), SCMP_SYS(fcntl), SCMP_SYS(select),
	SCMP_SYS(pselect6), SCMP_SYS(uname), SCMP_SYS(sysinfo), SCMP_SYS(getrusage), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid),
	SCMP_SYS(getegid), SCMP_SYS(memfd_create), SCMP_SYS(lseek), SCMP_SYS(pread64), SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(stat),
	SCMP_SYS(statx), SCMP_SYS(access), SCMP_SYS(readlink), SCMP_SYS(nanosleep), SCMP_SYS(clock_nanosleep), SCMP_SYS(rt_sigaction),
	SCMP_SYS(getdents64), SCMP_SYS(dup),
	/* memory */
	SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(brk), SCMP_SYS(madvise), SCMP_SYS(mlock), SCMP_SYS(munlock),
	/* time, random numbers, locks */
	SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(getrandom), SCMP_SYS(futex), SCMP_SYS(getpid), SCMP_SYS(gettid),
	SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity),
	/* the end */
	SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask), SCMP_SYS(tgkill),
};

/* What would load code or write files gets an error, and goes on without. Sockets to networks and names alone. */
static int also(scmp_filter_ctx filter)
{
	static const int families[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK };
	int rc = calls_reading(filter, SCMP_ACT_ERRNO(EACCES));

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(families); i++)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i]));
	if (rc == 0)
		rc = calls_memory(filter, SCMP_ACT_ERRNO(EACCES));
	return rc < 0 ? rc : calls_threads(filter);
}

static int read_program(int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);

	if (size <= 0 || lseek(fd, 0, SEEK_SET) != 0)
		return -EIO;
	child_program.len = (unsigned short)((size_t)size / sizeof *child_program.filter);
	child_program.filter = mem_alloc((size_t)size);
	return read(fd, child_program.filter, (size_t)size) == size ? 0 : -EIO;
}

static int make_child_program(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int fd = memfd_create("filter", MFD_CLOEXEC), rc = filter && fd >= 0 ? 0 : -ENOMEM;

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(not_in_child); i++)
		rc = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, not_in_child[i], 0);
	/* libcurl asks for one and does without. */
	if (rc == 0)
		rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socketpair), 0);
	if (rc == 0)
		rc = seccomp_export_bpf(filter, fd);
	if (rc == 0)
		rc = read_program(fd);
	seccomp_release(filter);
	close(fd);
	return rc;
}

void confine_calls(void)
{
	int rc = make_child_program();

	if (rc < 0)
		fatal("seccomp: %s", strerror(-rc));
	calls_narrow(calls, ARRAY_LEN(calls), also);
}

void confine_child(int limit_ms)
{
	const struct rlimit files = { CHILD_FILES, CHILD_FILES };
	struct rlimit time = { (rlim_t)(limit_ms / 1000) + 1, (rlim_t)(limit_ms / 1000) + 1 };
#ifndef __SANITIZE_ADDRESS__
	struct rlimit memory = { CHILD_MEMORY, CHILD_MEMORY };

	if (setrlimit(RLIMIT_AS, &memory) < 0)
		fatal("RLIMIT_AS: %s", strerror(errno));
#endif
	if (setrlimit(RLIMIT_CPU, &time) < 0 || setrlimit(RLIMIT_NOFILE, &files) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		fatal("limits: %s", strerror(errno));
#ifndef __SANITIZE_ADDRESS__
	/* The sanitizer's report is made by another process. */
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &child_program, 0, 0) < 0)
		fatal("seccomp: %s", strerror(errno));
#endif
}
