/* bench_report.c - one report of so many rows of eight cells, written by the product's writer or by the bare loop that its library asks for:
 *
 *     bench_report pdf|xlsx|csv report|bare ROWS FILE
 *
 * Prints as JSON the seconds of processor time, the seconds on the clock and the most memory that it had. The cells are the same; the bare loop
 * has no summary, contents, headings, wrapping of long texts, or marks of formulas. A PDF holds 10,000 rows of a section, so it gets sections. */
#include <hpdf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xlsxwriter.h>
#include <zlib.h>

#include "base/err.h"
#include "report/report.h"

#define SECTION_ROWS 10000               /* of a PDF */
#define PDF_ROWS 34                      /* of a page, as ours has them */
#define FONT "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"
#define BEGAN INT64_C(1764200000000000)

static const struct column columns[] = {
	{ "Requested", COLUMN_TIME, 14 }, { "Device", COLUMN_TEXT, 18 }, { "Instance", COLUMN_TEXT, 18 }, { "Access", COLUMN_TEXT, 9 },
	{ "Mount point", COLUMN_TEXT, 14 }, { "Outcome", COLUMN_TEXT, 20 }, { "Decided", COLUMN_TIME, 14 }, { "Rules", COLUMN_NUMBER, 8 },
};
#define COUNT (sizeof columns / sizeof columns[0])

struct texts {
	char device[32], instance[32];
};

static void make_row(int64_t i, struct texts *t, struct report_cell *cells)
{
	snprintf(t->device, sizeof t->device, "data %lld", (long long)(i % 5000));
	snprintf(t->instance, sizeof t->instance, "orders-db-%lld", (long long)(i % 700));
	cells[0] = (struct report_cell){ .number = BEGAN + i * 61 * CLOCK_SECOND };
	cells[1] = (struct report_cell){ .text = t->device };
	cells[2] = (struct report_cell){ .text = t->instance };
	cells[3] = (struct report_cell){ .text = i % 3 ? "read-write" : "read-only" };
	cells[4] = (struct report_cell){ .text = "/srv/data" };
	cells[5] = (struct report_cell){ .text = i % 4 ? "approved automatically" : "approved" };
	cells[6] = (struct report_cell){ .number = BEGAN + i * 61 * CLOCK_SECOND + 5 * CLOCK_SECOND };
	cells[7] = (struct report_cell){ .number = i % 40 };
}

static int write_report(const struct report_format *f, int64_t rows, const char *path)
{
	int64_t most = strcmp(f->name, "pdf") == 0 ? SECTION_ROWS : rows;
	const struct report_section section = { "Keys requested", "Every request for a key.", columns, COUNT, NULL };
	const struct report_head head = { "A million rows", "Bench", "all", "UTC", "nobody", "now", "Keyward", (size_t)((rows + most - 1) / most) };
	struct report_cell cells[COUNT];
	struct report_writer *w = NULL;
	struct texts t;
	int rc = f->begin(&head, path, &w);

	for (int64_t i = 0; rc == 0 && i < rows; i++) {
		if (i % most == 0)
			rc = f->section(w, &section);
		make_row(i, &t, cells);
		if (rc == 0)
			rc = f->row(w, cells);
		if (rc == 0 && (i % most == most - 1 || i == rows - 1))
			rc = f->end(w, i % most + 1, NULL);
	}
	return rc < 0 ? rc : f->finish(w);
}

static int bare_xlsx(int64_t rows, const char *path)
{
	lxw_workbook_options options = { .constant_memory = LXW_TRUE };
	lxw_workbook *book = workbook_new_opt(path, &options);
	lxw_worksheet *sheet = workbook_add_worksheet(book, NULL);
	lxw_format *when = workbook_add_format(book);
	struct report_cell cells[COUNT];
	struct texts t;

	format_set_num_format(when, "yyyy-mm-dd hh:mm:ss");
	for (int64_t i = 0; i < rows; i++) {
		make_row(i, &t, cells);
		for (size_t c = 0; c < COUNT; c++) {
			if (columns[c].kind == COLUMN_TEXT)
				worksheet_write_string(sheet, (lxw_row_t)i, (lxw_col_t)c, cells[c].text, NULL);
			else if (columns[c].kind == COLUMN_TIME)
				worksheet_write_number(sheet, (lxw_row_t)i, (lxw_col_t)c, (double)cells[c].number / (double)CLOCK_DAY + 25569, when);
			else
				worksheet_write_number(sheet, (lxw_row_t)i, (lxw_col_t)c, (double)cells[c].number, NULL);
		}
	}
	return workbook_close(book) == LXW_NO_ERROR ? 0 : -1;
}

static void fail(HPDF_STATUS error, HPDF_STATUS detail, void *ctx)
{
	fprintf(stderr, "libharu: %04x %u\n", (unsigned)error, (unsigned)detail);
	exit(1);
}

static int bare_pdf(int64_t rows, const char *path)
{
	HPDF_Doc doc = HPDF_New(fail, NULL);
	HPDF_Font font;
	HPDF_Page page = NULL;
	struct report_cell cells[COUNT];
	char text[REPORT_CELL_MAX + 4];
	struct texts t;

	HPDF_UseUTFEncodings(doc);
	HPDF_SetCompressionMode(doc, HPDF_COMP_ALL);
	font = HPDF_GetFont(doc, HPDF_LoadTTFontFromFile(doc, FONT, HPDF_TRUE), "UTF-8");
	for (int64_t i = 0; i < rows; i++) {
		if (i % PDF_ROWS == 0) {
			page = HPDF_AddPage(doc);
			HPDF_Page_SetSize(page, HPDF_PAGE_SIZE_A4, HPDF_PAGE_LANDSCAPE);
			HPDF_Page_SetFontAndSize(page, font, 7);
		}
		make_row(i, &t, cells);
		HPDF_Page_BeginText(page);
		for (size_t c = 0; c < COUNT; c++) {
			report_cell_text(NULL, columns[c].kind, &cells[c], text);
			HPDF_Page_TextOut(page, 42 + 95 * (HPDF_REAL)c, 550 - 15 * (HPDF_REAL)(i % PDF_ROWS), text);
		}
		HPDF_Page_EndText(page);
	}
	HPDF_SaveToFile(doc, path);
	HPDF_Free(doc);
	return 0;
}

static int bare_csv(int64_t rows, const char *path)
{
	gzFile f = gzopen(path, "wb");
	struct report_cell cells[COUNT];
	char text[REPORT_CELL_MAX + 4];
	struct texts t;

	for (int64_t i = 0; f && i < rows; i++) {
		make_row(i, &t, cells);
		for (size_t c = 0; c < COUNT; c++) {
			report_cell_text(NULL, columns[c].kind, &cells[c], text);
			gzprintf(f, "\"%s\"%s", text, c + 1 < COUNT ? "," : "\r\n");
		}
	}
	return f && gzclose(f) == Z_OK ? 0 : -1;
}

/* In KiB: of this program, not of whoever started it. */
static long most_memory(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[256];
	long kib = 0;

	while (f && fgets(line, sizeof line, f))
		sscanf(line, "VmHWM: %ld", &kib);
	if (f)
		fclose(f);
	return kib;
}

static double seconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	const struct report_format *f = argc == 5 ? report_format_find(argv[1]) : NULL;
	int64_t rows = argc == 5 ? atoll(argv[3]) : 0;
	double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID), wall = seconds(CLOCK_MONOTONIC);
	int rc;

	if (f == NULL || rows <= 0)
		return 2;
	if (strcmp(argv[2], "report") == 0)
		rc = write_report(f, rows, argv[4]);
	else
		rc = f == &report_xlsx ? bare_xlsx(rows, argv[4]) : f == &report_pdf ? bare_pdf(rows, argv[4]) : bare_csv(rows, argv[4]);
	if (rc < 0)
		fprintf(stderr, "bench_report: %s\n", err_text());
	else
		printf("{\"cpu\": %.3f, \"wall\": %.3f, \"kib\": %ld}\n", seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu, seconds(CLOCK_MONOTONIC) - wall, most_memory());
	return rc < 0;
}
