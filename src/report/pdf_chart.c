/* pdf_chart.c - bars, upright and lying, with their axis and legend. */
#include "report/pdf_chart.h"

#include <string.h>

#include "render/words.h"

#define HEIGHT 130.0             /* of the columns */
#define LEFT 34.0                /* of the margin: room for the axis' numbers, or more where they are longer */
#define RIGHT (PDF_WIDTH - PDF_MARGIN)
#define ROW 15.0
#define ROW_LEAST 9.0            /* where there are many */
#define ROW_LEFT (PDF_MARGIN + 230)
#define GAP 4.0
#define THIN 0.8                 /* what there is can be seen, however little beside the others */

static const struct pdf_style small = { PDF_REGULAR, 7, PDF_GREY };

static double legend(struct pdf *p, const struct chart *chart, double y)
{
	double x = PDF_MARGIN;

	if (chart->series < 2 || chart->series_names == NULL)
		return y;
	for (size_t s = 0; s < chart->series; s++) {
		double width = 28 + pdf_width(p, &small, chart->series_names[s]);

		if (x > PDF_MARGIN && x + width > RIGHT) {
			x = PDF_MARGIN;
			y += 12;
		}
		pdf_box(p, x, y, 7, 7, chart_colours[chart->colours[s] - 1]);
		pdf_text(p, x + 11, y + 6.5, &small, chart->series_names[s]);
		x += width;
	}
	return y + 18;
}

/* Draws N, to the left or the right of X, or not at all: its width. */
enum side { BEFORE, AFTER, NOWHERE };

static double number(struct pdf *p, const struct chart *chart, enum side side, double x, double y, int64_t n)
{
	struct buf text = BUF_INIT;
	double width;

	words_number(chart->words, n, &text);
	width = pdf_width(p, &small, buf_str(&text));
	if (side != NOWHERE)
		pdf_text(p, side == BEFORE ? x - width : x, y, &small, buf_str(&text));
	buf_free(&text);
	return width;
}

static void axis(struct pdf *p, const struct chart *chart, int64_t step, double left, double top)
{
	for (int i = 0; i <= CHART_STEPS; i++) {
		double y = top + HEIGHT - HEIGHT * i / CHART_STEPS;

		pdf_line(p, left, y, RIGHT, y, PDF_RULE);
		number(p, chart, BEFORE, left - 5, y + 2.5, i * step);
	}
}

static double extent(const struct chart *chart, size_t i, size_t s, double unit)
{
	int64_t value = chart->values[i * chart->series + s];
	double out = (double)value * unit;

	return value <= 0 ? 0 : out < THIN ? THIN : out;
}

static void column(struct pdf *p, const struct chart *chart, size_t i, double unit, double left, double top)
{
	double width = (RIGHT - left) / (double)chart->columns, x = left + width * (double)i, y = top + HEIGHT;
	double bar = width > 4 ? width - 2 : width * 0.7;

	for (size_t s = 0; s < chart->series; s++) {
		double height = extent(chart, i, s, unit);

		if (height > 0)
			pdf_box(p, x + (width - bar) / 2, y - height, bar, height, chart_colours[chart->colours[s] - 1]);
		y -= height;
	}
	if (i % chart->every == 0)
		pdf_text(p, x + width / 2 - pdf_width(p, &small, chart->names[i]) / 2, top + HEIGHT + 10, &small, chart->names[i]);
}

static void row(struct pdf *p, const struct chart *chart, size_t i, double unit, double y, double high)
{
	double x = ROW_LEFT, letters = y + (high - GAP) / 2 + 2.5;

	pdf_write(p, &(struct pdf_block){ PDF_MARGIN, ROW_LEFT - PDF_MARGIN - 6, 0, 1, 1 }, letters, &small, chart->names[i]);
	for (size_t s = 0; s < chart->series; s++) {
		double width = extent(chart, i, s, unit);

		if (width > 0)
			pdf_box(p, x, y, width, high - GAP, chart_colours[chart->colours[s] - 1]);
		x += width;
	}
	number(p, chart, AFTER, x + 5, letters, chart_sum(chart, i));
}

static double lying(struct pdf *p, const struct chart *chart, double y, double lowest)
{
	int64_t most = chart_step(chart) * CHART_STEPS;
	double unit = (RIGHT - ROW_LEFT - 10 - number(p, chart, NOWHERE, 0, 0, most)) / (double)most, high = (lowest - y) / (double)chart->columns;

	high = high > ROW ? ROW : high < ROW_LEAST ? ROW_LEAST : high;
	for (size_t i = 0; i < chart->columns && y + high <= lowest + 1; i++, y += high)
		row(p, chart, i, unit, y, high);
	return y + 6;
}

double pdf_chart(struct pdf *p, const struct chart *chart, double y, double lowest)
{
	int64_t step = chart_step(chart);
	double left;

	y = legend(p, chart, y);
	if (chart->lying)
		return lying(p, chart, y, lowest);
	left = number(p, chart, NOWHERE, 0, 0, step * CHART_STEPS) + 8;
	left = PDF_MARGIN + (left > LEFT ? left : LEFT);
	axis(p, chart, step, left, y);
	for (size_t i = 0; i < chart->columns; i++)
		column(p, chart, i, HEIGHT / (double)(step * CHART_STEPS), left, y);
	return y + HEIGHT + 18;
}
