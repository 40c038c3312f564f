/* template.c - a set of templates: compiled, linked to each other, found by name. load.c fills one from a folder. */
#include "render/template.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "render/parts.h"

const char *kind_suffix(enum template_kind kind)
{
	return kind == TEMPLATE_HTML ? ".html" : ".txt";
}

struct template_set *template_set_new(struct words *words)
{
	struct template_set *set = mem_alloc(sizeof *set);

	set->words = words;
	return set;
}

void template_set_free(struct template_set *set)
{
	if (set == NULL)
		return;
	for (size_t i = 0; i < set->count && !set->shared; i++)
		compile_release(set->all[i]);
	if (!set->shared)
		free(set->all);
	words_free(set->words);
	free(set);
}

struct template_set *template_set_dated(const struct template_set *set, enum date_format dates)
{
	struct template_set *out = mem_alloc(sizeof *out);

	*out = *set;
	out->shared = 1;
	out->words = words_dated(set->words, dates);
	return out;
}

const char *template_text(const struct template_set *set, const char *english)
{
	return words_text(set->words, english);
}

const struct words *template_words(const struct template_set *set)
{
	return set->words;
}

int template_set_add(struct template_set *set, const char *name, enum template_kind kind, const char *text, size_t len)
{
	struct template *t;
	char *translated;
	int rc;

	if (len > TEMPLATE_FILE_MAX)
		return err_set(ERR_TOO_LARGE, "%s%s is larger than %d bytes", name, kind_suffix(kind), TEMPLATE_FILE_MAX);
	if (memchr(text, '\0', len))
		return err_set(ERR_INVALID, "%s%s contains a zero byte", name, kind_suffix(kind));
	t = mem_alloc(sizeof *t);
	t->name = mem_strdup(name);
	t->kind = kind;
	t->source = mem_dup(text, len);
	translated = kind == TEMPLATE_HTML ? units_translate(set, t, t->source) : NULL;
	if (translated) {
		free(t->source);
		t->source = translated;
	}
	rc = compile_template(set, t);
	if (rc < 0) {
		compile_release(t);
		return rc;
	}
	set->all = mem_grow(set->all, set->count + 1, sizeof *set->all);
	set->all[set->count++] = t;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(struct template *const *)a)->name, (*(struct template *const *)b)->name);
}

const struct template *set_find(const struct template_set *set, const char *name, size_t len)
{
	size_t low = 0, high = set->count;

	while (low < high) {
		size_t mid = (low + high) / 2;
		const char *other = set->all[mid]->name;
		int order = strncmp(other, name, len);

		if (order == 0)
			order = other[len] != '\0';
		if (order == 0)
			return set->all[mid];
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

int template_exists(const struct template_set *set, const char *name)
{
	return set_find(set, name, strlen(name)) != NULL;
}

static int link_one(const struct template_set *set, const struct template *from, struct slice name, unsigned line,
	const struct template **out)
{
	const struct template *found = set_find(set, name.at, name.len);

	if (found == NULL)
		return err_set(ERR_INVALID, "%s%s:%u: there is no template \"%.*s\"", from->name, kind_suffix(from->kind), line,
			(int)name.len, name.at);
	if (found->kind != from->kind)
		return err_set(ERR_INVALID, "%s%s:%u: \"%s\" is of the other kind, which escapes differently", from->name,
			kind_suffix(from->kind), line, found->name);
	*out = found;
	return 0;
}

static int has_hole(const struct template *t, const struct path *name)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->nodes[i].kind == NODE_HOLE && t->nodes[i].path.part[0].len == name->part[0].len &&
			memcmp(t->nodes[i].path.part[0].at, name->part[0].at, name->part[0].len) == 0)
			return 1;
	return 0;
}

/* Every piece that the frame at FRAME is given has its place in the frame's template. */
static int link_pieces(const struct template *t, size_t frame)
{
	const struct node *all = t->nodes;

	for (size_t i = frame + 1; i < all[frame].end; i = all[i].end ? all[i].end : i + 1)
		if (all[i].kind == NODE_GIVEN && !has_hole(all[frame].partial, &all[i].path))
			return err_set(ERR_INVALID, "%s%s:%u: \"%s\" has no place for \"%.*s\"", t->name, kind_suffix(t->kind), all[i].line,
				all[frame].partial->name, (int)all[i].path.part[0].len, all[i].path.part[0].at);
	return 0;
}

static int link_template(const struct template_set *set, struct template *t)
{
	int rc = 0;

	if (t->layout.text.len)
		rc = link_one(set, t, t->layout.text, t->layout.line, &t->layout.partial);
	for (size_t i = 0; rc == 0 && i < t->count; i++)
		if (t->nodes[i].kind == NODE_PARTIAL || t->nodes[i].kind == NODE_FRAME)
			rc = link_one(set, t, t->nodes[i].text, t->nodes[i].line, &t->nodes[i].partial);
	for (size_t i = 0; rc == 0 && i < t->count; i++)
		if (t->nodes[i].kind == NODE_FRAME)
			rc = link_pieces(t, i);
	return rc;
}

static int link_help(const struct template_set *set, struct template *t)
{
	char *name = mem_printf("help/%s", t->name);
	int rc = link_one(set, t, (struct slice){ name, strlen(name) }, t->layout.line, &t->help);

	free(name);
	return rc;
}

static int link_layout(const struct template_set *set, struct template *t)
{
	const struct template *layout = t->layout.partial;

	if (layout == NULL)
		return 0;
	if (layout->layout.text.len)
		return err_set(ERR_INVALID, "%s%s:%u: the layout \"%s\" has a layout itself", t->name, kind_suffix(t->kind),
			t->layout.line, layout->name);
	for (size_t i = 0; i < layout->count; i++)
		if (layout->nodes[i].kind == NODE_HELP)
			return link_help(set, t);
	return 0;
}

int template_set_link(struct template_set *set)
{
	int rc = 0;

	if (set->count)
		qsort(set->all, set->count, sizeof *set->all, by_name);
	for (size_t i = 1; i < set->count; i++)
		if (strcmp(set->all[i - 1]->name, set->all[i]->name) == 0)
			return err_set(ERR_INVALID, "two templates named \"%s\"", set->all[i]->name);
	for (size_t i = 0; rc == 0 && i < set->count; i++)
		rc = link_template(set, set->all[i]);
	for (size_t i = 0; rc == 0 && i < set->count; i++)
		rc = link_layout(set, set->all[i]);
	return rc;
}
