/* column.h - columns of tables that go into files: what a cell is, so that each format can show it in its own way. */
#ifndef BASE_COLUMN_H
#define BASE_COLUMN_H

enum column_kind {
	COLUMN_TEXT,
	COLUMN_NUMBER,
	COLUMN_TIME,                     /* microseconds by the clock of the reader's time zone */
	COLUMN_DURATION,                 /* microseconds */
	COLUMN_BYTES
};

struct column {
	const char *label;
	enum column_kind kind;
	int width;                       /* beside the other columns' */
};

#endif
