/* load.c - a set of templates from a folder: which files belong to the language, and their names. */
#include "render/template.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

#define FOLDER_DEPTH_MAX 8
#define TEXTS_FILE_MAX (4 * 1024 * 1024)

struct loader {
	struct template_set *set;
	const char *root, *language;     /* language: NULL for English */
};

static int has_suffix(const char *s, const char *suffix)
{
	size_t a = strlen(s), b = strlen(suffix);

	return a > b && strcmp(s + a - b, suffix) == 0;
}

static int file_there(const char *root, const char *name, const char *suffix)
{
	char *path = mem_printf("%s/%s%s", root, name, suffix);
	int there = access(path, R_OK) == 0;

	free(path);
	return there;
}

/* Cuts ".de" off "users.de" when that is the language; 0 when the file is for others or a translated one takes its place. */
static int belongs(const struct loader *l, char *name, const char *suffix)
{
	char *base = strrchr(name, '/'), *dot = strrchr(base ? base : name, '.');
	char *own;
	int there;

	if (dot) {
		if (l->language == NULL || strcmp(dot + 1, l->language) != 0)
			return 0;
		*dot = '\0';
		return 1;
	}
	if (l->language == NULL)
		return 1;
	own = mem_printf("%s.%s", name, l->language);
	there = file_there(l->root, own, suffix);
	free(own);
	return !there;
}

static int load_file(const struct loader *l, const char *relative, enum template_kind kind, const char *suffix)
{
	char *name = mem_dup(relative, strlen(relative) - strlen(suffix)), *path = NULL;
	struct buf text = BUF_INIT;
	int rc = 0;

	if (belongs(l, name, suffix)) {
		path = mem_printf("%s/%s", l->root, relative);
		rc = file_read(path, TEMPLATE_FILE_MAX, &text);
		if (rc == 0)
			rc = template_set_add(l->set, name, kind, buf_str(&text), text.len);
	}
	buf_free(&text);
	free(path);
	free(name);
	return rc;
}

static int load_folder(const struct loader *l, const char *relative, int depth);

static int load_entry(const struct loader *l, const char *folder, const char *entry, int depth)
{
	char *relative = *folder ? mem_printf("%s/%s", folder, entry) : mem_strdup(entry);
	char *path = mem_printf("%s/%s", l->root, relative);
	struct stat st;
	int rc = 0;

	if (stat(path, &st) < 0)
		rc = err_set(ERR_IO, "%s: %s", path, strerror(errno));
	else if (S_ISDIR(st.st_mode))
		rc = load_folder(l, relative, depth + 1);
	else if (has_suffix(entry, ".html"))
		rc = load_file(l, relative, TEMPLATE_HTML, ".html");
	else if (has_suffix(entry, ".txt"))
		rc = load_file(l, relative, TEMPLATE_TEXT, ".txt");
	free(path);
	free(relative);
	return rc;
}

static int load_folder(const struct loader *l, const char *relative, int depth)
{
	char *path = mem_printf("%s/%s", l->root, relative);
	struct dirent **entries = NULL;
	int n, rc = 0;

	if (depth > FOLDER_DEPTH_MAX)
		n = err_set(ERR_INVALID, "%s: folders nested deeper than %d", path, FOLDER_DEPTH_MAX);
	else if ((n = scandir(path, &entries, NULL, alphasort)) < 0)
		n = err_set(errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s: %s", path, strerror(errno));
	if (n < 0)
		rc = n;
	for (int i = 0; i < n; i++) {
		if (rc == 0 && entries[i]->d_name[0] != '.')
			rc = load_entry(l, relative, entries[i]->d_name, depth);
		free(entries[i]);
	}
	free(entries);
	free(path);
	return rc;
}

static int load_texts(const char *dir, const char *language, json_t **out)
{
	char *path = mem_printf("%s/texts/%s.json", dir, language);
	struct buf b = BUF_INIT;
	int rc = strspn(language, "abcdefghijklmnopqrstuvwxyz") == strlen(language) && strlen(language) > 1 ? 0 :
		err_set(ERR_INVALID, "\"%s\" is not the name of a language", language);

	if (rc == 0)
		rc = file_read(path, TEXTS_FILE_MAX, &b);
	if (rc == 0)
		rc = json_parse_object(buf_str(&b), b.len, TEXTS_FILE_MAX, out);
	if (rc < 0)
		rc = err_wrap(rc, "%s", path);
	buf_free(&b);
	free(path);
	return rc;
}

int template_set_load(const char *dir, const char *language, struct template_set **out)
{
	struct loader l = { .root = dir, .language = language && strcmp(language, "en") != 0 ? language : NULL };
	json_t *texts = NULL;
	int rc = l.language ? load_texts(dir, l.language, &texts) : 0;

	if (rc < 0)
		return rc;
	l.set = template_set_new(texts);
	json_decref(texts);
	rc = load_folder(&l, "", 0);
	if (rc == 0)
		rc = template_set_link(l.set);
	if (rc < 0) {
		template_set_free(l.set);
		return err_wrap(rc, "templates in %s", dir);
	}
	*out = l.set;
	return 0;
}
