/* holders.c - a walk through /proc. */
#include "agent/guest/holders.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/common/host.h"
#include "base/buf.h"

#define NAMED_MAX 5
#define PROC_PATH_MAX 512

struct place {
	unsigned major, minor;
};

/* The device only, as the kernel has it cached: asking a dead file system could hang. */
static int place_of(const char *path, struct place *out)
{
	struct statx st;

	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_TYPE, &st) < 0)
		return 0;
	*out = (struct place){ st.stx_dev_major, st.stx_dev_minor };
	return 1;
}

static int is_at(const char *path, const struct place *where)
{
	struct place p;

	return place_of(path, &p) && p.major == where->major && p.minor == where->minor;
}

static int has_open_file(const char *proc, const struct place *where)
{
	char path[PROC_PATH_MAX];
	struct dirent *e;
	int found = 0;
	DIR *dir;

	snprintf(path, sizeof path, "%s/fd", proc);
	dir = opendir(path);
	while (dir && !found && (e = readdir(dir)) != NULL) {
		snprintf(path, sizeof path, "%s/fd/%.32s", proc, e->d_name);
		found = isdigit((unsigned char)e->d_name[0]) && is_at(path, where);
	}
	if (dir)
		closedir(dir);
	return found;
}

static int holds(const char *proc, const struct place *where)
{
	static const char *const links[] = { "cwd", "root", "exe" };
	char path[PROC_PATH_MAX];

	for (size_t i = 0; i < sizeof links / sizeof links[0]; i++) {
		snprintf(path, sizeof path, "%s/%s", proc, links[i]);
		if (is_at(path, where))
			return 1;
	}
	return has_open_file(proc, where);
}

static void name_process(struct buf *out, const char *proc, const char *pid)
{
	char path[PROC_PATH_MAX], name[64];

	snprintf(path, sizeof path, "%s/comm", proc);
	host_read_line(path, name, sizeof name);
	buf_printf(out, "%s%s (%s)", out->len ? ", " : "", name, pid);
}

void holders_find(const char *point, char *out, size_t size)
{
	struct buf text = BUF_INIT;
	struct place where;
	int count = 0;
	struct dirent *e;
	DIR *dir = place_of(point, &where) ? opendir("/proc") : NULL;

	while (dir && (e = readdir(dir)) != NULL) {
		char proc[64];

		snprintf(proc, sizeof proc, "/proc/%.32s", e->d_name);
		if (!isdigit((unsigned char)e->d_name[0]) || !holds(proc, &where))
			continue;
		if (++count <= NAMED_MAX)
			name_process(&text, proc, e->d_name);
	}
	if (dir)
		closedir(dir);
	if (count > NAMED_MAX)
		buf_printf(&text, " and %d more", count - NAMED_MAX);
	snprintf(out, size, "%s", buf_str(&text));
	buf_free(&text);
}
