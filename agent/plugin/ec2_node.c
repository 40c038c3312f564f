/* ec2_node.c - which device a volume is. NVMe disks and virtio disks say so in their serial numbers, Xen's only by the name that the
 * cloud was asked to give them; udev's links repeat what serial numbers say. */
#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/common/host.h"
#include "agent/plugin/ec2.h"
#include "agent/provider/block.h"

#define VOLUME_LEAST 8           /* hexadecimal digits */
#define VOLUME_MOST 17

static size_t digits_of(const char *text)
{
	return strspn(text, "0123456789abcdef");
}

int ec2_is_volume(const char *text)
{
	size_t n = strncmp(text, "vol-", 4) == 0 ? digits_of(text + 4) : 0;

	return n >= VOLUME_LEAST && n <= VOLUME_MOST && text[4 + n] == '\0';
}

int ec2_volume_of(const char *text, char volume[static EC2_ID_MAX + 1])
{
	for (const char *at = strstr(text, "vol"); at; at = strstr(at + 1, "vol")) {
		const char *digits = at + 3 + (at[3] == '-');
		size_t n = digits_of(digits);

		if (n < VOLUME_LEAST || n > VOLUME_MOST || isalnum((unsigned char)digits[n]))
			continue;
		snprintf(volume, EC2_ID_MAX + 1, "vol-%.*s", (int)n, digits);
		return 1;
	}
	return 0;
}

int ec2_volume_of_disk(const char *name, char volume[static EC2_ID_MAX + 1])
{
	static const char *const sources[] = { "device/serial", "serial" };
	char path[PATH_MAX], text[128];

	for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
		snprintf(path, sizeof path, "/sys/class/block/%s/%s", name, sources[i]);
		host_read_line(path, text, sizeof text);
		if (ec2_volume_of(text, volume))
			return 1;
	}
	return 0;
}

/* /dev/sdf may be sdf, xvdf or vdf; /dev/xvdba is xvdba. Nothing else is guessed. */
int ec2_same_device(const char *name, const char *device)
{
	static const char *const prefixes[] = { "xvd", "sd", "vd" };
	const char *wanted = strncmp(device, "/dev/", 5) == 0 ? device + 5 : device, *a = NULL, *b = NULL;

	for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
		size_t len = strlen(prefixes[i]);

		if (a == NULL && strncmp(name, prefixes[i], len) == 0)
			a = name + len;
		if (b == NULL && strncmp(wanted, prefixes[i], len) == 0)
			b = wanted + len;
	}
	return a && b && *a && strcmp(a, b) == 0;
}

/* 1 and the volume where the link called NAME bears one and is not a partition's. */
static int link_volume(const char *name, char volume[static EC2_ID_MAX + 1])
{
	return strstr(name, "-part") == NULL && ec2_volume_of(name, volume);
}

int ec2_volume_by_link(const char *folder, const char *volume, char path[static PROTO_TEXT_MAX + 1])
{
	DIR *dir = opendir(folder);
	const struct dirent *d;
	int found = 0;

	while (dir && !found && (d = readdir(dir)) != NULL) {
		char other[EC2_ID_MAX + 1], link[PATH_MAX], *real;

		if (!link_volume(d->d_name, other) || strcmp(other, volume) != 0)
			continue;
		snprintf(link, sizeof link, "%s/%s", folder, d->d_name);
		real = realpath(link, NULL);
		found = real && strlen(real) <= PROTO_TEXT_MAX;
		if (found)
			strcpy(path, real);
		free(real);
	}
	if (dir)
		closedir(dir);
	return found;
}

static int is_listed(const struct proto_device *list, int count, const char *id, const char *path)
{
	for (int i = 0; i < count; i++)
		if (strcmp(list[i].id, id) == 0 || strcmp(list[i].path, path) == 0)
			return 1;
	return 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

int ec2_list_links(const char *folder, struct proto_device *out, int count, int max)
{
	struct dirent **names;
	int found = scandir(folder, &names, NULL, by_name);

	for (int i = 0; i < found; i++) {
		char volume[EC2_ID_MAX + 1], path[PROTO_TEXT_MAX + 1];

		if (count < max && link_volume(names[i]->d_name, volume) && ec2_volume_by_link(folder, volume, path)
			&& !is_listed(out, count, volume, path) && block_describe(path, &out[count]) == 0) {
			snprintf(out[count].id, sizeof out[count].id, "%s", volume);
			count++;
		}
		free(names[i]);
	}
	if (found >= 0)
		free(names);
	return count;
}
