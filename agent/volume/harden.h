/* harden.h - what keyward-volume gives up and protects, step by step. Nothing here fails: a kernel that lacks one protection
 * is logged, and the volume still opens. */
#ifndef AGENT_VOLUME_HARDEN_H
#define AGENT_VOLUME_HARDEN_H

/* Before any key arrives: no core dump, no debugger, no swap, not shot when memory is short, no stray descriptor over LAST. */
void harden_process(int last);
/* Part of it, and again where a library may have unlocked some: nothing of this process goes to swap from here on. */
void harden_memory(void);
/* For a thread that only serves requests. */
void harden_drop_capabilities(void);
/* For all threads, once everything is open and all of them are under way: only the system calls that serving takes. */
void harden_system_calls(void);

#endif
