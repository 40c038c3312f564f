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
#define LINES_MAX 4                      /* of a cell */
#define LEAD 9.5
#define PAD 3.0
#define BODY (PDF_WIDTH - 2 * PDF_MARGIN)
#define LOWEST (PDF_HEIGHT - PDF_MARGIN)

static const struct pdf_style huge = { PDF_BOLD, 28, PDF_INK }, heading = { PDF_BOLD, 16, PDF_INK }, large = { PDF_REGULAR, 12, PDF_INK };
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
	size_t count;
	struct part parts[REPORT_SECTIONS_MAX];
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
	pdf_text(w->pdf, PDF_MARGIN, PDF_HEIGHT - 18, &small, w->head->title);
	pdf_text_right(w->pdf, PDF_WIDTH - PDF_MARGIN - 30, PDF_HEIGHT - 18, &small, w->head->tenant);
	pdf_text_right(w->pdf, PDF_WIDTH - PDF_MARGIN, PDF_HEIGHT - 18, &small, number);
	w->y = PDF_MARGIN;
}

static void title_page(struct report_writer *w)
{
	const struct report_head *h = w->head;
	const char *const facts[][2] = { { "Account", h->tenant }, { "Period", h->period }, { "Time zone", h->zone }, { "Made for", h->by },
		{ "Made", h->made } };
	double y;

	pdf_page(w->pdf);
	pdf_box(w->pdf, 0, 0, PDF_WIDTH, 12, PDF_BRAND);
	pdf_text(w->pdf, PDF_MARGIN, 90, &label, h->product);
	y = pdf_paragraph(w->pdf, PDF_MARGIN, 150, BODY, 36, &huge, h->title) + 20;
	for (size_t i = 0; i < ARRAY_LEN(facts); i++) {
		pdf_text(w->pdf, PDF_MARGIN, y, &label, words_text(h->words, facts[i][0]));
		y = pdf_paragraph(w->pdf, PDF_MARGIN + 110, y, BODY - 110, 18, &large, facts[i][1]) + 4;
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

static double cell_width(const struct report_writer *w, size_t i)
{
	return w->lefts[i + 1] - w->lefts[i] - 2 * PAD;
}

static int count_lines(struct report_writer *w, size_t i, const struct pdf_style *style, const char *text)
{
	int lines = 0;

	for (; *text && lines < LINES_MAX; lines++)
		text += pdf_fit(w->pdf, style, text, cell_width(w, i));
	return lines ? lines : 1;
}

static void put_cell(struct report_writer *w, size_t i, const struct pdf_style *style, const char *text)
{
	double y = w->y + LEAD;
	char line[REPORT_CELL_MAX + 8];

	for (int n = 0; *text && n < LINES_MAX; n++, y += LEAD) {
		size_t len = pdf_fit(w->pdf, style, text, cell_width(w, i));
		int cut = n + 1 == LINES_MAX && text[len];

		snprintf(line, sizeof line, "%.*s%s", (int)len, text, cut ? "…" : "");
		if (is_number(w->section->columns[i].kind))
			pdf_text_right(w->pdf, w->lefts[i + 1] - PAD, y, style, line);
		else
			pdf_text(w->pdf, w->lefts[i] + PAD, y, style, line);
		text += len;
	}
}

static double tallest(struct report_writer *w, const struct pdf_style *style, const char *const *texts)
{
	int most = 1;

	for (size_t i = 0; i < w->section->count; i++) {
		int lines = count_lines(w, i, style, texts[i]);

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
	pdf_box(w->pdf, PDF_MARGIN, w->y, BODY, height, PDF_BRAND);
	for (size_t i = 0; i < w->section->count; i++)
		put_cell(w, i, &column_style, labels[i]);
	w->y += height;
}

static int section(struct report_writer *w, const struct report_section *s)
{
	if (w->count == REPORT_SECTIONS_MAX || s->count > REPORT_COLUMNS_MAX)
		return err_set(ERR_TOO_MANY, "a report has at most %d sections of %d columns", REPORT_SECTIONS_MAX, REPORT_COLUMNS_MAX);
	w->section = s;
	w->shown = 0;
	set_columns(w);
	new_page(w);
	w->parts[w->count++] = (struct part){ s->title, pdf_place(w->pdf), pdf_number(w->pdf), 0 };
	pdf_outline(w->pdf, s->title, pdf_place(w->pdf));
	pdf_text(w->pdf, PDF_MARGIN, w->y + 14, &heading, s->title);
	w->y = pdf_paragraph(w->pdf, PDF_MARGIN, w->y + 34, BODY, 13, &text_style, s->text) + 4;
	if (s->chart && s->chart->columns)
		w->y = pdf_chart(w->pdf, s->chart, w->y) + 10;
	put_heading(w);
	return pdf_status(w->pdf);
}

static int row(struct report_writer *w, const struct report_cell *cells)
{
	static _Thread_local char texts[REPORT_COLUMNS_MAX][REPORT_CELL_MAX + 4];
	const char *pointers[REPORT_COLUMNS_MAX];
	double height;

	if (w->shown >= ROWS_MAX)
		return 0;
	for (size_t i = 0; i < w->section->count; i++) {
		report_cell_text(w->head->words, w->section->columns[i].kind, &cells[i], texts[i]);
		pointers[i] = texts[i];
	}
	height = tallest(w, &cell_style, pointers);
	if (w->y + height > LOWEST) {
		new_page(w);
		put_heading(w);
	}
	if (w->shown++ % 2)
		pdf_box(w->pdf, PDF_MARGIN, w->y, BODY, height, 0xf4f6fau);
	for (size_t i = 0; i < w->section->count; i++)
		put_cell(w, i, &cell_style, pointers[i]);
	w->y += height;
	return pdf_status(w->pdf);
}

static int end(struct report_writer *w, int64_t rows, const char *note)
{
	json_t *cut = phrase_say("These are the first %{n} of %{rows} rows. XLSX and CSV hold all of them.", "n", json_integer(w->shown), "rows",
		json_integer(rows), NULL);
	char *said = words_phrase_text(w->head->words, cut);
	const char *const lines[] = { rows > w->shown ? said : rows == 0 ? words_text(w->head->words, "There is nothing in this period.") : "",
		note ? note : "" };

	json_decref(cut);
	w->parts[w->count - 1].rows = rows;
	pdf_line(w->pdf, PDF_MARGIN, w->y, PDF_WIDTH - PDF_MARGIN, w->y, PDF_RULE);
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		if (*lines[i] && w->y + 18 > LOWEST)
			new_page(w);
		if (*lines[i])
			w->y = pdf_paragraph(w->pdf, PDF_MARGIN, w->y + 16, BODY, 12, &label, lines[i]);
	}
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

		pdf_text(w->pdf, PDF_MARGIN, y, &text_style, p->title);
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

const struct report_format report_pdf = { "pdf", begin, section, row, end, finish, discard };
