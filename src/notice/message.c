/* message.c - texts with variables, and text as HTML. */
#include "notice/message.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "render/template.h"
#include "render/words.h"

#define NAME_SHOWN 60            /* bytes; longer ones are not, as a cut could be in the middle of a character */
#define PART_MAX (MESSAGE_MAX / 4)       /* bytes of header, of footer, of what is said of one event: more than may be typed */
#define ITEMS_MAX (MESSAGE_MAX / 2 - 1024)       /* of all events: what is left by header, footer and the count of others */
#define SUBJECT_MAX 1000
#define NAME_MOST 12             /* characters of what stands before the colon of a "Name: value" line */

const struct message_variable message_variables[] = {
#define X(name, label, sample, of_one) { name, label, sample, of_one },
	MESSAGE_VARIABLES(X)
#undef X
	{ NULL },
};

const struct message_texts message_standard = {
	.subject = "{{event}}: {{about}}",
	.header = "In the account {{account}}:",
	.content = N_("{{event}}\nDevice: {{device}}\nInstance: {{instance}}\nPolicy: {{policy}}\nWhen: {{time}}\nBy: {{by}}\nReason: {{comment}}\n{{link}}"),
	.footer = "You get this mail because your address stands in a notification group of {{account}}. An administrator can change it under"
		" Notifications, at {{console}}",
};
const struct message_texts message_standard_operators = {
	.subject = "{{event}}: {{about}}",
	.header = "{{account}}:",
	.content = N_("{{event}}\nAbout: {{about}}\nWhen: {{time}}\nBy: {{by}}\nReason: {{comment}}\n{{link}}"),
};

/* Variables */

static const struct message_variable *find(const char *name, size_t len)
{
	for (const struct message_variable *v = message_variables; v->name; v++)
		if (strlen(v->name) == len && strncmp(v->name, name, len) == 0)
			return v;
	return NULL;
}

/* The name in the braces at AT, without blanks around it; the end of the braces, NULL when there is none on the line. */
static const char *take_name(const char *at, const char **name, size_t *len)
{
	const char *end = strstr(at, "}}"), *line = strchr(at, '\n');

	if (end == NULL || (line && line < end))
		return NULL;
	*name = at + 2 + strspn(at + 2, " ");
	*len = *name < end ? (size_t)(end - *name) : 0;
	while (*len && (*name)[*len - 1] == ' ')
		--*len;
	return end + 2;
}

int message_check(const char *text)
{
	while ((text = strstr(text, "{{")) != NULL) {
		const char *name;
		size_t len;

		text = take_name(text, &name, &len);
		if (text == NULL)
			return err_set(ERR_INVALID, "{{ is not closed by }}");
		if (find(name, len) == NULL)
			return err_set(ERR_INVALID, "{{%.*s}} is no variable", len <= NAME_SHOWN ? (int)len : 0, name);
	}
	return 0;
}

/* Stops when it has more than MOST bytes: one value may stand in a line hundreds of times. */
static void put_line(const char *line, size_t len, const json_t *values, size_t most, struct buf *out)
{
	char *copy = mem_dup(line, len), *rest = copy, *at;
	struct buf filled = BUF_INIT;
	int variables = 0, given = 0;

	while (filled.len <= most && (at = strstr(rest, "{{")) != NULL) {
		const char *name, *end, *value;
		size_t n;

		buf_add(&filled, rest, (size_t)(at - rest));
		end = take_name(at, &name, &n);
		if (end == NULL)
			break;
		value = find(name, n) ? json_string_value(json_object_get(values, find(name, n)->name)) : NULL;
		variables++;
		given += value && *value;
		buf_puts(&filled, value ? value : "");
		rest = copy + (end - copy);
	}
	buf_puts(&filled, rest);
	if (variables == 0 || given > 0)
		buf_printf(out, "%s\n", buf_str(&filled));
	buf_free(&filled);
	free(copy);
}

static void cut(struct buf *out, size_t len)
{
	out->data[len] = '\0';
	out->len = len;
}

/* The first LEN bytes stay, less of them where that would cut a character. */
static void cut_text(struct buf *out, size_t len)
{
	while (len > 0 && ((unsigned char)out->data[len] & 0xc0) == 0x80)
		len--;
	cut(out, len);
	buf_puts(out, "…\n");
}

/* Appends at most MOST bytes, and the mark of what was cut. */
static void fill(const char *text, const json_t *values, size_t most, struct buf *out)
{
	size_t start = out->len;

	while (*text && out->len - start <= most) {
		size_t len = strcspn(text, "\n"), shown = len && text[len - 1] == '\r' ? len - 1 : len;

		put_line(text, shown, values, most, out);
		text += len + (text[len] == '\n');
	}
	if (out->len - start > most)
		cut_text(out, start + most);
}

/* Takes PHRASE over. */
static void set_counted(json_t *o, const char *name, const struct words *w, json_t *phrase)
{
	char *text = words_phrase_text(w, phrase);

	json_set_string(o, name, text);
	free(text);
	json_decref(phrase);
}

/* What all items agree in, so that the subject of a mail about one device names it. */
static json_t *together(const json_t *items, size_t count, const json_t *common, const struct words *w)
{
	json_t *out = json_deep_copy(json_array_get(items, 0)), *item, *value;
	const char *name;
	void *next;
	size_t i;

	if (out == NULL)
		out = json_object();
	json_array_foreach(items, i, item) {
		json_object_foreach_safe(out, next, name, value)
			if (!json_equal(value, json_object_get(item, name)))
				json_object_del(out, name);
	}
	if (count > 1 && json_object_get(out, "event") == NULL)
		set_counted(out, "event", w, phrase_count("%{n} notification", "%{n} notifications", (int64_t)count));
	json_object_update(out, (json_t *)(uintptr_t)common);
	json_object_set_new(out, "count", json_sprintf("%zu", count));
	return out;
}

static char *one_line(const char *text, const json_t *values)
{
	struct buf out = BUF_INIT;
	char *line;
	size_t len;

	fill(text, values, SUBJECT_MAX, &out);
	line = buf_take(&out);
	line = line ? line : mem_strdup("");
	for (char *p = line; *p; p++)
		if ((unsigned char)*p < ' ')
			*p = ' ';
	/* "Key revoked: " of something that has no name. */
	for (len = strlen(line); len > 0 && strchr(" :,-", line[len - 1]); len--)
		line[len - 1] = '\0';
	return line;
}

/* One of them, after an empty line; 0: there is no room for it, which there always is for the first. */
static int add_item(const struct message_texts *t, const json_t *whole, const json_t *item, size_t start, struct buf *text)
{
	json_t *values = json_deep_copy(whole);
	size_t before = text->len;
	int room;

	json_object_update(values, (json_t *)(uintptr_t)item);
	buf_puts(text, text->len ? "\n" : "");
	fill(t->content, values, PART_MAX, text);
	room = text->len - start <= ITEMS_MAX;
	if (!room)
		cut(text, before);
	json_decref(values);
	return room;
}

static size_t add_items(const struct message_texts *t, const json_t *whole, const json_t *items, struct buf *text)
{
	size_t start = text->len, i;
	const json_t *item;

	json_array_foreach(items, i, item)
		if (i == MESSAGE_LISTED || !add_item(t, whole, item, start, text))
			break;
	return i;
}

static void add_more(size_t count, const json_t *whole, const struct words *w, struct buf *text)
{
	json_t *more = phrase_say("and %{n} more: %{console}/notices", "n", json_integer((json_int_t)count), "console",
		json_incref(json_object_get(whole, "console")), NULL);

	buf_puts(text, "\n");
	words_phrase(w, more, text);
	buf_puts(text, "\n");
	json_decref(more);
}

void message_compose(const struct message_texts *t, const json_t *items, size_t count, const json_t *common, const struct words *w,
	char **subject, struct buf *text)
{
	json_t *whole = together(items, count, common, w);
	size_t listed;

	*subject = one_line(t->subject, whole);
	if (**subject == '\0') {
		free(*subject);
		*subject = one_line("{{event}}", whole);
	}
	fill(t->header, whole, PART_MAX, text);
	listed = add_items(t, whole, items, text);
	if (count > listed)
		add_more(count - listed, whole, w, text);
	if (*t->footer) {
		buf_puts(text, "\n-- \n");
		fill(t->footer, whole, PART_MAX, text);
	}
	json_decref(whole);
}

static json_t *samples(int of_one)
{
	json_t *out = json_object();

	for (const struct message_variable *v = message_variables; v->name; v++)
		if (v->of_one == of_one)
			json_set_string(out, v->name, v->sample);
	return out;
}

json_t *message_sample_items(void)
{
	return json_pack("[o]", samples(1));
}

json_t *message_sample_common(void)
{
	return samples(0);
}

/* HTML */

#define FONT "face=\"Segoe UI, Helvetica, Arial, sans-serif\""
#define INK "color=\"#1b2434\""
#define QUIET "color=\"#5d6b82\""

/* Addresses become links. */
static void put_html(const char *text, size_t len, struct buf *out)
{
	const char *end = text + len, *at;

	while ((at = memmem(text, (size_t)(end - text), "https://", 8)) != NULL) {
		size_t n = 0;

		while (at + n < end && !strchr(" \t<>\"'()", at[n]))
			n++;
		while (n > 8 && strchr(".,;:", at[n - 1]))
			n--;
		template_escape(text, (size_t)(at - text), out);
		buf_puts(out, "<a href=\"");
		template_escape(at, n, out);
		buf_puts(out, "\"><font color=\"#2f54c8\">");
		template_escape(at, n, out);
		buf_puts(out, "</font></a>");
		text = at + n;
	}
	template_escape(text, (size_t)(end - text), out);
}

/* The value's place in "Device:   data"; 0: no such line. */
static size_t value_of(const char *line, size_t len)
{
	size_t colon = 0, at;

	while (colon < len && colon <= NAME_MOST && line[colon] != ':' && line[colon] != '.')
		colon++;
	if (colon == 0 || colon > NAME_MOST || colon >= len || line[colon] != ':' || line[0] == ' ')
		return 0;
	at = colon + 1;
	if (at >= len || line[at] != ' ')
		return 0;
	while (at < len && line[at] == ' ')
		at++;
	return at < len ? at : 0;
}

static void put_row(const char *line, size_t len, size_t value, struct buf *out)
{
	buf_puts(out, "<tr><td valign=\"top\" width=\"110\"><font size=\"2\" " FONT " " QUIET ">");
	template_escape(line, (size_t)(memchr(line, ':', len) ? (const char *)memchr(line, ':', len) - line : 0), out);
	buf_puts(out, "</font></td><td valign=\"top\"><font size=\"2\" " FONT " " INK ">");
	put_html(line + value, len - value, out);
	buf_puts(out, "</font></td></tr>\n");
}

/* Where it is: in nothing, in a paragraph, in a table. */
enum part { NOTHING, PARAGRAPH, TABLE };

static void close_part(enum part *part, struct buf *out)
{
	if (*part == PARAGRAPH)
		buf_puts(out, "</font></p>\n");
	if (*part == TABLE)
		buf_puts(out, "</table>\n");
	*part = NOTHING;
}

static void put_text_line(const char *line, size_t len, int foot, enum part *part, struct buf *out)
{
	size_t value = foot ? 0 : value_of(line, len);
	enum part wanted = value ? TABLE : PARAGRAPH;

	if (*part != wanted)
		close_part(part, out);
	if (value && *part == NOTHING)
		buf_puts(out, "<table role=\"presentation\" border=\"0\" cellpadding=\"3\" cellspacing=\"0\">\n");
	else if (!value && *part == NOTHING)
		buf_printf(out, "<p><font size=\"2\" " FONT " %s>", foot ? QUIET : INK);
	else if (!value)
		buf_puts(out, "<br>\n");
	if (value)
		put_row(line, len, value, out);
	else
		put_html(line, len, out);
	*part = wanted;
}

/* Colours come from the settings: six digits, and nothing that could end the attribute. */
static void put_head(const struct message_head *head, struct buf *out)
{
	const char *colour = *head->colour == '#' && strspn(head->colour + 1, "0123456789abcdef") == 6 && head->colour[7] == '\0' ? head->colour : "#2f54c8";

	buf_printf(out, "<p><font size=\"4\" " FONT " color=\"%s\"><b>", colour);
	template_escape(head->name, strlen(head->name), out);
	buf_puts(out, "</b></font></p>\n");
}

void message_html(const struct message_head *head, const char *text, struct buf *out)
{
	enum part part = NOTHING;
	int foot = 0;

	buf_puts(out, "<table role=\"presentation\" width=\"100%\" border=\"0\" cellpadding=\"24\" cellspacing=\"0\" bgcolor=\"#eef1f6\"><tr>"
		"<td align=\"center\"><table role=\"presentation\" width=\"100%\" border=\"0\" cellpadding=\"20\" cellspacing=\"0\" bgcolor=\"#ffffff\"><tr>"
		"<td align=\"left\">");
	put_head(head, out);
	while (*text) {
		size_t len = strcspn(text, "\n");

		if (len == 3 && strncmp(text, "-- ", 3) == 0) {
			close_part(&part, out);
			buf_puts(out, "<hr size=\"1\" color=\"#dbe1ea\" noshade>\n");
			foot = 1;
		} else if (len == 0) {
			close_part(&part, out);
		} else {
			put_text_line(text, len, foot, &part, out);
		}
		text += len + (text[len] == '\n');
	}
	close_part(&part, out);
	buf_puts(out, "</td></tr></table></td></tr></table>\n");
}
