/* option.c - options by table, on getopt_long. */
#include "agent/option.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

#define LONG_BASE 256        /* above every letter */
#define HELP_COLUMN 34

static int take_number(const struct option_row *row, const char *text, long *out)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (end == text || *end || n < row->least || n > row->most)
		return err_set(ERR_INVALID, "--%s: a whole number from %ld to %ld is needed, not \"%s\"", row->name, row->least,
			row->most, text);
	*out = n;
	return 0;
}

static int take(const struct option_row *row, char *text, void *out)
{
	char *at = (char *)out + row->offset;

	if (row->kind == OPTION_FLAG)
		*(int *)(void *)at = 1;
	else if (row->kind == OPTION_TEXT)
		*(const char **)(void *)at = text;
	else
		return take_number(row, text, (long *)(void *)at);
	return 0;
}

static const struct option_row *find(const struct option_row *rows, size_t count, int code)
{
	if (code >= LONG_BASE)
		return &rows[code - LONG_BASE];
	for (size_t i = 0; i < count; i++)
		if (rows[i].letter == code)
			return &rows[i];
	return NULL;
}

static char *letters_of(const struct option_row *rows, size_t count)
{
	struct buf b = BUF_INIT;

	buf_putc(&b, ':');
	for (size_t i = 0; i < count; i++) {
		if (rows[i].letter)
			buf_putc(&b, rows[i].letter);
		if (rows[i].letter && rows[i].kind != OPTION_FLAG)
			buf_putc(&b, ':');
	}
	return buf_take(&b);
}

static int complain(int code, const char *word)
{
	if (code == ':')
		return err_set(ERR_INVALID, "%s needs a value", word);
	return err_set(ERR_INVALID, "there is no option %s, or it takes no value", word);
}

int option_parse(const struct option_row *rows, size_t count, int argc, char **argv, void *out)
{
	struct option *longs = mem_array(count + 1, sizeof *longs);
	char *letters = letters_of(rows, count);
	int code, rc = 0;

	for (size_t i = 0; i < count; i++)
		longs[i] = (struct option){ rows[i].name, rows[i].kind != OPTION_FLAG, NULL, LONG_BASE + (int)i };
	optind = 0;
	opterr = 0;
	while (rc == 0 && (code = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		const struct option_row *row = find(rows, count, code);

		rc = row ? take(row, optarg, out) : complain(code, argv[optind - 1]);
	}
	if (rc == 0 && optind < argc)
		rc = err_set(ERR_INVALID, "\"%s\" is not an option", argv[optind]);
	free(letters);
	free(longs);
	return rc;
}

void option_help(const struct option_row *rows, size_t count, struct buf *out)
{
	for (size_t i = 0; i < count; i++) {
		size_t start = out->len;

		if (rows[i].letter)
			buf_printf(out, "  -%c, --%s", rows[i].letter, rows[i].name);
		else
			buf_printf(out, "      --%s", rows[i].name);
		if (rows[i].argument)
			buf_printf(out, " %s", rows[i].argument);
		do
			buf_putc(out, ' ');
		while (out->len - start < HELP_COLUMN);
		buf_printf(out, "%s\n", rows[i].help);
	}
}
