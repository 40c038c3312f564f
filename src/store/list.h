/* list.h - the one mechanism behind every list: sort by a column of a table of columns, search, filter, pages by key.
 *
 * Pages are found by the last row's key, never by counting rows: a page costs the same wherever it is (PERF-2). A list's
 * SQL is built from the constants of its struct list_spec; what a user typed is only ever an argument. */
#ifndef STORE_LIST_H
#define STORE_LIST_H

#include <jansson.h>

#include "store/db.h"

#define LIST_LIMIT_DEFAULT 25
#define LIST_LIMIT_MAX 200
#define LIST_SEARCH_MAX 200      /* bytes */
#define LIST_FILTERS_MAX 8

/* Counts shown beside lists and in menus end at LIST_COUNT_MAX, so that a page costs the same however much there is (PERF-2): one more
 * than that means "more". LIST_COUNT is SQL that counts what comes FROM ... WHERE; there must be an index on just that. */
#define LIST_COUNT_MAX 1000
#define LIST_COUNT(what) "(select count(*) from (select 1 from " what " limit 1001) as counted)"

/* EXPRESSION is SQL that is never null; TYPE its SQL type ("text", "bigint", "timestamptz"). */
/* Names as people sort them: ä beside a, and upper beside lower case, whatever the database's own order is. An index that is to give this order has
 * to name the collation, too. */
#define LIST_NAME(expression) expression " collate \"und-x-icu\""

struct list_column {
	const char *name, *expression, *type;
	int descending;              /* unless the user says otherwise */
};

/* SQL in which $ stands for the argument: "d.status = $", "e.at >= $::timestamptz". The first row that fits counts. */
struct list_filter {
	const char *name, *condition;
	const char *value;           /* for this argument alone; NULL: any */
};

/* How rows of the list are found by the names that sql/0014_search.sql knows: SQL that gives ids of them, and may give too many, for
 * $, ids of what KIND names ("device"). Everything in `searches` must be among those names. */
struct list_way {
	const char *kind, *ids;
};

struct list_wish;

/* All arrays end with a row whose first member is NULL. */
struct list_spec {
	const char *columns;         /* of the SELECT; members of a row's object */
	const char *from;            /* after FROM, with joins */
	const char *where;           /* that always holds; NULL: none */
	const char *id;              /* makes the order total; a uuid unless id_type says otherwise */
	const char *id_type;         /* NULL: "uuid" */
	const struct list_column *sorts;     /* the first is the default */
	const char *const *searches;         /* text expressions in which to search */
	const struct list_filter *filters;
	const struct list_way *ways;         /* NULL: a search reads rows until it has found a page of them; only for uuid ids */
	/* In place of ways: *FOUND, the caller's, becomes an array of ids as text, among which are those that are wished for; where it stays NULL, rows are read. */
	int (*find)(struct db *db, const struct list_wish *w, char **found);
};

/* What the user asks for; zeroed means the first page as it comes. Strings are borrowed. */
struct list_query {
	const char *search;          /* NULL or "": none; part of a word is found, case does not matter */
	const char *sort;            /* name of a column; NULL: the default */
	int order;                   /* 0: the column's own, 1: ascending, -1: descending */
	int limit;                   /* 0: LIST_LIMIT_DEFAULT */
	int count;                   /* 0: nobody asks how many there are on all pages; else of so many at most (list_page) */
	const char *cursor;          /* "next" or "previous" of a page before; NULL: the first page */
	struct {
		const char *name, *value;    /* NULL or "" value: not filtered */
	} filters[LIST_FILTERS_MAX];
};

/* *PAGE, the caller's: {"rows": [...], "next": cursor or null, "previous": cursor or null, "sort": name, "descending": bool,
 * "search": text, and where it was asked for "found": number, "found_more": bool}. ERR_INVALID for an unknown sort or filter, a search that is too long, or a cursor of another list. */
int list_page(struct db *db, const struct list_spec *spec, const struct list_query *query, json_t **page);
/* The same where the rows are in several places, each of which has those before the next one's, as every sort of SPEC has them descending. ONLY: which
 * of the rows there count, as a filter (NULL: all), for VALUE. */
#define LIST_PLACES_MAX 2
struct list_place {
	struct db *db;
	const char *only, *value;
};
/* The first WANT rows of PLACE by the column SORT that QUERY's search and filters leave, behind the one with VALUE and ID (NULL: from the start). */
struct list_wish {
	const struct list_query *query;
	const struct list_place *place;
	const struct list_column *sort;
	int descending, want;
	const char *value, *id;
};
int list_page_in(const struct list_place *places, size_t count, const struct list_spec *spec, const struct list_query *query, json_t **page);
/* TEXT as an argument of ILIKE that finds it anywhere: "50%" finds just that, wild cards are escaped. The caller frees. */
char *list_pattern(const char *text);

/* Runs a statement over all that QUERY's filters and search leave of the list: BEFORE "select COLUMNS from ... where ..." AFTER; constants
 * all, in which $1 to $COUNT stand for ARGS, as in the spec's own texts. The number of rows that were changed. */
int list_run(struct db *db, const struct list_spec *spec, const struct list_query *query, const char *before, const char *columns,
	const char *after, const struct db_arg *args, size_t count);

#endif
