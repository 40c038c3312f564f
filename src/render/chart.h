/* chart.h - charts: bars stacked per column, over an axis with round numbers; here as SVG, in reports (report/) by others. Colours are classes of the style sheet
 * (kw-axis, kw-series-1 to -5), so that a chart follows light and dark and needs no inline style. */
#ifndef RENDER_CHART_H
#define RENDER_CHART_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define CHART_SERIES_MAX 4

struct words;

struct chart {
	const struct words *words;       /* the language of its numbers; NULL: English */
	const char *label;               /* what is seen, in one sentence: for those who do not see it */
	size_t columns, series;          /* at least one of each; at most CHART_SERIES_MAX series */
	const int *colours;              /* per series, from the bottom up: 1 to 4 */
	const char *const *names;        /* per column, for its label */
	size_t every;                    /* how many columns share one label */
	const int64_t *values;           /* columns times series, column after column; none negative */
	int lying;                       /* a column is a row with its name in front: for names that are no times */
	const char *const *series_names; /* for a legend; NULL: the page has one */
};

/* The series' colours where there is no style sheet: 0xrrggbb, on white. */
extern const unsigned chart_colours[CHART_SERIES_MAX];
#define CHART_STEPS 4                    /* of the axis */
/* What a step of the axis is: the smallest 1, 2 or 5 times a power of ten with which CHART_STEPS of them reach all columns. */
int64_t chart_step(const struct chart *chart);
int64_t chart_sum(const struct chart *chart, size_t column);

/* Appends the <svg> elements of columns, for wide screens (kw-wide) and slim ones (kw-slim). Texts are escaped. */
void chart_draw(const struct chart *chart, struct buf *out);
/* What part/bars shows of a lying chart: [{ name, value, svg }], the bar alone as SVG; the caller's. */
json_t *chart_bars(const struct chart *chart);

#endif
