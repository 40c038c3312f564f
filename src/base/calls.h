/* calls.h - the system calls that stay to a process once it has everything open. Only who uses it links libseccomp. */
#ifndef BASE_CALLS_H
#define BASE_CALLS_H

#include <seccomp.h>
#include <stddef.h>

/* From here on any call but the COUNT of ALLOWED, and what ALSO adds, ends the process; so does a failure here. ALSO returns 0 or a negative errno; may be NULL. */
void calls_narrow(const int *allowed, size_t count, int (*also)(scmp_filter_ctx filter));

/* For ALSO. Memory may be mapped and protected, but never so that it can be executed: REFUSED is what comes of that, or SCMP_ACT_KILL_PROCESS. */
int calls_memory(scmp_filter_ctx filter, uint32_t refused);
/* Files are read, never written. */
int calls_reading(scmp_filter_ctx filter, uint32_t refused);
/* Threads: the C library asks for a newer call first and does without. */
int calls_threads(scmp_filter_ctx filter);

#endif
