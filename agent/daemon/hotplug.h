/* hotplug.h - disks that come and go while the agent runs: the kernel's own messages, and whether udev is still at work on them. */
#ifndef AGENT_DAEMON_HOTPLUG_H
#define AGENT_DAEMON_HOTPLUG_H

#include <stddef.h>

/* Where the kernel tells of devices; -1 where it does not let us listen, which is no error: the regular scans go on. */
int hotplug_open(void);
/* Reads what has come on FD, without waiting: 1 when a block device was added or removed, or messages were lost. */
int hotplug_changed(int fd);
/* Whether LEN bytes of a message, NUL-separated words, tell of an added or removed block device. */
int hotplug_is_block(const char *message, size_t len);
/* udev has events left: early in a boot disks are still being found. 0 where there is no udev. */
int hotplug_busy(void);

#endif
