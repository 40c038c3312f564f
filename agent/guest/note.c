/* note.c - notes as small JSON files. */
#include "agent/guest/note.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

#define NOTE_MAX 8192

static char *note_path(const struct volume_env *env, const struct device *d)
{
	return mem_printf("%s/%s.note", env->run_dir, d->name);
}

int note_write(const struct volume_env *env, const struct device *d)
{
	char *path = note_path(env, d), *text;
	json_t *o = json_object();
	int rc;

	json_set_string(o, "device", d->id);
	json_set_uuid(o, "request", &d->request);
	json_set_string(o, "mount_point", d->mount_point);
	json_set_int(o, "access", d->access);
	json_set_string(o, "given", d->given);
	json_set_bool(o, "attached", d->attached);
	json_set_string(o, "path", d->path);
	text = json_text(o);
	rc = file_write(path, text, strlen(text), 0600);
	json_decref(o);
	free(text);
	free(path);
	return rc;
}

static void take(const json_t *o, struct device *d)
{
	const char *id, *point, *given = "", *path = "";
	struct uuid request;
	int64_t access;

	if (json_get_string(o, "device", PROTO_ID_MAX, &id) < 0 || strcmp(id, d->id) != 0
		|| json_get_uuid(o, "request", &request) < 0 || json_get_string(o, "mount_point", PROTO_PATH_MAX, &point) < 0
		|| json_get_int(o, "access", 0, PROTO_ACCESS_READ_WRITE, &access) < 0)
		return;
	d->request = request;
	d->access = (int)access;
	snprintf(d->mount_point, sizeof d->mount_point, "%s", point);
	/* Notes of former versions have none of these. */
	if (json_get_string_opt(o, "given", PROTO_ID_MAX, &given) == 0 && json_get_string_opt(o, "path", PROTO_TEXT_MAX, &path) == 0
		&& json_is_true(json_object_get(o, "attached"))) {
		d->attached = 1;
		snprintf(d->path, sizeof d->path, "%s", path);
	}
	snprintf(d->given, sizeof d->given, "%s", given);
}

void note_read(const struct volume_env *env, struct device *d)
{
	char *path = note_path(env, d);
	struct buf text = BUF_INIT;
	json_t *o = NULL;

	if (file_read(path, NOTE_MAX, &text) == 0 && json_parse_object(buf_str(&text), text.len, NOTE_MAX, &o) == 0)
		take(o, d);
	json_decref(o);
	buf_free(&text);
	free(path);
}

void note_remove(const struct volume_env *env, const struct device *d)
{
	char *path = note_path(env, d);

	unlink(path);
	free(path);
}
