/* place.c - where in a page a value stands: numbers are written as people write them in what is read, and as they are in tags and in elements
 * for machines (code, fields, translate="no"). Follows the source once, from its beginning. */
#include "render/parts.h"

#include <string.h>

#define NO "translate=\"no\""

static int is_of_machines(const struct place *p)
{
	static const char *const literal[] = { "code", "kbd", "samp", "pre", "script", "style", "svg", "textarea", NULL };

	for (const char *const *name = literal; *name; name++)
		if (strcmp(*name, p->name) == 0)
			return 1;
	return p->no;
}

static void tag_begins(struct place *p, const char *at, size_t len)
{
	size_t slash = len > 1 && at[1] == '/', n = 0;

	while (1 + slash + n < len && n + 1 < sizeof p->name && ((at[1 + slash + n] >= 'a' && at[1 + slash + n] <= 'z') || (at[1 + slash + n] >= '0' && at[1 + slash + n] <= '9'))) {
		p->name[n] = at[1 + slash + n];
		n++;
	}
	p->name[n] = '\0';
	p->tag = 1;
	p->no = 0;
	p->closing = slash;
}

static void tag_ends(struct place *p)
{
	p->tag = 0;
	if (p->closing && strcmp(p->machine, p->name) == 0)
		p->machine[0] = '\0';
	else if (!p->closing && p->machine[0] == '\0' && is_of_machines(p))
		memcpy(p->machine, p->name, sizeof p->machine);
}

/* A partial may hold attributes alone, so a quote behind = is one's wherever it stands. */
static void one(struct place *p, const char *at, size_t len)
{
	if (p->quote)
		p->quote = *at == p->quote ? 0 : p->quote;
	else if (p->tag && (*at == '"' || *at == '\''))
		p->quote = *at;
	else if (p->tag && *at == '>')
		tag_ends(p);
	else if (p->tag)
		p->no |= len >= sizeof NO - 1 && memcmp(at, NO, sizeof NO - 1) == 0;
	else if (*at == '<')
		tag_begins(p, at, len);
	else if (*at == '"' && p->last == '=')
		p->quote = '"';
	p->last = *at;
}

void place_follow(struct place *p, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		one(p, text + i, len - i);
}

int place_may_break(const struct place *p)
{
	static const char *const whole[] = { "option", "pre", "script", "style", "svg", "textarea", "title", NULL };

	for (const char *const *name = whole; *name; name++)
		if (strcmp(*name, p->machine) == 0 || (!p->closing && strcmp(*name, p->name) == 0))
			return 0;
	return !p->tag && !p->quote;
}

int place_is_read(const struct place *p)
{
	return !p->tag && !p->quote && p->machine[0] == '\0';
}
