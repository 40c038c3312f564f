/* words.c - one language: texts, plurals, numbers, dates. Pure. */
#include "render/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/say.h"
#include "base/size.h"

#define FORMS_KNOWN 200

struct words {
	json_t *texts;
	const char *name, *forms, *decimal, *group;   /* of texts */
	enum date_format dates;
};

static const struct words standard = { .name = "English", .decimal = ".", .group = "," };

const char *const date_format_names[] = { "usual", "YYYY-MM-DD", "DD.MM.YYYY", "DD/MM/YYYY", "MM/DD/YYYY", "D MMM YYYY", NULL };

static const char *head_text(const json_t *texts, const char *name)
{
	return json_string_value(json_object_get(json_object_get(texts, ""), name));
}

static int are_forms(const char *s)
{
	return s && strlen(s) == FORMS_KNOWN && strspn(s, "012345") == FORMS_KNOWN;
}

int words_parse(const char *json, size_t len, struct words **out)
{
	json_t *texts;
	struct words *w;
	int rc = json_parse_object(json, len, WORDS_FILE_MAX, &texts);

	if (rc < 0)
		return rc;
	if (!head_text(texts, "name") || !head_text(texts, "decimal") || !head_text(texts, "group") || !are_forms(head_text(texts, "forms"))) {
		json_decref(texts);
		return err_set(ERR_INVALID, "a catalogue begins with its name, forms, decimal and group");
	}
	w = mem_alloc(sizeof *w);
	*w = (struct words){ .texts = texts, .name = head_text(texts, "name"), .forms = head_text(texts, "forms"),
		.decimal = head_text(texts, "decimal"), .group = head_text(texts, "group") };
	*out = w;
	return 0;
}

void words_free(struct words *w)
{
	if (w == NULL)
		return;
	json_decref(w->texts);
	free(w);
}

struct words *words_dated(const struct words *w, enum date_format dates)
{
	struct words *out = mem_alloc(sizeof *out);

	*out = w ? *w : standard;
	json_incref(out->texts);
	out->dates = dates;
	return out;
}

enum date_format words_dates(const struct words *w)
{
	return w ? w->dates : DATES_USUAL;
}

enum date_format date_format_of(const char *name)
{
	for (size_t i = 0; name && date_format_names[i]; i++)
		if (strcmp(date_format_names[i], name) == 0)
			return (enum date_format)i;
	return DATES_USUAL;
}

const char *words_name(const struct words *w)
{
	return w ? w->name : standard.name;
}

const char *words_text(const struct words *w, const char *english)
{
	const char *other = w ? json_string_value(json_object_get(w->texts, english)) : NULL;

	return other ? other : english;
}

unsigned words_form(const struct words *w, int64_t n)
{
	uint64_t size = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;

	if (w == NULL || w->forms == NULL)
		return size != 1;
	return (unsigned)(w->forms[size < FORMS_KNOWN ? size : 100 + size % 100] - '0');
}

const char *words_form_text(const struct words *w, unsigned i, const char *one, const char *many)
{
	const json_t *forms = w ? json_object_get(w->texts, one) : NULL;

	if (json_is_array(forms))
		return json_string_value(json_array_get(forms, i));
	return i == 0 ? one : i == 1 ? many : NULL;
}

const char *words_count(const struct words *w, int64_t n, const char *one, const char *many)
{
	/* A text that is not translated has English's forms. */
	int known = w && json_is_array(json_object_get(w->texts, one));
	const char *text = words_form_text(w, words_form(known ? w : NULL, n), one, many);

	return text ? text : many;
}

void words_number(const struct words *w, int64_t n, struct buf *out)
{
	char digits[32];
	size_t len = (size_t)snprintf(digits, sizeof digits, "%lld", (long long)n), sign = *digits == '-';

	for (size_t i = 0; i < len; i++) {
		if (i > sign && (len - i) % 3 == 0)
			buf_puts(out, w ? w->group : ",");
		buf_putc(out, digits[i]);
	}
}

void words_size(const struct words *w, int64_t bytes, struct buf *out)
{
	char text[SIZE_TEXT_MAX], *dot;

	if (bytes >= 0 && bytes < 1024) {
		snprintf(text, sizeof text, "%lld", (long long)bytes);
		words_fill(words_count(w, bytes, "%{n} byte", "%{n} bytes"), &(struct say_value){ "n", text }, 1, out);
		return;
	}
	size_text(bytes, text);
	dot = strchr(text, '.');
	buf_add(out, text, dot ? (size_t)(dot - text) : strlen(text));
	if (dot)
		buf_printf(out, "%s%s", w ? w->decimal : ".", dot + 1);
}

/* Appends what stands in a text for the hole NAME; 0: there is nothing of that name. */
typedef int put_hole(const void *ctx, const char *name, size_t len, struct buf *out);

static void fill(const char *text, put_hole *put, const void *ctx, struct buf *out)
{
	const char *hole, *close;

	while ((hole = strstr(text, "%{")) && (close = strchr(hole, '}'))) {
		buf_add(out, text, (size_t)(hole - text));
		if (!put(ctx, hole + 2, (size_t)(close - hole - 2), out))
			buf_add(out, hole, (size_t)(close + 1 - hole));
		text = close + 1;
	}
	buf_puts(out, text);
}

struct values {
	const struct say_value *all;
	size_t count;
};

static int put_value(const void *ctx, const char *name, size_t len, struct buf *out)
{
	const struct values *v = ctx;

	for (size_t i = 0; i < v->count; i++)
		if (strlen(v->all[i].name) == len && memcmp(v->all[i].name, name, len) == 0) {
			buf_puts(out, v->all[i].value ? v->all[i].value : "");
			return 1;
		}
	return 0;
}

void words_fill(const char *text, const struct say_value *values, size_t count, struct buf *out)
{
	fill(text, put_value, &(struct values){ values, count }, out);
}

/* Phrases */

struct said {
	const struct words *words;
	const json_t *phrase;
};

static int put_phrase(const void *ctx, const char *name, size_t len, struct buf *out)
{
	const struct said *s = ctx;
	const json_t *value = json_object_getn(s->phrase, name, len);

	words_phrase(s->words, value, out);
	return value != NULL;
}

static void add_list(const struct words *w, const json_t *list, const char *by, struct buf *out)
{
	const json_t *one;
	size_t i;

	json_array_foreach(list, i, one) {
		buf_puts(out, i ? words_text(w, by ? by : ", ") : "");
		words_phrase(w, one, out);
	}
}

static void add_text(const struct words *w, const json_t *p, struct buf *out)
{
	const char *text = json_string_value(json_object_get(p, "say")), *many = json_string_value(json_object_get(p, "many"));

	if (text && many)
		text = words_count(w, json_integer_value(json_object_get(p, "n")), text, many);
	else if (text)
		text = words_text(w, text);
	fill(text ? text : "", put_phrase, &(struct said){ w, p }, out);
}

static void add_real(const struct words *w, double n, struct buf *out)
{
	char digits[64], *dot;

	snprintf(digits, sizeof digits, "%.3f", n);
	dot = strchr(digits, '.');
	buf_add(out, digits, dot ? (size_t)(dot - digits) : strlen(digits));
	if (dot)
		buf_printf(out, "%s%s", w ? w->decimal : ".", dot + 1);
}

void words_phrase(const struct words *w, const json_t *p, struct buf *out)
{
	if (json_is_string(p))
		buf_puts(out, json_string_value(p));
	else if (json_is_integer(p))
		words_number(w, json_integer_value(p), out);
	else if (json_is_real(p))
		add_real(w, json_real_value(p), out);
	else if (json_is_array(p))
		add_list(w, p, NULL, out);
	else if (json_object_get(p, "say"))
		add_text(w, p, out);
	else if (json_object_get(p, "list"))
		add_list(w, json_object_get(p, "list"), json_string_value(json_object_get(p, "by")), out);
	else if (json_object_get(p, "when"))
		words_relative(w, json_integer_value(json_object_get(p, "when")), json_integer_value(json_object_get(p, "seen")), out);
	else if (json_object_get(p, "at"))
		words_date(w, json_integer_value(json_object_get(p, "at")), 0, 1, out);
	else if (json_object_get(p, "size"))
		words_size(w, json_integer_value(json_object_get(p, "size")), out);
}

char *words_phrase_text(const struct words *w, const json_t *phrase)
{
	struct buf out = BUF_INIT;

	words_phrase(w, phrase, &out);
	buf_puts(&out, "");
	return buf_take(&out);
}

void words_relative(const struct words *w, clock_us at, clock_us now, struct buf *out)
{
	static const struct { clock_us unit; const char *ago, *agos, *in, *ins; } units[] = {
		{ 365 * CLOCK_DAY, N2_("%{n} year ago", "%{n} years ago"), N2_("in %{n} year", "in %{n} years") },
		{ 30 * CLOCK_DAY, N2_("%{n} month ago", "%{n} months ago"), N2_("in %{n} month", "in %{n} months") },
		{ CLOCK_DAY, N2_("%{n} day ago", "%{n} days ago"), N2_("in %{n} day", "in %{n} days") },
		{ CLOCK_HOUR, N2_("%{n} hour ago", "%{n} hours ago"), N2_("in %{n} hour", "in %{n} hours") },
		{ CLOCK_MINUTE, N2_("%{n} minute ago", "%{n} minutes ago"), N2_("in %{n} minute", "in %{n} minutes") },
		{ CLOCK_SECOND, N2_("%{n} second ago", "%{n} seconds ago"), N2_("in %{n} second", "in %{n} seconds") },
	};
	clock_us distance = at > now ? at - now : now - at;

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		int64_t n = distance / units[i].unit;
		char digits[24];

		if (n == 0)
			continue;
		snprintf(digits, sizeof digits, "%lld", (long long)n);
		words_fill(at > now ? words_count(w, n, units[i].in, units[i].ins) : words_count(w, n, units[i].ago, units[i].agos),
			&(struct say_value){ "n", digits }, 1, out);
		return;
	}
	buf_puts(out, words_text(w, "just now"));
}

/* DAY: "2026-11-21", and whatever follows. */
static void put_in_words(const struct words *w, const char *day, struct buf *out)
{
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	char number[4], year[8];

	snprintf(number, sizeof number, "%d", atoi(day + 8) % 100);
	snprintf(year, sizeof year, "%.4s", day);
	words_fill(words_text(w, N_("%{day} %{month} %{year}")), (struct say_value[]){ { "day", number },
		{ "month", words_text(w, months[(atoi(day + 5) + 11) % 12]) }, { "year", year } }, 3, out);
}

static void put_day(const struct words *w, enum date_format dates, const char *day, struct buf *out)
{
	const char *year = day, *month = day + 5, *number = day + 8;

	if (dates == DATES_WORDS) {
		put_in_words(w, day, out);
		return;
	}
	for (const char *p = date_format_names[dates]; *p; p++)
		buf_putc(out, *p == 'Y' ? *year++ : *p == 'M' ? *month++ : *p == 'D' ? *number++ : *p);
}

void words_date(const struct words *w, clock_us at, int east_s, int time, struct buf *out)
{
	enum date_format dates = words_dates(w);
	int minutes = (east_s < 0 ? -east_s : east_s) / 60;
	char iso[CLOCK_TEXT_SIZE], zone[16] = "", clock[12];
	struct buf day = BUF_INIT;

	clock_text(at + east_s * CLOCK_SECOND, iso);
	if (minutes)
		snprintf(zone, sizeof zone, minutes % 60 ? "%c%d:%02d" : "%c%d", east_s < 0 ? '-' : '+', minutes / 60, minutes % 60);
	put_day(w, dates == DATES_USUAL ? DATES_WORDS : dates, iso, &day);
	/* From 2026-11-21T09:30:00.000Z. */
	snprintf(clock, sizeof clock, "%.8s", iso + 11);
	if (time)
		words_fill(words_text(w, N_("%{day}, %{time} UTC%{offset}")), (struct say_value[]){ { "day", buf_str(&day) }, { "time", clock },
			{ "offset", zone } }, 3, out);
	else
		buf_puts(out, buf_str(&day));
	buf_free(&day);
}

static int begins_with_day(const char *text)
{
	static const char look[] = "dddd-dd-dd";

	for (size_t i = 0; look[i]; i++)
		if (look[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != look[i])
			return 0;
	return text[sizeof look - 1] == ' ' || text[sizeof look - 1] == '\0';
}

char *words_local(const struct words *w, const char *text)
{
	struct buf out = BUF_INIT;

	if (words_dates(w) == DATES_USUAL || !begins_with_day(text))
		return mem_strdup(text);
	put_day(w, words_dates(w), text, &out);
	buf_puts(&out, text + 10);
	return buf_take(&out);
}
