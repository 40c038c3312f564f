/* use.c - see use.h. */
#include "agent/volume/use.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"

#define STACK_MAX 256             /* devices stacked on one: more is not a machine but a test of us */

/* The device and all that is stacked on it; NAMES are the kernel's ("vda1", "dm-0"). */
struct stack {
	size_t count;
	dev_t devices[STACK_MAX];
	char names[STACK_MAX][32];
	int is_partition[STACK_MAX];
};

static void push(struct stack *s, dev_t device, const char *name, int is_partition)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->devices[i] == device)
			return;
	if (s->count == STACK_MAX)
		return;
	s->devices[s->count] = device;
	s->is_partition[s->count] = is_partition;
	snprintf(s->names[s->count++], sizeof s->names[0], "%s", name);
}

static int contains(const struct stack *s, dev_t device)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->devices[i] == device)
			return 1;
	return 0;
}

/* "8:1\n" of a sysfs file. */
static int read_device(const char *path, dev_t *out)
{
	unsigned major_, minor_;
	FILE *f = fopen(path, "re");
	int ok = f && fscanf(f, "%u:%u", &major_, &minor_) == 2;

	if (f)
		fclose(f);
	if (ok)
		*out = makedev(major_, minor_);
	return ok;
}

/* Each entry of FOLDER that has a "dev" file and, where wanted, a file called MARK. */
static void push_folder(struct stack *s, const char *folder, const char *mark)
{
	char path[PATH_MAX];
	struct dirent *e;
	dev_t device;
	DIR *d = opendir(folder);

	while (d && (e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "%s/%s/%s", folder, e->d_name, mark ? mark : "dev");
		if (access(path, F_OK) < 0)
			continue;
		snprintf(path, sizeof path, "%s/%s/dev", folder, e->d_name);
		if (read_device(path, &device))
			push(s, device, e->d_name, mark != NULL);
	}
	if (d)
		closedir(d);
}

/* Loop devices whose backing is what ST describes: a file, or a block device. */
static void push_loops(struct stack *s, const struct stat *st)
{
	char path[PATH_MAX], backing[PATH_MAX];
	struct dirent *e;
	struct stat b;
	dev_t device;
	DIR *d = opendir("/sys/block");
	FILE *f;

	while (d && (e = readdir(d))) {
		snprintf(path, sizeof path, "/sys/block/%s/loop/backing_file", e->d_name);
		f = fopen(path, "re");
		if (f == NULL)
			continue;
		backing[0] = '\0';
		if (fgets(backing, sizeof backing, f))
			backing[strcspn(backing, "\n")] = '\0';
		fclose(f);
		snprintf(path, sizeof path, "/sys/block/%s/dev", e->d_name);
		if (stat(backing, &b) < 0 || !read_device(path, &device))
			continue;
		if (S_ISBLK(st->st_mode) ? S_ISBLK(b.st_mode) && b.st_rdev == st->st_rdev
		    : b.st_dev == st->st_dev && b.st_ino == st->st_ino)
			push(s, device, e->d_name, 0);
	}
	if (d)
		closedir(d);
}

static void gather(struct stack *s, const struct stat *st)
{
	struct stat one = { .st_mode = S_IFBLK };
	char path[PATH_MAX];

	if (S_ISBLK(st->st_mode))
		push(s, st->st_rdev, "", 1);
	else
		push_loops(s, st);
	for (size_t i = 0; i < s->count; i++) {
		snprintf(path, sizeof path, "/sys/dev/block/%u:%u", major(s->devices[i]), minor(s->devices[i]));
		push_folder(s, path, "partition");
		strcat(path, "/holders");
		push_folder(s, path, NULL);
		one.st_rdev = s->devices[i];
		push_loops(s, &one);
	}
}

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
		if (!parse_mount(line, &device, &source, &point) || !(contains(s, device) || contains(s, source)))
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
	struct stack one = { .count = 1, .devices = { device } };

	return find_mount(&one, out, size);
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
		found = S_ISBLK(st.st_mode) ? contains(s, st.st_rdev)
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

static int is_claimed(const char *path, int is_device)
{
	struct flock lock = claim(F_WRLCK);
	int fd = open(path, O_RDONLY | O_CLOEXEC | (is_device ? O_EXCL : 0));
	int claimed = fd < 0 ? errno == EBUSY : !is_device && fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;

	if (fd >= 0)
		close(fd);
	return claimed;
}

static const char *find_holder(const struct stack *s)
{
	for (size_t i = 0; i < s->count; i++)
		if (!s->is_partition[i])
			return s->names[i];
	return NULL;
}

int use_find(const char *path, enum volume_use *use, char text[static VOLUME_TEXT_MAX])
{
	struct stack *s = mem_alloc(sizeof *s);
	char point[PATH_MAX];
	const char *holder;
	struct stat st;

	if (stat(path, &st) < 0) {
		free(s);
		return err_set(errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s: %s", path, strerror(errno));
	}
	gather(s, &st);
	holder = find_holder(s);
	*use = VOLUME_HELD;
	if (find_mount(s, point, sizeof point)) {
		*use = strcmp(point, "/") == 0 ? VOLUME_ROOT_DISK : VOLUME_MOUNTED;
		snprintf(text, VOLUME_TEXT_MAX, "mounted on %.200s%s", point, *use == VOLUME_ROOT_DISK ? " (the root disk)" : "");
	} else if (is_swap(s, &st)) {
		snprintf(text, VOLUME_TEXT_MAX, "used as swap");
	} else if (holder) {
		snprintf(text, VOLUME_TEXT_MAX, "held by %s", holder);
	} else if (is_claimed(path, S_ISBLK(st.st_mode))) {
		snprintf(text, VOLUME_TEXT_MAX, "in use by another process or the kernel");
	} else {
		*use = VOLUME_FREE;
		text[0] = '\0';
	}
	free(s);
	return 0;
}
