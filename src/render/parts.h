/* parts.h - the compiled form of a template: inside of src/render only. Made by compile.c, kept by template.c, run by render.c. */
#ifndef RENDER_PARTS_H
#define RENDER_PARTS_H

#include <stdint.h>

#include "render/template.h"

#define PATH_PARTS_MAX 8

enum node_kind {
	NODE_TEXT,           /* text as it is */
	NODE_VAR,            /* path, escaped as the template's kind demands */
	NODE_RAW,            /* path, raw if marked safe */
	NODE_SECTION,        /* path; end */
	NODE_INVERTED,       /* path; end */
	NODE_PARTIAL,        /* name, params */
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
	size_t end;          /* sections: index of the first node after it */
	struct slice text;   /* NODE_TEXT; the name for NODE_PARTIAL */
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
	json_t *texts;                    /* NULL: English */
};

/* Fills NODES of T from its source; ERR_INVALID with "name:line: reason". */
int compile_template(const struct template_set *set, struct template *t);
void compile_release(struct template *t);
const struct template *set_find(const struct template_set *set, const char *name, size_t len);
const char *kind_suffix(enum template_kind kind);

#endif
