/* units.c - cuts what stands outside of tags in an HTML template into texts to translate, as translators' tools do, before it is
 * compiled. A unit is what lies between two block elements, inline elements and {{tags}} kept inside it, so that a translator has
 * whole sentences. Nothing here knows what a tag does. */
#include "render/parts.h"

#include <stdlib.h>
#include <string.h>

struct cutter {
	const struct template_set *set;
	const struct template *t;
	const char *at, *from;           /* FROM: where the unit begins */
	unsigned line;                   /* of FROM */
	int letters;                     /* of it, outside of all tags */
	int changed;
	struct buf out;
};

static int is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static int is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

void units_collapse(const char *text, size_t len, struct buf *out)
{
	for (size_t i = 0; i < len; i++)
		if (!is_blank(text[i]))
			buf_putc(out, text[i]);
		else if (i && !is_blank(text[i - 1]))
			buf_putc(out, ' ');
}

/* What has been read since the last block is over at END. */
static void unit_end(struct cutter *c, const char *end)
{
	const char *from = c->from, *to = end, *other;
	struct buf text = BUF_INIT;
	unsigned line = c->line;

	for (; from < to && is_blank(*from); from++)
		line += *from == '\n';
	while (to > from && is_blank(to[-1]))
		to--;
	units_collapse(from, (size_t)(to - from), &text);
	if (c->letters && c->set->note)
		c->set->note(c->set->note_ctx, c->t->name, line, buf_str(&text), NULL);
	other = c->letters ? template_text(c->set, buf_str(&text)) : NULL;
	if (other && other != buf_str(&text)) {
		buf_add(&c->out, c->from, (size_t)(from - c->from));
		buf_puts(&c->out, other);
		buf_add(&c->out, to, (size_t)(end - to));
		c->changed = 1;
	} else {
		buf_add(&c->out, c->from, (size_t)(end - c->from));
	}
	buf_free(&text);
	c->letters = 0;
}

/* Up to AT is a block's, no unit's. */
static void block_end(struct cutter *c, const char *unit, const char *at)
{
	unit_end(c, unit);
	buf_add(&c->out, unit, (size_t)(at - unit));
	for (const char *s = c->from; s < at; s++)
		c->line += *s == '\n';
	c->at = c->from = at;
}

/* Behind the {{tag}} at AT; the compiler tells what is wrong with one that does not end. */
static const char *brace_end(const char *at)
{
	const char *close = at[2] == '"' ? "\"}}" : at[2] == '{' ? "}}}" : "}}", *end;
	char quote = 0;

	if (at[2] == '>' || at[2] == '<' || at[2] == '+') {
		for (at += 2; *at && (quote || strncmp(at, "}}", 2) != 0); at++)
			quote = quote == *at ? 0 : quote ? quote : *at == '"' || *at == '\'' ? *at : 0;
		return *at ? at + 2 : at;
	}
	end = strstr(at + 2, close);
	return end ? end + strlen(close) : at + strlen(at);
}

/* Behind the markup that begins at AT; a value in quotes can hold anything. */
static const char *markup_end(const char *at)
{
	char quote = 0;

	while (*at && (quote || *at != '>')) {
		if (strncmp(at, "{{", 2) == 0) {
			at = brace_end(at);
			continue;
		}
		quote = quote == *at ? 0 : quote ? quote : *at == '"' || *at == '\'' ? *at : 0;
		at++;
	}
	return *at ? at + 1 : at;
}

static int is_one_of(const char *name, size_t len, const char *const *names)
{
	for (; *names; names++)
		if (strlen(*names) == len && memcmp(*names, name, len) == 0)
			return 1;
	return 0;
}

/* Behind the end of the element whose start tag is NAME's, from AT; elements of one name within are not looked for. */
static const char *element_end(const char *at, const char *name, size_t len)
{
	for (; (at = strstr(at, "</")); at += 2)
		if (strncmp(at + 2, name, len) == 0 && at[2 + len] == '>')
			return at + len + 3;
	return NULL;
}

static void markup(struct cutter *c)
{
	static const char *const inlines[] = { "a", "abbr", "b", "code", "em", "i", "kbd", "q", "samp", "small", "span", "strong", "sub", "sup",
		"time", "u", "var", NULL };
	static const char *const literal[] = { "code", "kbd", "samp", "pre", "script", "style", "svg", NULL };
	const char *start = c->at, *name = start + 1 + (start[1] == '/'), *end = markup_end(start), *whole;
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789");
	const char *no = strstr(start, " translate=\"no\"");

	if (*name != '/' && start[1] != '/' && (is_one_of(name, len, literal) || (no && no < end)) && (whole = element_end(end, name, len)))
		end = whole;
	if (is_one_of(name, len, inlines))
		c->at = end;
	else
		block_end(c, start, end);
}

/* Behind name="..." at AT, as a partial of attributes has it outside of any element; NULL: it is none. */
static const char *attribute_end(const char *at)
{
	size_t len = strspn(at, "abcdefghijklmnopqrstuvwxyz-");

	if (len == 0 || at[len] != '=' || at[len + 1] != '"')
		return NULL;
	for (at += len + 2; *at && *at != '"';)
		at = strncmp(at, "{{", 2) == 0 ? brace_end(at) : at + 1;
	return *at ? at + 1 : at;
}

static void step(struct cutter *c)
{
	const char *at = c->at, *attribute = attribute_end(at);

	if (strncmp(at, "{{", 2) == 0) {
		if (at[2] == '!' || at[2] == '<')
			block_end(c, at, brace_end(at));
		else
			c->at = brace_end(at);
	} else if (*at == '<') {
		markup(c);
	} else if (*at == '&' && strcspn(at, "; <{") < 10 && at[strcspn(at, "; <{")] == ';') {
		c->at += strcspn(at, ";") + 1;
	} else if (attribute) {
		c->at = attribute;
	} else {
		c->letters |= is_letter(*at);
		c->at++;
	}
}

char *units_translate(const struct template_set *set, const struct template *t, const char *source)
{
	struct cutter c = { .set = set, .t = t, .at = source, .from = source, .line = 1 };

	if (set->words == NULL && set->note == NULL)
		return NULL;
	while (*c.at)
		step(&c);
	unit_end(&c, c.at);
	if (c.changed)
		return buf_take(&c.out);
	buf_free(&c.out);
	return NULL;
}
