/* writer_csv.c - a report as comma-separated values: what it is, then one file per section, in a zip. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zip.h>

#include "base/csv.h"
#include "base/err.h"
#include "base/mem.h"
#include "render/words.h"
#include "report/report.h"

struct report_writer {
	const char *path;
	size_t count;
	char *files[REPORT_SECTIONS_MAX + 1], *names[REPORT_SECTIONS_MAX + 1];
	const struct report_section *section;
	FILE *out;
	struct buf line;
};

static void discard(struct report_writer *w)
{
	if (w == NULL)
		return;
	if (w->out)
		fclose(w->out);
	for (size_t i = 0; i < w->count; i++) {
		unlink(w->files[i]);
		free(w->files[i]);
		free(w->names[i]);
	}
	buf_free(&w->line);
	free(w);
}

static int put_line(struct report_writer *w)
{
	buf_puts(&w->line, "\r\n");
	if (fwrite(w->line.data, 1, w->line.len, w->out) != w->line.len)
		return err_set(ERR_IO, "the report cannot be written: %s", strerror(errno));
	buf_reset(&w->line);
	return 0;
}

/* What may stand in the name of a file anywhere. */
static char *file_name(size_t number, const char *title)
{
	char *name = mem_printf("%02zu-%s.csv", number, title);

	for (char *p = name; *p; p++)
		if ((unsigned char)*p < ' ' || strchr("/\\:*?\"<>| ", *p))
			*p = '-';
	return name;
}

static int open_file(struct report_writer *w, const char *title)
{
	w->files[w->count] = mem_printf("%s.%zu", w->path, w->count);
	w->names[w->count] = file_name(w->count, title);
	w->out = fopen(w->files[w->count++], "we");
	return w->out ? 0 : err_set(ERR_IO, "the report cannot be written: %s", strerror(errno));
}

static int close_file(struct report_writer *w)
{
	int failed = fclose(w->out) != 0;

	w->out = NULL;
	return failed ? err_set(ERR_IO, "the report cannot be written: %s", strerror(errno)) : 0;
}

/* Without it nobody knows whose times those in the other files are. */
static int put_facts(struct report_writer *w, const struct report_head *head)
{
	struct report_fact facts[REPORT_FACTS];
	int rc = open_file(w, words_text(head->words, "Summary"));

	report_facts(head, facts);
	csv_cell(&w->line, head->title);
	if (rc == 0)
		rc = put_line(w);
	for (size_t i = 0; rc == 0 && i < REPORT_FACTS; i++) {
		csv_cell(&w->line, facts[i].label);
		buf_putc(&w->line, ',');
		csv_cell(&w->line, facts[i].value);
		rc = put_line(w);
	}
	return rc < 0 ? rc : close_file(w);
}

static int begin(const struct report_head *head, const char *path, struct report_writer **out)
{
	struct report_writer *w = mem_alloc(sizeof *w);
	int rc;

	w->path = path;
	rc = put_facts(w, head);
	if (rc < 0)
		discard(w);
	*out = rc < 0 ? NULL : w;
	return rc;
}

static int section(struct report_writer *w, const struct report_section *s)
{
	int rc;

	if (w->count > REPORT_SECTIONS_MAX)
		return err_set(ERR_TOO_MANY, "a report has at most %d sections", REPORT_SECTIONS_MAX);
	rc = open_file(w, s->title);
	if (rc < 0)
		return rc;
	w->section = s;
	for (size_t i = 0; i < s->count; i++) {
		if (i)
			buf_putc(&w->line, ',');
		csv_cell(&w->line, s->columns[i].label);
	}
	return put_line(w);
}

/* For programs: numbers without groups, durations in seconds. */
static void put_cell(struct buf *line, enum column_kind kind, const struct report_cell *cell)
{
	char text[REPORT_CELL_MAX + 4];

	if (cell->is_null)
		return;
	if (kind == COLUMN_NUMBER || kind == COLUMN_BYTES)
		buf_printf(line, "%lld", (long long)cell->number);
	else if (kind == COLUMN_DURATION)
		buf_printf(line, "%lld", (long long)(cell->number / CLOCK_SECOND));
	else if (kind == COLUMN_TIME || cell->text) {
		report_cell_text(NULL, kind, cell, text);
		csv_cell(line, kind == COLUMN_TEXT && *cell->text == '\0' ? "" : text);
	}
}

static int row(struct report_writer *w, const struct report_cell *cells)
{
	for (size_t i = 0; i < w->section->count; i++) {
		if (i)
			buf_putc(&w->line, ',');
		put_cell(&w->line, w->section->columns[i].kind, &cells[i]);
	}
	return put_line(w);
}

static int end(struct report_writer *w, int64_t rows, const char *note)
{
	return close_file(w);
}

static int pack(struct report_writer *w)
{
	zip_t *zip = zip_open(w->path, ZIP_CREATE | ZIP_TRUNCATE, NULL);
	int ok = zip != NULL;

	for (size_t i = 0; ok && i < w->count; i++) {
		zip_source_t *source = zip_source_file(zip, w->files[i], 0, -1);

		ok = source && zip_file_add(zip, w->names[i], source, ZIP_FL_ENC_UTF_8) >= 0;
		if (!ok)
			zip_source_free(source);
	}
	if (ok && zip_close(zip) == 0)
		return 0;
	if (zip)
		zip_discard(zip);
	return err_set(ERR_IO, "the report cannot be packed");
}

static int finish(struct report_writer *w)
{
	int rc = pack(w);

	discard(w);
	return rc;
}

const struct report_format report_csv = { "csv", 1, begin, section, row, end, finish, discard };
