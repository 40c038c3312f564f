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

/* What texts of a column are in the reader's language. */
enum column_said {
	COLUMN_AS_IT_IS,
	COLUMN_WORD,                     /* a word of ours */
	COLUMN_EVENT,                    /* the name of an event of the log */
	COLUMN_REASON,                   /* why something happened (notice/entry.h) */
	COLUMN_POLICY,                   /* what a policy is called */
	COLUMN_COMMENT                   /* what a person wrote, or what stands in its place */
};

struct column {
	const char *label;
	enum column_kind kind;
	int width;                       /* beside the other columns' */
	enum column_said said;           /* of texts */
};

#endif
