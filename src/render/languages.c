/* languages.c - the templates in every language. */
#include "render/languages.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/accept.h"
#include "base/err.h"
#include "base/mem.h"
#include "render/words.h"

static int load_one(const char *dir, const char *code, struct languages *l)
{
	struct language *new = &l->all[l->count];
	int rc;

	if (l->count == LANGUAGES_MAX)
		return err_set(ERR_TOO_LARGE, "more than %d languages", LANGUAGES_MAX);
	rc = template_set_load(dir, code, &new->sets[0]);
	if (rc < 0)
		return rc;
	for (size_t i = 1; i < DATE_FORMATS; i++)
		new->sets[i] = template_set_dated(new->sets[0], (enum date_format)i);
	snprintf(new->code, LANGUAGE_SIZE, "%s", code);
	l->count++;
	return 0;
}

/* A file's name without ".json" in CODE; 0: it is no catalogue. */
static int code_of(const char *file, char code[static LANGUAGE_SIZE])
{
	size_t len = strlen(file);

	if (len <= 5 || len - 5 >= LANGUAGE_SIZE || strcmp(file + len - 5, ".json") != 0 || *file == '.')
		return 0;
	snprintf(code, LANGUAGE_SIZE, "%.*s", (int)(len - 5), file);
	return 1;
}

int languages_load(const char *dir, struct languages *out)
{
	struct languages l = { .count = 0 };
	char *path = mem_printf("%s/texts", dir), code[LANGUAGE_SIZE];
	struct dirent **files = NULL;
	int n = scandir(path, &files, NULL, alphasort), rc = n < 0 && errno != ENOENT ? err_set(ERR_IO, "%s: %s", path, strerror(errno)) : 0;

	if (rc == 0)
		rc = load_one(dir, "en", &l);
	for (int i = 0; i < n; i++) {
		if (rc == 0 && code_of(files[i]->d_name, code))
			rc = load_one(dir, code, &l);
		free(files[i]);
	}
	free(files);
	free(path);
	if (rc < 0)
		languages_free(&l);
	else
		*out = l;
	return rc;
}

void languages_free(struct languages *l)
{
	for (size_t i = 0; i < l->count; i++)
		for (size_t dates = DATE_FORMATS; dates-- > 0; )
			template_set_free(l->all[i].sets[dates]);
	l->count = 0;
}

static const struct language *find(const struct languages *l, const char *code, size_t len)
{
	for (size_t i = 0; i < l->count && len; i++)
		if (strlen(l->all[i].code) == len && strncasecmp(l->all[i].code, code, len) == 0)
			return &l->all[i];
	return NULL;
}

const struct language *languages_find(const struct languages *l, const char *code)
{
	const struct language *found = code ? find(l, code, strlen(code)) : NULL;

	return found ? found : &l->all[0];
}

int languages_has(const struct languages *l, const char *code)
{
	return find(l, code, strlen(code)) != NULL;
}

/* The first of those that are wanted most. */
const struct language *languages_accept(const struct languages *l, const char *header)
{
	const struct language *best = &l->all[0];
	struct accept_item i;
	double most = 0;

	while (accept_next(&header, &i)) {
		const char *region = memchr(i.name, '-', i.len);
		const struct language *found = find(l, i.name, i.len);

		if (found == NULL && region)
			found = find(l, i.name, (size_t)(region - i.name));
		if (found && i.weight > most) {
			best = found;
			most = i.weight;
		}
	}
	return best;
}

const struct template_set *language_set(const struct language *l, enum date_format dates)
{
	return l->sets[dates];
}

const char *language_name(const struct language *l)
{
	return words_name(template_words(l->sets[0]));
}
