/* batch.c - see batch.h. One row per key; what is wrong is gathered, so that nobody has to mend a file line by line. */
#include "agent/tool/batch.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/mount_point.h"
#include "base/word.h"

#define MISTAKES_MAX 20

enum { KEY_ID, KEY_MOUNT_POINT, KEY_FILESYSTEM, KEY_ACCESS, KEY_OS, KEY_KEY_SIZE, KEY_MODE, KEY_LABEL, KEY_OVERWRITE, KEY_COUNT };

static const struct {
	const char *name;
	int needed;
	const char *standard;
} keys[] = {
#define X(name, needed, standard, text) { name, needed, standard },
	BATCH_KEYS(X)
#undef X
};
_Static_assert(ARRAY_LEN(keys) == KEY_COUNT, "one number for each key");

struct reader {
	struct batch *out;
	struct buf *mistakes;
	int count, line;
	struct batch_device *now;        /* the section under way; NULL before the first, or where there are too many */
	int skip;                        /* within a section that cannot be taken */
	const char *values[KEY_COUNT];   /* of it; into the copy of the text */
	int lines[KEY_COUNT];
};

static void mistake(struct reader *r, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void mistake(struct reader *r, int line, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	if (++r->count > MISTAKES_MAX)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (r->now)
		buf_printf(r->mistakes, "line %d, [%s]: %s\n", line, r->now->section, text);
	else
		buf_printf(r->mistakes, "line %d: %s\n", line, text);
}

/* The one of NAMES that VALUE is, or -1. */
static int one_of(const char *const names[], const char *value)
{
	for (int i = 0; names[i]; i++)
		if (strcmp(names[i], value) == 0)
			return i;
	return -1;
}

static void copy(struct reader *r, int key, char *out, size_t size)
{
	if (strlen(r->values[key]) >= size)
		mistake(r, r->lines[key], "%s is longer than %zu bytes", keys[key].name, size - 1);
	else
		snprintf(out, size, "%s", r->values[key]);
}

static void take_cipher(struct reader *r, struct proto_proposal *w)
{
	static const char *const modes[] = { "xts", "cbc-essiv", NULL }, *const sizes[] = { "128", "192", "256", NULL };
	int mode = one_of(modes, r->values[KEY_MODE]), size = one_of(sizes, r->values[KEY_KEY_SIZE]);

	if (mode < 0)
		mistake(r, r->lines[KEY_MODE], "mode is xts or cbc-essiv, not \"%s\"", r->values[KEY_MODE]);
	if (size < 0)
		mistake(r, r->lines[KEY_KEY_SIZE], "keysize is 128, 192 or 256, not \"%s\"", r->values[KEY_KEY_SIZE]);
	if (mode == 0 && size == 1)
		mistake(r, r->lines[KEY_KEY_SIZE], "keysize 192 needs mode = cbc-essiv: XTS takes 128 or 256 bits");
	snprintf(w->mode, sizeof w->mode, "%s", mode == 1 ? "cbc-essiv:sha256" : "xts-plain64");
	w->key_bits = size < 0 ? 256 : atoi(sizes[size]);
}

static void take_words(struct reader *r, struct proto_proposal *w)
{
	static const char *const filesystems[] = { "ext3", "ext4", "xfs", NULL };
	static const char *const accesses[] = { "read-write", "rw", "read-only", "ro", NULL };
	int access = one_of(accesses, r->values[KEY_ACCESS]);

	if (one_of(filesystems, r->values[KEY_FILESYSTEM]) < 0)
		mistake(r, r->lines[KEY_FILESYSTEM], "filesystem is ext3, ext4 or xfs, not \"%s\"", r->values[KEY_FILESYSTEM]);
	if (access < 0)
		mistake(r, r->lines[KEY_ACCESS], "access is read-write or read-only, not \"%s\"", r->values[KEY_ACCESS]);
	if (strcmp(r->values[KEY_OS], "linux") != 0)
		mistake(r, r->lines[KEY_OS], "os is linux, not \"%s\"", r->values[KEY_OS]);
	copy(r, KEY_FILESYSTEM, w->filesystem, sizeof w->filesystem);
	copy(r, KEY_OS, w->os, sizeof w->os);
	w->access = access < 2 ? PROTO_ACCESS_READ_WRITE : PROTO_ACCESS_READ_ONLY;
}

static void take_names(struct reader *r, struct proto_proposal *w)
{
	const char *problem = *r->values[KEY_MOUNT_POINT] ? mount_point_problem(r->values[KEY_MOUNT_POINT]) : NULL;
	const char *overwrite = r->values[KEY_OVERWRITE];

	copy(r, KEY_ID, w->device, sizeof w->device);
	copy(r, KEY_LABEL, w->label, sizeof w->label);
	copy(r, KEY_MOUNT_POINT, w->mount_point, sizeof w->mount_point);
	if (problem)
		mistake(r, r->lines[KEY_MOUNT_POINT], "mountpoint: %s", problem);
	if (*overwrite && strcmp(overwrite, r->values[KEY_ID]) != 0)
		mistake(r, r->lines[KEY_OVERWRITE], "overwrite destroys what is on the device, so it wants the id once more: \"%s\"",
			r->values[KEY_ID]);
	w->overwrite = *overwrite != '\0';
}

static void check_others(struct reader *r, const struct proto_proposal *w)
{
	for (const struct batch_device *d = r->out->devices; d < r->now; d++) {
		if (*w->device && strcmp(d->want.device, w->device) == 0)
			mistake(r, r->lines[KEY_ID], "[%s] has the same id", d->section);
		if (*w->mount_point && strcmp(d->want.mount_point, w->mount_point) == 0)
			mistake(r, r->lines[KEY_MOUNT_POINT], "[%s] has the same mountpoint", d->section);
	}
}

static void end_section(struct reader *r)
{
	if (r->now == NULL)
		return;
	for (int i = 0; i < KEY_COUNT; i++) {
		if (keys[i].needed && (r->values[i] == NULL || *r->values[i] == '\0'))
			mistake(r, r->values[i] ? r->lines[i] : r->now->line, "%s is missing", keys[i].name);
		if (r->values[i] == NULL)
			r->lines[i] = r->now->line;
		r->values[i] = r->values[i] ? r->values[i] : keys[i].standard;
	}
	take_names(r, &r->now->want);
	take_words(r, &r->now->want);
	take_cipher(r, &r->now->want);
	check_others(r, &r->now->want);
	r->out->count++;
	r->now = NULL;
}

static void begin_section(struct reader *r, char *line)
{
	char *end = strchr(line, ']');
	const char *name = line + 1;

	end_section(r);
	memset(r->values, 0, sizeof r->values);
	r->skip = 1;
	if (end == NULL || end[1] != '\0' || end == name || end - name > BATCH_SECTION_MAX) {
		mistake(r, r->line, "a section's heading is [NAME], its name of at most %d bytes", BATCH_SECTION_MAX);
		return;
	}
	*end = '\0';
	for (int i = 0; i < r->out->count; i++)
		if (strcmp(r->out->devices[i].section, name) == 0) {
			mistake(r, r->line, "[%s] is there twice", name);
			return;
		}
	if (r->out->count >= PROTO_DEVICES_MAX) {
		mistake(r, r->line, "more than %d devices", PROTO_DEVICES_MAX);
		return;
	}
	r->skip = 0;
	r->now = &r->out->devices[r->out->count];
	*r->now = (struct batch_device){ .line = r->line };
	snprintf(r->now->section, sizeof r->now->section, "%s", name);
}

static void take_line(struct reader *r, char *line)
{
	char *equals = strchr(line, '=');
	const char *name;
	int key = 0;

	if (r->skip)
		return;
	if (equals == NULL || r->now == NULL) {
		mistake(r, r->line, r->now ? "\"name = value\" is needed" : "a section's heading comes first, such as [device1]");
		return;
	}
	*equals = '\0';
	name = word_trim(line);
	while (key < KEY_COUNT && strcmp(keys[key].name, name) != 0)
		key++;
	if (key == KEY_COUNT) {
		mistake(r, r->line, "there is no \"%.32s\"; id, mountpoint, filesystem, access, os, keysize, mode, label, overwrite", name);
		return;
	}
	if (r->values[key])
		mistake(r, r->line, "%s is there twice", keys[key].name);
	r->values[key] = word_trim(equals + 1);
	r->lines[key] = r->line;
}

int batch_parse(const char *text, size_t len, struct batch *out, struct buf *mistakes)
{
	struct reader r = { .out = out, .mistakes = mistakes };
	char *copy_of = mem_alloc(len + 1), *rest = copy_of, *line;

	memcpy(copy_of, text, len);
	out->count = 0;
	if (!json_is_text(text, len))
		mistake(&r, 1, "this is no text (UTF-8)");
	while (r.count == 0 || r.count <= MISTAKES_MAX) {
		line = strsep(&rest, "\n");
		if (line == NULL)
			break;
		r.line++;
		line = word_trim(line);
		if (*line == '[')
			begin_section(&r, line);
		else if (*line && *line != '#' && *line != ';')
			take_line(&r, line);
	}
	end_section(&r);
	if (r.count == 0 && out->count == 0)
		mistake(&r, r.line, "no device is named");
	if (r.count > MISTAKES_MAX)
		buf_puts(mistakes, "... and more\n");
	free(copy_of);
	return r.count ? err_set(ERR_INVALID, "%d mistakes", r.count) : 0;
}
