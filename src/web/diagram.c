/* diagram.c - charts of pages. */
#include "web/diagram.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "render/chart.h"
#include "render/template.h"
#include "render/words.h"
#include "web/doc.h"
#include "web/state.h"

/* What one column is. */
struct column_kind {
	const char *member, *per;        /* of the rows, its time; English */
	size_t every;                    /* columns that share a label */
	char *(*name)(const struct call *c, const char *text);   /* the caller frees */
};

/* "21 Nov" of "2026-11-21". */
static char *day_text(const struct call *c, const char *day)
{
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	int year = 0, month = 0, number = 0;
	json_t *said;
	char *out;

	if (sscanf(day, "%d-%d-%d", &year, &month, &number) != 3 || month < 1 || month > 12)
		return mem_strdup(day);
	said = phrase_day(number, months[month - 1]);
	out = words_phrase_text(template_words(c->state->templates), said);
	json_decref(said);
	return out;
}

/* "14:00" of "2026-11-21T14:00:00.000Z", in UTC as it is told. */
static char *hour_text(const struct call *c, const char *at)
{
	(void)c;
	return strlen(at) < 16 ? mem_strdup(at) : mem_printf("%.5s", at + 11);
}

static const struct column_kind per_day = { "day", "Per day", 5, day_text };
static const struct column_kind per_hour = { "hour", "Per hour, UTC", 4, hour_text };

static size_t count_of(const struct diagram_part *parts)
{
	size_t n = 0;

	while (n < CHART_SERIES_MAX && parts[n].member)
		n++;
	return n;
}

static json_t *legend_of(const struct call *c, const struct diagram_part *parts, size_t count)
{
	json_t *legend = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(legend, json_pack("{s:s, s:i}", "name", call_translate(c, parts[i].label), "series", parts[i].colour));
	return legend;
}

/* "Per day, 23 Oct to 21 Nov". */
static json_t *span_of(const struct call *c, const char *what, const struct chart *chart)
{
	return call_say(c, "%{what}, %{first} to %{last}", CALL_VALUES({ "what", call_translate(c, what) }, { "first", chart->names[0] },
		{ "last", chart->names[chart->columns - 1] }));
}

/* "Key requests per day, 23 Oct to 21 Nov: Denied 2, ...": the chart in words. */
static char *summary_of(const struct call *c, const char *title, const struct chart *chart, const struct diagram_part *parts)
{
	struct buf out = BUF_INIT;
	json_t *from_to = chart->lying ? NULL : span_of(c, title, chart);

	buf_puts(&out, from_to ? json_string_value(from_to) : call_translate(c, title));
	json_decref(from_to);
	for (size_t s = 0; s < chart->series; s++) {
		int64_t sum = 0;

		for (size_t i = 0; i < chart->columns; i++)
			sum += chart->values[i * chart->series + s];
		buf_printf(&out, "%s %s ", s ? "," : ":", call_translate(c, parts[s].label));
		words_number(chart->words, sum, &out);
	}
	buf_putc(&out, '.');
	return buf_take(&out);
}

static json_t *svg_of(struct chart *chart, const char *label)
{
	struct buf svg = BUF_INIT;
	json_t *safe;

	chart->label = label;
	chart_draw(chart, &svg);
	safe = template_safe(buf_str(&svg));
	buf_free(&svg);
	return safe;
}

static int is_empty(const struct chart *chart)
{
	for (size_t i = 0; i < chart->columns * chart->series; i++)
		if (chart->values[i])
			return 0;
	return 1;
}

static json_t *draw(const struct call *c, const char *title, struct chart *chart, const struct diagram_part *parts, const char *per)
{
	char *summary = summary_of(c, title, chart, parts);
	json_t *out = json_pack("{s:s, s:o, s:o, s:b}", "summary", summary, "period", span_of(c, per, chart), "legend", legend_of(c, parts, chart->series),
		"empty", is_empty(chart));

	if (chart->lying)
		json_object_set_new(out, "rows", chart_bars(chart));
	else
		json_object_set_new(out, "svg", svg_of(chart, summary));
	free(summary);
	return out;
}

/* A row's own name, as it is. */
static char *own_name(const struct call *c, const char *text)
{
	(void)c;
	return mem_strdup(text);
}

static const struct column_kind per_name = { "name", "By name", 1, own_name };

static json_t *diagram(const struct call *c, const char *title, const json_t *days, const struct diagram_part *parts, const struct column_kind *kind)
{
	size_t columns = json_array_size(days), series = count_of(parts), i;
	int64_t *values = mem_array(columns * series, sizeof *values);
	char **names = mem_array(columns, sizeof *names);
	int colours[CHART_SERIES_MAX];
	struct chart chart = { .columns = columns, .series = series, .colours = colours, .names = (const char *const *)names,
		.every = kind->every, .values = values, .words = template_words(c->state->templates), .lying = kind == &per_name };
	json_t *day, *out;

	for (size_t s = 0; s < series; s++)
		colours[s] = parts[s].colour;
	json_array_foreach(days, i, day) {
		names[i] = kind->name(c, doc_text(day, kind->member));
		for (size_t s = 0; s < series; s++)
			values[i * series + s] = json_integer_value(json_object_get(day, parts[s].member));
	}
	out = draw(c, title, &chart, parts, kind->per);
	for (i = 0; i < columns; i++)
		free(names[i]);
	free(names);
	free(values);
	return out;
}

json_t *diagram_days(const struct call *c, const char *title, const json_t *days, const struct diagram_part *parts)
{
	return diagram(c, title, days, parts, &per_day);
}

json_t *diagram_hours(const struct call *c, const char *title, const json_t *hours, const struct diagram_part *parts)
{
	return diagram(c, title, hours, parts, &per_hour);
}

json_t *diagram_rows(const struct call *c, const char *title, const json_t *rows, const struct diagram_part *parts)
{
	return diagram(c, title, rows, parts, &per_name);
}

/* The drawing alone: as wide as its number says, a whole of SHARE_WIDTH. */
#define SHARE_WIDTH 400
#define SHARE_GAP 2

static char *draw_shares(const json_t *row, const struct diagram_part *parts, int64_t sum, const char *label)
{
	struct buf svg = BUF_INIT;
	int64_t before = 0;

	buf_printf(&svg, "<svg viewBox=\"0 0 %d 12\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"%s\">", SHARE_WIDTH, label);
	if (sum == 0)
		buf_printf(&svg, "<rect class=\"kw-series-none\" width=\"%d\" height=\"12\" rx=\"3\"/>", SHARE_WIDTH);
	for (const struct diagram_part *p = parts; p->member && sum; p++) {
		int64_t n = json_integer_value(json_object_get(row, p->member));
		double from = (double)before * SHARE_WIDTH / (double)sum, width = (double)n * SHARE_WIDTH / (double)sum;

		before += n;
		if (n)
			buf_printf(&svg, "<rect class=\"kw-series-%d\" x=\"%.1f\" width=\"%.1f\" height=\"12\" rx=\"3\"/>", p->colour, from,
				before < sum && width > 2 * SHARE_GAP ? width - SHARE_GAP : width);
	}
	buf_puts(&svg, "</svg>");
	return buf_take(&svg);
}

/* Labels are the catalogue's: plain words, without what would have to be escaped. */
json_t *diagram_shares(const struct call *c, const char *title, const json_t *row, const struct diagram_part *parts)
{
	json_t *legend = json_array(), *out;
	struct buf summary = BUF_INIT;
	int64_t sum = 0;
	char *svg;

	buf_printf(&summary, "%s:", call_translate(c, title));
	for (const struct diagram_part *p = parts; p->member; p++) {
		int64_t n = json_integer_value(json_object_get(row, p->member));
		json_t *entry = json_pack("{s:s, s:i}", "name", call_translate(c, p->label), "series", p->colour);

		doc_count(entry, "count", n);
		json_array_append_new(legend, entry);
		buf_printf(&summary, "%s %s %lld", p == parts ? "" : ",", call_translate(c, p->label), (long long)n);
		sum += n;
	}
	svg = draw_shares(row, parts, sum, buf_str(&summary));
	out = json_pack("{s:o, s:s, s:o}", "svg", template_safe(svg), "summary", buf_str(&summary), "legend", legend);
	free(svg);
	buf_free(&summary);
	return out;
}
