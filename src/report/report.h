/* report.h - a report as data on its way into a file: sections of rows, each with a chart before its table (RPT-3). A format is one
 * struct report_format and one file; rows pass through it and are not kept, so that a million of them need no more memory than one.
 *
 *     rc = format->begin(&head, path, &w);
 *     for each section: format->section(w, &section); format->row(w, cells) ...; format->end(w, note);
 *     rc = format->finish(w);          (NULL path: nothing was written) */
#ifndef REPORT_REPORT_H
#define REPORT_REPORT_H

#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/column.h"

#define REPORT_COLUMNS_MAX 16
#define REPORT_SECTIONS_MAX 40
#define REPORT_CELL_MAX 20000            /* bytes of a text, less than the characters that a cell of a workbook takes; the rest is an ellipsis */

struct report_cell {
	int is_null;
	const char *text;                /* of COLUMN_TEXT: UTF-8 */
	int64_t number;                  /* of the others */
};

struct chart;                            /* render/chart.h */
struct words;                            /* render/words.h */

struct report_section {
	const char *title, *text;        /* text: what the rows are */
	const struct column *columns;
	size_t count;
	const struct chart *chart;       /* NULL, or without columns: nothing to draw */
	const struct words *words;       /* the language of its cells; NULL: English */
};

/* All texts must outlive the writer. */
struct report_head {
	const char *title, *tenant, *period, *zone, *by, *made, *product;
	size_t sections;                 /* that will follow */
	const struct words *words;       /* the language of what the writers say themselves; NULL: English */
	const struct report_picture {
		const void *png;
		size_t len;
	} *logo;                         /* on a title page; NULL: none */
	unsigned colour;                 /* 0xrrggbb, on which white text stands; 0: Keyward's own */
};

struct report_fact {
	const char *label, *value;
};

/* What a report says of itself, in its language, the product last. */
#define REPORT_FACTS 6
void report_facts(const struct report_head *head, struct report_fact out[static REPORT_FACTS]);

/* What a format is to people and browsers; needs none of the libraries that write it. */
struct report_form {
	const char *name, *label, *brief, *hint, *suffix, *mime;       /* brief: on a button */
};

#define REPORT_FORMS_MAX 3
extern const struct report_form report_forms[];          /* ends with a NULL name: pdf, xlsx, csv */
extern const char *const report_form_names[];            /* the same, for a parameter's choices; ends with NULL */
const struct report_form *report_form_find(const char *name);

struct report_writer;

struct report_format {
	const char *name;                /* of report_forms */
	int plain;                       /* read by programs: days are always as ISO has them */
	int (*begin)(const struct report_head *head, const char *path, struct report_writer **out);
	int (*section)(struct report_writer *w, const struct report_section *section);      /* SECTION must live until end */
	int (*row)(struct report_writer *w, const struct report_cell *cells);
	/* ROWS: how many the section has, also those that a format does not show. NOTE (NULL: none) is shown below. */
	int (*end)(struct report_writer *w, int64_t rows, const char *note);
	int (*finish)(struct report_writer *w);          /* writes the file and frees; an error of any call before comes back here */
	void (*discard)(struct report_writer *w);        /* frees, without a file; NULL is fine */
};

extern const struct report_format report_pdf, report_xlsx, report_csv;
const struct report_format *report_format_find(const char *name);

/* A cell as a person reads it, in the language W (NULL: English): numbers in groups, times "2026-11-27 04:05:06" or with days
 * as they are chosen, durations "3 h 20 min", sizes
 * "10.5 GiB"; "–" for null. OUT has REPORT_CELL_MAX + 4 bytes; never cut inside a character, never with control characters. */
void report_cell_text(const struct words *w, enum column_kind kind, const struct report_cell *cell, char *out);

#endif
