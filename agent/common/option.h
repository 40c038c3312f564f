/* option.h - command line options as a table: parsing, its complaints, help, manual pages and completion read the same
 * rows. Used by both programs. */
#ifndef AGENT_COMMON_OPTION_H
#define AGENT_COMMON_OPTION_H

#include <stddef.h>

#include "base/buf.h"
#include "base/secret.h"

enum option_kind {
	OPTION_GROUP,        /* no option: a heading for those that follow, in help */
	OPTION_FLAG,         /* int, set to 1 */
	OPTION_TEXT,         /* const char *, into argv */
	OPTION_NUMBER,       /* long, least..most */
	OPTION_SECRET        /* struct secret *, with a zero byte at its end; argv is overwritten, so that ps shows it no longer */
};

struct option_row {
	char letter;                 /* 0: long form only */
	const char *name;
	enum option_kind kind;
	size_t offset;               /* in the struct that option_parse fills */
	const char *argument;        /* its name in the help; NULL for flags */
	const char *help;
	long least, most;
	const char *values;          /* what completion proposes: OPTION_FILES, OPTION_FOLDERS, or words; NULL: nothing */
};

#define OPTION_FILES "*"
#define OPTION_FOLDERS "/"

/* Two options that cannot be given together, or the second of which the first needs. */
struct option_rule {
	enum { OPTION_EXCLUDES, OPTION_NEEDS } kind;
	const char *name, *other;
};

struct option_table {
	const char *program, *summary;
	const struct option_row *rows;
	size_t count;
	const struct option_rule *rules;
	size_t rules_count;
};

/* Fills OUT, which holds the defaults. ERR_INVALID says which word is wrong and what was probably meant; words that are no
 * options are refused too. Secrets in OUT are the caller's, also after a failure. */
int option_parse(const struct option_table *table, int argc, char **argv, void *out);
/* How it is called, what it is for, and one line or more per row, aligned; as wide as standard output's terminal is, but no wider than
 * OPTION_WIDTH. */
void option_help(const struct option_table *table, struct buf *out);
/* TEXT and a line end, broken between words, from COLUMN on, where the present line stands already. */
void option_fold(struct buf *out, size_t column, const char *text);
/* The name of TABLE's row that WORD was probably meant to be, or NULL. */
const char *option_nearest(const struct option_table *table, const char *word);

#define OPTION_WIDTH 100

#endif
