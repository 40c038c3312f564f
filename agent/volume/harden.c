/* harden.c - see harden.h. */
#include "agent/volume/harden.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

static void protect_from_oom_killer(void)
{
	static const char least[] = "-1000";
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, least, strlen(least)) < 0)
		log_debug("not protected from the out-of-memory killer", NULL);
	if (fd >= 0)
		close(fd);
}

void harden_memory(void)
{
	if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) < 0)
		log_warning("memory cannot be locked", "reason", strerror(errno), NULL);
}

void harden_process(int last)
{
	const struct rlimit none = { 0, 0 };

	close_range((unsigned)last + 1, ~0u, 0);
	prctl(PR_SET_DUMPABLE, 0);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	/* Our I/O must not wait for memory that only I/O through us can free. */
	prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
	setrlimit(RLIMIT_CORE, &none);
	harden_memory();
	protect_from_oom_killer();
}

void harden_drop_capabilities(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	/* Memory is still allocated later on, and all of it is locked. */
	const uint32_t lock = 1u << CAP_IPC_LOCK;
	const struct __user_cap_data_struct least[2] = { { .effective = lock, .permitted = lock }, { 0 } };

	if (syscall(SYS_capset, &header, least) < 0)
		log_warning("capabilities cannot be dropped", "reason", strerror(errno), NULL);
}

void harden_system_calls(void)
{
	static const int allowed[] = {
		SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(pread64), SCMP_SYS(pwrite64),
		SCMP_SYS(fdatasync), SCMP_SYS(io_submit), SCMP_SYS(io_getevents), SCMP_SYS(io_destroy), SCMP_SYS(poll), SCMP_SYS(ppoll),
		SCMP_SYS(fallocate), SCMP_SYS(close), SCMP_SYS(futex), SCMP_SYS(munmap), SCMP_SYS(madvise),
		SCMP_SYS(mremap), SCMP_SYS(brk), SCMP_SYS(mlock), SCMP_SYS(munlock), SCMP_SYS(exit), SCMP_SYS(exit_group),
		SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigtimedwait),
		SCMP_SYS(sigaltstack), SCMP_SYS(restart_syscall), SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday),
		SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep), SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getrandom),
		SCMP_SYS(kill), SCMP_SYS(tgkill), SCMP_SYS(sched_yield), SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(lseek),
	};
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int rc = filter ? 0 : -ENOMEM;

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(allowed); i++)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
	if (rc == 0)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_EQ, BLKDISCARD));
	/* No new code in memory. */
	if (rc == 0)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (rc == 0)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (rc == 0)
		rc = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (rc == 0)
		rc = seccomp_load(filter);
	seccomp_release(filter);
	if (rc < 0)
		log_warning("system calls cannot be restricted", "reason", strerror(-rc), NULL);
}
