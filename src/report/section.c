/* section.c - rows of the database as cells, and counts as charts. */
#include "report/section.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "render/chart.h"

/* A chart with what it points to. */
struct drawn {
	struct chart chart;
	struct db_result *rows;
	const char **names;
	int64_t *values;
};

static void drawn_release(struct drawn *d)
{
	db_result_free(d->rows);
	free(d->names);
	free(d->values);
}

static size_t count_series(const struct report_criterion *k)
{
	size_t n = 0;

	while (k->series[n])
		n++;
	return n ? n : 1;
}

static int draw(const struct report_source *s, struct drawn *d)
{
	const struct report_criterion *k = s->criterion;
	size_t series = count_series(k), columns;
	int rc;

	if (k->chart == NULL)
		return 0;
	rc = report_chart_rows(s->db, k, s->period, &d->rows);
	if (rc < 0)
		return rc;
	columns = db_rows(d->rows);
	d->names = mem_array(columns + 1, sizeof *d->names);
	d->values = mem_array(columns * series + 1, sizeof *d->values);
	for (size_t i = 0; i < columns; i++) {
		const char *name = db_text(d->rows, i, 0);

		d->names[i] = name ? name : "–";
		for (size_t j = 0; j < series; j++)
			d->values[i * series + j] = db_int(d->rows, i, (int)j + 1);
	}
	d->chart = (struct chart){ .label = k->label, .columns = columns, .series = series, .colours = k->colours, .names = d->names,
		.every = columns / 16 + 1, .values = d->values, .lying = k->lying, .series_names = k->series[0] ? k->series : NULL };
	return 0;
}

static struct report_cell cell_of(const struct report_source *s, const struct db_result *r, size_t row, size_t i)
{
	enum column_kind kind = s->criterion->columns[i].kind;
	struct report_cell cell = { .is_null = db_is_null(r, row, (int)i) };

	if (cell.is_null)
		return cell;
	if (kind == COLUMN_TEXT)
		cell.text = db_text(r, row, (int)i);
	else if (kind == COLUMN_TIME)
		cell.number = db_time(r, row, (int)i) + zone_east(s->period->zone, db_time(r, row, (int)i)) * CLOCK_SECOND;
	else
		cell.number = db_int(r, row, (int)i);
	return cell;
}

static int write_rows(const struct report_source *s, const struct report_part *parts, size_t count, size_t columns, struct db_result *r)
{
	struct report_cell cells[REPORT_COLUMNS_MAX];
	int rc = 0;

	for (size_t row = 0; rc == 0 && row < db_rows(r); row++) {
		for (size_t i = 0; i < columns; i++)
			cells[i] = cell_of(s, r, row, i);
		for (size_t p = 0; rc == 0 && p < count; p++)
			rc = parts[p].format->row(parts[p].writer, cells);
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
	struct drawn drawn = { .rows = NULL };
	struct report_section section = { k->label, k->text, k->columns, report_criterion_columns(k), &drawn.chart };
	int64_t own = 0;
	int rc = draw(s, &drawn);

	for (size_t p = 0; rc == 0 && p < count; p++)
		rc = parts[p].format->section(parts[p].writer, &section);
	if (rc == 0)
		rc = write_all(s, parts, count, section.count, &own);
	for (size_t p = 0; rc == 0 && p < count; p++)
		rc = parts[p].format->end(parts[p].writer, own, k->now ? "What was there when the report was made, whatever its period." : NULL);
	drawn_release(&drawn);
	*rows += own;
	return rc;
}
