/* chart.c - charts as SVG. */
#include "render/chart.h"

#include <string.h>

#include "render/template.h"

/* In units of the view box, which the page scales to the width there is. */
#define WIDTH 960
#define HEIGHT 220
#define LEFT 34
#define TOP 8
#define BOTTOM 196
#define STEPS 4                  /* of the axis */
#define GAP 8                    /* between columns */
#define SEAM 1                   /* between parts of a column */

/* The smallest 1, 2 or 5 times a power of ten that STEPS of reach MOST. */
static int64_t round_step(int64_t most)
{
	static const int64_t factors[] = { 1, 2, 5 };

	for (int64_t power = 1;; power *= 10)
		for (size_t i = 0; i < sizeof factors / sizeof factors[0]; i++)
			if (power > INT64_MAX / 100 || factors[i] * power * STEPS >= most)
				return factors[i] * power;
}

static int64_t column_sum(const struct chart *chart, size_t column)
{
	int64_t sum = 0;

	for (size_t s = 0; s < chart->series; s++)
		sum += chart->values[column * chart->series + s];
	return sum;
}

static int64_t highest(const struct chart *chart)
{
	int64_t most = 0;

	for (size_t i = 0; i < chart->columns; i++)
		if (column_sum(chart, i) > most)
			most = column_sum(chart, i);
	return most;
}

static void draw_axis(int64_t step, struct buf *out)
{
	for (int i = 0; i <= STEPS; i++) {
		double y = BOTTOM - (double)(BOTTOM - TOP) * i / STEPS;

		buf_printf(out, "<line class=\"kw-axis\" x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\"/>", LEFT, y, WIDTH, y);
		buf_printf(out, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%lld</text>", LEFT - 6, y + 4, (long long)(i * step));
	}
}

static void draw_column(const struct chart *chart, size_t column, double unit, double step, struct buf *out)
{
	double x = LEFT + step * (double)column, y = BOTTOM;
	int parts = 0;

	for (size_t s = 0; s < chart->series; s++) {
		int64_t value = chart->values[column * chart->series + s];
		double height = (double)value * unit - (parts ? SEAM : 0);

		if (value <= 0)
			continue;
		height = height < 1 ? 1 : height;
		y -= height + (parts++ ? SEAM : 0);
		buf_printf(out, "<rect class=\"kw-series-%d\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"2\"/>",
			chart->colours[s], x + GAP / 2.0, y, step - GAP, height);
	}
	if (column % chart->every == 0) {
		buf_printf(out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">", x + step / 2, HEIGHT - 6);
		template_escape(chart->names[column], strlen(chart->names[column]), out);
		buf_puts(out, "</text>");
	}
}

void chart_draw(const struct chart *chart, struct buf *out)
{
	int64_t step = round_step(highest(chart));
	double unit = (double)(BOTTOM - TOP) / (double)(step * STEPS), width = (double)(WIDTH - LEFT) / (double)chart->columns;

	buf_printf(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"", WIDTH, HEIGHT);
	template_escape(chart->label, strlen(chart->label), out);
	buf_puts(out, "\">");
	draw_axis(step, out);
	for (size_t i = 0; i < chart->columns; i++)
		draw_column(chart, i, unit, width, out);
	buf_puts(out, "</svg>");
}
