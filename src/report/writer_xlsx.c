/* writer_xlsx.c - a report as a workbook, by libxlsxwriter: a summary, then a sheet per section with its table and its chart beside it.
 * In its constant-memory mode rows go to a file as they come, each sheet from the top down. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xlsxwriter.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/word.h"
#include "render/words.h"
#include "render/chart.h"
#include "report/report.h"

#define SHEET_NAME_MAX 31                /* characters, of the format */
#define PROPERTY_MAX 255                 /* characters of what the file says of itself */
#define ROWS_MAX (LXW_ROW_MAX - 1)       /* below the heading */
#define SUMMARY "Summary"
#define DATA "Chart data"
#define WIDTH_TOTAL 150.0                /* of all columns, in characters */
#define WIDTH_LEAST 12.0
#define WIDTH_MOST 60.0
#define WIDTH_TIME 22.0                  /* what is narrower shows "###" in place of a time */
#define SUMMARY_FIRST 34
#define SUMMARY_WIDTH 80
#define SUMMARY_LAST 14
#define LINE_HEIGHT 15.0
#define TITLE_WIDTH 70                   /* characters of a line of the title, over all three columns */
#define TITLE_HEIGHT 25.0
#define CHART_NAME_MAX 60                /* characters */
/* Printed, in points: a page's breadth without its margins, and a character, with the widest font that may stand in for the workbook's. */
#define PAGE_WIDTH 735.0
#define CHARACTER 7.2
/* In pixels, by the library. */
#define CHART_HEIGHT 288.0
#define ROW_HEIGHT 20.0
#define ROW_LINES_MAX 20                 /* a row has no more height than some 27 */

struct part {
	const char *title, *text;
	char *sheet, *note;
	int64_t rows;
};

/* A chart that is put on its sheet when it is known how high the rows beside it are: the library knows but the usual height, and the
 * file says in which row a chart ends. In pixels. */
struct placed {
	lxw_worksheet *sheet;
	lxw_chart *chart;                /* NULL: none */
	double left, usual;              /* of its height: what no row covers yet; what rows cover, each as if it had the usual height */
};

struct report_writer {
	const struct report_head *head;
	lxw_workbook *book;
	lxw_worksheet *summary, *data, *sheet;
	lxw_format *bold, *title, *heading, *heading_right, *link, *wrap, *formats[COLUMN_BYTES + 1];
	lxw_row_t row, data_row;
	const struct report_section *section;
	size_t count;
	int copies;                              /* sheets of this section */
	struct placed placed;
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

static lxw_format *make_heading(struct report_writer *w)
{
	lxw_format *f = make_format(w, NULL);

	format_set_bold(f);
	format_set_font_color(f, LXW_COLOR_WHITE);
	format_set_bg_color(f, 0x3f57d6);
	return f;
}

/* How programs of the reader's show a day; they have the months' names. A slash by itself would be their own sign between the parts. */
static const char *time_format(enum date_format dates)
{
	static const char *const formats[DATE_FORMATS] = { "yyyy-mm-dd hh:mm:ss", "yyyy-mm-dd hh:mm:ss", "dd.mm.yyyy hh:mm:ss", "dd\\/mm\\/yyyy hh:mm:ss",
		"mm\\/dd\\/yyyy hh:mm:ss", "d mmm yyyy hh:mm:ss" };

	return formats[dates];
}

static void make_formats(struct report_writer *w)
{
	w->formats[COLUMN_TEXT] = w->wrap = make_format(w, NULL);
	w->formats[COLUMN_NUMBER] = w->formats[COLUMN_BYTES] = make_format(w, "#,##0");
	w->formats[COLUMN_TIME] = make_format(w, time_format(words_dates(w->head->words)));
	w->formats[COLUMN_DURATION] = make_format(w, "[h]:mm:ss");
	/* A negative one is a text. */
	format_set_align(w->formats[COLUMN_DURATION], LXW_ALIGN_RIGHT);
	format_set_text_wrap(w->wrap);
	w->bold = make_format(w, NULL);
	format_set_bold(w->bold);
	w->title = make_format(w, NULL);
	format_set_bold(w->title);
	format_set_font_size(w->title, 18);
	format_set_text_wrap(w->title);
	format_set_align(w->formats[COLUMN_TIME], LXW_ALIGN_LEFT);
	w->heading = make_heading(w);
	w->heading_right = make_heading(w);
	format_set_align(w->heading_right, LXW_ALIGN_RIGHT);
	w->link = make_format(w, NULL);
	format_set_font_color(w->link, 0x2546b0);
	format_set_underline(w->link, LXW_UNDERLINE_SINGLE);
}

static int begin(const struct report_head *head, const char *path, struct report_writer **out)
{
	lxw_workbook_options options = { .constant_memory = LXW_TRUE };
	struct report_writer *w = mem_alloc(sizeof *w);
	char *title = mem_dup(head->title, word_first(head->title, PROPERTY_MAX)), *who = mem_dup(head->by, word_first(head->by, PROPERTY_MAX));

	*out = NULL;
	w->head = head;
	w->book = workbook_new_opt(path, &options);
	if (w->book) {
		make_formats(w);
		workbook_set_properties(w->book, &(lxw_doc_properties){ .title = title, .author = who });
		w->summary = workbook_add_worksheet(w->book, words_text(head->words, SUMMARY));
		*out = w;
	} else
		free(w);
	free(title);
	free(who);
	return *out ? 0 : err_set(ERR_IO, "the workbook cannot be begun");
}

/* TITLE's first CHARS characters, without those that the name of a sheet may not have. */
static char *sheet_base(const char *title, size_t chars)
{
	char *base = mem_dup(title, word_first(title, chars));

	for (char *p = base; *p; p++)
		if (strchr("[]:*?/\\'", *p))
			*p = '-';
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

/* COUNT columns, all together WIDTH characters, on one page beside each other; what is to the right of them, the chart, is on a page of its own. */
static void print_on(lxw_worksheet *sheet, size_t count, double width)
{
	double scale = PAGE_WIDTH * 100 / (width * CHARACTER);

	worksheet_set_landscape(sheet);
	worksheet_set_paper(sheet, 9);
	worksheet_set_print_scale(sheet, scale > 100 ? 100 : scale < 10 ? 10 : (uint16_t)scale);
	worksheet_set_v_pagebreaks(sheet, (lxw_col_t[]){ (lxw_col_t)count, 0 });
}

static double column_width(const struct report_section *s, size_t i)
{
	double total = 0, width, least = s->columns[i].kind == COLUMN_TIME ? WIDTH_TIME : WIDTH_LEAST;

	for (size_t c = 0; c < s->count; c++)
		total += s->columns[c].width;
	width = WIDTH_TOTAL * s->columns[i].width / total;
	return width < least ? least : width > WIDTH_MOST ? WIDTH_MOST : width;
}

static void open_sheet(struct report_writer *w)
{
	const struct report_section *s = w->section;
	char *name = sheet_name(w, s->title);
	double width = 0;

	w->sheet = workbook_add_worksheet(w->book, name);
	if (w->copies++ == 0)
		w->parts[w->count - 1].sheet = mem_strdup(name);
	free(name);
	if (w->sheet == NULL) {
		note_error(w, LXW_ERROR_PARAMETER_VALIDATION);
		return;
	}
	for (size_t i = 0; i < s->count; i++) {
		width += column_width(s, i);
		worksheet_set_column(w->sheet, (lxw_col_t)i, (lxw_col_t)i, column_width(s, i), NULL);
		note_error(w, worksheet_write_string(w->sheet, 0, (lxw_col_t)i, s->columns[i].label,
			s->columns[i].kind == COLUMN_TEXT || s->columns[i].kind == COLUMN_TIME ? w->heading : w->heading_right));
	}
	worksheet_freeze_panes(w->sheet, 1, 0);
	print_on(w->sheet, s->count, width);
	worksheet_repeat_rows(w->sheet, 0, 0);
	w->row = 1;
}

static void close_sheet(struct report_writer *w)
{
	if (w->sheet)
		worksheet_autofilter(w->sheet, 0, 0, w->row > 1 ? w->row - 1 : 1, (lxw_col_t)(w->section->count - 1));
}

static void put_name(struct report_writer *w, lxw_row_t row, const char *name)
{
	size_t len = word_first(name, CHART_NAME_MAX);
	char *shown = mem_printf("%.*s%s", (int)len, name, name[len] ? "…" : "");

	note_error(w, worksheet_write_string(w->data, row, 0, shown, NULL));
	free(shown);
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
		put_name(w, first + (lxw_row_t)i, chart->names[i]);
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
	w->placed = (struct placed){ w->sheet, drawn, CHART_HEIGHT * (chart->lying && chart->columns > 12 ? 1.8 : 1.2), 0 };
}

/* Another row of HEIGHT. */
static void pass_chart(struct placed *p, double height)
{
	double covered = p->left < height ? p->left : height;

	p->usual += covered < ROW_HEIGHT ? covered : ROW_HEIGHT;
	p->left -= covered;
}

static void place_chart(struct report_writer *w)
{
	struct placed *p = &w->placed;
	lxw_chart_options options = { .x_scale = 1.5, .y_scale = (p->usual + p->left) / CHART_HEIGHT, .object_position = 3 };

	if (p->chart)
		note_error(w, worksheet_insert_chart_opt(p->sheet, 1, (lxw_col_t)(w->section->count + 1), p->chart, &options));
	*p = (struct placed){ .chart = NULL };
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

/* Workbooks count days, from 1900 to 9999. */
static int is_time(clock_us at)
{
	return at >= -25567 * CLOCK_DAY && at < INT64_C(2932897) * CLOCK_DAY;
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
		if (is_time(cell->number))
			return put_time(w, column, cell->number);
		break;
	case COLUMN_DURATION:
		if (cell->number < 0)
			break;
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

/* Lines of WIDTH that TEXT takes, as far as that can be told: those of East Asia are letters of double width. */
static size_t lines_of(const char *text, double width)
{
	size_t wide = 0;

	/* Words are not broken. */
	width *= .9;
	if ((double)strlen(text) < width)
		return 1;
	for (; *text; text += word_first(text, 1))
		wide += (unsigned char)*text >= 0xe1 ? 2 : 1;
	return 1 + (size_t)((double)wide / width);
}

/* Who opens a file takes a row's height from it, whatever text is in the row. */
static void fit_row(struct report_writer *w, const struct report_cell *cells)
{
	size_t most = 1;

	for (size_t i = 0; i < w->section->count; i++) {
		size_t lines = w->section->columns[i].kind == COLUMN_TEXT && cells[i].text ? lines_of(cells[i].text, column_width(w->section, i)) : 1;

		most = lines > most ? lines : most;
	}
	most = most > ROW_LINES_MAX ? ROW_LINES_MAX : most;
	if (most > 1)
		note_error(w, worksheet_set_row(w->sheet, w->row, LINE_HEIGHT * (double)most, NULL));
	if (w->placed.left > 0)
		pass_chart(&w->placed, ROW_HEIGHT * (double)most);
}

static int row(struct report_writer *w, const struct report_cell *cells)
{
	if (w->row > ROWS_MAX) {
		close_sheet(w);
		open_sheet(w);
	}
	if (w->sheet)
		fit_row(w, cells);
	for (size_t i = 0; w->sheet && i < w->section->count; i++)
		note_error(w, put_cell(w, (lxw_col_t)i, w->section->columns[i].kind, &cells[i]));
	w->row++;
	return result(w);
}

static int end(struct report_writer *w, int64_t rows, const char *note)
{
	close_sheet(w);
	place_chart(w);
	w->parts[w->count - 1].rows = rows;
	w->parts[w->count - 1].note = mem_strdup(note);
	return result(w);
}

static void put_fact(struct report_writer *w, lxw_row_t at, const struct report_fact *fact)
{
	note_error(w, worksheet_set_row(w->summary, at, LINE_HEIGHT * (double)lines_of(fact->value, SUMMARY_WIDTH), NULL));
	note_error(w, worksheet_write_string(w->summary, at, 0, fact->label, w->bold));
	note_error(w, worksheet_write_string(w->summary, at, 1, fact->value, w->wrap));
}

static void put_summary(struct report_writer *w)
{
	const struct report_head *h = w->head;
	struct report_fact facts[REPORT_FACTS];
	lxw_worksheet *s = w->summary;
	lxw_row_t at = 2;

	worksheet_set_column(s, 0, 0, SUMMARY_FIRST, NULL);
	worksheet_set_column(s, 1, 1, SUMMARY_WIDTH, NULL);
	worksheet_set_column(s, 2, 2, SUMMARY_LAST, NULL);
	note_error(w, worksheet_set_row(s, 0, TITLE_HEIGHT * (double)lines_of(h->title, TITLE_WIDTH), NULL));
	note_error(w, worksheet_merge_range(s, 0, 0, 0, 2, h->title, w->title));
	report_facts(h, facts);
	for (size_t i = 0; i < REPORT_FACTS; i++, at++)
		put_fact(w, at, &facts[i]);
	at++;
	note_error(w, worksheet_write_string(s, at, 0, words_text(h->words, "Section"), w->heading));
	note_error(w, worksheet_write_string(s, at, 1, words_text(h->words, "What it shows"), w->heading));
	note_error(w, worksheet_write_string(s, at++, 2, words_text(h->words, "Rows"), w->heading_right));
	for (size_t i = 0; i < w->count; i++, at++) {
		const struct part *p = &w->parts[i];
		char *url = mem_printf("internal:'%s'!A1", p->sheet), *text = p->note ? mem_printf("%s %s", p->text, p->note) : mem_strdup(p->text);

		note_error(w, worksheet_set_row(s, at, LINE_HEIGHT * (double)lines_of(text, SUMMARY_WIDTH), NULL));
		note_error(w, worksheet_write_url_opt(s, at, 0, url, w->link, p->title, NULL));
		note_error(w, worksheet_write_string(s, at, 1, text, w->wrap));
		note_error(w, worksheet_write_number(s, at, 2, (double)p->rows, w->formats[COLUMN_NUMBER]));
		free(url);
		free(text);
	}
	print_on(s, 3, SUMMARY_FIRST + SUMMARY_WIDTH + SUMMARY_LAST);
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

const struct report_format report_xlsx = { "xlsx", 0, begin, section, row, end, finish, discard };
