/* test_report.c - lines in the order in which they are drawn, texts of cells, charts with whatever is in them. */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "base/csv.h"
#include "base/json.h"
#include "base/mem.h"
#include "render/chart.h"
#include "report/line.h"
#include "report/report.h"

static void check_drawn(const char *line, int from_right, const char *wanted)
{
	char *drawn = line_drawn(line, from_right);

	CHECK_STR(drawn ? drawn : line, wanted);
	free(drawn);
}

TEST(lines_are_drawn_as_their_text_runs, "RPT-3")
{
	CHECK(!line_from_right("web-1") && !line_from_right("日本 web") && !line_from_right("web שרת") && line_from_right("שרת web"));
	check_drawn("web-1 日本", 0, "web-1 日本");
	check_drawn("שרת (7)", 1, "(7) תרש");
	/* The rest of a paragraph that began in Hebrew. */
	check_drawn("web-1!", 1, "!web-1");
	/* Letters in the forms that join: the first, the middle, the last one; two of them are one. */
	check_drawn("بيت", 1, "\uFE96\uFEF4\uFE91");
	check_drawn("لا", 1, "\uFEFB");
	/* A mark stands before its letter, which is drawn over it; of Latin letters behind. */
	check_drawn("بَ", 1, "\u064E\uFE8F");
	check_drawn("שָ", 1, "\u05B8\u05E9");
	check_drawn("e\u0301", 0, "e\u0301");
}

static char *cell_text(const char *text)
{
	static char out[REPORT_CELL_MAX + 4];

	report_cell_text(NULL, COLUMN_TEXT, &(struct report_cell){ .text = text }, out);
	return out;
}

TEST(texts_of_cells_hold_nothing_that_breaks_a_file, "RPT-1")
{
	char *many = mem_alloc(REPORT_CELL_MAX + 10);
	size_t len;

	CHECK_STR(cell_text("a\tb\r\nc\x1b\x7f\xc2\x85" "d"), "a b  c   d");
	CHECK_STR(cell_text("\xef\xbf\xbe|\xef\xbf\xbf|\xff|\xc3"), "\uFFFD|\uFFFD|?|?");
	CHECK_STR(cell_text(""), "–");
	/* Cut between characters: two bytes of three have room. */
	for (len = 0; len + 3 <= REPORT_CELL_MAX + 3; len += 3)
		memcpy(many + len, "長", 3);
	CHECK_INT(strlen(cell_text(many)), REPORT_CELL_MAX / 3 * 3 + 3);
	CHECK_STR(cell_text(many) + REPORT_CELL_MAX / 3 * 3 - 3, "長…");
	free(many);
}

TEST(charts_hold_long_names_and_numbers, "RPT-3")
{
	static const int one[] = { 1 };
	static const int64_t values[] = { 1000000000, 1 };
	char *name = mem_alloc(256);
	const char *names[] = { name, "short" };
	struct chart chart = { .label = "label", .columns = 2, .series = 1, .colours = one, .names = names, .every = 1, .values = values, .lying = 1 };
	struct buf out = BUF_INIT;
	json_t *bars;
	char *drawn;

	memset(name, 'w', 255);
	bars = chart_bars(&chart);
	CHECK_INT(json_array_size(bars), 2);
	CHECK_STR(json_string_value(json_object_get(json_array_get(bars, 0), "name")), name);
	CHECK_INT(json_integer_value(json_object_get(json_array_get(bars, 0), "value")), 1000000000);
	CHECK_STR(json_string_value(json_object_get(json_array_get(bars, 1), "name")), "short");
	/* What is small beside the others is seen. */
	drawn = json_text(json_object_get(json_array_get(bars, 1), "svg"));
	CHECK(strstr(drawn, "width=\\\"1.0\\\""));
	free(drawn);
	json_decref(bars);
	/* The axis leaves room for 2,000,000,000; the bars are beside it. */
	chart.lying = 0;
	chart_draw(&chart, &out);
	CHECK(strstr(buf_str(&out), ">2,000,000,000</text>") && strstr(buf_str(&out), "<line class=\"kw-axis\" x1=\"91\"") && !strstr(buf_str(&out), "x1=\"34\""));
	buf_free(&out);
	free(name);
}

TEST(the_last_columns_name_ends_with_the_drawing, "RPT-3")
{
	static const int one[] = { 1 };
	static const int64_t values[31] = { 1 };
	const char *names[31];
	struct chart chart = { .label = "label", .columns = 31, .series = 1, .colours = one, .names = names, .every = 2, .values = values };
	struct buf out = BUF_INIT;

	for (int i = 0; i < 31; i++)
		names[i] = "28 N\u00f6v";
	chart_draw(&chart, &out);
	/* Six characters, whatever bytes they have: half of them is 18.6. */
	CHECK(strstr(buf_str(&out), "<text x=\"941.4\"") && !strstr(buf_str(&out), "<text x=\"945"));
	buf_free(&out);
}

TEST(cells_of_tables_are_no_formulas, "RPT-1,LOG-1")
{
	static const struct { const char *text, *cell; } rows[] = {
		{ "=1+1", "\"'=1+1\"" }, { "+1", "\"'+1\"" }, { "-1", "\"'-1\"" }, { "@a", "\"'@a\"" }, { "\t=1", "\"'\t=1\"" }, { "\r=1", "\"'\r=1\"" },
		{ "\n=1", "\"'\n=1\"" }, { "\uff1d1", "\"'\uff1d1\"" }, { "\uff201", "\"'\uff201\"" }, { "a=1", "\"a=1\"" }, { "\u00fc", "\"\u00fc\"" },
		{ "say \"x\"", "\"say \"\"x\"\"\"" }, { "", "\"\"" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = BUF_INIT;

		csv_cell(&out, rows[i].text);
		CHECK_STR(buf_str(&out), rows[i].cell);
		buf_free(&out);
	}
}

TEST_MAIN
