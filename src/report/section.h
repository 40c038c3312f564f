/* section.h - one criterion of a report, from the store into the writers of all formats. */
#ifndef REPORT_SECTION_H
#define REPORT_SECTION_H

#include "report/report.h"
#include "store/report_data.h"

struct report_part {
	const struct report_format *format;
	struct report_writer *writer;
};

struct report_source {
	struct db *db;                   /* in a transaction of the tenant's, or bound to none */
	enum store_side side;            /* whose the criterion is */
	const struct report_criterion *criterion;
	const struct report_period *period;
	int64_t most;                    /* no more is read once there are so many rows; 0: all */
	const struct words *words;       /* the reader's language; NULL: English */
};

/* Adds to *ROWS. */
int report_section_write(const struct report_source *s, const struct report_part *parts, size_t count, int64_t *rows);

#endif
