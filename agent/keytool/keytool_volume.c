/* keytool_volume.c - finds the disks that exported keys are of, opens and mounts their volume, closes it again. */
#include <blkid/blkid.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/keytool/keytool.h"
#include "agent/volume/custody.h"
#include "base/err.h"
#include "base/mem.h"

#define FILE_PREFIX "file:"      /* provider's ids of disks that are files name them */

static struct volume_env env_of(const struct keytool_options *o)
{
	return (struct volume_env){ .run_dir = o->run_dir ? o->run_dir : KEYTOOL_RUN, .program = o->program, .brief = 1 };
}

/* Finding */

/* 1 when PATH holds the volume that F is of. */
static int holds(const char *path, const struct keyfile *f)
{
	struct custody_look look;

	return custody_look(path, NULL, &look) == 0 && strcasecmp(look.uuid, f->fields[EXPORTED_LUKS_UUID]) == 0;
}

/* Block devices by the UUID that is on them; one more than once is no answer. */
static int find_block(const struct keyfile *f, char **out)
{
	blkid_cache cache = NULL;
	blkid_dev_iterate it;
	blkid_dev device;
	int count = 0;

	if (blkid_get_cache(&cache, "/dev/null") < 0)
		return err_set(ERR_IO, "the disks cannot be looked through: name one by --disk");
	blkid_probe_all(cache);
	it = blkid_dev_iterate_begin(cache);
	blkid_dev_set_search(it, "UUID", f->fields[EXPORTED_LUKS_UUID]);
	while (blkid_dev_next(it, &device) == 0 && count < 2)
		if (blkid_verify(cache, device) && count++ == 0)
			*out = mem_strdup(blkid_dev_devname(device));
	blkid_dev_iterate_end(it);
	blkid_put_cache(cache);
	if (count == 1)
		return 0;
	free(*out);
	*out = NULL;
	return count ? err_set(ERR_CONFLICT, "two disks hold the volume of %s, one is a copy: name one by --disk", f->fields[EXPORTED_DEVICE_NAME])
		: err_set(ERR_NOT_FOUND, "no disk here holds the volume of %s (LUKS UUID %s)", f->fields[EXPORTED_DEVICE_NAME],
			f->fields[EXPORTED_LUKS_UUID]);
}

static int find(const struct keyfile *f, char **out)
{
	const char *id = f->fields[EXPORTED_PROVIDER_DEVICE];

	if (f->fields[EXPORTED_LUKS_UUID][0] == '\0')
		return err_set(ERR_NOT_FOUND, "the file does not say how its volume is known: name the disk by --disk");
	if (strncmp(id, FILE_PREFIX, strlen(FILE_PREFIX)) == 0 && holds(id + strlen(FILE_PREFIX), f)) {
		*out = mem_strdup(id + strlen(FILE_PREFIX));
		return 0;
	}
	return find_block(f, out);
}

static int check_named(const char *path, const struct keyfile *f)
{
	struct custody_look look;
	int rc = custody_look(path, NULL, &look);

	if (rc < 0)
		return rc;
	if (f->fields[EXPORTED_LUKS_UUID][0] && strcasecmp(look.uuid, f->fields[EXPORTED_LUKS_UUID]) != 0)
		return err_set(ERR_CONFLICT, "%s holds another volume (LUKS UUID %s) than the one that the file is of (%s)", path, look.uuid,
			f->fields[EXPORTED_LUKS_UUID]);
	return 0;
}

/* PATHS[I] for each of V's files, the caller's. */
static int find_all(const struct keytool_options *o, const struct keytool_volume *v, char *paths[static VOLUME_PARTS_MAX])
{
	char *copy = o->disks ? mem_strdup(o->disks) : NULL, *rest = copy, *one;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < v->count; i++) {
		if (copy == NULL) {
			rc = find(v->files[i], &paths[i]);
		} else if ((one = strsep(&rest, ",")) == NULL) {
			rc = err_set(ERR_INVALID, "--disk: %zu disks are needed, in the order of the RAID", v->count);
		} else {
			paths[i] = mem_strdup(one);
			rc = check_named(one, v->files[i]);
		}
	}
	if (rc == 0 && rest)
		rc = err_set(ERR_INVALID, "--disk: more disks than the volume has");
	free(copy);
	return rc;
}

/* Members say on the disk which place they have, and how large the pieces are. */
static int check_places(const struct keytool_volume *v, char *const paths[], uint32_t *chunk)
{
	for (size_t i = 0; i < v->count; i++) {
		struct volume_report found;
		int rc = volume_inspect(paths[i], &found);

		if (rc < 0)
			return rc;
		if (found.content != VOLUME_OURS || found.token.place.index != i || found.token.place.count != v->count ||
			strcmp(found.token.place.array, v->files[i]->fields[EXPORTED_RAID_NAME]) != 0 || (i && found.token.place.chunk != *chunk))
			return err_set(ERR_CONFLICT, "%s is not device %zu of the RAID %s", paths[i], i + 1, v->files[i]->fields[EXPORTED_RAID_NAME]);
		*chunk = found.token.place.chunk;
	}
	return 0;
}

/* Opening */

static void default_name(const struct keytool_volume *v, char out[static VOLUME_NAME_MAX + 1])
{
	const struct keyfile *f = v->files[0];

	snprintf(out, VOLUME_NAME_MAX + 1, "keytool-%s", f->fields[f->raid_members ? EXPORTED_RAID : EXPORTED_DEVICE]);
}

/* A key that does not open the volume it is of is most often an old one. */
static int explain(const struct keytool_volume *v, char *const paths[], int rc)
{
	for (size_t i = 0; rc == ERR_FORBIDDEN && i < v->count; i++) {
		struct volume_report found;

		if (volume_inspect(paths[i], &found) == 0 && found.content == VOLUME_OURS && found.token.key_version != v->files[i]->label.version &&
			uuid_equal(&found.token.device, &v->files[i]->label.device))
			return err_set(rc, "%s: the exported key is version %u, and the volume has version %u: export it again", paths[i],
				v->files[i]->label.version, found.token.key_version);
	}
	return rc == ERR_FORBIDDEN ? err_set(rc, "%s: the exported key does not open the volume (any more)", paths[0]) : rc;
}

static int mount_it(const struct keytool_options *o, const struct keytool_volume *v, const char *device, int read_only)
{
	const char *point = o->mount_point ? o->mount_point : v->files[0]->fields[EXPORTED_MOUNT_POINT];
	char found[VOLUME_TEXT_MAX] = "";
	int rc = 0;

	if (o->no_mount)
		return 0;
	if (*point != '/')
		return err_set(ERR_INVALID, "where to mount it? --mount-point with a whole path, or --no-mount");
	if (!read_only)
		rc = volume_check(device, found);
	if (*found)
		printf("The file system was repaired: %s\n", found);
	if (rc == 0)
		rc = volume_mount(device, point, read_only);
	if (rc == 0)
		printf("Mounted on %s.\n", point);
	return rc;
}

static int open_parts(const struct keytool_options *o, const struct keytool_volume *v, char *const paths[], uint32_t chunk)
{
	const struct volume_engine *engine = NULL;
	struct volume_part more[VOLUME_PARTS_MAX];
	char own[VOLUME_NAME_MAX + 1], device[VOLUME_TEXT_MAX];
	struct volume_open_params p = { .path = paths[0], .name = o->name ? o->name : own, .more = more, .more_count = v->count - 1, .chunk = chunk };
	struct volume_env env = env_of(o);
	int rc = volume_engine_find(o->engine, &engine);

	default_name(v, own);
	p.read_only = o->read_only || strcmp(v->files[0]->fields[EXPORTED_ACCESS], "read-only") == 0;
	for (size_t i = 1; i < v->count; i++)
		more[i - 1] = (struct volume_part){ paths[i], v->keys[i] };
	if (rc == 0)
		rc = explain(v, paths, volume_open(&env, engine, &p, v->keys[0], device));
	if (rc < 0)
		return rc;
	printf("Opened %s as %s.\n", device, p.name);
	rc = mount_it(o, v, device, p.read_only);
	if (rc < 0) {
		char *why = mem_strdup(err_text());

		volume_close(&env, p.name, 0);
		err_set(rc, "%s; closed again", why);
		free(why);
	} else {
		printf("Close it by: keyward-keytool --close %s\n", p.name);
	}
	return rc;
}

int keytool_open(const struct keytool_options *o, const struct keytool_volume *v)
{
	char *paths[VOLUME_PARTS_MAX] = { NULL };
	uint32_t chunk = 0;
	int rc = find_all(o, v, paths);

	if (rc == 0 && v->count > 1)
		rc = check_places(v, paths, &chunk);
	if (rc == 0)
		rc = open_parts(o, v, paths, chunk);
	for (size_t i = 0; i < VOLUME_PARTS_MAX; i++)
		free(paths[i]);
	return rc;
}

/* Closing */

static int is_called(const struct volume_state *s, const char *name)
{
	return strcmp(s->name, name) == 0 || strcmp(s->device, name) == 0 || strcmp(s->mounted, name) == 0;
}

int keytool_close(const struct keytool_options *o)
{
	struct volume_env env = env_of(o);
	struct volume_state *list = NULL, *found = NULL;
	int count = volume_list(&env, &list), rc;

	for (int i = 0; i < count; i++)
		if (is_called(&list[i], o->close))
			found = &list[i];
	rc = count < 0 ? count : found ? 0 : err_set(ERR_NOT_FOUND, "nothing that is called %s was opened here; --list shows what was", o->close);
	if (rc == 0 && found->mounted[0])
		rc = volume_unmount(found->mounted, o->force);
	if (rc == 0)
		rc = volume_close(&env, found->name, o->force);
	if (rc == 0)
		printf("Closed %s.\n", found->name);
	free(list);
	return rc;
}

int keytool_list(const struct keytool_options *o)
{
	struct volume_env env = env_of(o);
	struct volume_state *list = NULL;
	int count = volume_list(&env, &list);

	for (int i = 0; i < count; i++)
		printf("%s %s %s %s\n", list[i].name, list[i].alive ? list[i].device : "gone", list[i].mounted[0] ? list[i].mounted : "-", list[i].path);
	free(list);
	return count < 0 ? count : 0;
}
