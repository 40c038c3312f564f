/* csv.h - cells of comma-separated values (RFC 4180). */
#ifndef BASE_CSV_H
#define BASE_CSV_H

#include "base/buf.h"

/* Appends TEXT in quotes; one that a spreadsheet would take for a formula gets an apostrophe in front. */
void csv_cell(struct buf *out, const char *text);

#endif
