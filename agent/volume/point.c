/* point.c - see point.h. */
#include "agent/volume/point.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/volume/volume.h"
#include "base/err.h"
#include "base/mount_point.h"

#define LINKS_MAX 40              /* on one way, as the kernel has it */

/* PATH with the link that its first LEN bytes are replaced by what that says. */
static int follow(char path[static VOLUME_PATH_MAX], size_t len, const struct stat *st)
{
	char link[VOLUME_PATH_MAX], target[VOLUME_PATH_MAX], whole[2 * VOLUME_PATH_MAX];
	size_t up;
	ssize_t n;

	snprintf(link, sizeof link, "%.*s", (int)len, path);
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return err_set(ERR_FORBIDDEN, "%s is a link that another user than root has made: nothing is mounted where it leads", link);
	n = readlink(link, target, sizeof target - 1);
	if (n < 0)
		return err_set(ERR_IO, "%s: %s", link, strerror(errno));
	target[n] = '\0';
	up = target[0] == '/' ? 0 : (size_t)(strrchr(link, '/') - link) + 1;
	snprintf(whole, sizeof whole, "%.*s%s%s", (int)up, path, target, path + len);
	if (strlen(whole) >= VOLUME_PATH_MAX)
		return err_set(ERR_INVALID, "%s: the path is too long", link);
	memcpy(path, whole, strlen(whole) + 1);
	return 0;
}

/* 1 where the first link of PATH was followed, 0 where it has none. */
static int follow_first(char path[static VOLUME_PATH_MAX])
{
	char part[VOLUME_PATH_MAX];
	struct stat st;
	size_t len = 0;

	while (path[len]) {
		len += 1 + strcspn(path + len + 1, "/");
		snprintf(part, sizeof part, "%.*s", (int)len, path);
		if (lstat(part, &st) < 0)
			return 0;
		if (S_ISLNK(st.st_mode)) {
			int rc = follow(path, len, &st);

			return rc < 0 ? rc : 1;
		}
	}
	return 0;
}

/* No link is followed any more. */
static int enter(const char *path, int *out)
{
	int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), next, rc = 0;
	char name[VOLUME_PATH_MAX];

	while (rc == 0 && fd >= 0 && *(path += strspn(path, "/"))) {
		size_t len = strcspn(path, "/");

		snprintf(name, sizeof name, "%.*s", (int)len, path);
		if (mkdirat(fd, name, 0755) < 0 && errno != EEXIST)
			rc = err_set(ERR_IO, "%s: %s", name, strerror(errno));
		next = rc == 0 ? openat(fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
		if (rc == 0 && next < 0)
			rc = err_set(ERR_INVALID, "%s is not a folder", name);
		close(fd);
		fd = next;
		path += len;
	}
	*out = fd;
	return rc == 0 && fd < 0 ? err_set(ERR_IO, "/: %s", strerror(errno)) : rc;
}

/* Where it has led. */
static int check(int fd, const char *point)
{
	char name[32], real[VOLUME_PATH_MAX];
	const char *problem;
	ssize_t n;

	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	n = readlink(name, real, sizeof real - 1);
	if (n < 0)
		return err_set(ERR_IO, "%s: %s", name, strerror(errno));
	real[n] = '\0';
	problem = mount_point_problem(real);
	return problem ? err_set(ERR_FORBIDDEN, "%s leads to %s: %s", point, real, problem) : 0;
}

int point_open(const char *point, int *fd)
{
	char path[VOLUME_PATH_MAX];
	int links = 0, rc = 1;

	if (point[0] != '/' || strlen(point) >= sizeof path)
		return err_set(ERR_INVALID, "mount point %s", point);
	memcpy(path, point, strlen(point) + 1);
	while (rc == 1 && links++ <= LINKS_MAX)
		rc = follow_first(path);
	if (rc == 1)
		return err_set(ERR_INVALID, "%s: too many links", point);
	if (rc == 0)
		rc = enter(path, fd);
	if (rc == 0 && links > 1 && (rc = check(*fd, point)) < 0)
		close(*fd);
	return rc;
}
