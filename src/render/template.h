/* template.h - pages and messages from templates: a JSON document in, text out.
 *
 * The syntax is mustache's, with these bounds and additions:
 *
 *   {{name}} {{a.b.c}} {{.}}   a string, number, boolean or phrase (base/phrase.h); escaped in .html templates, as it is in .txt templates;
 *                              nothing when missing, null, another object or an array. A number is written as the language does where
 *                              people read it: in a page outside of tags and of elements for machines (place.c), and in texts
 *   {{{name}}}                 markup made by code: raw only when the value came from template_safe(); any other value is
 *                              escaped as {{name}} is
 *   {{#name}} {{^name}} {{/name}}   section and inverted section; false, null, missing, 0, "", and [] are false
 *   {{! comment}}
 *   {{>folder/name}}           partial, found from the templates' root; indentation is not copied into it
 *   {{>name a="Text" b='word' c=path.to}}   partial with parameters, which its tags see before the document's members;
 *                              "..." is for people and translated, '...' is not; a path that leads nowhere hides an outer
 *                              member of that name
 *   {{+name a="Text"}} {{$head}}...{{/head}} {{$row}}...{{/row}} {{/name}}   frame: a partial that is given pieces. A piece sees what stands
 *                              around the frame, not its parameters, and what the frame has opened around the piece's place
 *   {{$row}}...{{/row}}        elsewhere: the place of a piece, and what is shown where none is given
 *   {{@a}} {{#@a}}             in a partial or layout: its own parameter a, never a member of the document; a page sees its
 *                              layout's
 *   {{"Text for people"}}      translated, then escaped; %{path} in it is replaced by the value
 *   {{"%{n} device" "%{n} devices"}}   the same of a number: the value of the last text's first %{path} chooses the form
 *   {{<folder/layout a="Text"}}     first tag of a page: rendered inside that layout, which has {{>body}} where the page goes
 *                              and may have {{>help}}, the template "help/" and the page's name, which must then exist;
 *                              parameters as partials have, seen by layout and page
 *
 * No lambdas, no other delimiters, no dynamic names. Names are [A-Za-z0-9_-]+; sections nest to TEMPLATE_NEST_MAX,
 * partials to TEMPLATE_DEPTH_MAX. A tag of sections, comments, partials, frames or layouts that stands alone on its line takes
 * the line with it.
 *
 * Texts are English in the templates. What stands in .html outside of tags is translated too, cut as translators' tools do (units.c): the
 * content of a block element, or what is between two, is one text, with the inline elements and tags within it; not inside <code> and
 * elements with translate="no".
 *
 * A language is a file texts/<language>.json, made by the build of po/<language>.po (words.h); a text that it lacks stays English.
 *
 * A set is read once, then never changes: any number of threads can render from it. */
#ifndef RENDER_TEMPLATE_H
#define RENDER_TEMPLATE_H

#include <jansson.h>
#include <stddef.h>

#include "base/buf.h"
#include "render/words.h"

#define TEMPLATE_FILE_MAX (512 * 1024)      /* bytes of one template */
#define TEMPLATE_NEST_MAX 32                /* sections within sections, per template */
#define TEMPLATE_DEPTH_MAX 24               /* partials within partials while rendering */
#define TEMPLATE_STACK_MAX 128              /* contexts open at once while rendering */
#define TEMPLATE_OUTPUT_MAX (16 * 1024 * 1024)
#define TEMPLATE_STEPS_MAX 20000000         /* nodes executed for one output */

struct template_set;

enum template_kind { TEMPLATE_HTML, TEMPLATE_TEXT };

/* Reads every *.html and *.txt below DIR, named by path relative to DIR without suffix ("console/users"). LANGUAGE is NULL
 * or "en" for the texts as they are, else the name of texts/<LANGUAGE>.json in DIR ("de", "pt-BR"). ERR_INVALID with
 * "file:line: reason" for bad syntax, a partial or layout that does not exist, or an .html template that uses a .txt one. The
 * caller frees the set. */
int template_set_load(const char *dir, const char *language, struct template_set **out);
void template_set_free(struct template_set *set);
/* The same for English, telling FN every text that would be translated; MANY is NULL but for two forms of a number. */
typedef void template_text_fn(void *ctx, const char *template, unsigned line, const char *text, const char *many);
int template_set_texts(const char *dir, template_text_fn *fn, void *ctx);

/* An empty set to be filled by template_set_add, then closed by template_set_link: for templates that are not files.
 * WORDS (taken over) may be NULL: English. */
struct template_set *template_set_new(struct words *words);
int template_set_add(struct template_set *set, const char *name, enum template_kind kind, const char *text, size_t len);
int template_set_link(struct template_set *set);

/* The same templates in the same language, with days in that format; SET must outlive it. The caller frees. */
struct template_set *template_set_dated(const struct template_set *set, enum date_format dates);

/* 1 when the set has a template of that name. */
int template_exists(const struct template_set *set, const char *name);
/* The language of the set: numbers, plurals, texts with values. */
const struct words *template_words(const struct template_set *set);
/* The text in the set's language; the same pointer when there is no translation. */
const char *template_text(const struct template_set *set, const char *english);
/* Appends the rendered template to OUT. ERR_NOT_FOUND for an unknown name, ERR_TOO_LARGE over a limit; OUT is then as it
 * was before. DOC is only read. */
int template_render(const struct template_set *set, const char *name, const json_t *doc, struct buf *out);

/* A value that {{{name}}} puts out raw. HTML must come from code of ours (a drawn chart), never from input. The caller's
 * reference. */
json_t *template_safe(const char *html);

/* Appends TEXT with & < > " ' as entities. */
void template_escape(const char *text, size_t len, struct buf *out);

#endif
