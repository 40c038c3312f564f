/* chart.c - charts as SVG. */
#include "render/chart.h"

#include <string.h>

#include "base/word.h"
#include "render/template.h"
#include "render/words.h"

/* In units of the view box, which the page scales to the width there is. */
#define WIDTH 960
#define HEIGHT 220
#define LEFT 34                  /* room for the axis' numbers; long ones take more */
#define DIGIT 6.2
#define TOP 8
#define BOTTOM 196
#define GAP 8                    /* between columns */
#define SEAM 1                   /* between parts of a column */

#define ROW 26                   /* of a lying one, with its gap */
#define ROW_LEFT 300             /* where its bars begin */
#define ROW_RIGHT 60             /* room for its number */
#define NAME_ROOM 46             /* letters that fit before the bars; those of East Asia count as two */

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

static double left_of(const struct words *words, int64_t most)
{
	struct buf text = BUF_INIT;
	double left;

	words_number(words, most, &text);
	left = 10 + DIGIT * (double)text.len;
	buf_free(&text);
	return left > LEFT ? left : LEFT;
}

static void draw_axis(const struct words *words, int64_t step, double left, struct buf *out)
{
	for (int i = 0; i <= CHART_STEPS; i++) {
		double y = BOTTOM - (double)(BOTTOM - TOP) * i / CHART_STEPS;

		buf_printf(out, "<line class=\"kw-axis\" x1=\"%.0f\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\"/>", left, y, WIDTH, y);
		buf_printf(out, "<text x=\"%.0f\" y=\"%.1f\" text-anchor=\"end\">", left - 6, y + 4);
		words_number(words, i * step, out);
		buf_puts(out, "</text>");
	}
}

static void draw_column(const struct chart *chart, size_t column, double unit, double left, double step, struct buf *out)
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
		buf_printf(out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">", x + step / 2, HEIGHT - 6);
		template_escape(chart->names[column], strlen(chart->names[column]), out);
		buf_puts(out, "</text>");
	}
}

/* NAME as far as there is room for it: the letters of a script that stands in squares begin with the byte 0xe1 or a later one. */
static void put_name(const char *name, struct buf *out)
{
	size_t len = 0, wide = 0;

	for (size_t n; name[len] && wide <= NAME_ROOM; len += n) {
		n = word_first(name + len, 1);
		wide += (unsigned char)name[len] >= 0xe1 ? 2 : 1;
	}
	template_escape(name, len, out);
	if (name[len])
		buf_puts(out, "…");
}

static void draw_row(const struct chart *chart, size_t row, double unit, struct buf *out)
{
	double x = ROW_LEFT, y = TOP + ROW * (double)row;

	buf_printf(out, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">", ROW_LEFT - 8, y + ROW / 2.0 + 2);
	put_name(chart->names[row], out);
	buf_puts(out, "</text>");
	for (size_t s = 0; s < chart->series; s++) {
		int64_t value = chart->values[row * chart->series + s];
		double width = (double)value * unit;

		if (value <= 0)
			continue;
		width = width < 1 ? 1 : width;
		buf_printf(out, "<rect class=\"kw-series-%d\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\" rx=\"2\"/>",
			chart->colours[s], x, y, width, ROW - GAP);
		x += width + SEAM;
	}
	buf_printf(out, "<text x=\"%.1f\" y=\"%.1f\">", x + 6, y + ROW / 2.0 + 2);
	words_number(chart->words, chart_sum(chart, row), out);
	buf_puts(out, "</text>");
}

static void open_drawing(const struct chart *chart, int height, struct buf *out)
{
	buf_printf(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"", WIDTH, height);
	template_escape(chart->label, strlen(chart->label), out);
	buf_puts(out, "\">");
}

static void draw_lying(const struct chart *chart, struct buf *out)
{
	int64_t step = chart_step(chart);
	double unit = (double)(WIDTH - ROW_LEFT - ROW_RIGHT) / (double)(step * CHART_STEPS);

	open_drawing(chart, TOP + ROW * (int)chart->columns, out);
	for (size_t i = 0; i < chart->columns; i++)
		draw_row(chart, i, unit, out);
	buf_puts(out, "</svg>");
}

static void draw_upright(const struct chart *chart, struct buf *out)
{
	int64_t step = chart_step(chart);
	double unit = (double)(BOTTOM - TOP) / (double)(step * CHART_STEPS), left = left_of(chart->words, step * CHART_STEPS);
	double width = (WIDTH - left) / (double)chart->columns;

	open_drawing(chart, HEIGHT, out);
	draw_axis(chart->words, step, left, out);
	for (size_t i = 0; i < chart->columns; i++)
		draw_column(chart, i, unit, left, width, out);
	buf_puts(out, "</svg>");
}

void chart_draw(const struct chart *chart, struct buf *out)
{
	if (chart->lying)
		draw_lying(chart, out);
	else
		draw_upright(chart, out);
}
