/* report_tool.c - writes one report in FORMAT to FILE: report_tool FORMAT FILE ROWS. Its texts are what reports must bear: other
 * scripts, formulas, control characters, long ones, none. */
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "render/chart.h"
#include "report/report.h"

static const struct column columns[] = {
	{ "Requested", COLUMN_TIME, 14 }, { "Device", COLUMN_TEXT, 20 }, { "Instance", COLUMN_TEXT, 20 }, { "Comment", COLUMN_TEXT, 30 },
	{ "Size", COLUMN_BYTES, 9 }, { "Took", COLUMN_DURATION, 10 }, { "Rules", COLUMN_NUMBER, 8 },
};
#define COUNT (sizeof columns / sizeof columns[0])

static const char *const comments[] = {
	"Zażółć gęślą jaźń – Größe, naïve, Ωμέγα, Привет", "日本語の説明 and 한국어, 中文 mixed", "=HYPERLINK(\"http://example.org\")", "+1-2",
	"two\nlines\tand a tab", "", "a word that is long: Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
	"quotes \" and, commas; <b>marks</b> & more", "🚀 beyond the first plane", "השרת של דנה (db-7)", "خادم قواعد البيانات 42",
};

static void make_row(int64_t i, struct report_cell *cells)
{
	cells[0] = (struct report_cell){ .number = INT64_C(1764200000000000) + i * 61 * CLOCK_SECOND };
	cells[1] = (struct report_cell){ .text = i % 2 ? "data" : "logs" };
	cells[2] = (struct report_cell){ .text = "web-1.example.org" };
	cells[3] = (struct report_cell){ .text = comments[(size_t)i % (sizeof comments / sizeof comments[0])] };
	cells[4] = (struct report_cell){ .number = i * 123456789 };
	cells[5] = (struct report_cell){ .number = i * 7 * CLOCK_SECOND, .is_null = i % 5 == 4 };
	cells[6] = (struct report_cell){ .number = 1234567 + i };
}

static int fill(const struct report_format *f, struct report_writer *w, const struct report_section *s, int64_t rows)
{
	struct report_cell cells[COUNT];
	int rc = f->section(w, s);

	for (int64_t i = 0; rc == 0 && i < rows; i++) {
		make_row(i, cells);
		rc = f->row(w, cells);
	}
	return rc < 0 ? rc : f->end(w, rows, NULL);
}

int main(int argc, char **argv)
{
	static const char *const days[] = { "21 Nov", "22 Nov", "23 Nov", "24 Nov", "25 Nov", "26 Nov", "27 Nov" };
	static const char *const names[] = { "Production databases", "Żółw", "日本", "Default policy" }, *const parts[] = { "Approved", "Denied" };
	static const int64_t values[] = { 12, 1, 9, 0, 30, 4, 0, 0, 17, 2, 22, 8, 3, 1 }, sums[] = { 90, 41, 7, 1 };
	static const int two[] = { 2, 3 }, one[] = { 1 };
	const struct chart upright = { .label = "by day", .columns = 7, .series = 2, .colours = two, .names = days, .every = 1, .values = values,
		.series_names = parts }, lying = { .label = "by policy", .columns = 4, .series = 1, .colours = one, .names = names, .every = 1,
		.values = sums, .lying = 1 };
	const struct report_section sections[] = {
		{ "Key requests", "Every request for a key in the period, and what became of it.", columns, COUNT, &upright },
		{ "Requests by policy: all [of] them/now", "The same, by policy.", columns, COUNT, &lying },
		{ "Nothing", "A section without rows, whose text is so long that it does not fit into one line of the summary.", columns, COUNT, NULL },
	};
	const struct report_head head = { "Keys of the week – Übersicht 週報", "Acme GmbH & Söhne", "2026-11-20 00:00 to 2026-11-27 00:00", "Europe/Berlin",
		"Erika Muster (Security Administrator)", "2026-11-27 04:05:06", "Keyward", 3 };
	const struct report_format *f = argc == 4 ? report_format_find(argv[1]) : NULL;
	struct report_writer *w = NULL;
	int rc = f ? f->begin(&head, argv[2], &w) : ERR_INVALID;

	for (int i = 0; rc == 0 && i < 3; i++)
		rc = fill(f, w, &sections[i], i == 2 ? 0 : atoll(argv[3]));
	if (rc == 0)
		return f->finish(w) < 0 ? 1 : 0;
	fprintf(stderr, "report_tool: %s\n", err_text());
	if (f)
		f->discard(w);
	return 1;
}
