/* preview.h - a report as a document for a page: charts as SVG, the first rows of each table. */
#ifndef REPORT_PREVIEW_H
#define REPORT_PREVIEW_H

#include <jansson.h>

#include "report/report.h"

#define REPORT_PREVIEW_ROWS 10

extern const struct report_format report_preview;                /* its path may be NULL; discard frees it */
/* [{title, text, columns: [{label, number}], rows: [{cells: [{text, label, number}]}], chart: {lying, rows or svg, summary} or null, legend:
 * [{name, series}], more, none, note}]; the caller's. */
json_t *report_preview_take(struct report_writer *w);

#endif
