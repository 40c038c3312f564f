/* load.c - a set of templates from a folder, in a language. */
#include "render/template.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "render/parts.h"

#define FOLDER_DEPTH_MAX 8

struct loader {
	struct template_set *set;
	const char *root;
};

static int has_suffix(const char *s, const char *suffix)
{
	size_t a = strlen(s), b = strlen(suffix);

	return a > b && strcmp(s + a - b, suffix) == 0;
}

static int load_file(const struct loader *l, const char *relative, enum template_kind kind, const char *suffix)
{
	char *name = mem_dup(relative, strlen(relative) - strlen(suffix)), *path = NULL;
	struct buf text = BUF_INIT;
	int rc;

	path = mem_printf("%s/%s", l->root, relative);
	rc = file_read(path, TEMPLATE_FILE_MAX, &text);
	if (rc == 0)
		rc = template_set_add(l->set, name, kind, buf_str(&text), text.len);
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

/* "de", "pt-BR" */
static int is_language(const char *s)
{
	size_t main = strspn(s, "abcdefghijklmnopqrstuvwxyz");

	return (main == 2 || main == 3) && (s[main] == '\0' || (s[main] == '-' && strspn(s + main + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 2 &&
		s[main + 3] == '\0'));
}

static int load_words(const char *dir, const char *language, struct words **out)
{
	char *path = mem_printf("%s/texts/%s.json", dir, language);
	struct buf b = BUF_INIT;
	int rc = is_language(language) ? 0 : err_set(ERR_INVALID, "\"%s\" is not the name of a language", language);

	if (rc == 0)
		rc = file_read(path, WORDS_FILE_MAX, &b);
	if (rc == 0)
		rc = words_parse(buf_str(&b), b.len, out);
	if (rc < 0)
		rc = err_wrap(rc, "%s", path);
	buf_free(&b);
	free(path);
	return rc;
}

/* Fills SET from DIR; frees it on error. */
static int load(const char *dir, struct template_set *set)
{
	struct loader l = { .set = set, .root = dir };
	int rc = load_folder(&l, "", 0);

	if (rc == 0)
		rc = template_set_link(l.set);
	if (rc < 0) {
		template_set_free(l.set);
		return err_wrap(rc, "templates in %s", dir);
	}
	return 0;
}

int template_set_load(const char *dir, const char *language, struct template_set **out)
{
	struct words *words = NULL;
	struct template_set *set;
	int rc = language && strcmp(language, "en") != 0 ? load_words(dir, language, &words) : 0;

	if (rc < 0)
		return rc;
	set = template_set_new(words);
	rc = load(dir, set);
	if (rc == 0)
		*out = set;
	return rc;
}

int template_set_texts(const char *dir, template_text_fn *fn, void *ctx)
{
	struct template_set *set = template_set_new(NULL);
	int rc;

	set->note = fn;
	set->note_ctx = ctx;
	rc = load(dir, set);
	if (rc == 0)
		template_set_free(set);
	return rc;
}
