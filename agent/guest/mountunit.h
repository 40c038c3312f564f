/* mountunit.h - where systemd runs, it has a unit for each mount, and at shutdown it would unmount a volume beside the agent, while
 * services still use it and before the teardown program has run. What stands here makes it wait for the agent's stop. */
#ifndef AGENT_GUEST_MOUNTUNIT_H
#define AGENT_GUEST_MOUNTUNIT_H

#include <stddef.h>

#define MOUNTUNIT_DIR "/run/systemd/system"
#define MOUNTUNIT_NAME_MAX 255

/* Before POINT is mounted, for systemd reads it when the mount appears. Nothing happens without systemd (no MOUNTUNIT_DIR). Failure is
 * no reason not to mount: it is logged. */
void mountunit_order(const char *point);
/* The unit's name for the absolute path POINT (systemd.unit(5), "String escaping"). ERR_TOO_LARGE where it does not fit. */
int mountunit_name(const char *point, char out[static MOUNTUNIT_NAME_MAX + 1]);

#endif
