/* pdf_chart.c - bars, upright and lying, with their axis and legend. */
#include "report/pdf_chart.h"

#include <stdio.h>
#include <string.h>

#include "render/words.h"

#define HEIGHT 130.0             /* of the columns */
#define LEFT (PDF_MARGIN + 34)
#define RIGHT (PDF_WIDTH - PDF_MARGIN)
#define ROW 15.0
#define ROW_LEFT (PDF_MARGIN + 230)

static const struct pdf_style small = { PDF_REGULAR, 7, PDF_GREY };

static double legend(struct pdf *p, const struct chart *chart, double y)
{
	double x = PDF_MARGIN;

	if (chart->series < 2 || chart->series_names == NULL)
		return y;
	for (size_t s = 0; s < chart->series; s++) {
		pdf_box(p, x, y, 7, 7, chart_colours[chart->colours[s] - 1]);
		pdf_text(p, x + 11, y + 6.5, &small, chart->series_names[s]);
		x += 28 + pdf_width(p, &small, chart->series_names[s], strlen(chart->series_names[s]));
	}
	return y + 18;
}

static void number(struct pdf *p, const struct chart *chart, double right, double y, int64_t n)
{
	struct buf text = BUF_INIT;

	words_number(chart->words, n, &text);
	pdf_text_right(p, right, y, &small, buf_str(&text));
	buf_free(&text);
}

static void axis(struct pdf *p, const struct chart *chart, int64_t step, double top)
{
	for (int i = 0; i <= CHART_STEPS; i++) {
		double y = top + HEIGHT - HEIGHT * i / CHART_STEPS;

		pdf_line(p, LEFT, y, RIGHT, y, PDF_RULE);
		number(p, chart, LEFT - 5, y + 2.5, i * step);
	}
}

static void column(struct pdf *p, const struct chart *chart, size_t i, double unit, double top)
{
	double width = (RIGHT - LEFT) / (double)chart->columns, x = LEFT + width * (double)i, y = top + HEIGHT;
	double bar = width > 4 ? width - 2 : width * 0.7, half;

	for (size_t s = 0; s < chart->series; s++) {
		double height = (double)chart->values[i * chart->series + s] * unit;

		if (height > 0)
			pdf_box(p, x + (width - bar) / 2, y - height, bar, height, chart_colours[chart->colours[s] - 1]);
		y -= height;
	}
	half = pdf_width(p, &small, chart->names[i], strlen(chart->names[i])) / 2;
	if (i % chart->every == 0)
		pdf_text(p, x + width / 2 - half, top + HEIGHT + 10, &small, chart->names[i]);
}

static void row(struct pdf *p, const struct chart *chart, size_t i, double unit, double y)
{
	size_t fits = pdf_fit(p, &small, chart->names[i], ROW_LEFT - PDF_MARGIN - 8);
	double x = ROW_LEFT;
	char name[512];

	snprintf(name, sizeof name, "%.*s%s", (int)(fits < 500 ? fits : 500), chart->names[i], chart->names[i][fits] ? "…" : "");
	pdf_text_right(p, ROW_LEFT - 6, y + 8, &small, name);
	for (size_t s = 0; s < chart->series; s++) {
		double width = (double)chart->values[i * chart->series + s] * unit;

		if (width > 0)
			pdf_box(p, x, y, width, ROW - 4, chart_colours[chart->colours[s] - 1]);
		x += width;
	}
	number(p, chart, x + 34, y + 8, chart_sum(chart, i));
}

double pdf_chart(struct pdf *p, const struct chart *chart, double y)
{
	int64_t step = chart_step(chart);
	double most = (double)(step * CHART_STEPS);

	y = legend(p, chart, y);
	if (chart->lying) {
		for (size_t i = 0; i < chart->columns; i++, y += ROW)
			row(p, chart, i, (RIGHT - ROW_LEFT - 50) / most, y);
		return y + 6;
	}
	axis(p, chart, step, y);
	for (size_t i = 0; i < chart->columns; i++)
		column(p, chart, i, HEIGHT / most, y);
	return y + HEIGHT + 18;
}
