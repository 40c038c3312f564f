/* list.h - every list of the consoles in one way: parameters in, the store's query; the store's page, the document's `list`.
 *
 *     static const struct list_view users = { .filters = user_filters, .chip = "state", .chips = states, .sorts = user_sorts, .columns = user_columns,
 *         .file = "users.csv" };
 *     static int fetch(struct call *c, const struct list_query *q, json_t **page) { return user_list(c->db, STORE_TENANT, q, page); }
 *
 *     return list_answer(c, &users, fetch, user_row);
 *
 * and the route's params begin with LIST_PARAMS_CSV, then one per filter. Members of `list`: url, search, keep, filters, sort, rows,
 * has_rows, empty (nothing there at all), no_match, shown, previous, next, export; as templates/part/list wants. */
#ifndef WEB_LIST_H
#define WEB_LIST_H

#include "store/list.h"
#include "web/call.h"

#define LIST_PARAMS \
	{ "search", "Search", PARAM_TEXT, 0, 0, LIST_SEARCH_MAX, NULL }, \
	{ "sort", "Sort", PARAM_TEXT, 0, 0, 64, NULL }, \
	{ "page", "Page", PARAM_TEXT, 0, 0, 1000, NULL }, \
	{ "limit", "Entries per page", PARAM_INT, 0, 1, LIST_LIMIT_MAX, NULL }

/* And as CSV, where the list is answered by list_answer. */
#define LIST_PARAM_CSV { "as", "Form", PARAM_ENUM, 0, 0, 0, list_forms }
#define LIST_PARAMS_CSV LIST_PARAMS, LIST_PARAM_CSV
extern const char *const list_forms[];

struct list_csv {
	const char *title;               /* of the column; NULL ends the table */
	const char *member;              /* of the row that ROW made: text, number or boolean, a time (its iso), or an object's name */
};

/* A choice of the filter that is shown as a row of buttons. */
struct list_chip {
	const char *value, *title;       /* English */
};

/* Arrays end with NULL, or a chip whose value is NULL. */
struct list_view {
	const char *url;                 /* of the list; NULL: the request's own path */
	const char *of;                  /* the store's filter that is the id in the path: a list of what belongs to something; NULL: none */
	const char *const *filters;      /* parameters that are the store's filters, by the same names; NULL: none */
	const char *chip;                /* the one of them that chips are for; NULL: none */
	const struct list_chip *chips;
	const char *const *sorts;        /* columns with a link in their heading */
	const char *export;              /* path of the list as CSV, where it has one of its own; NULL: none */
	const struct list_csv *columns;  /* of what list_answer gives as CSV, and the file's name; NULL: it does not */
	const char *file;
};

/* A row of the store as the page shows it: a new object; the members of ROW may be put into it. */
typedef json_t *list_row(struct call *c, json_t *row);

/* The page of a list of the store; *PAGE as list_page makes it. */
typedef int list_fetch(struct call *c, const struct list_query *q, json_t **page);
/* All of it: the member `list`, or a download where the request asks for CSV. */
int list_answer(struct call *c, const struct list_view *view, list_fetch *fetch, list_row *row);

/* For a fetch whose rows are all at hand, as they are shown: *PAGE of ALL (borrowed), as the store makes it. Searched in all texts; SORTS of the view are names of
 * members, the first the default. ERR_INVALID. */
#define LIST_ROWS_MAX 100000
int list_rows(const struct list_view *view, const json_t *all, const struct list_query *q, json_t **page);

/* *Q borrows from the call. */
void list_read(const struct call *c, const struct list_view *view, struct list_query *q);
/* Only those where the store's filter NAME is VALUE, which is borrowed. */
void list_only(struct list_query *q, const char *name, const char *value);
/* [{ name, value }] of search and filters as they are given, for hidden fields of a form about "all that match"; the caller's. */
json_t *list_fields(const struct call *c, const struct list_view *view);
/* Rows of a list are ticked, or all of it is chosen: the parameter and the field `scope`. ALL says, in English, what all of it is. */
extern const char *const list_scopes[];
#define LIST_COUNTED 1000        /* of more it is said that there are more */
void list_offer_scope(struct call *c, const char *all);
int list_is_all(const struct call *c);
/* The ids that are ticked, of the parameter NAME, as texts; the caller's. */
json_t *list_ticked(const struct call *c, const char *name);
/* Takes PAGE over and sets the member `list`. Returns 0. ROW NULL: rows as the store has them. */
int list_show(struct call *c, const struct list_view *view, json_t *page, list_row *row);
/* Numbers beside the chips, after list_show: COUNTS is { value: number }, "" for all; borrowed. */
void list_counts(struct call *c, const struct list_view *view, const json_t *counts);

/* The whole list as CSV (RFC 4180), in parts of some LIST_PART bytes: FETCH is called for page after page. Cells that a spreadsheet
 * would take for a formula get an apostrophe in front. */
#define LIST_PART 262144
int list_export(struct call *c, const struct list_view *view, list_fetch *fetch, list_row *row,
	const struct list_csv *columns, const char *filename);

#endif
