/* diagram.c - charts of pages. */
#include "web/diagram.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "render/chart.h"
#include "render/template.h"
#include "web/doc.h"

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

	if (sscanf(day, "%d-%d-%d", &year, &month, &number) != 3 || month < 1 || month > 12)
		return mem_strdup(day);
	return mem_printf("%d %s", number, call_translate(c, months[month - 1]));
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

/* "Key requests per day, 23 Oct to 21 Nov: Denied 2, ...": the chart in words. */
static char *summary_of(const struct call *c, const char *title, const struct chart *chart, const struct diagram_part *parts)
{
	struct buf out = BUF_INIT;

	buf_puts(&out, call_translate(c, title));
	if (!chart->lying)
		buf_printf(&out, ", %s %s %s", chart->names[0], call_translate(c, "to"), chart->names[chart->columns - 1]);
	for (size_t s = 0; s < chart->series; s++) {
		int64_t sum = 0;

		for (size_t i = 0; i < chart->columns; i++)
			sum += chart->values[i * chart->series + s];
		buf_printf(&out, "%s %s %lld", s ? "," : ":", call_translate(c, parts[s].label), (long long)sum);
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

static json_t *draw(const struct call *c, const char *title, struct chart *chart, const struct diagram_part *parts, const char *per)
{
	char *summary = summary_of(c, title, chart, parts);
	json_t *out = json_pack("{s:o, s:s, s:o, s:o}", "svg", svg_of(chart, summary), "summary", summary, "period",
		json_sprintf("%s, %s %s %s", call_translate(c, per), chart->names[0], call_translate(c, "to"),
		chart->names[chart->columns - 1]), "legend", legend_of(c, parts, chart->series));

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
		.every = kind->every, .values = values, .lying = kind == &per_name };
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
