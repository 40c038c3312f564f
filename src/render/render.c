/* render.c - runs a compiled template over a document. Keeps all state on its own stack: threads share nothing. */
#include "render/parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

#define SAFE_MEMBER "\001safe"           /* a name that no input yields as a document's member: see template_safe */

/* What names are looked up in: a value of the document, or the parameters of a partial. */
struct context {
	const json_t *value;
	const struct node *partial;          /* its params; NULL for a value */
	size_t below;                        /* contexts that its path parameters are looked up in */
	int hidden;                          /* while a piece runs that its frame was given: what stands around the frame sees no parameter of it */
};

/* A frame that is being shown, and where the pieces are that it was given. */
struct frame {
	const struct template *t;
	size_t at, context;                  /* its node there; its parameters on the stack */
	const struct frame *outer;
};

struct run {
	struct buf *out;
	size_t start;                        /* bytes in OUT before this rendering */
	struct context stack[TEMPLATE_STACK_MAX];
	size_t top;
	unsigned depth;
	unsigned long steps;
	const struct words *words;
	const struct frame *frame;           /* the innermost; NULL: none */
	const struct template *page;         /* what {{>body}} and {{>help}} stand for; NULL outside of layouts */
};

static int run_template(struct run *r, const struct template *t);
static int run_nodes(struct run *r, const struct template *t, size_t from, size_t to);

json_t *template_safe(const char *html)
{
	return json_pack("{ss}", SAFE_MEMBER, html);
}

static const char *entity(char c)
{
	switch (c) {
	case '&': return "&amp;";
	case '<': return "&lt;";
	case '>': return "&gt;";
	case '"': return "&quot;";
	case '\'': return "&#39;";
	default: return NULL;
	}
}

void template_escape(const char *text, size_t len, struct buf *out)
{
	size_t from = 0;

	for (size_t i = 0; i < len; i++) {
		const char *e = entity(text[i]);

		if (e == NULL)
			continue;
		buf_add(out, text + from, i - from);
		buf_puts(out, e);
		from = i + 1;
	}
	buf_add(out, text + from, len - from);
}

static const json_t *member(const json_t *o, struct slice name)
{
	return json_is_object(o) ? json_object_getn(o, name.at, name.len) : NULL;
}

static const json_t *look_up(const struct run *r, size_t top, const struct path *p);

/* 1 when the partial has the parameter; its value may still be NULL. */
static int param_find(const struct run *r, const struct context *c, struct slice name, const json_t **out)
{
	for (size_t i = 0; i < c->partial->param_count; i++) {
		const struct param *p = &c->partial->params[i];

		if (p->name.len != name.len || memcmp(p->name.at, name.at, name.len) != 0)
			continue;
		*out = p->literal ? p->literal : look_up(r, c->below, &p->path);
		return 1;
	}
	return 0;
}

/* The innermost value below TOP that is not parameters. */
static const json_t *innermost(const struct run *r, size_t top)
{
	while (top--)
		if (r->stack[top].partial == NULL)
			return r->stack[top].value;
	return NULL;
}

static const json_t *look_up_first(const struct run *r, size_t top, const struct path *p)
{
	const json_t *v = NULL;

	for (; top; top--) {
		const struct context *c = &r->stack[top - 1];

		if (c->hidden)
			continue;
		if (c->partial ? param_find(r, c, p->part[0], &v) : !p->own && (v = member(c->value, p->part[0])) != NULL)
			return v;
		if (c->partial && p->own)
			return NULL;
	}
	return NULL;
}

static const json_t *look_up(const struct run *r, size_t top, const struct path *p)
{
	const json_t *v;

	if (p->parts == 0)
		return innermost(r, top);
	v = look_up_first(r, top, p);
	for (unsigned i = 1; v && i < p->parts; i++)
		v = member(v, p->part[i]);
	return v;
}

static int is_true(const json_t *v)
{
	switch (v ? json_typeof(v) : JSON_NULL) {
	case JSON_NULL:
	case JSON_FALSE: return 0;
	case JSON_TRUE:
	case JSON_OBJECT: return 1;
	case JSON_ARRAY: return json_array_size(v) > 0;
	case JSON_STRING: return json_string_length(v) > 0;
	case JSON_INTEGER: return json_integer_value(v) != 0;
	case JSON_REAL: return json_real_value(v) < 0 || json_real_value(v) > 0;
	}
	return 0;
}

static void put(struct run *r, const struct template *t, const char *s, size_t len)
{
	if (t->kind == TEMPLATE_HTML)
		template_escape(s, len, r->out);
	else
		buf_add(r->out, s, len);
}

static void put_phrase(struct run *r, const struct template *t, const json_t *phrase)
{
	char *text = words_phrase_text(r->words, phrase);

	put(r, t, text, strlen(text));
	free(text);
}

static void put_value(struct run *r, const struct template *t, const json_t *v, int read, int breaks)
{
	if (breaks && json_is_string(v)) {
		breaks_escape(json_string_value(v), json_string_length(v), r->out);
		return;
	}
	if (read && json_is_integer(v)) {
		words_number(r->words, json_integer_value(v), r->out);
		return;
	}
	switch (v ? json_typeof(v) : JSON_NULL) {
	case JSON_STRING: put(r, t, json_string_value(v), json_string_length(v)); break;
	case JSON_INTEGER: buf_printf(r->out, "%" JSON_INTEGER_FORMAT, json_integer_value(v)); break;
	case JSON_REAL: buf_printf(r->out, "%.15g", json_real_value(v)); break;
	case JSON_TRUE: buf_puts(r->out, "true"); break;
	case JSON_FALSE: buf_puts(r->out, "false"); break;
	case JSON_OBJECT: put_phrase(r, t, v); break;
	default: break;
	}
}

static void put_raw(struct run *r, const struct template *t, const json_t *v)
{
	const json_t *safe = json_is_object(v) ? json_object_get(v, SAFE_MEMBER) : NULL;

	if (safe)
		buf_add(r->out, json_string_value(safe), json_string_length(safe));
	else
		put_value(r, t, v, 0, 0);
}

static int push(struct run *r, struct context c)
{
	if (r->top == TEMPLATE_STACK_MAX)
		return err_set(ERR_TOO_LARGE, "more than %d contexts open", TEMPLATE_STACK_MAX);
	r->stack[r->top++] = c;
	return 0;
}

static int run_within(struct run *r, const struct template *t, size_t at, const json_t *v)
{
	int rc = push(r, (struct context){ .value = v });

	if (rc == 0) {
		rc = run_nodes(r, t, at + 1, t->nodes[at].end);
		r->top--;
	}
	return rc;
}

static int run_section(struct run *r, const struct template *t, size_t at)
{
	const json_t *v = look_up(r, r->top, &t->nodes[at].path);
	int rc = 0;

	if (!is_true(v))
		return 0;
	if (!json_is_array(v))
		return run_within(r, t, at, v);
	for (size_t i = 0; rc == 0 && i < json_array_size(v); i++)
		rc = run_within(r, t, at, json_array_get(v, i));
	return rc;
}

/* A language can have fewer forms than the text's own (it is not translated): then the last. */
static int run_count(struct run *r, const struct template *t, size_t at)
{
	int64_t n = json_integer_value(look_up(r, r->top, &t->nodes[at].path));
	unsigned form = words_form(r->words, n);
	size_t chosen = at + 1;

	for (; form && t->nodes[chosen].end < t->nodes[at].end; form--)
		chosen = t->nodes[chosen].end;
	return run_nodes(r, t, chosen + 1, t->nodes[chosen].end);
}

static int run_inverted(struct run *r, const struct template *t, size_t at)
{
	if (is_true(look_up(r, r->top, &t->nodes[at].path)))
		return 0;
	return run_nodes(r, t, at + 1, t->nodes[at].end);
}

static int run_partial(struct run *r, const struct node *n)
{
	int rc;

	if (n->param_count == 0)
		return run_template(r, n->partial);
	rc = push(r, (struct context){ .partial = n, .below = r->top });
	if (rc == 0) {
		rc = run_template(r, n->partial);
		r->top--;
	}
	return rc;
}

static int run_frame(struct run *r, const struct template *t, size_t at)
{
	const struct node *n = &t->nodes[at];
	const struct frame frame = { t, at, r->top, r->frame };
	int rc = push(r, (struct context){ .partial = n, .below = r->top });

	if (rc == 0) {
		r->frame = &frame;
		rc = run_template(r, n->partial);
		r->frame = frame.outer;
		r->top--;
	}
	return rc;
}

/* Index of the node in FRAME's template; 0: it was not given that piece. */
static size_t given_find(const struct frame *frame, struct slice name)
{
	const struct node *all = frame->t->nodes;

	for (size_t i = frame->at + 1; i < all[frame->at].end; i = all[i].end ? all[i].end : i + 1)
		if (all[i].kind == NODE_GIVEN && all[i].path.part[0].len == name.len && memcmp(all[i].path.part[0].at, name.at, name.len) == 0)
			return i;
	return 0;
}

/* A piece sees what stands around its frame, and what the frame's template has opened around the hole (a row of a list). */
static int run_hole(struct run *r, const struct template *t, size_t at)
{
	const struct frame *frame = r->frame;
	size_t given = frame ? given_find(frame, t->nodes[at].path.part[0]) : 0;
	int rc;

	if (given == 0)
		return run_nodes(r, t, at + 1, t->nodes[at].end);
	r->frame = frame->outer;
	r->stack[frame->context].hidden = 1;
	rc = run_nodes(r, frame->t, given + 1, frame->t->nodes[given].end);
	r->stack[frame->context].hidden = 0;
	r->frame = frame;
	return rc;
}

static int run_node(struct run *r, const struct template *t, size_t at)
{
	const struct node *n = &t->nodes[at];

	switch (n->kind) {
	case NODE_TEXT: buf_add(r->out, n->text.at, n->text.len); return 0;
	case NODE_VAR: put_value(r, t, look_up(r, r->top, &n->path), n->read, n->breaks); return 0;
	case NODE_RAW: put_raw(r, t, look_up(r, r->top, &n->path)); return 0;
	case NODE_SECTION: return run_section(r, t, at);
	case NODE_INVERTED: return run_inverted(r, t, at);
	case NODE_COUNT: return run_count(r, t, at);
	case NODE_FORM: return 0;            /* within NODE_COUNT alone */
	case NODE_PARTIAL: return run_partial(r, n);
	case NODE_FRAME: return run_frame(r, t, at);
	case NODE_GIVEN: return 0;           /* within NODE_FRAME alone */
	case NODE_HOLE: return run_hole(r, t, at);
	case NODE_BODY: return r->page ? run_template(r, r->page) : 0;
	case NODE_HELP: return r->page && r->page->help ? run_template(r, r->page->help) : 0;
	}
	return 0;
}

static int run_nodes(struct run *r, const struct template *t, size_t from, size_t to)
{
	int rc = 0;

	for (size_t at = from; rc == 0 && at < to; ) {
		const struct node *n = &t->nodes[at];

		rc = run_node(r, t, at);
		if (r->out->len - r->start > TEMPLATE_OUTPUT_MAX || ++r->steps > TEMPLATE_STEPS_MAX)
			return err_set(ERR_TOO_LARGE, "%s:%u: more output than a page may have", t->name, n->line);
		at = n->end ? n->end : at + 1;
	}
	return rc;
}

static int run_template(struct run *r, const struct template *t)
{
	int rc;

	if (r->depth == TEMPLATE_DEPTH_MAX)
		return err_set(ERR_TOO_LARGE, "%s: partials nested deeper than %d", t->name, TEMPLATE_DEPTH_MAX);
	r->depth++;
	rc = run_nodes(r, t, 0, t->count);
	r->depth--;
	return rc;
}

int template_render(const struct template_set *set, const char *name, const json_t *doc, struct buf *out)
{
	const struct template *t = set_find(set, name, strlen(name));
	struct run r = { .out = out, .start = out->len, .words = set->words };
	int rc;

	if (t == NULL)
		return err_set(ERR_NOT_FOUND, "there is no template \"%s\"", name);
	r.page = t->layout.partial ? t : NULL;
	r.stack[r.top++] = (struct context){ .value = doc };
	rc = r.page ? run_partial(&r, &t->layout) : run_template(&r, t);
	if (rc < 0 && out->data) {
		out->len = r.start;
		out->data[out->len] = '\0';
	}
	return rc;
}
