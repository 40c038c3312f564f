/* use.c - see use.h. */
#include "agent/volume/use.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "agent/volume/stack.h"
#include "base/err.h"
#include "base/mem.h"

#define ALONE_TRIES 6
#define ALONE_STEP_US 10000

/* Undoes the octal escapes of mountinfo in place. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] && s[3]) {
			*to++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

/* One line of mountinfo: its device (btrfs shows a number of its own, so the source counts as well) and mount point. */
static int parse_mount(char *line, dev_t *device, dev_t *source, char **point)
{
	unsigned major_, minor_;
	int start, end, from = 0;
	struct stat st;
	char *dash = strstr(line, " - ");

	if (dash == NULL || sscanf(line, "%*d %*d %u:%u %*s %n%*s%n", &major_, &minor_, &start, &end) < 2)
		return 0;
	*device = *source = makedev(major_, minor_);
	sscanf(dash + 3, "%*s %n", &from);
	dash[3 + from + (int)strcspn(dash + 3 + from, " \n")] = '\0';
	unescape(dash + 3 + from);
	if (dash[3 + from] == '/' && stat(dash + 3 + from, &st) == 0 && S_ISBLK(st.st_mode))
		*source = st.st_rdev;
	line[end] = '\0';
	*point = line + start;
	unescape(*point);
	return 1;
}

/* The first mount of any device in S; "/" wins over others. */
static int find_mount(const struct stack *s, char *out, size_t size)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char *line = NULL, *point;
	size_t room = 0;
	dev_t device, source;
	int found = 0;

	while (f && getline(&line, &room, f) > 0) {
		if (!parse_mount(line, &device, &source, &point) || !(stack_contains(s, device) || stack_contains(s, source)))
			continue;
		if (!found || strcmp(point, "/") == 0)
			snprintf(out, size, "%s", point);
		found = 1;
	}
	free(line);
	if (f)
		fclose(f);
	return found;
}

int use_mount_point(dev_t device, char *out, size_t size)
{
	struct stack *one = mem_alloc(sizeof *one);
	int found;

	one->count = 1;
	one->devices[0] = device;
	found = find_mount(one, out, size);
	free(one);
	return found;
}

static int is_swap(const struct stack *s, const struct stat *self)
{
	FILE *f = fopen("/proc/swaps", "re");
	char line[PATH_MAX + 128];
	struct stat st;
	int found = 0;

	while (f && !found && fgets(line, sizeof line, f)) {
		line[strcspn(line, " \t")] = '\0';
		unescape(line);
		if (line[0] != '/' || stat(line, &st) < 0)
			continue;
		found = S_ISBLK(st.st_mode) ? stack_contains(s, st.st_rdev)
			: S_ISREG(self->st_mode) && st.st_dev == self->st_dev && st.st_ino == self->st_ino;
	}
	if (f)
		fclose(f);
	return found;
}

static struct flock claim(short type)
{
	/* One byte that no program reads or writes: the lock says "mine", it guards nothing. */
	return (struct flock){ .l_type = type, .l_whence = SEEK_SET, .l_start = INT64_MAX - 1, .l_len = 1 };
}

int use_claim_file(int file, int rdwr)
{
	struct flock lock = claim(rdwr ? F_WRLCK : F_RDLCK);

	if (fcntl(file, F_OFD_SETLK, &lock) < 0)
		return err_set(ERR_BUSY, "in use by another process: %s", strerror(errno));
	return 0;
}

/* In whatever name space: the kernel then refuses a lease for reading. */
int use_is_written(int fd)
{
	int written;

	/* Whoever opens it meanwhile breaks the lease; the standard signal for that would end us. */
	if (fcntl(fd, F_SETSIG, SIGURG) < 0)
		return 0;
	written = fcntl(fd, F_SETLEASE, F_RDLCK) < 0 && errno == EAGAIN;
	fcntl(fd, F_SETLEASE, F_UNLCK);
	return written;
}

int use_again(int *tries)
{
	if (++*tries >= ALONE_TRIES)
		return 0;
	usleep(ALONE_STEP_US);
	return 1;
}

int use_open_alone(const char *path, int flags)
{
	int fd, tries = 0;

	while ((fd = open(path, flags | O_EXCL | O_CLOEXEC)) < 0 && errno == EBUSY && use_again(&tries))
		;
	return fd;
}

static int is_claimed(const char *path, int is_device)
{
	struct flock lock = claim(F_WRLCK);
	int fd = is_device ? use_open_alone(path, O_RDONLY) : open(path, O_RDONLY | O_CLOEXEC);
	int claimed = fd < 0 ? errno == EBUSY : !is_device
		&& ((fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK) || use_is_written(fd));

	if (fd >= 0)
		close(fd);
	return claimed;
}

static void decide(const struct stack *s, const struct stat *st, const char *path, enum use_claim claimed, enum volume_use *use,
	char text[static VOLUME_TEXT_MAX])
{
	char point[PATH_MAX], holder[STACK_TEXT_MAX];

	*use = VOLUME_HELD;
	if (find_mount(s, point, sizeof point)) {
		*use = strcmp(point, "/") == 0 ? VOLUME_ROOT_DISK : VOLUME_MOUNTED;
		snprintf(text, VOLUME_TEXT_MAX, "mounted on %.200s%s", point, *use == VOLUME_ROOT_DISK ? " (the root disk)" : "");
	} else if (is_swap(s, st)) {
		snprintf(text, VOLUME_TEXT_MAX, "used as swap");
	} else if (stack_holder(s, holder)) {
		snprintf(text, VOLUME_TEXT_MAX, "held by %s", holder);
	} else if (claimed == USE_CLAIMED_BY_OTHERS && is_claimed(path, S_ISBLK(st->st_mode))) {
		snprintf(text, VOLUME_TEXT_MAX, "in use by another process or the kernel");
	} else {
		*use = VOLUME_FREE;
		text[0] = '\0';
	}
}

int use_find(const char *path, enum use_claim claimed, enum volume_use *use, char text[static VOLUME_TEXT_MAX])
{
	struct stack *s;
	struct stat st;

	if (stat(path, &st) < 0)
		return err_set(errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s: %s", path, strerror(errno));
	s = mem_alloc(sizeof *s);
	stack_gather(s, &st);
	decide(s, &st, path, claimed, use, text);
	free(s);
	return 0;
}
