/* option.c - options by table, on getopt_long. */
#include "agent/common/option.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "agent/common/private.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"

#define LONG_BASE 256        /* above every letter */
#define HELP_COLUMN 34
#define NARROW_COLUMN 24     /* on a terminal of less than NARROW_WIDTH */
#define NARROW_WIDTH 80
#define WIDTH_LEAST 50
#define WORD_MAX 32          /* longer words are nobody's slip of the finger */

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

/* Sent to the server and kept as JSON, where nothing else has a place. An option of ours in its place means that it was forgotten. */
static int take_text(const struct option_table *t, const struct option_row *row, const char *text, const char **out)
{
	for (size_t i = 0; strncmp(text, "--", 2) == 0 && i < t->count; i++)
		if (t->rows[i].kind != OPTION_GROUP && strcmp(text + 2, t->rows[i].name) == 0)
			return err_set(ERR_INVALID, "--%s needs a value: %s; %s is an option", row->name, row->argument, text);
	if (!json_is_text(text, strlen(text)))
		return err_set(ERR_INVALID, "--%s: its value is no text (UTF-8)", row->name);
	*out = text;
	return 0;
}

static void take_secret(char *text, struct secret **out)
{
	secret_free(*out);
	*out = private_take(text);
}

static int take(const struct option_table *t, const struct option_row *row, char *text, void *out)
{
	void *at = (char *)out + row->offset;

	if (row->kind == OPTION_NUMBER)
		return take_number(row, text, at);
	if (row->kind == OPTION_FLAG)
		*(int *)at = 1;
	else if (row->kind == OPTION_SECRET)
		take_secret(text, at);
	else
		return take_text(t, row, text, at);
	return 0;
}

static size_t row_of(const struct option_table *t, int code)
{
	if (code >= LONG_BASE)
		return (size_t)(code - LONG_BASE);
	for (size_t i = 0; i < t->count; i++)
		if (t->rows[i].letter && t->rows[i].letter == code)
			return i;
	return t->count;
}

static size_t named(const struct option_table *t, const char *name)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->rows[i].kind != OPTION_GROUP && strcmp(t->rows[i].name, name) == 0)
			return i;
	fatal("%s has no option %s", t->program, name);
}

static char *letters_of(const struct option_table *t)
{
	struct buf b = BUF_INIT;

	buf_putc(&b, ':');
	for (size_t i = 0; i < t->count; i++) {
		if (t->rows[i].letter)
			buf_putc(&b, t->rows[i].letter);
		if (t->rows[i].letter && t->rows[i].argument)
			buf_putc(&b, ':');
	}
	return buf_take(&b);
}

static struct option *longs_of(const struct option_table *t)
{
	struct option *out = mem_array(t->count + 1, sizeof *out), *at = out;

	for (size_t i = 0; i < t->count; i++)
		if (t->rows[i].kind != OPTION_GROUP)
			*at++ = (struct option){ t->rows[i].name, t->rows[i].argument != NULL, NULL, LONG_BASE + (int)i };
	return out;
}

/* How many letters must be put in, left out, replaced or swapped with their neighbour to make B of A. */
static unsigned distance(const char *a, const char *b)
{
	unsigned rows[3][WORD_MAX + 1], *before = rows[0], *last = rows[1], *now = rows[2];
	size_t la = strlen(a), lb = strlen(b);

	if (la > WORD_MAX || lb > WORD_MAX)
		return WORD_MAX;
	for (size_t j = 0; j <= lb; j++)
		last[j] = (unsigned)j;
	for (size_t i = 1; i <= la; i++) {
		unsigned *swap = before;

		now[0] = (unsigned)i;
		for (size_t j = 1; j <= lb; j++) {
			unsigned best = last[j - 1] + (a[i - 1] != b[j - 1]);

			best = last[j] + 1 < best ? last[j] + 1 : best;
			best = now[j - 1] + 1 < best ? now[j - 1] + 1 : best;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			now[j] = best;
		}
		before = last;
		last = now;
		now = swap;
	}
	return last[lb];
}

const char *option_nearest(const struct option_table *t, const char *word)
{
	size_t len = strcspn(word, "=");
	char name[WORD_MAX + 1];
	const char *found = NULL;
	unsigned least;

	if (len > WORD_MAX)
		return NULL;
	snprintf(name, sizeof name, "%.*s", (int)len, word);
	least = (unsigned)len / 3 + 1;
	for (size_t i = 0; i < t->count; i++) {
		unsigned d = t->rows[i].kind == OPTION_GROUP ? WORD_MAX : distance(name, t->rows[i].name);

		if (d > least || (d == least && found))
			continue;
		least = d;
		found = t->rows[i].name;
	}
	return found;
}

/* WORD is a beginning of several names: getopt has taken none of them. */
static int is_ambiguous(const struct option_table *t, const char *word, struct buf *names)
{
	int count = 0;

	for (size_t i = 0; i < t->count; i++)
		if (t->rows[i].kind != OPTION_GROUP && strncmp(t->rows[i].name, word, strlen(word)) == 0) {
			buf_printf(names, "%s--%s", count ? ", " : "", t->rows[i].name);
			count++;
		}
	return count > 1;
}

static int unknown(const struct option_table *t, const char *word)
{
	struct buf names = BUF_INIT;
	const char *nearest = strncmp(word, "--", 2) == 0 ? option_nearest(t, word + 2) : NULL;
	int rc;

	if (nearest)
		rc = err_set(ERR_INVALID, "there is no option %.*s; did you mean --%s?", (int)strcspn(word, "="), word, nearest);
	else
		rc = err_set(ERR_INVALID, "there is no option %.*s", (int)strcspn(word, "="), word);
	if (strncmp(word, "--", 2) == 0 && is_ambiguous(t, word + 2, &names))
		rc = err_set(ERR_INVALID, "%s is the beginning of several options: %s", word, buf_str(&names));
	buf_free(&names);
	return rc;
}

/* What getopt refused: CODE is '?' or ':', optopt the letter or number of what it has recognised. */
static int complain(const struct option_table *t, int code, const char *word)
{
	size_t at = optopt ? row_of(t, optopt) : t->count;
	const struct option_row *row = at < t->count ? &t->rows[at] : NULL;

	if (row && code == ':')
		return err_set(ERR_INVALID, "--%s needs a value: %s", row->name, row->argument);
	if (row)
		return err_set(ERR_INVALID, "--%s takes no value", row->name);
	if (optopt)
		return err_set(ERR_INVALID, "there is no option -%c", optopt);
	return unknown(t, word);
}

static int check_rules(const struct option_table *t, const char *given)
{
	for (size_t i = 0; i < t->rules_count; i++) {
		const struct option_rule *r = &t->rules[i];
		int first = given[named(t, r->name)], other = given[named(t, r->other)];

		if (r->kind == OPTION_EXCLUDES && first && other)
			return err_set(ERR_INVALID, "--%s and --%s exclude each other", r->name, r->other);
		if (r->kind == OPTION_NEEDS && first && !other)
			return err_set(ERR_INVALID, "--%s needs --%s too", r->name, r->other);
	}
	return 0;
}

int option_parse(const struct option_table *t, int argc, char **argv, void *out)
{
	struct option *longs = longs_of(t);
	char *letters = letters_of(t), *given = mem_array(t->count + 1, 1);
	int code, rc = 0;

	optind = 0;
	opterr = 0;
	while (rc == 0 && (code = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		size_t at = code == '?' || code == ':' ? t->count : row_of(t, code);

		given[at] = 1;
		rc = at < t->count ? take(t, &t->rows[at], optarg, out) : complain(t, code, argv[optind - 1]);
	}
	if (rc == 0 && optind < argc)
		rc = err_set(ERR_INVALID, "\"%s\" is not an option", argv[optind]);
	if (rc == 0)
		rc = check_rules(t, given);
	free(given);
	free(letters);
	free(longs);
	return rc;
}

static size_t width(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0 || size.ws_col > OPTION_WIDTH)
		return OPTION_WIDTH;
	return size.ws_col < WIDTH_LEAST ? WIDTH_LEAST : size.ws_col;
}

void option_fold(struct buf *out, size_t begin, const char *text)
{
	size_t column = begin, most = width();

	while (*text) {
		size_t len = strcspn(text, " ");

		if (column > begin && column + 1 + len > most) {
			buf_printf(out, "\n%*s", (int)begin, "");
			column = begin;
		}
		buf_printf(out, "%s%.*s", column > begin ? " " : "", (int)len, text);
		column += len + (column > begin);
		text += len;
		text += strspn(text, " ");
	}
	buf_putc(out, '\n');
}

void option_help(const struct option_table *t, struct buf *out)
{
	size_t column = width() < NARROW_WIDTH ? NARROW_COLUMN : HELP_COLUMN;

	buf_printf(out, "Usage: %s [OPTION]...\n", t->program);
	option_fold(out, 0, t->summary);
	buf_putc(out, '\n');
	for (size_t i = 0; i < t->count; i++) {
		const struct option_row *row = &t->rows[i];
		size_t start = out->len;

		if (row->kind == OPTION_GROUP) {
			buf_printf(out, "%s%s:\n", i ? "\n" : "", row->help);
			continue;
		}
		if (row->letter)
			buf_printf(out, "  -%c, --%s", row->letter, row->name);
		else
			buf_printf(out, "      --%s", row->name);
		if (row->argument)
			buf_printf(out, " %s", row->argument);
		buf_putc(out, ' ');
		if (out->len - start > column) {
			buf_putc(out, '\n');
			start = out->len;
		}
		while (out->len - start < column)
			buf_putc(out, ' ');
		option_fold(out, column, row->help);
	}
}
