/* diagram.h - charts of pages: rows of the store in, the document's member out, drawn by the server (render/chart.h). */
#ifndef WEB_DIAGRAM_H
#define WEB_DIAGRAM_H

#include "web/call.h"

/* One part of every column; an array ends with a NULL member. */
struct diagram_part {
	const char *member;              /* of the rows: a number */
	const char *label;               /* English */
	int colour;                      /* 1 to 4, of the style sheet */
};

/* One column per row of DAYS (borrowed), each { day: "2026-11-21", a number per part }, the oldest first; at least one row. Gives
 * { svg, summary, period, legend } for part/chart and part/legend, the caller's. TITLE is English, and begins the summary. */
json_t *diagram_days(const struct call *c, const char *title, const json_t *days, const struct diagram_part *parts);
/* The same of hours, whose rows have { hour: RFC 3339 }: for the operator, who reads UTC. */
json_t *diagram_hours(const struct call *c, const char *title, const json_t *hours, const struct diagram_part *parts);
/* A bar per row { name }, shown as it is, from the left: { rows, summary, period, legend } for part/bars. */
json_t *diagram_rows(const struct call *c, const char *title, const json_t *rows, const struct diagram_part *parts);
/* One bar that is divided: the numbers of ROW (borrowed) by their parts, with each number in the legend; for part/shares. */
json_t *diagram_shares(const struct call *c, const char *title, const json_t *row, const struct diagram_part *parts);

#endif
