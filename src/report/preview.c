/* preview.c - the writer behind a page that shows what a report will look like. */
#include "report/preview.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/word.h"
#include "render/chart.h"
#include "render/template.h"

#define TEXT_MAX 300             /* characters of a cell: the files have the rest */

struct report_writer {
	json_t *sections, *section;
	const struct report_section *of;
	int64_t rows;
};

static int begin(const struct report_head *head, const char *path, struct report_writer **out)
{
	*out = mem_alloc(sizeof **out);
	(*out)->sections = json_array();
	return 0;
}

static int is_number(enum column_kind kind)
{
	return kind != COLUMN_TEXT && kind != COLUMN_TIME;
}

static json_t *columns_of(const struct report_section *s)
{
	json_t *out = json_array();

	for (size_t i = 0; i < s->count; i++)
		json_array_append_new(out, json_pack("{s:s, s:b}", "label", s->columns[i].label, "number", is_number(s->columns[i].kind)));
	return out;
}

static json_t *chart_of(const struct chart *chart)
{
	struct buf svg = BUF_INIT;
	json_t *out;

	if (chart == NULL || chart->columns == 0)
		return json_null();
	if (chart->lying)
		return json_pack("{s:b, s:o, s:s}", "lying", 1, "rows", chart_bars(chart), "summary", chart->label);
	chart_draw(chart, &svg);
	out = json_pack("{s:b, s:o, s:s}", "lying", 0, "svg", template_safe(buf_str(&svg)), "summary", chart->label);
	buf_free(&svg);
	return out;
}

static json_t *legend_of(const struct chart *chart)
{
	json_t *out = json_array();

	for (size_t s = 0; chart && chart->series_names && s < chart->series; s++)
		json_array_append_new(out, json_pack("{s:s, s:i}", "name", chart->series_names[s], "series", chart->colours[s]));
	return out;
}

static int section(struct report_writer *w, const struct report_section *s)
{
	w->of = s;
	w->rows = 0;
	w->section = json_pack("{s:s, s:s, s:o, s:[], s:o, s:o}", "title", s->title, "text", s->text, "columns", columns_of(s), "rows", "chart",
		chart_of(s->chart), "legend", legend_of(s->chart));
	json_array_append_new(w->sections, w->section);
	return 0;
}

static void shorten(char *text)
{
	size_t len = word_first(text, TEXT_MAX);

	if (text[len])
		memcpy(text + len, "…", sizeof "…");
}

static int row(struct report_writer *w, const struct report_cell *cells)
{
	json_t *out;

	if (w->rows++ >= REPORT_PREVIEW_ROWS)
		return 0;
	out = json_array();
	for (size_t i = 0; i < w->of->count; i++) {
		char text[REPORT_CELL_MAX + 4];

		report_cell_text(w->of->words, w->of->columns[i].kind, &cells[i], text);
		shorten(text);
		json_array_append_new(out, json_pack("{s:s, s:s, s:b}", "text", text, "label", w->of->columns[i].label, "number",
			is_number(w->of->columns[i].kind)));
	}
	json_array_append_new(json_object_get(w->section, "rows"), json_pack("{s:o}", "cells", out));
	return 0;
}

static int end(struct report_writer *w, int64_t rows, const char *note)
{
	json_object_set_new(w->section, "more", json_boolean(rows > REPORT_PREVIEW_ROWS));
	json_object_set_new(w->section, "none", json_boolean(rows == 0));
	json_object_set_new(w->section, "note", note ? json_string(note) : json_null());
	return 0;
}

static void discard(struct report_writer *w)
{
	if (w == NULL)
		return;
	json_decref(w->sections);
	free(w);
}

static int finish(struct report_writer *w)
{
	discard(w);
	return 0;
}

json_t *report_preview_take(struct report_writer *w)
{
	return json_incref(w->sections);
}

const struct report_format report_preview = { "preview", 0, begin, section, row, end, finish, discard };
