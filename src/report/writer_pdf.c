/* writer_pdf.c - a report as a PDF: title page, contents, then per section a heading, its chart and its table, whose heading is there
 * on each of its pages. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/phrase.h"
#include "render/chart.h"
#include "render/words.h"
#include "report/pdf.h"
#include "report/pdf_chart.h"
#include "report/report.h"

#define ROWS_MAX 10000                   /* of a section: some 350 pages; the other formats hold all */
#define PAGES_MAX 3000                   /* of all: libharu keeps each in memory until the end, some 40 KiB */
#define LINES_MAX 16                     /* of a cell: the longest name, in the narrowest column that has names */
#define LEAD 9.5
#define PAD 3.0
#define LOGO_TOP 56.0
#define LOGO_HEIGHT 40.0
#define LOGO_WIDTH 220.0
#define LEAST_TABLE 60.0                 /* below a chart: its heading and some rows */
#define BODY (PDF_WIDTH - 2 * PDF_MARGIN)
#define LOWEST (PDF_HEIGHT - PDF_MARGIN)

static const struct pdf_style huge = { PDF_BOLD, 28, PDF_INK }, big = { PDF_BOLD, 18, PDF_INK }, heading = { PDF_BOLD, 16, PDF_INK }, large = { PDF_REGULAR, 12, PDF_INK };
static const struct pdf_style text_style = { PDF_REGULAR, 9, PDF_INK }, label = { PDF_REGULAR, 9, PDF_GREY };
static const struct pdf_style cell_style = { PDF_REGULAR, 7, PDF_INK }, column_style = { PDF_BOLD, 7, PDF_WHITE };
static const struct pdf_style small = { PDF_REGULAR, 7, PDF_GREY };

struct part {
	const char *title;
	struct pdf_place *place;
	int page;
	int64_t rows;
};

struct report_writer {
	const struct report_head *head;
	const char *path;
	struct pdf *pdf;
	struct pdf_place *contents;
	const struct report_section *section;
	double y, lefts[REPORT_COLUMNS_MAX + 1];
	int64_t shown;
	int last_page, full, cut;                /* of the section: the last one that it may fill; it has; a text was longer than its cell */
	size_t count;
	struct part parts[REPORT_SECTIONS_MAX];
	char texts[REPORT_COLUMNS_MAX][REPORT_CELL_MAX + 4];
};

static void discard(struct report_writer *w)
{
	if (w == NULL)
		return;
	pdf_free(w->pdf);
	free(w);
}

static void new_page(struct report_writer *w)
{
	char number[24];

	pdf_page(w->pdf);
	snprintf(number, sizeof number, "%d", pdf_number(w->pdf));
	pdf_line(w->pdf, PDF_MARGIN, PDF_HEIGHT - 30, PDF_WIDTH - PDF_MARGIN, PDF_HEIGHT - 30, PDF_RULE);
	pdf_write(w->pdf, &(struct pdf_block){ PDF_MARGIN, 430, 0, 1, 0 }, PDF_HEIGHT - 18, &small, w->head->title);
	pdf_write(w->pdf, &(struct pdf_block){ PDF_MARGIN + 440, BODY - 470, 0, 1, 1 }, PDF_HEIGHT - 18, &small, w->head->tenant);
	pdf_text_right(w->pdf, PDF_WIDTH - PDF_MARGIN, PDF_HEIGHT - 18, &small, number);
	w->y = PDF_MARGIN;
}

/* Three lines large, or what fits on the page. */
static double put_title(struct report_writer *w)
{
	struct pdf_block large_block = { PDF_MARGIN, BODY, 36, 3, 0 }, block = { PDF_MARGIN, BODY, 24, 8, 0 };
	int cut = 0;

	pdf_lines(w->pdf, &large_block, &huge, w->head->title, &cut);
	return pdf_write(w->pdf, cut ? &block : &large_block, 150, cut ? &big : &huge, w->head->title);
}

static unsigned brand_of(const struct report_writer *w)
{
	return w->head->colour ? w->head->colour : PDF_BRAND;
}

/* The logo, and the name beside it. */
static void put_product(struct report_writer *w)
{
	const struct report_picture *logo = w->head->logo;
	double wide = logo ? pdf_picture(w->pdf, PDF_MARGIN, LOGO_TOP, LOGO_WIDTH, LOGO_HEIGHT, logo->png, logo->len) : 0;

	if (wide > 0)
		pdf_write(w->pdf, &(struct pdf_block){ PDF_MARGIN + wide + 10, BODY - wide - 10, 16, 2, 0 }, LOGO_TOP + LOGO_HEIGHT / 2 + 4, &large, w->head->product);
	else
		pdf_text(w->pdf, PDF_MARGIN, 90, &label, w->head->product);
}

static void title_page(struct report_writer *w)
{
	const struct report_head *h = w->head;
	struct report_fact facts[REPORT_FACTS];
	double y;

	pdf_page(w->pdf);
	pdf_box(w->pdf, 0, 0, PDF_WIDTH, 12, brand_of(w));
	put_product(w);
	y = put_title(w) + 20;
	report_facts(h, facts);
	for (size_t i = 0; i < REPORT_FACTS - 1; i++) {
		pdf_text(w->pdf, PDF_MARGIN, y, &label, facts[i].label);
		y = pdf_write(w->pdf, &(struct pdf_block){ PDF_MARGIN + 110, BODY - 110, 18, 3, 0 }, y, &large, facts[i].value) + 4;
	}
}

static int begin(const struct report_head *head, const char *path, struct report_writer **out)
{
	struct report_writer *w = mem_alloc(sizeof *w);
	int rc = pdf_new(head->title, head->by, &w->pdf);

	if (rc < 0) {
		discard(w);
		return rc;
	}
	w->head = head;
	w->path = path;
	title_page(w);
	new_page(w);
	/* Filled in when it is known what is where. */
	w->contents = pdf_place(w->pdf);
	*out = w;
	return 0;
}

static void set_columns(struct report_writer *w)
{
	const struct report_section *s = w->section;
	int total = 0, before = 0;

	for (size_t i = 0; i < s->count; i++)
		total += s->columns[i].width;
	for (size_t i = 0; i <= s->count; i++) {
		w->lefts[i] = PDF_MARGIN + BODY * before / total;
		before += i < s->count ? s->columns[i].width : 0;
	}
}

static int is_number(enum column_kind kind)
{
	return kind != COLUMN_TEXT && kind != COLUMN_TIME;
}

static struct pdf_block cell_block(const struct report_writer *w, size_t i)
{
	return (struct pdf_block){ w->lefts[i] + PAD, w->lefts[i + 1] - w->lefts[i] - 2 * PAD, LEAD, LINES_MAX, is_number(w->section->columns[i].kind) };
}

static void put_cell(struct report_writer *w, size_t i, const struct pdf_style *style, const char *text)
{
	struct pdf_block block = cell_block(w, i);

	pdf_write(w->pdf, &block, w->y + LEAD, style, text);
}

static double tallest(struct report_writer *w, const struct pdf_style *style, const char *const *texts)
{
	int most = 1;

	for (size_t i = 0; i < w->section->count; i++) {
		struct pdf_block block = cell_block(w, i);
		int lines = pdf_lines(w->pdf, &block, style, texts[i], &w->cut);

		most = lines > most ? lines : most;
	}
	return most * LEAD + PAD;
}

static void put_heading(struct report_writer *w)
{
	const char *labels[REPORT_COLUMNS_MAX];
	double height;

	for (size_t i = 0; i < w->section->count; i++)
		labels[i] = w->section->columns[i].label;
	height = tallest(w, &column_style, labels);
	pdf_box(w->pdf, PDF_MARGIN, w->y, BODY, height, brand_of(w));
	for (size_t i = 0; i < w->section->count; i++)
		put_cell(w, i, &column_style, labels[i]);
	w->y += height;
}

/* What pages are left is for all sections that are to come. */
static int last_page(const struct report_writer *w)
{
	size_t to_come = w->head->sections > w->count ? w->head->sections - w->count : 1;

	return pdf_number(w->pdf) + (PAGES_MAX - pdf_number(w->pdf)) / (int)to_come;
}

static int section(struct report_writer *w, const struct report_section *s)
{
	if (w->count == REPORT_SECTIONS_MAX || s->count > REPORT_COLUMNS_MAX)
		return err_set(ERR_TOO_MANY, "a report has at most %d sections of %d columns", REPORT_SECTIONS_MAX, REPORT_COLUMNS_MAX);
	w->section = s;
	w->shown = 0;
	w->full = w->cut = 0;
	w->last_page = last_page(w);
	set_columns(w);
	new_page(w);
	w->parts[w->count++] = (struct part){ s->title, pdf_place(w->pdf), pdf_number(w->pdf), 0 };
	pdf_outline(w->pdf, s->title, pdf_place(w->pdf));
	pdf_text(w->pdf, PDF_MARGIN, w->y + 14, &heading, s->title);
	w->y = pdf_write(w->pdf, &(struct pdf_block){ PDF_MARGIN, BODY, 13, 0, 0 }, w->y + 34, &text_style, s->text) + 4;
	if (s->chart && s->chart->columns)
		w->y = pdf_chart(w->pdf, s->chart, w->y, LOWEST) + 10;
	if (w->y + LEAST_TABLE > LOWEST)
		new_page(w);
	put_heading(w);
	return pdf_status(w->pdf);
}

/* On a new page where this one has no room for HEIGHT. 0: the section has had its pages. */
static int make_room(struct report_writer *w, double height)
{
	if (w->y + height <= LOWEST)
		return 1;
	w->full = pdf_number(w->pdf) >= w->last_page;
	if (w->full)
		return 0;
	new_page(w);
	put_heading(w);
	return 1;
}

static int row(struct report_writer *w, const struct report_cell *cells)
{
	const char *pointers[REPORT_COLUMNS_MAX];
	double height;

	if (w->shown >= ROWS_MAX || w->full)
		return 0;
	for (size_t i = 0; i < w->section->count; i++) {
		report_cell_text(w->head->words, w->section->columns[i].kind, &cells[i], w->texts[i]);
		pointers[i] = w->texts[i];
	}
	height = tallest(w, &cell_style, pointers);
	if (!make_room(w, height))
		return 0;
	if (w->shown++ % 2)
		pdf_box(w->pdf, PDF_MARGIN, w->y, BODY, height, 0xf4f6fau);
	for (size_t i = 0; i < w->section->count; i++)
		put_cell(w, i, &cell_style, pointers[i]);
	w->y += height;
	return pdf_status(w->pdf);
}

static void put_note(struct report_writer *w, const char *note)
{
	if (w->y + 18 > LOWEST)
		new_page(w);
	w->y = pdf_write(w->pdf, &(struct pdf_block){ PDF_MARGIN, BODY, 12, 0, 0 }, w->y + 16, &label, note);
}

static int end(struct report_writer *w, int64_t rows, const char *note)
{
	json_t *first = phrase_say("These are the first %{n} of %{rows} rows. XLSX and CSV hold all of them.", "n", json_integer(w->shown), "rows",
		json_integer(rows), NULL);
	char *said = words_phrase_text(w->head->words, first);

	json_decref(first);
	w->parts[w->count - 1].rows = rows;
	pdf_line(w->pdf, PDF_MARGIN, w->y, PDF_WIDTH - PDF_MARGIN, w->y, PDF_RULE);
	if (rows > w->shown)
		put_note(w, said);
	if (rows == 0)
		put_note(w, words_text(w->head->words, "There is nothing in this period."));
	if (w->cut)
		put_note(w, words_text(w->head->words, "Texts that end with … are longer: XLSX and CSV hold them whole."));
	if (note)
		put_note(w, note);
	free(said);
	return pdf_status(w->pdf);
}

static void put_contents(struct report_writer *w)
{
	double y = PDF_MARGIN + 14;
	char text[24];

	pdf_turn_to(w->pdf, w->contents);
	pdf_text(w->pdf, PDF_MARGIN, y, &heading, words_text(w->head->words, "Contents"));
	y += 26;
	for (size_t i = 0; i < w->count; i++, y += 11.5) {
		const struct part *p = &w->parts[i];
		json_t *rows = phrase_count("%{n} row", "%{n} rows", p->rows);
		char *said = words_phrase_text(w->head->words, rows);

		pdf_write(w->pdf, &(struct pdf_block){ PDF_MARGIN, BODY - 140, 0, 1, 0 }, y, &text_style, p->title);
		pdf_text_right(w->pdf, PDF_WIDTH - PDF_MARGIN - 40, y, &label, said);
		json_decref(rows);
		free(said);
		snprintf(text, sizeof text, "%d", p->page);
		pdf_text_right(w->pdf, PDF_WIDTH - PDF_MARGIN, y, &text_style, text);
		pdf_line(w->pdf, PDF_MARGIN, y + 3, PDF_WIDTH - PDF_MARGIN, y + 3, PDF_RULE);
		pdf_link(w->pdf, PDF_MARGIN, y - 9, BODY, 12, p->place);
	}
}

static int finish(struct report_writer *w)
{
	int rc;

	put_contents(w);
	rc = pdf_save(w->pdf, w->path);
	discard(w);
	return rc;
}

const struct report_format report_pdf = { "pdf", 0, begin, section, row, end, finish, discard };
