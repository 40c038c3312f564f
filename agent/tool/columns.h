/* columns.h - a table of texts for people: every column is as wide as the longest of its cells, so that nothing that is long moves what
 * stands beside it. */
#ifndef AGENT_TOOL_COLUMNS_H
#define AGENT_TOOL_COLUMNS_H

#define COLUMNS_MAX 8

struct columns {
	int count;                       /* of columns */
	unsigned right;                  /* bit N: column N is aligned at its right */
	char **cells;                    /* row after row */
	int rows;
	int widths[COLUMNS_MAX];
};

/* A row's cells are copied. */
void columns_add(struct columns *c, const char *const cells[]);
/* Of the longest line, in characters. */
int columns_width(const struct columns *c);
/* On standard output, a line for each row. */
void columns_print(const struct columns *c);
void columns_free(struct columns *c);

#endif
