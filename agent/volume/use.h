/* use.h - what the running system does with a block device or file: mounted, swap, held by a driver, locked by a process. */
#ifndef AGENT_VOLUME_USE_H
#define AGENT_VOLUME_USE_H

#include <sys/types.h>

#include "agent/volume/volume.h"

/* Whether a claim on it (O_EXCL, use_claim_file) is to be looked for, or is known to be the caller's own. */
enum use_claim { USE_CLAIMED_BY_OTHERS, USE_CLAIMED_BY_US };

/* PATH itself, its partitions, the disk it is on, what is stacked on them, and the same disk by another path. TEXT says what,
 * empty when free. */
int use_find(const char *path, enum use_claim claimed, enum volume_use *use, char text[static VOLUME_TEXT_MAX]);
/* First mount point of a block device; 0 when there is none. */
int use_mount_point(dev_t device, char *out, size_t size);
/* Takes FILE (a descriptor open for writing if RDWR) as this process's alone, so that use_find sees it: ERR_BUSY. Block
 * devices are claimed by opening them with O_EXCL instead. */
int use_claim_file(int file, int rdwr);
/* The block device PATH for this process alone (O_EXCL): a descriptor, or -1 with errno. Who only looks whether one is in use has it so for a
 * moment, which is waited for. */
int use_open_alone(const char *path, int flags);
/* For who takes it in another way and finds it busy: 1 after a moment, 0 when that was so often enough. TRIES is 0 at first. */
int use_again(int *tries);
/* 1 when somebody has the file FD (open for reading only) open for writing, this process included. File systems that know no leases
 * say 0. */
int use_is_written(int fd);

#endif
