/* languages.h - the templates in every language that there is: English, and each with a catalogue (texts/<language>.json beside the
 * templates). Read once; any number of threads can use it. */
#ifndef RENDER_LANGUAGES_H
#define RENDER_LANGUAGES_H

#include <stddef.h>

#include "render/template.h"

#define LANGUAGES_MAX 16
#define LANGUAGE_SIZE 8

struct languages {
	struct language {
		char code[LANGUAGE_SIZE];        /* "en", "de", "pt-BR" */
		struct template_set *sets[DATE_FORMATS];         /* by how days are written in them */
	} all[LANGUAGES_MAX];                /* English first, the others by their code */
	size_t count;
};

int languages_load(const char *dir, struct languages *out);
void languages_free(struct languages *l);
/* The language CODE; English where there is none of that name, or CODE is NULL. */
const struct language *languages_find(const struct languages *l, const char *code);
int languages_has(const struct languages *l, const char *code);
/* That of an Accept-Language header which is wanted most, itself or without its region, and which there is; English otherwise. */
const struct language *languages_accept(const struct languages *l, const char *header);
/* Its templates, with days in that format. */
const struct template_set *language_set(const struct language *l, enum date_format dates);
/* What its speakers call it. */
const char *language_name(const struct language *l);

#endif
