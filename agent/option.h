/* option.h - command line options as a table: parsing and help read the same rows. Used by both programs. */
#ifndef AGENT_OPTION_H
#define AGENT_OPTION_H

#include <stddef.h>

#include "base/buf.h"

enum option_kind {
	OPTION_FLAG,         /* int, set to 1 */
	OPTION_TEXT,         /* const char *, into argv */
	OPTION_NUMBER        /* long, least..most */
};

struct option_row {
	char letter;                 /* 0: long form only */
	const char *name;
	enum option_kind kind;
	size_t offset;               /* in the struct that option_parse fills */
	const char *argument;        /* its name in the help; NULL for flags */
	const char *help;
	long least, most;
};

/* Fills OUT, which holds the defaults. ERR_INVALID says which word is wrong; words that are no options are refused too. */
int option_parse(const struct option_row *rows, size_t count, int argc, char **argv, void *out);
/* One line per row, aligned. */
void option_help(const struct option_row *rows, size_t count, struct buf *out);

#endif
