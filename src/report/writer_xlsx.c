/* writer_xlsx.c - a report as a workbook, by libxlsxwriter: a summary, then a sheet per section with its table and its chart beside it.
 * In its constant-memory mode rows go to a file as they come, each sheet from the top down. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xlsxwriter.h>

#include "base/err.h"
#include "base/mem.h"
#include "render/words.h"
#include "render/chart.h"
#include "report/report.h"

#define SHEET_NAME_MAX 31                /* characters, of the format */
#define ROWS_MAX (LXW_ROW_MAX - 1)       /* below the heading */
#define SUMMARY "Summary"
#define DATA "Chart data"
#define WIDTH_TOTAL 150.0                /* of all columns, in characters */
#define WIDTH_LEAST 12.0
#define WIDTH_MOST 60.0
#define WIDTH_TIME 20.0                  /* what is narrower shows "###" in place of a time */
#define SUMMARY_WIDTH 80
#define LINE_HEIGHT 15.0

struct part {
	const char *title, *text;
	char *sheet, *note;
	int64_t rows;
};

struct report_writer {
	const struct report_head *head;
	lxw_workbook *book;
	lxw_worksheet *summary, *data, *sheet;
	lxw_format *bold, *title, *heading, *link, *wrap, *formats[COLUMN_BYTES + 1];
	lxw_row_t row, data_row;
	const struct report_section *section;
	size_t count;
	int copies;                              /* sheets of this section */
	lxw_error error;
	struct part parts[REPORT_SECTIONS_MAX];
};

static void note_error(struct report_writer *w, lxw_error error)
{
	if (w->error == LXW_NO_ERROR)
		w->error = error;
}

static int result(const struct report_writer *w)
{
	return w->error == LXW_NO_ERROR ? 0 : err_set(ERR_IO, "the report cannot be written: %s", lxw_strerror(w->error));
}

static lxw_format *make_format(struct report_writer *w, const char *number)
{
	lxw_format *f = workbook_add_format(w->book);

	format_set_align(f, LXW_ALIGN_VERTICAL_TOP);
	if (number)
		format_set_num_format(f, number);
	return f;
}

static void make_formats(struct report_writer *w)
{
	w->formats[COLUMN_TEXT] = make_format(w, NULL);
	w->formats[COLUMN_NUMBER] = w->formats[COLUMN_BYTES] = make_format(w, "#,##0");
	w->formats[COLUMN_TIME] = make_format(w, "yyyy-mm-dd hh:mm:ss");
	w->formats[COLUMN_DURATION] = make_format(w, "[h]:mm:ss");
	w->wrap = make_format(w, NULL);
	format_set_text_wrap(w->wrap);
	w->bold = make_format(w, NULL);
	format_set_bold(w->bold);
	w->title = make_format(w, NULL);
	format_set_bold(w->title);
	format_set_font_size(w->title, 18);
	w->heading = make_format(w, NULL);
	format_set_bold(w->heading);
	format_set_font_color(w->heading, LXW_COLOR_WHITE);
	format_set_bg_color(w->heading, 0x3f57d6);
	w->link = make_format(w, NULL);
	format_set_font_color(w->link, 0x2546b0);
	format_set_underline(w->link, LXW_UNDERLINE_SINGLE);
}

static int begin(const struct report_head *head, const char *path, struct report_writer **out)
{
	lxw_workbook_options options = { .constant_memory = LXW_TRUE };
	struct report_writer *w = mem_alloc(sizeof *w);
	char title[256], who[256];

	w->head = head;
	w->book = workbook_new_opt(path, &options);
	if (w->book == NULL) {
		free(w);
		return err_set(ERR_IO, "the workbook cannot be begun");
	}
	make_formats(w);
	snprintf(title, sizeof title, "%s", head->title);
	snprintf(who, sizeof who, "%s", head->by);
	workbook_set_properties(w->book, &(lxw_doc_properties){ .title = title, .author = who });
	w->summary = workbook_add_worksheet(w->book, words_text(head->words, SUMMARY));
	*out = w;
	return 0;
}

/* TITLE's first CHARS characters, without those that the name of a sheet may not have. */
static char *sheet_base(const char *title, size_t chars)
{
	char *base = mem_strdup(title), *p = base;

	for (; *p; p++) {
		if (((unsigned char)*p & 0xc0) != 0x80 && chars-- == 0)
			break;
		if (strchr("[]:*?/\\'", *p))
			*p = '-';
	}
	*p = '\0';
	return base;
}

/* Two sheets' names differ without regard to case. */
static char *sheet_name(struct report_writer *w, const char *title)
{
	char *name = sheet_base(title, SHEET_NAME_MAX);

	for (int n = 2; n < 100 && workbook_validate_sheet_name(w->book, name) != LXW_NO_ERROR; n++) {
		char *base = sheet_base(title, SHEET_NAME_MAX - 5);

		free(name);
		name = mem_printf("%s (%d)", base, n);
		free(base);
	}
	return name;
}

/* One page wide, as many long as it takes. */
static void print_on(lxw_worksheet *sheet)
{
	worksheet_set_landscape(sheet);
	worksheet_set_paper(sheet, 9);
	worksheet_fit_to_pages(sheet, 1, 0);
}

static void open_sheet(struct report_writer *w)
{
	const struct report_section *s = w->section;
	char *name = sheet_name(w, s->title);
	int total = 0;

	w->sheet = workbook_add_worksheet(w->book, name);
	if (w->copies++ == 0)
		w->parts[w->count - 1].sheet = mem_strdup(name);
	free(name);
	if (w->sheet == NULL) {
		note_error(w, LXW_ERROR_PARAMETER_VALIDATION);
		return;
	}
	for (size_t i = 0; i < s->count; i++)
		total += s->columns[i].width;
	for (size_t i = 0; i < s->count; i++) {
		double width = WIDTH_TOTAL * s->columns[i].width / total, least = s->columns[i].kind == COLUMN_TIME ? WIDTH_TIME : WIDTH_LEAST;

		worksheet_set_column(w->sheet, (lxw_col_t)i, (lxw_col_t)i, width < least ? least : width > WIDTH_MOST ? WIDTH_MOST : width, NULL);
		note_error(w, worksheet_write_string(w->sheet, 0, (lxw_col_t)i, s->columns[i].label, w->heading));
	}
	worksheet_freeze_panes(w->sheet, 1, 0);
	print_on(w->sheet);
	worksheet_repeat_rows(w->sheet, 0, 0);
	w->row = 1;
}

static void close_sheet(struct report_writer *w)
{
	if (w->sheet)
		worksheet_autofilter(w->sheet, 0, 0, w->row > 1 ? w->row - 1 : 1, (lxw_col_t)(w->section->count - 1));
}

/* The chart's numbers stand on a sheet of their own, so that rows of a table are rows of that table alone. */
static lxw_row_t put_data(struct report_writer *w, const struct chart *chart)
{
	lxw_row_t first;

	if (w->data == NULL) {
		w->data = workbook_add_worksheet(w->book, DATA);
		worksheet_hide(w->data);
	}
	note_error(w, worksheet_write_string(w->data, w->data_row, 0, w->section->title, w->bold));
	for (size_t s = 0; s < chart->series; s++)
		note_error(w, worksheet_write_string(w->data, w->data_row, (lxw_col_t)(s + 1),
			chart->series_names ? chart->series_names[s] : words_text(w->head->words, "Number"), w->bold));
	first = w->data_row + 1;
	for (size_t i = 0; i < chart->columns; i++) {
		note_error(w, worksheet_write_string(w->data, first + (lxw_row_t)i, 0, chart->names[i], NULL));
		for (size_t s = 0; s < chart->series; s++)
			note_error(w, worksheet_write_number(w->data, first + (lxw_row_t)i, (lxw_col_t)(s + 1),
				(double)chart->values[i * chart->series + s], w->formats[COLUMN_NUMBER]));
	}
	w->data_row = first + (lxw_row_t)chart->columns + 1;
	return first;
}

static void put_chart(struct report_writer *w, const struct chart *chart)
{
	lxw_row_t first = put_data(w, chart), last = first + (lxw_row_t)chart->columns - 1;
	lxw_chart *drawn = workbook_add_chart(w->book, chart->lying ? LXW_CHART_BAR_STACKED : LXW_CHART_COLUMN_STACKED);
	lxw_chart_options options = { .x_scale = 1.5, .y_scale = chart->lying && chart->columns > 12 ? 1.8 : 1.2, .object_position = 3 };

	for (size_t s = 0; s < chart->series; s++) {
		lxw_chart_series *series = chart_add_series(drawn, NULL, NULL);
		lxw_col_t column = (lxw_col_t)(s + 1);

		chart_series_set_categories(series, DATA, first, 0, last, 0);
		chart_series_set_values(series, DATA, first, column, last, column);
		chart_series_set_name_range(series, DATA, first - 1, column);
		chart_series_set_fill(series, &(lxw_chart_fill){ .color = chart_colours[chart->colours[s] - 1] });
	}
	chart_title_set_name(drawn, w->section->title);
	if (chart->series < 2)
		chart_legend_set_position(drawn, LXW_CHART_LEGEND_NONE);
	else
		chart_legend_set_position(drawn, LXW_CHART_LEGEND_BOTTOM);
	if (chart->lying)
		chart_axis_set_reverse(drawn->y_axis);
	note_error(w, worksheet_insert_chart_opt(w->sheet, 1, (lxw_col_t)(w->section->count + 1), drawn, &options));
}

static int section(struct report_writer *w, const struct report_section *s)
{
	if (w->count == REPORT_SECTIONS_MAX)
		return err_set(ERR_TOO_MANY, "a report has at most %d sections", REPORT_SECTIONS_MAX);
	w->section = s;
	w->copies = 0;
	w->parts[w->count++] = (struct part){ .title = s->title, .text = s->text };
	open_sheet(w);
	if (w->sheet && s->chart && s->chart->columns)
		put_chart(w, s->chart);
	return result(w);
}

static lxw_error put_time(struct report_writer *w, lxw_col_t column, clock_us at)
{
	time_t s = (time_t)(at / CLOCK_SECOND);
	struct tm tm;
	lxw_datetime time;

	gmtime_r(&s, &tm);
	time = (lxw_datetime){ tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec };
	return worksheet_write_datetime(w->sheet, w->row, column, &time, w->formats[COLUMN_TIME]);
}

static lxw_error put_cell(struct report_writer *w, lxw_col_t column, enum column_kind kind, const struct report_cell *cell)
{
	char text[REPORT_CELL_MAX + 4];

	if (cell->is_null || (kind == COLUMN_TEXT && (cell->text == NULL || *cell->text == '\0')))
		return LXW_NO_ERROR;
	switch (kind) {
	case COLUMN_TIME:
		return put_time(w, column, cell->number);
	case COLUMN_DURATION:
		return worksheet_write_number(w->sheet, w->row, column, (double)cell->number / (double)CLOCK_DAY, w->formats[kind]);
	case COLUMN_NUMBER:
	case COLUMN_BYTES:
		return worksheet_write_number(w->sheet, w->row, column, (double)cell->number, w->formats[kind]);
	case COLUMN_TEXT:
		break;
	}
	report_cell_text(w->head->words, kind, cell, text);
	return worksheet_write_string(w->sheet, w->row, column, text, w->formats[kind]);
}

static int row(struct report_writer *w, const struct report_cell *cells)
{
	if (w->row > ROWS_MAX) {
		close_sheet(w);
		open_sheet(w);
	}
	for (size_t i = 0; w->sheet && i < w->section->count; i++)
		note_error(w, put_cell(w, (lxw_col_t)i, w->section->columns[i].kind, &cells[i]));
	w->row++;
	return result(w);
}

static int end(struct report_writer *w, int64_t rows, const char *note)
{
	close_sheet(w);
	w->parts[w->count - 1].rows = rows;
	w->parts[w->count - 1].note = mem_strdup(note);
	return result(w);
}

static void put_summary(struct report_writer *w)
{
	const struct report_head *h = w->head;
	const char *const facts[][2] = { { "Account", h->tenant }, { "Period", h->period }, { "Time zone", h->zone }, { "Made for", h->by },
		{ "Made", h->made }, { "Made with", h->product } };
	lxw_worksheet *s = w->summary;
	lxw_row_t at = 2;

	worksheet_set_column(s, 0, 0, 34, NULL);
	worksheet_set_column(s, 1, 1, SUMMARY_WIDTH, NULL);
	worksheet_set_column(s, 2, 2, 14, NULL);
	note_error(w, worksheet_write_string(s, 0, 0, h->title, w->title));
	for (size_t i = 0; i < ARRAY_LEN(facts); i++, at++) {
		note_error(w, worksheet_write_string(s, at, 0, words_text(h->words, facts[i][0]), w->bold));
		note_error(w, worksheet_write_string(s, at, 1, facts[i][1], NULL));
	}
	at++;
	note_error(w, worksheet_write_string(s, at, 0, words_text(h->words, "Section"), w->heading));
	note_error(w, worksheet_write_string(s, at, 1, words_text(h->words, "What it shows"), w->heading));
	note_error(w, worksheet_write_string(s, at++, 2, words_text(h->words, "Rows"), w->heading));
	for (size_t i = 0; i < w->count; i++, at++) {
		const struct part *p = &w->parts[i];
		char *url = mem_printf("internal:'%s'!A1", p->sheet), *text = p->note ? mem_printf("%s %s", p->text, p->note) : mem_strdup(p->text);

		/* Nobody fits a row to its text: lines are somewhat shorter than the column, as words are not broken. */
		note_error(w, worksheet_set_row(s, at, LINE_HEIGHT * (double)(1 + strlen(text) / (SUMMARY_WIDTH - 8)), NULL));
		note_error(w, worksheet_write_url_opt(s, at, 0, url, w->link, p->title, NULL));
		note_error(w, worksheet_write_string(s, at, 1, text, w->wrap));
		note_error(w, worksheet_write_number(s, at, 2, (double)p->rows, w->formats[COLUMN_NUMBER]));
		free(url);
		free(text);
	}
	print_on(s);
	worksheet_activate(s);
}

static void release(struct report_writer *w)
{
	for (size_t i = 0; i < w->count; i++) {
		free(w->parts[i].sheet);
		free(w->parts[i].note);
	}
	free(w);
}

static void discard(struct report_writer *w)
{
	if (w == NULL)
		return;
	lxw_workbook_free(w->book);
	release(w);
}

static int finish(struct report_writer *w)
{
	int rc;

	put_summary(w);
	/* Frees the book, whatever it says. */
	note_error(w, workbook_close(w->book));
	rc = result(w);
	release(w);
	return rc;
}

const struct report_format report_xlsx = { "xlsx", begin, section, row, end, finish, discard };
