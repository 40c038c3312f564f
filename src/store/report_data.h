/* report_data.h - what reports can be about (RPT-2, RPT-5): one row per criterion, with the statements that give its rows and its chart. */
#ifndef STORE_REPORT_DATA_H
#define STORE_REPORT_DATA_H

#include "base/column.h"
#include "store/db.h"
#include "store/user.h"
#include "store/zone.h"

#define REPORT_SERIES_MAX 4
#define REPORT_KEYS "reports.keys"       /* the permission for key information */

struct report_criterion {
	const char *name, *group, *label, *text;
	const char *needs;               /* the permission (identity/permission.h) without which nobody has it; NULL: that for reports is enough */
	int now;                         /* shows what is there now, whatever the period */
	const struct column *columns;    /* ends with a NULL label; as many as ROWS gives */
	const char *rows;                /* $1 from, $2 until */
	const char *chart;               /* a name and a number per series; $1, $2, $3 time zone, $4 "hour", "day" or "month"; NULL: none */
	int lying;                       /* the chart is not along the time */
	const char *series[REPORT_SERIES_MAX + 1];       /* ends with NULL; none: one number */
	int colours[REPORT_SERIES_MAX];
	enum column_said names_said;     /* of the chart's names */
};

/* Of a side; ends with a NULL name. */
const struct report_criterion *report_criteria(enum store_side side);
const struct report_criterion *report_criterion_find(enum store_side side, const char *name);
int report_criterion_is_keys(const struct report_criterion *k);  /* key information (RPT-2) */
size_t report_criterion_columns(const struct report_criterion *k);

struct report_period {
	clock_us since, until;
	const struct zone *zone;
};

/* Around all that is read of a criterion: the operator's are read as a role that can see nothing of a tenant's (sql/0055). */
int report_data_begin(struct db *db, enum store_side side);
int report_data_end(struct db *db, enum store_side side);
/* In the open transaction, bound to the tenant or none; one at a time. */
int report_rows_begin(struct db *db, const struct report_criterion *k, const struct report_period *p);
/* The next rows, up to 500; *OUT is the caller's, without rows when all were given. Columns as the criterion's: text, bigint,
 * timestamptz, and microseconds for a duration. */
int report_rows_next(struct db *db, const struct report_criterion *k, struct db_result **out);
int report_rows_end(struct db *db, const struct report_criterion *k);
/* Rows of (name, number, ...). */
int report_chart_rows(struct db *db, const struct report_criterion *k, const struct report_period *p, struct db_result **out);

#endif
