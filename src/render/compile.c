/* compile.c - template text to nodes. One pass over the source; sections are matched with a stack of open ones. */
#include "render/parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

struct compiler {
	const struct template_set *set;
	struct template *t;
	const char *at, *end;
	unsigned line;
	size_t room;                          /* nodes allocated */
	size_t open[TEMPLATE_NEST_MAX];       /* indexes of open sections */
	unsigned depth;
	int seen_content;                     /* a layout tag must come before */
	struct place place;
};

static int bad(const struct compiler *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int bad(const struct compiler *c, const char *fmt, ...)
{
	va_list ap;
	char reason[200];

	va_start(ap, fmt);
	vsnprintf(reason, sizeof reason, fmt, ap);
	va_end(ap);
	return err_set(ERR_INVALID, "%s%s:%u: %s", c->t->name, kind_suffix(c->t->kind), c->line, reason);
}

static struct node *node_add(struct compiler *c, enum node_kind kind)
{
	struct template *t = c->t;
	struct node *n;

	if (t->count == c->room) {
		c->room = c->room ? 2 * c->room : 16;
		t->nodes = mem_grow(t->nodes, c->room, sizeof *t->nodes);
	}
	n = &t->nodes[t->count++];
	*n = (struct node){ .kind = kind, .line = c->line };
	return n;
}

static void text_add(struct compiler *c, const char *at, size_t len)
{
	if (len)
		node_add(c, NODE_TEXT)->text = (struct slice){ at, len };
}

/* Text that is not a piece of the source: the template frees it. */
static const char *keep(struct compiler *c, char *text)
{
	struct template *t = c->t;

	t->owned = mem_grow(t->owned, t->owned_count + 1, sizeof *t->owned);
	return t->owned[t->owned_count++] = text;
}

static void text_own(struct compiler *c, struct buf *b)
{
	size_t len = b->len;

	text_add(c, keep(c, buf_take(b)), len);
}

static int is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static int is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static struct slice trim(const char *at, const char *end)
{
	while (at < end && is_space(*at))
		at++;
	while (end > at && is_space(end[-1]))
		end--;
	return (struct slice){ at, (size_t)(end - at) };
}

static int slice_same(struct slice a, struct slice b)
{
	return a.len == b.len && memcmp(a.at, b.at, a.len) == 0;
}

static int slice_is(struct slice s, const char *word)
{
	return slice_same(s, (struct slice){ word, strlen(word) });
}

static int path_parse(const struct compiler *c, struct slice s, struct path *out)
{
	struct path p = { .parts = 0 };
	size_t from = 0;

	if (s.len && *s.at == '@') {
		p.own = 1;
		s = (struct slice){ s.at + 1, s.len - 1 };
	} else if (s.len == 1 && *s.at == '.') {
		*out = p;
		return 0;
	}
	for (size_t i = 0; i <= s.len; i++) {
		if (i < s.len && is_name(s.at[i]))
			continue;
		if (i == from || (i < s.len && s.at[i] != '.'))
			return bad(c, "bad name \"%.*s\"", (int)(s.len > 60 ? 60 : s.len), s.at);
		if (p.parts == PATH_PARTS_MAX)
			return bad(c, "name of more than %d parts", PATH_PARTS_MAX);
		p.part[p.parts++] = (struct slice){ s.at + from, i - from };
		from = i + 1;
	}
	*out = p;
	return 0;
}

static int template_name_ok(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_name(s.at[i]) && !(s.at[i] == '/' && i && i + 1 < s.len && s.at[i - 1] != '/'))
			return 0;
	return s.len > 0;
}

/* TEXT with white space collapsed, in the set's language. */
static char *translate(const struct compiler *c, struct slice s)
{
	struct buf b = BUF_INIT;
	const char *other;

	s = trim(s.at, s.at + s.len);
	units_collapse(s.at, s.len, &b);
	if (c->set->note)
		c->set->note(c->set->note_ctx, c->t->name, c->line, buf_str(&b), NULL);
	other = template_text(c->set, buf_str(&b));
	if (other != buf_str(&b)) {
		buf_reset(&b);
		buf_puts(&b, other);
	}
	return buf_take(&b);
}

static int var_add(struct compiler *c, enum node_kind kind, struct slice s)
{
	struct path p;
	int rc = path_parse(c, s, &p);

	if (rc == 0) {
		struct node *n = node_add(c, kind);

		n->path = p;
		n->read = kind == NODE_VAR && c->t->kind == TEMPLATE_HTML && place_is_read(&c->place);
		n->breaks = kind == NODE_VAR && c->t->kind == TEMPLATE_HTML && place_may_break(&c->place);
	}
	return rc;
}

static void phrase_piece(struct compiler *c, const char *at, size_t len)
{
	struct buf b = BUF_INIT;

	if (c->t->kind == TEMPLATE_HTML)
		template_escape(at, len, &b);
	else
		buf_add(&b, at, len);
	text_own(c, &b);
}

/* Pieces of text with %{path} between them. AT is kept, because paths point into it. */
static int phrase_pieces(struct compiler *c, const char *at)
{
	const char *hole;
	int rc = 0;

	while (rc == 0 && (hole = strstr(at, "%{"))) {
		const char *close = strchr(hole, '}');

		if (close == NULL)
			return bad(c, "%%{ without }");
		phrase_piece(c, at, (size_t)(hole - at));
		rc = var_add(c, NODE_VAR, (struct slice){ hole + 2, (size_t)(close - hole - 2) });
		if (rc == 0)
			c->t->nodes[c->t->count - 1].read = 1;
		at = close + 1;
	}
	if (rc == 0)
		phrase_piece(c, at, strlen(at));
	return rc;
}

/* {{"%{n} device" "%{n} devices"}}: every form that the language has, of which one is shown. */
static int count_add(struct compiler *c, struct slice one, struct slice many)
{
	const char *first = keep(c, mem_dup(one.at, one.len)), *last = keep(c, mem_dup(many.at, many.len)), *text;
	const char *hole = strstr(last, "%{"), *close = hole ? strchr(hole, '}') : NULL;
	size_t at = c->t->count;
	int rc = close ? var_add(c, NODE_COUNT, (struct slice){ hole + 2, (size_t)(close - hole - 2) }) : bad(c, "no number in the last form");

	if (c->set->note)
		c->set->note(c->set->note_ctx, c->t->name, c->line, first, last);
	for (unsigned i = 0; rc == 0 && (text = words_form_text(c->set->words, i, first, last)); i++) {
		size_t form = c->t->count;

		node_add(c, NODE_FORM);
		rc = phrase_pieces(c, keep(c, mem_strdup(text)));
		c->t->nodes[form].end = c->t->count;
	}
	if (rc == 0 && c->t->count == at + 1)
		return bad(c, "a text of a number without forms");
	if (rc == 0)
		c->t->nodes[at].end = c->t->count;
	return rc;
}

/* {{"..."}} and {{"..." "..."}} */
static int phrase_add(struct compiler *c, struct slice s)
{
	const char *quote = memchr(s.at, '"', s.len), *next = quote ? quote + 1 : NULL, *end = s.at + s.len;

	while (next && next < end && is_space(*next))
		next++;
	if (next && next < end && *next == '"')
		return count_add(c, (struct slice){ s.at, (size_t)(quote - s.at) }, (struct slice){ next + 1, (size_t)(end - next - 1) });
	return phrase_pieces(c, keep(c, translate(c, s)));
}

/* The node that was added last holds what follows, until its end. */
static int node_open(struct compiler *c)
{
	if (c->depth == TEMPLATE_NEST_MAX)
		return bad(c, "sections nested deeper than %d", TEMPLATE_NEST_MAX);
	c->open[c->depth++] = c->t->count - 1;
	return 0;
}

static int section_open(struct compiler *c, enum node_kind kind, struct slice s)
{
	int rc = var_add(c, kind, s);

	return rc < 0 ? rc : node_open(c);
}

/* The innermost node that is open; NULL: none. */
static struct node *innermost(const struct compiler *c)
{
	return c->depth ? &c->t->nodes[c->open[c->depth - 1]] : NULL;
}

/* {{$name}}: right within a frame a piece that it is given; elsewhere where such a piece goes. */
static int piece_open(struct compiler *c, struct slice s)
{
	const struct node *around = innermost(c);

	for (size_t i = 0; i < s.len || i == 0; i++)
		if (s.len == 0 || !is_name(s.at[i]))
			return bad(c, "bad name of a piece");
	return section_open(c, around && around->kind == NODE_FRAME ? NODE_GIVEN : NODE_HOLE, s);
}

static int path_same(const struct path *a, const struct path *b)
{
	if (a->parts != b->parts || a->own != b->own)
		return 0;
	for (unsigned i = 0; i < a->parts; i++)
		if (!slice_same(a->part[i], b->part[i]))
			return 0;
	return 1;
}

/* Nothing but pieces and white space stands in the frame whose first node is FROM. */
static int frame_check(struct compiler *c, size_t from)
{
	const struct template *t = c->t;

	for (size_t i = from; i < t->count; i = t->nodes[i].end ? t->nodes[i].end : i + 1) {
		const struct node *n = &t->nodes[i];

		if (n->kind != NODE_GIVEN && (n->kind != NODE_TEXT || trim(n->text.at, n->text.at + n->text.len).len))
			return bad(c, "in a frame only pieces stand: {{$name}}...{{/name}}");
	}
	return 0;
}

static int section_close(struct compiler *c, struct slice s)
{
	struct node *n = innermost(c);
	struct path p;
	int rc = 0, same;

	if (n == NULL)
		return bad(c, "{{/%.*s}} closes nothing", (int)s.len, s.at);
	if (n->kind == NODE_FRAME) {
		same = slice_same(n->text, s);
		rc = frame_check(c, c->open[c->depth - 1] + 1);
	} else {
		rc = path_parse(c, s, &p);
		same = rc == 0 && path_same(&n->path, &p);
	}
	if (rc < 0)
		return rc;
	if (!same)
		return bad(c, "{{/%.*s}} closes the section of line %u", (int)s.len, s.at, n->line);
	n->end = c->t->count;
	c->depth--;
	return 0;
}

/* The value of a parameter at *AT, which moves behind it. */
static int param_value(struct compiler *c, const char **at, const char *end, struct param *p)
{
	const char *from = *at, *close;
	char *text;

	if (from < end && (*from == '"' || *from == '\'')) {
		close = memchr(from + 1, *from, (size_t)(end - from - 1));
		if (close == NULL)
			return bad(c, "text of a parameter does not end");
		if (*from == '"')
			text = translate(c, (struct slice){ from + 1, (size_t)(close - from - 1) });
		else
			text = mem_dup(from + 1, (size_t)(close - from - 1));
		p->literal = json_string(text);
		free(text);
		*at = close + 1;
		return p->literal ? 0 : bad(c, "text of a parameter is not UTF-8");
	}
	for (close = from; close < end && !is_space(*close); close++)
		;
	*at = close;
	return path_parse(c, (struct slice){ from, (size_t)(close - from) }, &p->path);
}

static int params_parse(struct compiler *c, const char *at, const char *end, struct node *n)
{
	int rc = 0;

	while (rc == 0) {
		struct param p = { .literal = NULL };
		const char *from;

		while (at < end && is_space(*at))
			at++;
		if (at == end)
			break;
		for (from = at; at < end && is_name(*at); at++)
			;
		if (at == from || at == end || *at != '=')
			return bad(c, "parameters are name=\"text\", name='word' or name=path");
		p.name = (struct slice){ from, (size_t)(at - from) };
		at++;
		rc = param_value(c, &at, end, &p);
		if (rc == 0) {
			n->params = mem_grow(n->params, n->param_count + 1, sizeof *n->params);
			n->params[n->param_count++] = p;
		}
	}
	return rc;
}

/* What S begins with: the name of a template; parameters may follow. */
static struct slice name_of(struct slice s)
{
	size_t len = 0;

	while (len < s.len && !is_space(s.at[len]))
		len++;
	return (struct slice){ s.at, len };
}

static int partial_add(struct compiler *c, struct slice s, enum node_kind kind)
{
	struct slice name = name_of(s);
	const char *at = s.at + name.len, *end = s.at + s.len;
	struct node *n;

	if (!template_name_ok(name))
		return bad(c, "bad name of a partial");
	if (kind == NODE_PARTIAL && (slice_is(name, "body") || slice_is(name, "help")))
		kind = slice_is(name, "body") ? NODE_BODY : NODE_HELP;
	n = node_add(c, kind);
	n->text = name;
	if (kind == NODE_BODY || kind == NODE_HELP)
		return at == end ? 0 : bad(c, "{{>%.*s}} takes no parameters", (int)name.len, name.at);
	return params_parse(c, at, end, n);
}

static int frame_open(struct compiler *c, struct slice s)
{
	int rc = partial_add(c, s, NODE_FRAME);

	return rc < 0 ? rc : node_open(c);
}

static int layout_set(struct compiler *c, struct slice s)
{
	struct node *n = &c->t->layout;

	if (c->seen_content || n->text.len)
		return bad(c, "a layout is named once, before anything else");
	*n = (struct node){ .kind = NODE_PARTIAL, .line = c->line, .text = name_of(s) };
	if (!template_name_ok(n->text))
		return bad(c, "bad name of a layout");
	return params_parse(c, s.at + n->text.len, s.at + s.len, n);
}

static int tag_run(struct compiler *c, char sigil, struct slice s)
{
	switch (sigil) {
	case '!': return 0;
	case '{':
	case '&': return var_add(c, NODE_RAW, s);
	case '#': return section_open(c, NODE_SECTION, s);
	case '^': return section_open(c, NODE_INVERTED, s);
	case '/': return section_close(c, s);
	case '>': return partial_add(c, s, NODE_PARTIAL);
	case '+': return frame_open(c, s);
	case '$': return piece_open(c, s);
	case '<': return layout_set(c, s);
	case '"': return phrase_add(c, s);
	case '=': return bad(c, "delimiters cannot be changed");
	default: return var_add(c, NODE_VAR, s);
	}
}

/* Where the tag's inside ends; a phrase may hold }}, as may a parameter's text. */
static const char *tag_end(const struct compiler *c, const char *from, char sigil)
{
	const char *close = sigil == '{' ? "}}}" : sigil == '"' ? "\"}}" : "}}";
	size_t len = strlen(close);
	int takes_params = sigil == '>' || sigil == '<' || sigil == '+';

	for (char quote = 0; from + len <= c->end; from++) {
		if (!quote && memcmp(from, close, len) == 0)
			return from;
		if (!takes_params)
			continue;
		if (quote && *from == quote)
			quote = 0;
		else if (!quote && (*from == '"' || *from == '\''))
			quote = *from;
	}
	return NULL;
}

static int blank_before(const struct template *t, const char *at)
{
	while (at > t->source && (at[-1] == ' ' || at[-1] == '\t'))
		at--;
	return at == t->source || at[-1] == '\n';
}

/* The start of the next line when nothing but blanks follows AT on its own; else NULL. */
static const char *line_end(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	if (at < end && *at == '\r')
		at++;
	if (at == end)
		return at;
	return *at == '\n' ? at + 1 : NULL;
}

static void count_lines(struct compiler *c, const char *to)
{
	for (; c->at < to; c->at++)
		c->line += *c->at == '\n';
}

/* One tag that begins at TAG; text before it is from c->at on. */
static int tag_compile(struct compiler *c, const char *tag)
{
	const char *inside = tag + 2, *text = c->at, *close, *next;
	size_t text_len = (size_t)(tag - text);
	char sigil = inside < c->end && strchr("{&#^/><!=\"+$", *inside) && *inside ? *inside : 0;
	int rc;

	inside += sigil != 0;
	close = tag_end(c, inside, sigil);
	if (close == NULL) {
		count_lines(c, tag);
		return bad(c, "tag does not end");
	}
	next = close + (sigil == '{' || sigil == '"' ? 3 : 2);
	if (sigil && strchr("#^/>!<+$", sigil) && blank_before(c->t, tag) && line_end(next, c->end)) {
		while (text_len && (text[text_len - 1] == ' ' || text[text_len - 1] == '\t'))
			text_len--;
		next = line_end(next, c->end);
	}
	c->seen_content |= trim(text, text + text_len).len != 0;
	text_add(c, text, text_len);
	place_follow(&c->place, text, text_len);
	count_lines(c, tag);
	rc = tag_run(c, sigil, sigil == '"' ? (struct slice){ inside, (size_t)(close - inside) } : trim(inside, close));
	c->seen_content |= sigil != '!' && sigil != '<';
	count_lines(c, next);
	return rc;
}

int compile_template(const struct template_set *set, struct template *t)
{
	struct compiler c = { .set = set, .t = t, .at = t->source, .end = t->source + strlen(t->source), .line = 1 };
	const char *tag;
	int rc = 0;

	while (rc == 0 && (tag = strstr(c.at, "{{")))
		rc = tag_compile(&c, tag);
	if (rc < 0)
		return rc;
	text_add(&c, c.at, (size_t)(c.end - c.at));
	if (c.depth) {
		c.line = t->nodes[c.open[c.depth - 1]].line;
		return bad(&c, "section does not end");
	}
	return 0;
}

static void params_free(struct node *n)
{
	for (size_t i = 0; i < n->param_count; i++)
		json_decref(n->params[i].literal);
	free(n->params);
}

void compile_release(struct template *t)
{
	for (size_t i = 0; i < t->count; i++)
		params_free(&t->nodes[i]);
	params_free(&t->layout);
	for (size_t i = 0; i < t->owned_count; i++)
		free(t->owned[i]);
	free(t->owned);
	free(t->nodes);
	free(t->source);
	free(t->name);
	free(t);
}
