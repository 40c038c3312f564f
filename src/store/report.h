/* report.h - templates of reports, what is made of them and when, and the archive with its files (RPT-1, RPT-4): an account's, or, bound to
 * none, the installation's (RPT-5). */
#ifndef STORE_REPORT_H
#define STORE_REPORT_H

#include <jansson.h>

#include "store/db.h"
#include "store/list.h"

#define REPORT_JOB "report"              /* payload {"report": id} */
#define REPORT_NAME_MAX 255
#define REPORT_BETWEEN ";, \t\r\n"        /* stand between addresses of recipients */
#define REPORT_PIECE (256 * 1024)        /* bytes */
#define REPORT_BYTES_MAX (INT64_C(200) << 20)    /* of one file */
#define REPORT_WAITING_MAX 20            /* of one tenant at a time */

/* Strings are borrowed; criteria, formats: JSON arrays of names. */
struct report_template {
	const char *name;
	const json_t *criteria, *formats;
	int has_keys;
	const char *period;              /* as sql/0037 names them; "range" with the next two */
	const char *since, *until;       /* days, "2026-11-21", by the tenant's clock, both included; NULL without a range */
	const char *schedule;            /* "once", "daily", "weekly", "monthly" */
	int64_t weekday, monthday;       /* 1 Monday to 7; 1 to 31 */
	const char *at;                  /* "06:00" by the tenant's clock */
	int64_t keep_days;
	int mail;
	const char *recipients;
};

/* ID NULL in *OUT's place: a new one. The actor becomes its owner; a stopped one runs again. ERR_CONFLICT: the name is taken. */
int report_template_save(struct db *db, const struct uuid *id, const struct report_template *t, struct uuid *out);
/* All of it, with due, due_local, stopped, owner_name. */
int report_template_get(struct db *db, const struct uuid *id, json_t **out);
int report_template_delete(struct db *db, const struct uuid *id);
/* Sorts name (default), schedule, due, changed; filters "schedule", "criteria" ("{a,b}": none that has others). */
int report_template_list(struct db *db, const struct list_query *query, json_t **page);
/* A report of a template, for jobd to make, in the actor's name; SCHEDULED: in its owner's. ERR_TOO_MANY; ERR_INVALID: no room, the reason is for people. */
int report_make(struct db *db, const struct uuid *template, int scheduled, struct uuid *out);
/* What the period of T is now. */
int report_period_now(struct db *db, const struct report_template *t, clock_us *since, clock_us *until);

/* Archive. Sorts created (default), name, bytes; filters "state", "template", "criteria" as above. */
int report_list(struct db *db, const struct list_query *query, json_t **page);
int report_get(struct db *db, const struct uuid *id, json_t **out);
int report_delete(struct db *db, const struct uuid *id);
/* Appends to FILE. ERR_NOT_FOUND: no such file (any more); ERR_TRUNCATED: not all that was made of the report is there. */
int report_read(struct db *db, const struct uuid *id, const char *format, struct buf *file);

/* jobd */

/* [{id}] of tenants with a template that is due; makes the reports that are; how many. */
int report_tenants(struct db *db, json_t **out);
int report_make_due(struct db *db, clock_us now);
int report_clean(struct db *db, clock_us now);
/* {id, name, criteria, formats, since, until, zone, has_keys, owner, owner_name, mail, recipients, tenant_name, user_role, user_state,
 * template, scheduled}; ERR_CONFLICT: it is done already; ERR_NOT_FOUND. */
int report_take(struct db *db, const struct uuid *id, json_t **out);
int report_progress(struct db *db, const struct uuid *id, int64_t step, int64_t steps);
int report_add_piece(struct db *db, const struct uuid *id, const char *format, int64_t n, const void *data, size_t len);
/* With its pieces, in one transaction. */
int report_done(struct db *db, const struct uuid *id, const char *name, int64_t rows, int64_t bytes);
/* STOP: its template is made no more by itself, and says why. */
int report_failed(struct db *db, const struct uuid *id, const char *name, const char *why, int stop);

#endif
