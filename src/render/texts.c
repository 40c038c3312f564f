/* texts.c - lists what the templates of a folder say to people: one JSON object per text, {"file", "line", "text", "many"}, as the
 * loader itself cuts them. tools/texts makes the catalogues' source of it; it is not installed.
 *
 *   template_texts FOLDER */
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/json.h"
#include "render/template.h"

static void print(void *ctx, const char *template, unsigned line, const char *text, const char *many)
{
	json_t *o = json_pack("{s:s, s:i, s:s, s:s?}", "file", template, "line", (int)line, "text", text, "many", many);

	json_dumpf(o, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(o);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		fatal("usage: template_texts FOLDER");
	if (template_set_texts(argv[1], print, NULL) < 0)
		fatal("%s", err_text());
	return 0;
}
