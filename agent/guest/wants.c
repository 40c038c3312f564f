/* wants.c - see wants.h. */
#include "agent/guest/wants.h"

#include <ctype.h>
#include <string.h>

#include "base/mem.h"

#define KEYWORD "devices="
#define COMPLAINTS_MAX 8
#define SHOWN 80                 /* bytes of what cannot be read */

static const struct { const char *word; int access; } accesses[] = {
	{ "read-only", PROTO_ACCESS_READ_ONLY }, { "ro", PROTO_ACCESS_READ_ONLY }, { "read-write", PROTO_ACCESS_READ_WRITE },
	{ "rw", PROTO_ACCESS_READ_WRITE },
};

const struct want *wants_find(const struct wants *w, const char *id)
{
	for (int i = 0; i < w->count; i++)
		if (strcmp(w->list[i].id, id) == 0)
			return &w->list[i];
	return NULL;
}

/* LEN bytes of TEXT without blanks around them into OUT; 0 where there are none, too many, or one that is not printable. */
static int take_part(const char *text, size_t len, char *out, size_t size)
{
	while (len > 0 && isspace((unsigned char)*text)) {
		text++;
		len--;
	}
	while (len > 0 && isspace((unsigned char)text[len - 1]))
		len--;
	if (len == 0 || len >= size)
		return 0;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return 0;
	memcpy(out, text, len);
	out[len] = '\0';
	return 1;
}

/* "id,access,mountpoint"; what follows the second comma is all of the mount point. */
static int read_entry(const char *text, size_t len, struct want *out)
{
	const char *first = memchr(text, ',', len), *second = first ? memchr(first + 1, ',', len - (size_t)(first + 1 - text)) : NULL;
	char word[16];

	*out = (struct want){ .access = PROTO_ACCESS_UNKNOWN, .by_user_data = 1 };
	if (second == NULL || !take_part(text, (size_t)(first - text), out->id, sizeof out->id)
		|| !take_part(first + 1, (size_t)(second - first - 1), word, sizeof word)
		|| !take_part(second + 1, len - (size_t)(second + 1 - text), out->mount_point, sizeof out->mount_point))
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(accesses); i++)
		if (strcmp(word, accesses[i].word) == 0)
			out->access = accesses[i].access;
	return out->access != PROTO_ACCESS_UNKNOWN && out->mount_point[0] == '/';
}

static void complain(struct buf *b, const char *what, const char *text, size_t len)
{
	size_t lines = 0;

	for (size_t i = 0; i < b->len; i++)
		lines += b->data[i] == '\n';
	if (lines >= COMPLAINTS_MAX)
		return;
	buf_printf(b, "%s: ", what);
	for (size_t i = 0; i < len && i < SHOWN; i++)
		buf_putc(b, text[i] >= ' ' && text[i] <= '~' ? text[i] : '?');
	buf_putc(b, '\n');
}

static void add(struct wants *w, const struct want *new, struct buf *complaints)
{
	if (wants_find(w, new->id))
		complain(complaints, "a device that is named twice; the first counts", new->id, strlen(new->id));
	else if (w->count < PROTO_DEVICES_MAX)
		w->list[w->count++] = *new;
	else
		complain(complaints, "more devices than an agent can keep", new->id, strlen(new->id));
}

/* The entries that begin at AT, each in brackets; what is between them is blank or a comma. The end. */
static const char *read_list(struct wants *w, const char *at, struct buf *complaints)
{
	while (*at == '[') {
		size_t len = strcspn(at + 1, "]\n");
		struct want new;

		if (at[1 + len] == ']' && read_entry(at + 1, len, &new))
			add(w, &new, complaints);
		else
			complain(complaints, "[id,access,mountpoint] is needed", at, len + 2);
		at += 1 + len + (at[1 + len] == ']');
		at += strspn(at, ", \t");
	}
	return at;
}

void wants_add_user_data(struct wants *w, const char *text, struct buf *complaints)
{
	const char *at = text;

	while ((at = strstr(at, KEYWORD)) != NULL) {
		int whole = at == text || !(isalnum((unsigned char)at[-1]) || strchr("_-", at[-1]));

		at += strlen(KEYWORD);
		at = whole ? read_list(w, at, complaints) : at;
	}
}

void wants_add_file(struct wants *w, const struct agent_conf *c, struct buf *complaints)
{
	struct want new = { .by_user_data = 0 };
	size_t cursor = 0;

	while (agent_conf_next_mount(c, &cursor, new.id, &new.access, new.mount_point)) {
		const struct want *old = wants_find(w, new.id);

		if (old == NULL)
			add(w, &new, complaints);
		else if (old->by_user_data && (old->access != new.access || strcmp(old->mount_point, new.mount_point) != 0))
			complain(complaints, "user data goes before agent.conf, which wants another access or mount point", new.id, strlen(new.id));
	}
}
