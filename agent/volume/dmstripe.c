/* dmstripe.c - see dmstripe.h. */
#include "agent/volume/dmstripe.h"

#include <errno.h>
#include <fcntl.h>
#include <libdevmapper.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "agent/volume/volume.h"
#include "base/buf.h"
#include "base/err.h"

#define SECTOR 512

static void keep_quiet(int level, const char *file, int line, int error, const char *format, ...)
{
}

static struct dm_task *new_task(int type, const char *name)
{
	struct dm_task *t;

	/* What it has to say goes through err_set. */
	dm_log_with_errno_init(keep_quiet);
	t = dm_task_create(type);
	if (t && !dm_task_set_name(t, name)) {
		dm_task_destroy(t);
		return NULL;
	}
	return t;
}

/* Runs and frees T; the device's node is there, or gone, when this returns. */
static int run_task(struct dm_task *t, int with_node, const char *what)
{
	uint32_t cookie = 0;
	int ok = t && (!with_node || dm_task_set_cookie(t, &cookie, 0)) && dm_task_run(t), error = t ? dm_task_get_errno(t) : ENOMEM;

	if (with_node && t) {
		dm_udev_wait(cookie);
		dm_task_update_nodes();
	}
	if (t)
		dm_task_destroy(t);
	if (ok)
		return 0;
	return err_set(error == EBUSY ? ERR_BUSY : ERR_IO, "device mapper, %s: %s", what, error ? strerror(error) : "failed");
}

static int smallest(const char *const *paths, size_t count, uint64_t *out)
{
	uint64_t size, least = UINT64_MAX;

	for (size_t i = 0; i < count; i++) {
		int fd = open(paths[i], O_RDONLY | O_CLOEXEC), rc = fd < 0 ? -1 : ioctl(fd, BLKGETSIZE64, &size);

		if (rc < 0)
			rc = err_set(ERR_IO, "%s: %s", paths[i], strerror(errno));
		if (fd >= 0)
			close(fd);
		if (rc < 0)
			return rc;
		least = size < least ? size : least;
	}
	*out = least;
	return 0;
}

int dmstripe_open(const char *name, const char *const *paths, size_t count, uint32_t chunk, int read_only)
{
	struct buf params = BUF_INIT;
	char uuid[VOLUME_TEXT_MAX];
	struct dm_task *t;
	uint64_t each;
	int ok, rc = smallest(paths, count, &each);

	if (rc < 0)
		return rc;
	if (chunk == 0 || each < chunk)
		return err_set(ERR_INVALID, "chunks of %u bytes do not fit the array", chunk);
	buf_printf(&params, "%zu %u", count, chunk / SECTOR);
	for (size_t i = 0; i < count; i++)
		buf_printf(&params, " %s 0", paths[i]);
	snprintf(uuid, sizeof uuid, DMSTRIPE_UUID "%s", name);
	t = new_task(DM_DEVICE_CREATE, name);
	ok = t && dm_task_set_uuid(t, uuid) && (!read_only || dm_task_set_ro(t))
		&& dm_task_add_target(t, 0, each / chunk * chunk / SECTOR * count, "striped", buf_str(&params));
	if (t && !ok) {
		dm_task_destroy(t);
		t = NULL;
	}
	buf_free(&params);
	return run_task(t, 1, "striped target");
}

static uint64_t length_of(const char *name)
{
	struct dm_task *t = new_task(DM_DEVICE_TABLE, name);
	uint64_t start = 0, length = 0;
	char *type = NULL, *params = NULL;

	if (t && dm_task_run(t))
		dm_get_next_target(t, NULL, &start, &length, &type, &params);
	if (t)
		dm_task_destroy(t);
	return length;
}

/* Another table in its place, which holds nothing and gives errors. */
static int make_dead(const char *name)
{
	struct dm_task *t = new_task(DM_DEVICE_RELOAD, name);
	uint64_t length = length_of(name);
	char none[] = "";

	if (t && (length == 0 || !dm_task_add_target(t, 0, length, "error", none))) {
		dm_task_destroy(t);
		t = NULL;
	}
	if (t)
		dm_task_no_flush(t);
	if (run_task(t, 0, "error target") < 0)
		return ERR_IO;
	t = new_task(DM_DEVICE_RESUME, name);
	if (t) {
		dm_task_no_flush(t);
		dm_task_skip_lockfs(t);
	}
	return run_task(t, 1, "resume");
}

int dmstripe_close(const char *name, int force)
{
	struct dm_task *t;
	int dead = 0, rc;

	if (!dmstripe_is_open(name))
		return 0;
	if (force)
		dead = make_dead(name) == 0;
	t = new_task(DM_DEVICE_REMOVE, name);
	/* Whoever looks at every device that was written to (udev) has it open for a moment. */
	if (t)
		dm_task_retry_remove(t);
	rc = run_task(t, 1, "remove");
	/* Who still has it open holds an empty shell: what it stood on is free. */
	return rc < 0 && dead ? 0 : rc;
}

int dmstripe_is_open(const char *name)
{
	struct dm_task *t = new_task(DM_DEVICE_INFO, name);
	struct dm_info info = { 0 };
	int is = t && dm_task_run(t) && dm_task_get_info(t, &info) && info.exists;

	if (t)
		dm_task_destroy(t);
	return is;
}
