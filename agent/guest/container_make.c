/* container_make.c - see container_make.h. */
#include "agent/guest/container_make.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/guest/device.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"

#define MIB ((uint64_t)1 << 20)
#define MARGIN_LEAST (64 * MIB)          /* left free beside "rest": file systems that are full to the last block fail in odd ways */
#define MARGIN_PART 20                   /* ... or this part of what is free */
#define STEP MIB
#define AGAIN (10 * CLOCK_MINUTE)        /* after a failure */
#define ITEM_MAX 1400

/* How large it becomes. A file system that is not mounted would be the root file system: that is not filled up. */
static int measure(const struct container *c, const char *folder, uint64_t *size)
{
	struct stat st, root;
	struct statvfs fs;
	uint64_t free_bytes, margin;

	if (stat(folder, &st) < 0 || !S_ISDIR(st.st_mode) || statvfs(folder, &fs) < 0 || stat("/", &root) < 0)
		return err_set(ERR_FORBIDDEN, "%s is no folder: is its file system mounted?", folder);
	if (c->size == 0 && st.st_dev == root.st_dev)
		return err_set(ERR_FORBIDDEN, "%s is on the root file system, which is not to be filled: is its own mounted? Else name a size",
			folder);
	free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	margin = free_bytes / MARGIN_PART > MARGIN_LEAST ? free_bytes / MARGIN_PART : MARGIN_LEAST;
	*size = c->size;
	if (c->size == 0)
		*size = free_bytes > margin ? (free_bytes - margin) / MIB * MIB : 0;
	if (*size < CONTAINER_SIZE_LEAST || (!c->sparse && *size > free_bytes))
		return err_set(ERR_TOO_LARGE, "%s has %llu MiB free", folder, (unsigned long long)(free_bytes / MIB));
	return 0;
}

static int write_zeros(int fd, uint64_t size, int (*progress)(void *ctx, int percent), void *ctx)
{
	char *zeros = mem_alloc(STEP);
	int rc = 0;

	for (uint64_t at = 0; rc == 0 && at < size; at += STEP) {
		size_t len = size - at < STEP ? (size_t)(size - at) : STEP;

		if (progress && progress(ctx, (int)(at * 100 / size)))
			rc = err_set(ERR_CONFLICT, "interrupted");
		else if (pwrite(fd, zeros, len, (off_t)at) != (ssize_t)len)
			rc = err_set(ERR_IO, "writing: %s", strerror(errno));
	}
	free(zeros);
	return rc;
}

/* NFS before version 4.2 cannot allocate: there the blocks are written. */
static int fill(int fd, const struct container *c, uint64_t size, int (*progress)(void *ctx, int percent), void *ctx)
{
	int rc = 0;

	if (ftruncate(fd, (off_t)size) < 0)
		return err_set(ERR_IO, "size: %s", strerror(errno));
	if (!c->sparse && fallocate(fd, 0, 0, (off_t)size) < 0)
		rc = errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL ? write_zeros(fd, size, progress, ctx)
			: err_set(ERR_IO, "allocating: %s", strerror(errno));
	if (rc == 0 && fsync(fd) < 0)
		rc = err_set(ERR_IO, "sync: %s", strerror(errno));
	return rc;
}

/* Under its name only now that it is whole, and in no other file's place. */
static int name_it(const char *part, const char *path)
{
	if (link(part, path) == 0) {
		unlink(part);
		return 0;
	}
	if (errno == EEXIST)
		return err_set(ERR_CONFLICT, "%s is there already", path);
	/* A file system without hard links. */
	return access(path, F_OK) < 0 && rename(part, path) == 0 ? 0 : err_set(ERR_IO, "%s: %s", path, strerror(errno));
}

static int make(const struct container *c, const char *part, uint64_t size, int (*progress)(void *ctx, int percent), void *ctx)
{
	int fd = open(part, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600), rc;

	if (fd < 0)
		return err_set(ERR_IO, "%s: %s", part, strerror(errno));
	rc = fill(fd, c, size, progress, ctx);
	close(fd);
	if (rc == 0)
		rc = name_it(part, c->path);
	if (rc < 0)
		unlink(part);
	return rc;
}

int container_make(const struct container *c, int (*progress)(void *ctx, int percent), void *ctx)
{
	char *copy = mem_strdup(c->path), *part = mem_printf("%s.making", c->path);
	uint64_t size = 0;
	int rc = access(c->path, F_OK) == 0 ? err_set(ERR_CONFLICT, "%s is there already", c->path) : measure(c, dirname(copy), &size);

	if (rc == 0)
		rc = make(c, part, size, progress, ctx);
	free(part);
	free(copy);
	return rc < 0 ? err_wrap(rc, "container %s", c->path) : 0;
}

/* Whatever touches the file system may hang with it (NFS): the child does that. */
static void be_the_maker(const struct container *c)
{
	int rc;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	rc = container_make(c, NULL, NULL);
	if (rc < 0 && rc != ERR_CONFLICT)
		log_error("a container file cannot be made", "path", c->path, "reason", err_text(), NULL);
	_exit(rc == 0 ? 0 : rc == ERR_CONFLICT ? 2 : 1);
}

static char *note_path(const char *state_dir, const struct container *c)
{
	char name[DEVICE_NAME_SIZE];

	device_name(c->path, name);
	return mem_printf("%s/container-%s", state_dir, name);
}

static int is_noted(const char *state_dir, const struct container *c)
{
	char *path = note_path(state_dir, c);
	int noted = access(path, F_OK) == 0;

	free(path);
	return noted;
}

static int note(const char *state_dir, const struct container *c)
{
	char *path = note_path(state_dir, c);
	int rc = file_write(path, "made\n", 5, 0600);

	free(path);
	return rc;
}

struct teller {
	int (*progress)(void *ctx, const char *path, int percent);
	void *ctx;
	const char *path;
};

static int tell(void *ctx, int percent)
{
	const struct teller *t = ctx;

	return t->progress(t->ctx, t->path, percent);
}

int container_make_all(const struct agent_conf *conf, const char *state_dir,
	int (*progress)(void *ctx, const char *path, int percent), void *ctx)
{
	char item[ITEM_MAX];
	struct container c;
	struct teller t = { progress, ctx, c.path };
	size_t cursor = 0;
	int count = 0, rc = 0;

	while (rc == 0 && agent_conf_item(conf, AGENT_CONTAINER, &cursor, item, sizeof item)) {
		rc = container_parse(item, &c);
		if (rc < 0 || is_noted(state_dir, &c))
			continue;
		rc = container_make(&c, progress ? tell : NULL, &t);
		count += rc == 0;
		if (rc == 0 || rc == ERR_CONFLICT)
			rc = note(state_dir, &c);
	}
	return rc < 0 ? rc : count;
}

static struct {
	pid_t pid;
	struct container what;
	clock_us again;
} maker;

/* 1 when it has ended well. */
static int reap(const char *state_dir)
{
	int status, made, known;

	if (maker.pid == 0 || waitpid(maker.pid, &status, WNOHANG) != maker.pid)
		return 0;
	maker.pid = 0;
	made = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	known = WIFEXITED(status) && WEXITSTATUS(status) == 2;
	if (!made && !known) {
		maker.again = clock_ticks() + AGAIN;
		return 0;
	}
	if (note(state_dir, &maker.what) < 0)
		log_error("cannot note that a container file was made", "path", maker.what.path, "reason", err_text(), NULL);
	if (made)
		log_info("container file made", "path", maker.what.path, NULL);
	return 1;
}

int container_look_after(const struct agent_conf *conf, const char *state_dir)
{
	char item[ITEM_MAX];
	size_t cursor = 0;
	int ready = reap(state_dir);

	while (maker.pid == 0 && clock_ticks() >= maker.again && agent_conf_item(conf, AGENT_CONTAINER, &cursor, item, sizeof item)) {
		if (container_parse(item, &maker.what) < 0 || is_noted(state_dir, &maker.what))
			continue;
		maker.pid = fork();
		if (maker.pid == 0)
			be_the_maker(&maker.what);
		if (maker.pid < 0)
			maker.pid = 0;
	}
	return ready;
}
