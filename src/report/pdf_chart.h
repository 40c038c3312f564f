/* pdf_chart.h - charts of a report, drawn into a PDF's page as vectors. */
#ifndef REPORT_PDF_CHART_H
#define REPORT_PDF_CHART_H

#include "render/chart.h"
#include "report/pdf.h"

/* Over the page's whole width, from Y down, not below LOWEST: of more rows than there is room for the first. Where it ends. */
double pdf_chart(struct pdf *p, const struct chart *chart, double y, double lowest);

#endif
