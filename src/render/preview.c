/* preview.c - renders sample documents: one JSON object per line on standard input, "template", "document" and "out", a file to
 * write. In documents {"$safe": "..."} stands for what template_safe makes. tools/preview drives it; it is not installed.
 *
 *   template_preview FOLDER LANGUAGE <lines */
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "render/template.h"

#define LINE_MAX_BYTES (16 * 1024 * 1024)

static json_t *marked(json_t *v)
{
	const char *safe = json_string_value(json_object_get(v, "$safe"));
	const char *name;
	json_t *item;
	size_t i;
	void *next;

	if (safe)
		return template_safe(safe);
	json_array_foreach(v, i, item)
		json_array_set_new(v, i, marked(item));
	json_object_foreach_safe(v, next, name, item)
		json_object_set_new(v, name, marked(item));
	return json_incref(v);
}

static int preview(const struct template_set *set, const char *line, size_t len)
{
	const char *name, *path;
	json_t *o = NULL, *doc, *ready = NULL;
	struct buf out = BUF_INIT;
	int rc = json_parse_object(line, len, LINE_MAX_BYTES, &o);

	if (rc == 0)
		rc = json_get_string(o, "template", 200, &name);
	if (rc == 0)
		rc = json_get_string(o, "out", 4000, &path);
	if (rc == 0)
		rc = json_get_object(o, "document", &doc);
	if (rc == 0) {
		ready = marked(doc);
		rc = template_render(set, name, ready, &out);
	}
	if (rc == 0)
		rc = file_write(path, buf_str(&out), out.len, 0644);
	json_decref(ready);
	json_decref(o);
	buf_free(&out);
	return rc;
}

int main(int argc, char **argv)
{
	struct template_set *set;
	char *line = NULL;
	size_t room = 0;
	ssize_t len;
	int failed = 0;

	if (argc != 3)
		fatal("usage: template_preview FOLDER LANGUAGE <lines");
	if (template_set_load(argv[1], argv[2], &set) < 0)
		fatal("%s", err_text());
	while ((len = getline(&line, &room, stdin)) > 0)
		if (preview(set, line, (size_t)len) < 0) {
			fprintf(stderr, "%s\n", err_text());
			failed = 1;
		}
	free(line);
	template_set_free(set);
	return failed;
}
