/* hotplug.c - a netlink socket (netlink(7), NETLINK_KOBJECT_UEVENT). */
#include "agent/daemon/hotplug.h"

#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define KERNEL_GROUP 1           /* the kernel's own messages; udev's, which others may send too, are group 2 */
#define MESSAGE_MAX 8192
#define UDEV_QUEUE "/run/udev/queue"     /* there while udev works, as udevadm settle has it */

int hotplug_open(void)
{
	struct sockaddr_nl here = { .nl_family = AF_NETLINK, .nl_groups = KERNEL_GROUP };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);

	if (fd >= 0 && bind(fd, (const struct sockaddr *)&here, sizeof here) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

int hotplug_is_block(const char *message, size_t len)
{
	int block = 0, moved = 0;

	for (size_t at = 0, n; at < len; at += n + 1) {
		const char *word = message + at;

		n = strnlen(word, len - at);
		if (at + n == len)
			break;                   /* cut off */
		block |= strcmp(word, "SUBSYSTEM=block") == 0;
		moved |= strcmp(word, "ACTION=add") == 0 || strcmp(word, "ACTION=remove") == 0;
	}
	return block && moved;
}

int hotplug_changed(int fd)
{
	char message[MESSAGE_MAX];
	struct sockaddr_nl from;
	socklen_t from_len = sizeof from;
	int changed = 0;
	ssize_t n;

	while (fd >= 0) {
		n = recvfrom(fd, message, sizeof message, MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);
		if (n < 0 && errno != ENOBUFS)
			break;
		/* Lost messages could have been anything; only the kernel has the address 0. */
		changed |= n < 0 || (from_len == sizeof from && from.nl_pid == 0 && hotplug_is_block(message, (size_t)n));
		from_len = sizeof from;
	}
	return changed;
}

int hotplug_busy(void)
{
	return access(UDEV_QUEUE, F_OK) == 0;
}
