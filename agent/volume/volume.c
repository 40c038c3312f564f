/* volume.c - open volumes: choosing an engine, opening, closing, finding them again. */
#include "agent/volume/volume.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/volume/state.h"
#include "agent/volume/use.h"
#include "base/err.h"
#include "base/mem.h"

#define MOUNTS_MAX 64             /* of one volume: bind mounts and name spaces aside, it is one */

static const struct volume_engine *const engines[] = { &volume_dmcrypt, &volume_userspace };

int volume_engine_find(const char *name, const struct volume_engine **out)
{
	for (size_t i = 0; i < ARRAY_LEN(engines); i++) {
		if (name && strcmp(name, engines[i]->name) != 0)
			continue;
		if (engines[i]->supported()) {
			*out = engines[i];
			return 0;
		}
		if (name)
			return err_set(ERR_UNSUPPORTED, "this kernel cannot run the %s engine", name);
	}
	return err_set(name ? ERR_NOT_FOUND : ERR_UNSUPPORTED, "no engine %s", name ? name : "runs on this kernel");
}

/* The engine that a state file names, whether or not it would be chosen today. */
static const struct volume_engine *engine_of(const struct volume_state *state)
{
	for (size_t i = 0; i < ARRAY_LEN(engines); i++)
		if (strcmp(state->engine, engines[i]->name) == 0)
			return engines[i];
	return NULL;
}

static int find_mount(const char *device, char *point, size_t size)
{
	struct stat st;

	return stat(device, &st) == 0 && S_ISBLK(st.st_mode) && use_mount_point(st.st_rdev, point, size);
}

int volume_status(const struct volume_env *env, const char *name, struct volume_state *out)
{
	const struct volume_engine *engine;
	struct volume_state s;
	int rc = state_check_name(name);

	if (rc == 0)
		rc = state_load(env->run_dir, name, &s);
	if (rc < 0)
		return rc;
	engine = engine_of(&s);
	s.alive = engine && engine->alive(env, &s);
	if (engine == NULL || engine->find(&s, s.device) < 0)
		s.device[0] = '\0';
	if (s.device[0] == '\0' || !find_mount(s.device, s.mounted, sizeof s.mounted))
		s.mounted[0] = '\0';
	*out = s;
	return 0;
}

int volume_list(const struct volume_env *env, struct volume_state **out)
{
	struct volume_state *list = NULL, one;
	char name[VOLUME_NAME_MAX + 1];
	struct dirent *e;
	const char *dot;
	int count = 0;
	DIR *d = opendir(env->run_dir);

	while (d && (e = readdir(d))) {
		dot = strrchr(e->d_name, '.');
		if (dot == NULL || strcmp(dot, ".json") != 0 || dot - e->d_name > VOLUME_NAME_MAX)
			continue;
		snprintf(name, sizeof name, "%.*s", (int)(dot - e->d_name), e->d_name);
		if (volume_status(env, name, &one) < 0)
			continue;
		list = mem_grow(list, (size_t)count + 1, sizeof *list);
		list[count++] = one;
	}
	if (d)
		closedir(d);
	*out = list;
	return count;
}

/* Flushes what it can first: whoever takes a key away wants the key gone, not the data. */
static void detach_mounts(const char *device)
{
	char point[VOLUME_PATH_MAX];
	int fd;

	for (int i = 0; device[0] && i < MOUNTS_MAX && find_mount(device, point, sizeof point); i++) {
		fd = open(point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0) {
			syncfs(fd);
			close(fd);
		}
		if (volume_unmount(point, 1) < 0)
			break;
	}
}

static int check_unused(const struct volume_state *s)
{
	enum volume_use use;
	char text[VOLUME_TEXT_MAX];
	int rc = s->device[0] ? use_find(s->device, USE_CLAIMED_BY_OTHERS, &use, text) : ERR_NOT_FOUND;

	if (rc == 0 && use != VOLUME_FREE)
		rc = err_set(ERR_BUSY, "volume %s is %s", s->name, text);
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

int volume_close(const struct volume_env *env, const char *name, int force)
{
	const struct volume_engine *engine;
	struct volume_state s;
	int rc = volume_status(env, name, &s);

	if (rc < 0)
		return rc;
	engine = engine_of(&s);
	if (engine == NULL)
		return err_set(ERR_UNSUPPORTED, "volume %s was opened by an engine %s", name, s.engine);
	if (!s.alive || force)
		detach_mounts(s.device);
	else
		rc = check_unused(&s);
	if (rc == 0)
		rc = engine->close(env, &s, force || !s.alive);
	if (rc == 0)
		state_remove(env->run_dir, name);
	return rc;
}

static int check_free(const char *path)
{
	enum volume_use use;
	char text[VOLUME_TEXT_MAX];
	int rc = use_find(path, USE_CLAIMED_BY_OTHERS, &use, text);

	return rc == 0 && use != VOLUME_FREE ? err_set(ERR_BUSY, "%s: %s", path, text) : rc;
}

/* Neither the process that serves the volume nor its state may depend on our working folder. The caller frees. */
static int absolute_path(const char *path, char **out)
{
	*out = realpath(path, NULL);
	if (*out && strlen(*out) < VOLUME_PATH_MAX)
		return check_free(*out);
	return err_set(ERR_NOT_FOUND, "%s: %s", path, *out ? "the path is too long" : strerror(errno));
}

static int open_absolute(const struct volume_env *env, const struct volume_engine *engine, const struct volume_open_params *p,
	const struct secret *device_key, char device[static VOLUME_TEXT_MAX])
{
	struct volume_part more[VOLUME_PARTS_MAX - 1];
	struct volume_open_params absolute = *p;
	char *paths[VOLUME_PARTS_MAX] = { NULL };
	int rc = absolute_path(p->path, &paths[0]);

	for (size_t i = 0; rc == 0 && i < p->more_count; i++) {
		rc = absolute_path(p->more[i].path, &paths[1 + i]);
		more[i] = (struct volume_part){ paths[1 + i], p->more[i].key };
	}
	absolute.path = paths[0];
	absolute.more = more;
	if (rc == 0)
		rc = engine->open(env, &absolute, device_key, device);
	for (size_t i = 0; i <= p->more_count; i++)
		free(paths[i]);
	return rc;
}

int volume_open(const struct volume_env *env, const struct volume_engine *engine, const struct volume_open_params *p,
	const struct secret *device_key, char device[static VOLUME_TEXT_MAX])
{
	struct volume_state left;
	int rc = state_check_name(p->name);

	if (rc == 0 && p->more_count >= VOLUME_PARTS_MAX)
		rc = err_set(ERR_INVALID, "an array of %zu members", p->more_count + 1);
	if (rc == 0)
		rc = state_folder(env->run_dir);
	if (rc == 0 && engine == NULL)
		rc = volume_engine_find(NULL, &engine);
	if (rc < 0)
		return rc;
	if (volume_status(env, p->name, &left) == 0) {
		if (left.alive)
			return err_set(ERR_BUSY, "volume %s is open already", p->name);
		rc = volume_close(env, p->name, 1);
	}
	return rc < 0 ? rc : open_absolute(env, engine, p, device_key, device);
}
