/* stack.c - see stack.h. */
#include "agent/volume/stack.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/mem.h"

static void push(struct stack *s, dev_t device, const char *name, enum stack_kind kind)
{
	if (stack_contains(s, device) || s->count == STACK_MAX)
		return;
	s->devices[s->count] = device;
	s->kinds[s->count] = kind;
	snprintf(s->names[s->count++], sizeof s->names[0], "%s", name);
}

int stack_contains(const struct stack *s, dev_t device)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->devices[i] == device)
			return 1;
	return 0;
}

/* The first line of FOLDER/NAME; "" when there is none. */
static void read_line(const char *folder, const char *name, char *out, size_t size)
{
	char path[PATH_MAX];
	FILE *f;

	out[0] = '\0';
	snprintf(path, sizeof path, "%s/%s", folder, name);
	f = fopen(path, "re");
	if (f == NULL)
		return;
	if (fgets(out, (int)size, f))
		out[strcspn(out, "\n")] = '\0';
	else
		out[0] = '\0';
	fclose(f);
}

static int read_device(const char *folder, dev_t *out)
{
	unsigned major_, minor_;
	char text[32];

	read_line(folder, "dev", text, sizeof text);
	if (sscanf(text, "%u:%u", &major_, &minor_) != 2)
		return 0;
	*out = makedev(major_, minor_);
	return 1;
}

static void folder_of(dev_t device, char out[static PATH_MAX])
{
	snprintf(out, PATH_MAX, "/sys/dev/block/%u:%u", major(device), minor(device));
}

/* Calls DO with the path and the name of each entry of FOLDER. */
static void each(const char *folder, void (*act)(void *ctx, const char *path, const char *name), void *ctx)
{
	char path[PATH_MAX];
	struct dirent *e;
	DIR *d = opendir(folder);

	while (d && (e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
		act(ctx, path, e->d_name);
	}
	if (d)
		closedir(d);
}

static void push_partition(void *ctx, const char *path, const char *name)
{
	char number[16];
	dev_t device;

	read_line(path, "partition", number, sizeof number);
	if (number[0] && read_device(path, &device))
		push(ctx, device, name, STACK_PARTITION);
}

static void push_holder(void *ctx, const char *path, const char *name)
{
	dev_t device;

	if (read_device(path, &device))
		push(ctx, device, name, STACK_HOLDER);
}

struct loops {
	struct stack *stack;
	struct stat st;           /* of what they are to lie on */
};

/* The driver knows its backing by number: the path that sysfs shows may be another name space's, or name another file by now. */
static int is_over(const char *name, const struct stat *st)
{
	struct loop_info64 info;
	char path[64];
	int fd, ok;

	snprintf(path, sizeof path, "/dev/%.32s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return 0;
	ok = ioctl(fd, LOOP_GET_STATUS64, &info) == 0;
	close(fd);
	if (!ok)
		return 0;
	return S_ISBLK(st->st_mode) ? info.lo_rdevice == st->st_rdev && st->st_rdev
		: info.lo_device == st->st_dev && info.lo_inode == st->st_ino;
}

static void push_loop(void *ctx, const char *path, const char *name)
{
	struct loops *l = ctx;
	char backing[PATH_MAX];
	struct stat b;
	dev_t device;
	int same;

	read_line(path, "loop/backing_file", backing, sizeof backing);
	if (backing[0] == '\0' || !read_device(path, &device))
		return;
	same = stat(backing, &b) == 0 && (S_ISBLK(l->st.st_mode) ? S_ISBLK(b.st_mode) && b.st_rdev == l->st.st_rdev
		: b.st_dev == l->st.st_dev && b.st_ino == l->st.st_ino);
	if (same || is_over(name, &l->st))
		push(l->stack, device, name, STACK_HOLDER);
}

static void push_loops(struct stack *s, const struct stat *st)
{
	struct loops l = { s, *st };

	each("/sys/block", push_loop, &l);
}

/* The disk whose partition this is: an array or a mapping of the whole disk holds the partition too. */
static void push_whole(struct stack *s, dev_t device)
{
	char path[PATH_MAX], number[16], real[PATH_MAX];
	dev_t whole;

	folder_of(device, path);
	read_line(path, "partition", number, sizeof number);
	if (number[0] == '\0' || realpath(path, real) == NULL)
		return;
	*strrchr(real, '/') = '\0';
	if (read_device(real, &whole))
		push(s, whole, strrchr(real, '/') + 1, STACK_WHOLE);
}

/* Only these names of a disk are unique in the world; serial numbers are not, and copies bear the same. */
static int is_world_wide(const char *wwid)
{
	return strncmp(wwid, "naa.", 4) == 0 || strncmp(wwid, "eui.", 4) == 0;
}

struct twins {
	struct stack *stack;
	char wwid[128];
};

static void push_twin(void *ctx, const char *path, const char *name)
{
	struct twins *t = ctx;
	char wwid[128];
	dev_t device;

	read_line(path, "device/wwid", wwid, sizeof wwid);
	if (strcmp(wwid, t->wwid) == 0 && read_device(path, &device))
		push(t->stack, device, name, STACK_OTHER_PATH);
}

/* Two paths to one disk, with or without multipath: what is mounted by one is not free by the other. */
static void push_twins(struct stack *s, dev_t device)
{
	struct twins t = { s, "" };
	char path[PATH_MAX];

	folder_of(device, path);
	read_line(path, "device/wwid", t.wwid, sizeof t.wwid);
	if (is_world_wide(t.wwid))
		each("/sys/block", push_twin, &t);
}

static void push_above(struct stack *s, size_t at)
{
	struct stat one = { .st_mode = S_IFBLK, .st_rdev = s->devices[at] };
	char path[PATH_MAX];

	folder_of(s->devices[at], path);
	if (s->kinds[at] != STACK_WHOLE)
		each(path, push_partition, s);
	strcat(path, "/holders");
	each(path, push_holder, s);
	push_loops(s, &one);
	if (s->kinds[at] == STACK_SELF || s->kinds[at] == STACK_WHOLE)
		push_twins(s, s->devices[at]);
}

void stack_gather(struct stack *s, const struct stat *st)
{
	char path[PATH_MAX], real[PATH_MAX];

	if (S_ISBLK(st->st_mode)) {
		folder_of(st->st_rdev, path);
		push(s, st->st_rdev, realpath(path, real) ? strrchr(real, '/') + 1 : "", STACK_SELF);
		push_whole(s, st->st_rdev);
	} else {
		push_loops(s, st);
	}
	for (size_t i = 0; i < s->count; i++)
		push_above(s, i);
}

/* What a holder is, where sysfs tells. */
static void describe(dev_t device, const char *name, char text[static STACK_TEXT_MAX])
{
	static const struct { const char *prefix, *what; } families[] = {
		{ "LVM-", "LVM" }, { "CRYPT-", "an open LUKS volume" }, { "mpath-", "multipath" }, { "part", "partitions" },
	};
	char folder[PATH_MAX], label[128], uuid[128], level[32];
	const char *what = NULL;

	folder_of(device, folder);
	read_line(folder, "dm/name", label, sizeof label);
	read_line(folder, "dm/uuid", uuid, sizeof uuid);
	read_line(folder, "md/level", level, sizeof level);
	for (size_t i = 0; what == NULL && i < ARRAY_LEN(families); i++)
		if (strncmp(uuid, families[i].prefix, strlen(families[i].prefix)) == 0)
			what = families[i].what;
	if (label[0])
		snprintf(text, STACK_TEXT_MAX, "%.31s (%s%s%.80s)", name, what ? what : "", what ? ", " : "", label);
	else if (level[0])
		snprintf(text, STACK_TEXT_MAX, "%.31s (software RAID, %.31s)", name, level);
	else
		snprintf(text, STACK_TEXT_MAX, "%.31s", name);
}

struct member {
	const struct stack *stack;
	char *text;
};

static void look_at_btrfs(void *ctx, const char *path, const char *uuid)
{
	const struct member *m = ctx;
	char device[PATH_MAX];

	for (size_t i = 0; i < m->stack->count; i++) {
		snprintf(device, sizeof device, "%s/devices/%s", path, m->stack->names[i]);
		if (m->stack->names[i][0] && access(device, F_OK) == 0)
			snprintf(m->text, STACK_TEXT_MAX, "a mounted btrfs of several devices (%.36s)", uuid);
	}
}

int stack_holder(const struct stack *s, char text[static STACK_TEXT_MAX])
{
	struct member m = { s, text };

	text[0] = '\0';
	for (size_t i = 0; i < s->count; i++)
		if (s->kinds[i] == STACK_HOLDER) {
			describe(s->devices[i], s->names[i], text);
			return 1;
		}
	each("/sys/fs/btrfs", look_at_btrfs, &m);
	return text[0] != '\0';
}
