/* section.c - rows of the database as cells, and counts as charts. */
#include "report/section.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/phrase.h"
#include "notice/entry.h"
#include "render/chart.h"
#include "render/words.h"
#include "store/audit.h"

/* A chart with what it points to. */
struct drawn {
	struct chart chart;
	char **names;
	const char *series[REPORT_SERIES_MAX + 1];
	int64_t *values;
	size_t columns;
};

static void drawn_release(struct drawn *d)
{
	for (size_t i = 0; i < d->columns; i++)
		free(d->names[i]);
	free(d->names);
	free(d->values);
}

/* Along the time names are hours, "27 Nov" and "Nov 2026": the word in them is the language's, and where it stands. */
static char *time_name(const struct words *w, const char *name)
{
	size_t at = strcspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
	char month[16];
	json_t *day;
	char *out;

	snprintf(month, sizeof month, "%.*s", (int)strcspn(name + at, " "), name + at);
	if (name[at] == '\0')
		return mem_strdup(name);
	if (at == 0)
		return mem_printf("%s%s", words_text(w, month), name + strlen(month));
	day = phrase_day(atoi(name), month);
	out = words_phrase_text(w, day);
	json_decref(day);
	return out;
}

/* NULL: TEXT is said as it is. The caller's. */
static char *said(const struct words *w, enum column_said said, const char *text)
{
	json_t *phrase = NULL;
	char *out;

	if (said == COLUMN_WORD || said == COLUMN_EVENT)
		return mem_strdup(words_text(w, said == COLUMN_EVENT ? audit_label(text) : text));
	if (said == COLUMN_POLICY)
		phrase = entry_policy(text);
	if (said == COLUMN_REASON || said == COLUMN_COMMENT)
		phrase = said == COLUMN_REASON ? entry_reason(text) : entry_comment(text);
	out = phrase ? words_phrase_text(w, phrase) : NULL;
	json_decref(phrase);
	return out;
}

static char *name_of(const struct report_source *s, const char *name)
{
	char *out;

	if (name == NULL)
		return mem_strdup("–");
	if (!s->criterion->lying)
		return time_name(s->words, name);
	out = said(s->words, s->criterion->names_said, name);
	return out ? out : mem_strdup(name);
}

static size_t count_series(const struct report_criterion *k)
{
	size_t n = 0;

	while (k->series[n])
		n++;
	return n ? n : 1;
}

static void draw_rows(const struct report_source *s, const struct db_result *rows, struct drawn *d)
{
	const struct report_criterion *k = s->criterion;
	size_t series = count_series(k);

	d->columns = db_rows(rows);
	d->names = mem_array(d->columns + 1, sizeof *d->names);
	d->values = mem_array(d->columns * series + 1, sizeof *d->values);
	for (size_t i = 0; i < d->columns; i++) {
		d->names[i] = name_of(s, db_text(rows, i, 0));
		for (size_t j = 0; j < series; j++)
			d->values[i * series + j] = db_int(rows, i, (int)j + 1);
	}
	for (size_t j = 0; k->series[j]; j++)
		d->series[j] = words_text(s->words, k->series[j]);
	d->chart = (struct chart){ .words = s->words, .label = words_text(s->words, k->label), .columns = d->columns, .series = series, .colours = k->colours,
		.names = (const char *const *)d->names, .every = d->columns / 16 + 1, .values = d->values, .lying = k->lying,
		.series_names = k->series[0] ? d->series : NULL };
}

static int draw(const struct report_source *s, struct drawn *d)
{
	struct db_result *rows;
	int rc;

	if (s->criterion->chart == NULL)
		return 0;
	rc = report_chart_rows(s->db, s->criterion, s->period, &rows);
	if (rc < 0)
		return rc;
	draw_rows(s, rows, d);
	db_result_free(rows);
	return 0;
}

/* *OWN, the caller's: a text that is not the result's. */
static struct report_cell cell_of(const struct report_source *s, const struct db_result *r, size_t row, size_t i, char **own)
{
	enum column_kind kind = s->criterion->columns[i].kind;
	struct report_cell cell = { .is_null = db_is_null(r, row, (int)i) };

	if (cell.is_null)
		return cell;
	if (kind == COLUMN_TEXT) {
		*own = said(s->words, s->criterion->columns[i].said, db_text(r, row, (int)i));
		cell.text = *own ? *own : db_text(r, row, (int)i);
	}
	if (kind == COLUMN_TIME)
		cell.number = db_time(r, row, (int)i) + zone_east(s->period->zone, db_time(r, row, (int)i)) * CLOCK_SECOND;
	else if (kind != COLUMN_TEXT)
		cell.number = db_int(r, row, (int)i);
	return cell;
}

static int write_rows(const struct report_source *s, const struct report_part *parts, size_t count, size_t columns, struct db_result *r)
{
	struct report_cell cells[REPORT_COLUMNS_MAX];
	int rc = 0;

	for (size_t row = 0; rc == 0 && row < db_rows(r); row++) {
		char *own[REPORT_COLUMNS_MAX] = { NULL };

		for (size_t i = 0; i < columns; i++)
			cells[i] = cell_of(s, r, row, i, &own[i]);
		for (size_t p = 0; rc == 0 && p < count; p++)
			rc = parts[p].format->row(parts[p].writer, cells);
		for (size_t i = 0; i < columns; i++)
			free(own[i]);
	}
	return rc;
}

static int write_all(const struct report_source *s, const struct report_part *parts, size_t count, size_t columns, int64_t *rows)
{
	size_t got = 1;
	int rc = report_rows_begin(s->db, s->criterion, s->period);

	while (rc == 0 && got && (s->most == 0 || *rows < s->most)) {
		struct db_result *r;

		rc = report_rows_next(s->db, s->criterion, &r);
		if (rc < 0)
			return rc;
		got = db_rows(r);
		*rows += (int64_t)got;
		rc = write_rows(s, parts, count, columns, r);
		db_result_free(r);
	}
	return rc < 0 ? rc : report_rows_end(s->db, s->criterion);
}

int report_section_write(const struct report_source *s, const struct report_part *parts, size_t count, int64_t *rows)
{
	const struct report_criterion *k = s->criterion;
	struct drawn drawn = { .columns = 0 };
	struct column columns[REPORT_COLUMNS_MAX];
	struct report_section section = { words_text(s->words, k->label), words_text(s->words, k->text), columns, report_criterion_columns(k), &drawn.chart, s->words };
	int64_t own = 0;
	int rc = report_data_begin(s->db, s->side);

	for (size_t i = 0; i < section.count && i < REPORT_COLUMNS_MAX; i++) {
		columns[i] = k->columns[i];
		columns[i].label = words_text(s->words, k->columns[i].label);
	}
	if (rc == 0)
		rc = draw(s, &drawn);
	for (size_t p = 0; rc == 0 && p < count; p++)
		rc = parts[p].format->section(parts[p].writer, &section);
	if (rc == 0)
		rc = write_all(s, parts, count, section.count, &own);
	for (size_t p = 0; rc == 0 && p < count; p++)
		rc = parts[p].format->end(parts[p].writer, own, k->now ? words_text(s->words,
			"What was there when the report was made, whatever its period.") : NULL);
	if (rc == 0)
		rc = report_data_end(s->db, s->side);
	drawn_release(&drawn);
	*rows += own;
	return rc;
}
