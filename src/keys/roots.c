/* roots.c - reads and writes the list of root keys. */
#include "keys/roots.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "keys/slowfile.h"

#define FIRST "keyward roots 1"

static int damaged(const char *path)
{
	return err_set(ERR_TAMPERED, "%s is damaged, or of another version: bring it back from a backup of the key files", path);
}

static int take_line(struct roots *r, char *line, const char *path)
{
	char *id = strsep(&line, " "), *provider = strsep(&line, " ");
	struct uuid parsed;

	if (provider == NULL || line == NULL || *line == '\0' || strlen(line) > ROOTS_LOCATION_MAX || uuid_parse(id, &parsed) < 0)
		return damaged(path);
	return roots_add(r, &parsed, provider, line) < 0 ? damaged(path) : 0;
}

int roots_parse(const uint8_t *data, size_t len, const char *path, struct roots *out)
{
	struct roots r = { .count = 0 };
	char *text = mem_dup(data, len), *rest = text, *line = strsep(&rest, "\n");
	int rc = 0;

	if (strcmp(line, FIRST) != 0 || rest == NULL || strlen(text) + 1 + strlen(rest) != len)
		rc = damaged(path);
	while (rc == 0 && (line = strsep(&rest, "\n")) != NULL && rest)
		rc = take_line(&r, line, path);
	if (rc == 0 && (r.count == 0 || (line && *line)))
		rc = damaged(path);
	free(text);
	if (rc == 0)
		*out = r;
	else
		roots_free(&r);
	return rc;
}

int roots_read(const char *path, struct roots *out)
{
	struct secret *file = NULL;
	int rc = slowfile_read(path, ROOTS_FILE_MAX, &file);

	if (rc == 0)
		rc = roots_parse(file->data, file->len, path, out);
	secret_free(file);
	return rc;
}

int roots_find(const char *path, const char *provider, const char *location, struct roots *out)
{
	static const struct uuid unknown;
	int rc = roots_read(path, out);

	return rc == ERR_NOT_FOUND ? roots_add(out, &unknown, provider, location) : rc;
}

void roots_print(const struct roots *r, struct buf *out)
{
	char id[UUID_TEXT_SIZE];

	buf_printf(out, FIRST "\n");
	for (size_t i = 0; i < r->count; i++) {
		uuid_text(&r->rows[i].id, id);
		buf_printf(out, "%s %s %s\n", id, r->rows[i].provider, r->rows[i].location);
	}
}

int roots_write(const char *path, const struct roots *r)
{
	struct buf text = BUF_INIT;
	int rc;

	roots_print(r, &text);
	rc = file_write(path, text.data, text.len, 0600);
	buf_free(&text);
	return rc;
}

int roots_add(struct roots *r, const struct uuid *id, const char *provider, const char *location)
{
	for (size_t i = 0; i < r->count; i++)
		if (uuid_equal(&r->rows[i].id, id))
			return err_set(ERR_CONFLICT, "that root key is in use already");
	if (r->count == ROOTS_MAX)
		return err_set(ERR_BUSY, "there are %d root keys: retire one first", ROOTS_MAX);
	if (strpbrk(location, "\n\r") || strlen(location) > ROOTS_LOCATION_MAX)
		return err_set(ERR_INVALID, "a root key's place has at most %d bytes, on one line", ROOTS_LOCATION_MAX);
	r->rows[r->count++] = (struct roots_row){ *id, mem_strdup(provider), mem_strdup(location) };
	return 0;
}

int roots_remove(struct roots *r, const struct uuid *id)
{
	for (size_t i = 0; i < r->count; i++) {
		if (!uuid_equal(&r->rows[i].id, id))
			continue;
		if (i == r->count - 1)
			return err_set(ERR_CONFLICT, "this is the root key in use");
		free(r->rows[i].provider);
		free(r->rows[i].location);
		memmove(&r->rows[i], &r->rows[i + 1], (--r->count - i) * sizeof r->rows[0]);
		return 0;
	}
	return err_set(ERR_NOT_FOUND, "there is no such root key");
}

void roots_free(struct roots *r)
{
	for (size_t i = 0; i < r->count; i++) {
		free(r->rows[i].provider);
		free(r->rows[i].location);
	}
	r->count = 0;
}
