/* loop.c - see loop.h. */
#include "agent/volume/loop.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/err.h"

#define ATTEMPTS 64               /* others take loop devices at the same time */

static int open_free(int control, int read_only, char device[static VOLUME_TEXT_MAX])
{
	int number = ioctl(control, LOOP_CTL_GET_FREE);

	if (number < 0)
		return -1;
	snprintf(device, VOLUME_TEXT_MAX, "/dev/loop%d", number);
	return open(device, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
}

static int configure(int loop, int fd, uint32_t sector, int read_only)
{
	struct loop_config config = { .fd = (uint32_t)fd, .block_size = sector };

	config.info.lo_flags = (read_only ? LO_FLAGS_READ_ONLY : 0u) | LO_FLAGS_DIRECT_IO;
	return ioctl(loop, LOOP_CONFIGURE, &config);
}

/* What could not be written to the file before this one may still be waiting to be told to whoever syncs next. */
static void forget_errors(const char *device)
{
	int loop = open(device, O_RDONLY | O_CLOEXEC);

	if (loop >= 0) {
		(void)!fsync(loop);
		close(loop);
	}
}

int loop_attach(int fd, uint32_t sector, int read_only, char device[static VOLUME_TEXT_MAX])
{
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int loop, rc = -1;

	if (control < 0)
		return err_set(ERR_UNSUPPORTED, "/dev/loop-control: %s", strerror(errno));
	for (int i = 0; rc < 0 && i < ATTEMPTS; i++) {
		loop = open_free(control, read_only, device);
		if (loop < 0)
			break;
		rc = configure(loop, fd, sector, read_only);
		close(loop);
		if (rc < 0 && errno != EBUSY)
			break;
	}
	if (rc < 0)
		rc = err_set(errno == EBUSY ? ERR_BUSY : ERR_IO, "loop device: %s", strerror(errno));
	else
		forget_errors(device);
	close(control);
	return rc;
}

/* By sysfs, since LOOP_GET_STATUS64 asks the file's server, which may be dead. */
static int has_file(const char *loop, const char *file)
{
	char path[PATH_MAX], backing[PATH_MAX] = "";
	const char *base;
	FILE *f;

	snprintf(path, sizeof path, "/sys/block/%s/loop/backing_file", loop);
	f = fopen(path, "re");
	if (f == NULL)
		return 0;
	if (fgets(backing, sizeof backing, f))
		backing[strcspn(backing, "\n")] = '\0';
	fclose(f);
	base = strrchr(backing, '/');
	return base && strcmp(base + 1, file) == 0;
}

int loop_has_file(const char *device, const char *file)
{
	return strncmp(device, "/dev/loop", strlen("/dev/loop")) == 0 && has_file(device + strlen("/dev/"), file);
}

int loop_find(const char *file, char device[static VOLUME_TEXT_MAX])
{
	struct dirent *e;
	int found = 0;
	DIR *d = opendir("/sys/block");

	while (d && !found && (e = readdir(d))) {
		found = strncmp(e->d_name, "loop", 4) == 0 && has_file(e->d_name, file);
		if (found)
			snprintf(device, VOLUME_TEXT_MAX, "/dev/%.32s", e->d_name);
	}
	if (d)
		closedir(d);
	return found ? 0 : err_set(ERR_NOT_FOUND, "no loop device of %s", file);
}

int loop_detach(const char *device)
{
	int rc = 0, loop = open(device, O_RDONLY | O_CLOEXEC);

	if (loop < 0)
		return err_set(ERR_IO, "%s: %s", device, strerror(errno));
	if (fsync(loop) < 0)
		rc = err_set(ERR_IO, "%s: %s", device, strerror(errno));
	if (ioctl(loop, LOOP_CLR_FD) < 0 && errno != ENXIO)
		rc = err_set(errno == EBUSY ? ERR_BUSY : ERR_IO, "%s: %s", device, strerror(errno));
	close(loop);
	return rc;
}
