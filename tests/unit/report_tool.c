/* report_tool.c - writes one report in FORMAT to FILE: report_tool FORMAT FILE ROWS [odd]. Its texts are what reports must bear: other
 * scripts, formulas, control characters, long ones, none. Odd: the longest texts everywhere, charts of many columns, numbers and times without
 * measure, as many sections as there may be. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static int write_usual(const struct report_format *f, const char *path, int64_t rows)
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
	struct report_writer *w = NULL;
	int rc = f->begin(&head, path, &w);

	for (int i = 0; rc == 0 && i < 3; i++)
		rc = fill(f, w, &sections[i], i == 2 ? 0 : rows);
	if (rc == 0)
		return f->finish(w);
	f->discard(w);
	return rc;
}

/* Odd */

#define NAME 255
#define LONG 5000
#define CATEGORIES 50
#define MONTHS 120

static char *repeated(const char *text, size_t times)
{
	size_t len = strlen(text);
	char *out = malloc(len * times + 1);

	for (size_t i = 0; i < times; i++)
		memcpy(out + i * len, text, len);
	out[len * times] = '\0';
	return out;
}

static void odd_row(int64_t i, struct report_cell *cells, char *const *texts, size_t count)
{
	static const int64_t numbers[] = { 0, -1, INT64_MAX, INT64_MIN + 1, -123456789 };

	/* The first second, one before 1900, one after 9999, and the twice-told hour of a day on which clocks are set back. */
	static const int64_t times[] = { 0, INT64_C(-2300000000000000), INT64_C(300000000000000000), INT64_C(1792895400000000) };

	cells[0] = (struct report_cell){ .number = times[i % 4] };
	for (size_t c = 1; c < 4; c++)
		cells[c] = (struct report_cell){ .text = texts[((size_t)i + c) % count] };
	for (size_t c = 4; c < COUNT; c++)
		cells[c] = (struct report_cell){ .number = numbers[((size_t)i + c) % 5] };
}

static int fill_odd(const struct report_format *f, struct report_writer *w, const struct report_section *s, int64_t rows, char *const *texts, size_t count)
{
	struct report_cell cells[COUNT];
	int rc = f->section(w, s);

	for (int64_t i = 0; rc == 0 && i < rows; i++) {
		odd_row(i, cells, texts, count);
		rc = f->row(w, cells);
	}
	return rc < 0 ? rc : f->end(w, rows, "A note.");
}

/* Of a shape that is as wide as a logo may become. */
static const unsigned char wide_png[] = {
	0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44, 0x52, 0x00, 0x00, 0x00, 0x0b, 0x00, 0x00, 0x00, 0x02, 0x08,
	0x02, 0x00, 0x00, 0x00, 0x01, 0xc1, 0xb1, 0xb9, 0x00, 0x00, 0x00, 0x11, 0x49, 0x44, 0x41, 0x54, 0x78, 0xda, 0x63, 0xb0, 0x0f, 0xbf, 0x86, 0x1f, 0x31,
	0x10, 0x54, 0x01, 0x00, 0x1b, 0x16, 0x1f, 0x49, 0x84, 0xc4, 0x71, 0x1a, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
};

static int write_odd(const struct report_format *f, const char *path, int64_t rows)
{
	static const char *const alone[] = { "خادم قاعدة البيانات رقم 42 (نسخة احتياطية) في مركز البيانات بدبي: تم فتح الجهاز بواسطة orders-db-7 عند الساعة 10:30، لأن المسؤول وافق على الطلب.",
		"השרת של דנה (db-7) ביקש מפתח עבור הכונן data בשעה 10:30, והמנהלת אישרה את הבקשה אחרי בדיקה.", "مُحَمَّدٌ — پشتیبان‌گیری گچ ژاله، ٹیسٹ",
		"Te\u0301le\u0301phone cafe\u0301 Zażółć ї ё Ѐ Ӓ ế ự ǖ ῷ Ἆ š", "👨‍👩‍👧 🚀 ✈️ 🇩🇪 family", "第一章：監査人に渡す報告書は、どのような内容であっても読めるものでなければならない。長い文は途中で折り返される。",
		"=cmd|' /C calc'!A0", "+1", "@SUM(A1)", "-2+3", "\ttab first", "a\x01" "b\x1b[31mc\xc2\x85" "d\xef\xbf\xbf\u202ee\u200b", "_x0041_ stays", "\xff\xfe broken",
		"6f1e7c1e-7d9b-4a51-9a57-3b3f0a8f2c11", "" };
	static const char *const kinds[] = { "Approved by somebody who may do so", "Denied", "Closed undecided, since nobody answered in time", "Everything else that became of a request" };
	static const int four[] = { 1, 2, 3, 4 }, one[] = { 1 };
	static int64_t sums[CATEGORIES] = { 1000000000 }, none[MONTHS * 4];
	const char *names[CATEGORIES], *months[MONTHS];
	char *texts[sizeof alone / sizeof alone[0] + 3], *title = repeated("Ä", NAME), *tenant = repeated("Gesellschaft für Schlüssel ", 7), *who = repeated("W", NAME), *product = repeated("W", 60);
	const struct report_picture logo = { wide_png, sizeof wide_png };
	size_t count = 0;
	const struct chart many = { .label = "many", .columns = CATEGORIES, .series = 1, .colours = one, .names = names, .every = 1, .values = sums, .lying = 1 };
	const struct chart zero = { .label = "none", .columns = MONTHS, .series = 4, .colours = four, .names = months, .every = MONTHS / 16 + 1, .values = none,
		.series_names = kinds };
	const struct report_section sections[] = {
		{ "Many", "One bar is much longer than the others.", columns, COUNT, &many }, { "Zero", "Nothing has happened.", columns, COUNT, &zero },
		{ "No rows", "Nothing.", columns, COUNT, &zero },
	};
	const struct report_head head = { title, tenant, "2026-10-25 00:00 to 2026-10-26 00:00", "Europe/Berlin (UTC+02:00; 2026-10-25 02:00 UTC+01:00)", who,
		"2026-11-27 04:05", product, REPORT_SECTIONS_MAX, NULL, &logo };
	struct report_writer *w = NULL;
	int rc = f->begin(&head, path, &w);

	for (size_t i = 0; i < sizeof alone / sizeof alone[0]; i++)
		texts[count++] = repeated(alone[i], 1);
	texts[count++] = repeated("word ", LONG / 5);
	texts[count++] = repeated("https://example.org/a-path?", LONG / 27);
	texts[count++] = repeated("長", LONG);
	for (size_t i = 0; i < CATEGORIES; i++) {
		sums[i] = i ? (int64_t)i : sums[0];
		names[i] = i == 1 ? title : i == 2 ? texts[0] : "orders-db";
	}
	for (size_t i = 0; i < MONTHS; i++)
		months[i] = "Nov 2026";
	for (int i = 0; rc == 0 && i < REPORT_SECTIONS_MAX; i++)
		rc = fill_odd(f, w, &sections[i < 2 ? i : 2], i < 2 ? rows : 0, texts, count);
	rc = rc == 0 ? f->finish(w) : (f->discard(w), rc);
	for (size_t i = 0; i < count; i++)
		free(texts[i]);
	free(product);
	free(title);
	free(tenant);
	free(who);
	return rc;
}

int main(int argc, char **argv)
{
	const struct report_format *f = argc >= 4 ? report_format_find(argv[1]) : NULL;
	int rc = f == NULL ? ERR_INVALID : argc == 4 ? write_usual(f, argv[2], atoll(argv[3])) : write_odd(f, argv[2], atoll(argv[3]));

	if (rc < 0)
		fprintf(stderr, "report_tool: %s\n", err_text());
	return rc < 0;
}
