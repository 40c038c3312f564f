/* calls.c - narrows system calls: a list, and the conditions that several processes share. */
#include "base/calls.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/err.h"
#include "base/mem.h"

#ifdef __SANITIZE_ADDRESS__
/* The sanitizer's stacks and reports: they run a symbolizer and look at every thread. The files that they read are ALSO's to allow. */
static const int sanitizers[] = {
	SCMP_SYS(open), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(stat), SCMP_SYS(lseek),
	SCMP_SYS(pread64), SCMP_SYS(access), SCMP_SYS(unlink), SCMP_SYS(ioctl), SCMP_SYS(fcntl), SCMP_SYS(dup), SCMP_SYS(dup2), SCMP_SYS(pipe2),
	SCMP_SYS(sigaltstack), SCMP_SYS(rt_sigaction), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity), SCMP_SYS(getrlimit), SCMP_SYS(prlimit64),
	SCMP_SYS(getuid), SCMP_SYS(prctl), SCMP_SYS(clone), SCMP_SYS(execve), SCMP_SYS(wait4), SCMP_SYS(kill), SCMP_SYS(mmap), SCMP_SYS(mprotect),
};

/* The search for leaks at exit traces the process, which it has just forbidden. */
__attribute__((visibility("default"))) int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
	return 1;
}
#else
static const int sanitizers[] = { SCMP_SYS(exit_group) };
#endif

static int allow(scmp_filter_ctx filter, const int *calls, size_t count)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
	return rc;
}

static int allow_if(scmp_filter_ctx filter, int call, struct scmp_arg_cmp what)
{
	return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1, &what);
}

/* What kills anyway needs no rule. */
static int refuse_if(scmp_filter_ctx filter, uint32_t refused, int call, struct scmp_arg_cmp what)
{
	return refused == SCMP_ACT_KILL_PROCESS ? 0 : seccomp_rule_add_array(filter, refused, call, 1, &what);
}

int calls_memory(scmp_filter_ctx filter, uint32_t refused)
{
	int rc = 0;

#ifndef __SANITIZE_ADDRESS__
	for (int i = 0; rc == 0 && i < 2; i++) {
		int call = i ? SCMP_SYS(mmap) : SCMP_SYS(mprotect);

		rc = allow_if(filter, call, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
		if (rc == 0)
			rc = refuse_if(filter, refused, call, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC));
	}
#else
	(void)filter;
	(void)refused;
#endif
	return rc;
}

int calls_reading(scmp_filter_ctx filter, uint32_t refused)
{
	int rc = allow_if(filter, SCMP_SYS(openat), SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE, O_RDONLY));

	if (rc == 0)
		rc = refuse_if(filter, refused, SCMP_SYS(openat), SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE, O_WRONLY));
	return rc < 0 ? rc : refuse_if(filter, refused, SCMP_SYS(openat), SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE, O_RDWR));
}

int calls_threads(scmp_filter_ctx filter)
{
	return seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
}

void calls_narrow(const int *allowed, size_t count, int (*also)(scmp_filter_ctx filter))
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int rc = filter ? allow(filter, allowed, count) : -ENOMEM;

	tzset();                     /* the log's clock would read the zone's file later */
	if (rc == 0)
		rc = allow(filter, sanitizers, ARRAY_LEN(sanitizers));
	if (rc == 0 && also)
		rc = also(filter);
	if (rc == 0)
		rc = seccomp_load(filter);
	if (rc < 0)
		fatal("seccomp: %s", strerror(-rc));
	seccomp_release(filter);
}
