/* parts.h - the compiled form of a template: inside of src/render only. Made by compile.c, kept by template.c, run by render.c. */
#ifndef RENDER_PARTS_H
#define RENDER_PARTS_H

#include <stdint.h>

#include "render/template.h"
#include "render/words.h"

#define PATH_PARTS_MAX 8

enum node_kind {
	NODE_TEXT,           /* text as it is */
	NODE_VAR,            /* path, escaped as the template's kind demands */
	NODE_RAW,            /* path, raw if marked safe */
	NODE_SECTION,        /* path; end */
	NODE_INVERTED,       /* path; end */
	NODE_COUNT,          /* path: a number, which chooses one of the forms that follow; end */
	NODE_FORM,           /* one of them; end */
	NODE_PARTIAL,        /* name, params */
	NODE_FRAME,          /* name, params: a partial that is given pieces, which follow; end */
	NODE_GIVEN,          /* path: one of them; end */
	NODE_HOLE,           /* path: where the piece of that name goes; what follows is shown without one; end */
	NODE_BODY,           /* the page inside its layout */
	NODE_HELP,           /* its help text */
};

struct slice {
	const char *at;
	size_t len;
};

/* A name as its parts; no parts is the implicit iterator. */
struct path {
	struct slice part[PATH_PARTS_MAX];
	unsigned parts;
	int own;             /* begins with @: only a parameter of the innermost partial */
};

struct param {
	struct slice name;
	json_t *literal;     /* owned; NULL for a path */
	struct path path;
};

struct node {
	enum node_kind kind;
	unsigned line;
	size_t end;          /* sections and what holds nodes: index of the first one after it */
	struct slice text;   /* NODE_TEXT; the name for NODE_PARTIAL and NODE_FRAME */
	int read;            /* NODE_VAR: by people, so numbers are the language's */
	int breaks;          /* NODE_VAR: long paths and addresses may be broken */
	struct path path;
	struct param *params;
	size_t param_count;
	const struct template *partial;   /* set when linked */
};

struct template {
	char *name;
	enum template_kind kind;
	char *source;                     /* slices point in here or into owned */
	char **owned;                     /* escaped texts */
	size_t owned_count;
	struct node *nodes;
	size_t count;
	struct node layout;               /* a NODE_PARTIAL; no name: none */
	const struct template *help;      /* help/<name>, where the layout asks for it */
};

struct template_set {
	struct template **all;            /* sorted by name once linked */
	size_t count;
	int shared;                       /* its templates are those of another set */
	struct words *words;              /* NULL: English */
	template_text_fn *note;           /* told of every text; NULL: nobody */
	void *note_ctx;
};

/* Where in the text of a page the compiler is (place.c); zeroed at its beginning. */
struct place {
	int tag, closing, no;                 /* within one; it ends an element; it says translate="no" */
	char quote, last;                     /* within an attribute's value; the character before */
	char name[12], machine[12];           /* of the tag; of the element for machines that is open, "": none */
};
void place_follow(struct place *p, const char *text, size_t len);
int place_is_read(const struct place *p);
/* Whether a browser takes <wbr> there for what it is. */
int place_may_break(const struct place *p);
/* breaks.c: appends TEXT as template_escape does, with <wbr> where long paths and addresses may be broken. */
void breaks_escape(const char *text, size_t len, struct buf *out);

/* Fills NODES of T from its source; ERR_INVALID with "name:line: reason". */
int compile_template(const struct template_set *set, struct template *t);
/* units.c: appends TEXT, in which any white space is one space; as it is in catalogues. */
void units_collapse(const char *text, size_t len, struct buf *out);
/* SOURCE with what stands outside of tags in T's language, where it has any such text; else NULL. The caller frees. */
char *units_translate(const struct template_set *set, const struct template *t, const char *source);
void compile_release(struct template *t);
const struct template *set_find(const struct template_set *set, const char *name, size_t len);
const char *kind_suffix(enum template_kind kind);

#endif
