/* chart.c - charts as SVG. */
#include "render/chart.h"

#include <string.h>

#include "render/template.h"
#include "render/words.h"

/* In units of the view box, which the page scales to the width there is. */
#define HEIGHT 220
#define TOP 8
#define BOTTOM 196
#define GAP 8                    /* between columns */
#define SEAM 1                   /* between parts of a column */

#define BAR_WIDTH 400

/* Drawn once for each: the letters shrink with the drawing, so that a telephone needs one of its own, of which style sheets show the one that fits. */
struct sheet {
	const char *name;                /* its class */
	int width;
	double least, digit;             /* room for the axis' numbers, and what each digit takes */
};

static const struct sheet sheets[] = { { "kw-wide", 960, 34, 6.2 }, { "kw-slim", 400, 36, 8.2 } };

const unsigned chart_colours[CHART_SERIES_MAX] = { 0x3f57d6, 0x1a9e5c, 0xd64236, 0xd98e04 };

static int64_t round_step(int64_t most)
{
	static const int64_t factors[] = { 1, 2, 5 };

	for (int64_t power = 1;; power *= 10)
		for (size_t i = 0; i < sizeof factors / sizeof factors[0]; i++)
			if (power > INT64_MAX / 100 || factors[i] * power * CHART_STEPS >= most)
				return factors[i] * power;
}

int64_t chart_sum(const struct chart *chart, size_t column)
{
	int64_t sum = 0;

	for (size_t s = 0; s < chart->series; s++)
		sum += chart->values[column * chart->series + s];
	return sum;
}

int64_t chart_step(const struct chart *chart)
{
	int64_t most = 0;

	for (size_t i = 0; i < chart->columns; i++)
		if (chart_sum(chart, i) > most)
			most = chart_sum(chart, i);
	return round_step(most);
}

static double left_of(const struct sheet *sheet, const struct words *words, int64_t most)
{
	struct buf text = BUF_INIT;
	double left;

	words_number(words, most, &text);
	left = 10 + sheet->digit * (double)text.len;
	buf_free(&text);
	return left > sheet->least ? left : sheet->least;
}

static void draw_axis(const struct sheet *sheet, const struct words *words, int64_t step, double left, struct buf *out)
{
	for (int i = 0; i <= CHART_STEPS; i++) {
		double y = BOTTOM - (double)(BOTTOM - TOP) * i / CHART_STEPS;

		buf_printf(out, "<line class=\"kw-axis\" x1=\"%.0f\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\"/>", left, y, sheet->width, y);
		buf_printf(out, "<text x=\"%.0f\" y=\"%.1f\" text-anchor=\"end\">", left - 6, y + 4);
		words_number(words, i * step, out);
		buf_puts(out, "</text>");
	}
}

/* Where NAME stands that is centred at X: never beyond the drawing, whose edge would cut it off. */
static double within(const struct sheet *sheet, double x, const char *name)
{
	double half = 0;

	for (; *name; name++)
		half += (*name & 0xc0) == 0x80 ? 0 : sheet->digit / 2;
	return x + half > sheet->width ? sheet->width - half : x;
}

static void draw_column(const struct chart *chart, const struct sheet *sheet, size_t column, double unit, double left, double step, struct buf *out)
{
	double x = left + step * (double)column, y = BOTTOM, wide = step > 2 * GAP ? step - GAP : step * .7;
	int parts = 0;

	for (size_t s = 0; s < chart->series; s++) {
		int64_t value = chart->values[column * chart->series + s];
		double height = (double)value * unit - (parts ? SEAM : 0);

		if (value <= 0)
			continue;
		height = height < 1 ? 1 : height;
		y -= height + (parts++ ? SEAM : 0);
		buf_printf(out, "<rect class=\"kw-series-%d\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"2\"/>",
			chart->colours[s], x + (step - wide) / 2, y, wide, height);
	}
	if (column % chart->every == 0) {
		buf_printf(out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">", within(sheet, x + step / 2, chart->names[column]), HEIGHT - 6);
		template_escape(chart->names[column], strlen(chart->names[column]), out);
		buf_puts(out, "</text>");
	}
}

static void open_drawing(const struct chart *chart, const struct sheet *sheet, struct buf *out)
{
	buf_printf(out, "<svg class=\"%s\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"", sheet->name, sheet->width, HEIGHT);
	template_escape(chart->label, strlen(chart->label), out);
	buf_puts(out, "\">");
}

static void draw_sheet(const struct chart *chart, const struct sheet *sheet, struct buf *out)
{
	int64_t step = chart_step(chart);
	double unit = (double)(BOTTOM - TOP) / (double)(step * CHART_STEPS), left = left_of(sheet, chart->words, step * CHART_STEPS);
	double width = (sheet->width - left) / (double)chart->columns;

	open_drawing(chart, sheet, out);
	draw_axis(sheet, chart->words, step, left, out);
	for (size_t i = 0; i < chart->columns; i++)
		draw_column(chart, sheet, i, unit, left, width, out);
	buf_puts(out, "</svg>");
}

void chart_draw(const struct chart *chart, struct buf *out)
{
	for (size_t i = 0; i < sizeof sheets / sizeof sheets[0]; i++)
		draw_sheet(chart, &sheets[i], out);
}

/* The bar alone: its name and number stand beside it as text, in letters of the page and as long as they are. */
static json_t *bar_of(const struct chart *chart, size_t row, int64_t most)
{
	struct buf svg = BUF_INIT;
	double x = 0;
	json_t *safe;

	buf_printf(&svg, "<svg viewBox=\"0 0 %d 12\" preserveAspectRatio=\"none\" aria-hidden=\"true\">", BAR_WIDTH);
	for (size_t s = 0; s < chart->series; s++) {
		int64_t value = chart->values[row * chart->series + s];
		double width = (double)value * BAR_WIDTH / (double)most;

		if (value <= 0)
			continue;
		buf_printf(&svg, "<rect class=\"kw-series-%d\" x=\"%.1f\" width=\"%.1f\" height=\"12\"/>", chart->colours[s], x, width < 1 ? 1 : width);
		x += width;
	}
	buf_puts(&svg, "</svg>");
	safe = template_safe(buf_str(&svg));
	buf_free(&svg);
	return safe;
}

json_t *chart_bars(const struct chart *chart)
{
	json_t *rows = json_array();
	int64_t most = 1;

	for (size_t i = 0; i < chart->columns; i++)
		most = chart_sum(chart, i) > most ? chart_sum(chart, i) : most;
	for (size_t i = 0; i < chart->columns; i++)
		json_array_append_new(rows, json_pack("{s:s, s:I, s:o}", "name", chart->names[i], "value", (json_int_t)chart_sum(chart, i), "svg",
			bar_of(chart, i, most)));
	return rows;
}
