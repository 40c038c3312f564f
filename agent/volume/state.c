/* state.c - see state.h. */
#include "agent/volume/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"

#define STATE_MAX 16384

int state_check_name(const char *name)
{
	size_t len = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.");

	if (len == 0 || len > VOLUME_NAME_MAX || name[len] != '\0' || name[0] == '.')
		return err_set(ERR_INVALID, "volume name \"%.60s\"", name);
	return 0;
}

int state_folder(const char *run_dir)
{
	struct stat st;

	if (mkdir(run_dir, 0700) < 0 && errno != EEXIST)
		return err_set(ERR_IO, "%s: %s", run_dir, strerror(errno));
	if (lstat(run_dir, &st) < 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022))
		return err_set(ERR_FORBIDDEN, "%s must be a folder of root's that others cannot write to", run_dir);
	return 0;
}

static void state_path(const char *run_dir, const char *name, const char *suffix, char out[static VOLUME_PATH_MAX])
{
	snprintf(out, VOLUME_PATH_MAX, "%s/%s%s", run_dir, name, suffix);
}

void state_mount_point(const char *run_dir, const char *name, char out[static VOLUME_PATH_MAX])
{
	state_path(run_dir, name, ".fuse", out);
}

void state_file_name(const char *run_dir, const char *name, char out[static STATE_FILE_MAX])
{
	struct stat st = { 0 };

	(void)!stat(run_dir, &st);
	snprintf(out, STATE_FILE_MAX, "keyward:%s:%llx-%llx", name, (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
}

int state_save(const char *run_dir, const struct volume_state *state)
{
	char path[VOLUME_PATH_MAX];
	json_t *o = json_object();
	char *text;
	int rc;

	json_set_string(o, "name", state->name);
	json_set_string(o, "path", state->path);
	json_set_string(o, "engine", state->engine);
	json_set_int(o, "parts", state->parts ? state->parts : 1);
	json_set_bool(o, "read_only", state->read_only);
	json_set_string(o, "device", state->kept_device);
	json_set_string(o, "file", state->kept_file);
	text = json_text(o);
	state_path(run_dir, state->name, ".json", path);
	rc = file_write(path, text, strlen(text), 0600);
	free(text);
	json_decref(o);
	return rc;
}

static int take_text(const json_t *o, const char *name, char *out, size_t size)
{
	const char *text;
	int rc = json_get_string(o, name, size - 1, &text);

	if (rc == 0)
		snprintf(out, size, "%s", text);
	return rc;
}

int state_load(const char *run_dir, const char *name, struct volume_state *out)
{
	struct volume_state s = { .alive = 0 };
	char path[VOLUME_PATH_MAX];
	struct buf text = BUF_INIT;
	json_t *o = NULL;
	int64_t parts = 1;
	int rc;

	state_path(run_dir, name, ".json", path);
	rc = file_read(path, STATE_MAX, &text);
	if (rc == 0)
		rc = json_parse_object(text.data, text.len, STATE_MAX, &o);
	if (rc == 0 && (rc = take_text(o, "name", s.name, sizeof s.name)) == 0
	    && (rc = take_text(o, "path", s.path, sizeof s.path)) == 0
	    && (rc = take_text(o, "engine", s.engine, sizeof s.engine)) == 0
	    && (rc = json_get_int_opt(o, "parts", 1, VOLUME_PARTS_MAX, &parts)) == 0
	    && (rc = json_get_bool(o, "read_only", &s.read_only)) == 0
	    && (json_object_get(o, "device") == NULL || (rc = take_text(o, "device", s.kept_device, sizeof s.kept_device)) == 0)
	    && (json_object_get(o, "file") == NULL || (rc = take_text(o, "file", s.kept_file, sizeof s.kept_file)) == 0)) {
		/* Of an agent before this one. */
		if (json_object_get(o, "file") == NULL)
			snprintf(s.kept_file, sizeof s.kept_file, "keyward:%s", s.name);
		s.parts = (int)parts;
		*out = s;
	}
	json_decref(o);
	buf_free(&text);
	return rc < 0 ? err_wrap(rc, "%s", path) : 0;
}

void state_remove(const char *run_dir, const char *name)
{
	char path[VOLUME_PATH_MAX];

	state_path(run_dir, name, ".json", path);
	unlink(path);
}

static int lock_file(const char *run_dir, const char *name)
{
	char path[VOLUME_PATH_MAX];

	state_path(run_dir, name, ".lock", path);
	return open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
}

/* A process's own lock (not one of the open file), since the kernel then names its holder. */
int state_lock(const char *run_dir, const char *name)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = lock_file(run_dir, name);

	if (fd < 0)
		return err_set(ERR_IO, "lock of %s: %s", name, strerror(errno));
	if (fcntl(fd, F_SETLK, &lock) < 0) {
		close(fd);
		return err_set(ERR_BUSY, "volume %s is open already", name);
	}
	return 0;
}

pid_t state_holder(const char *run_dir, const char *name)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = lock_file(run_dir, name);
	pid_t holder = 0;

	if (fd < 0)
		return 0;
	if (fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
		holder = lock.l_pid;
	close(fd);
	return holder;
}
