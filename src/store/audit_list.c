/* audit_list.c - the log as pages and files have it. Where its rows are: on their way to the log database in the main one, then there. A text is found by
 * the months' indexes of texts (sql/0080). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "store/audit.h"
#include "store/audit_part.h"

static const struct list_column sorts[] = {
	{ "seq", "e.at", "timestamptz", 1 },      /* the same order, in which months need not be merged */
	{ "number", "e.seq", "bigint", 1 },      /* as the index of objects has them */
	{ NULL },
};
static const char *const searches[] = {
	"e.event", "coalesce(e.actor_name, '')", "coalesce(e.object_name, '')", "coalesce(e.address, '')",
	"coalesce(e.detail::text, '')", NULL,
};
static const struct list_filter filters[] = {
	{ "from", "e.at >= $::timestamptz" },
	{ "to", "e.at < $::timestamptz" },
	{ "type", "e.category = $" },
	{ "category", "e.category = any (string_to_array($, ','))" },   /* one or several, with commas */
	{ "event", "e.event = $" },
	{ "object", "e.object_id = $::uuid" },
	{ NULL },
};
static const char newer[] = "e.seq > $::bigint", older[] = "e.seq <= $::bigint";

static const char *filter_of(const struct list_query *q, const char *name)
{
	for (size_t i = 0; i < LIST_FILTERS_MAX; i++)
		if (q->filters[i].name && strcmp(q->filters[i].name, name) == 0 && q->filters[i].value && *q->filters[i].value)
			return q->filters[i].value;
	return NULL;
}

/* By the months' indexes of texts. An object's entries are few, and have an index of their own; a text of two lines would be found across fields. */
static int find(struct db *db, const struct list_wish *w, char **found)
{
	const struct list_query *q = w->query;
	const char *type = filter_of(q, "type"), *only = w->place->only, *value = w->place->value;
	struct db_result *r;
	char *pattern;
	int rc;

	if (filter_of(q, "object") || filter_of(q, "event") || strchr(q->search, '\n'))
		return 0;
	pattern = list_pattern(q->search);
	rc = db_query_row(db, &r, "select array(select audit_found($1, string_to_array($2, ','), $3::text::timestamptz, $4::text::timestamptz, $5::text::bigint,"
		" $6::text::bigint, $7, $8, $9, $10::text::bigint, $11::int))::text", DB_ARGS(db_text_arg(pattern), db_text_arg(type ? type : filter_of(q, "category")),
		db_text_arg(filter_of(q, "from")), db_text_arg(filter_of(q, "to")), db_text_arg(only == newer ? value : NULL), db_text_arg(only == older ? value : NULL),
		db_text_arg(strcmp(w->sort->name, "number") == 0 ? "number" : "at"), db_bool_arg(w->descending), db_text_arg(w->value), db_text_arg(w->id),
		db_int_arg(w->want)));
	free(pattern);
	if (rc < 0)
		return rc;
	*found = mem_strdup(db_text(r, 0, 0));
	db_result_free(r);
	return 0;
}

static const struct list_spec spec = {
	.columns = "e.seq, e.at, e.category, e.event, e.actor_kind, e.actor_name, e.object_kind, e.object_id, e.object_name,"
		" e.detail, e.address",
	.from = "audit_entry e", .id = "e.seq", .id_type = "bigint", .sorts = sorts, .searches = searches, .filters = filters, .find = find,
};

/* COPIED: number of the last entry that LOG, the log database, has. */
static int list_at(struct db *db, struct db *log, const struct list_query *query, json_t **page, int64_t copied)
{
	char last[24];
	const struct list_place places[] = { { db, log ? newer : NULL, last }, { log, older, last } };

	snprintf(last, sizeof last, "%lld", (long long)copied);
	return list_page_in(places, log ? 2 : 1, &spec, query, page);
}

/* A log database that is away takes away what only it has, and nothing else. */
static int list_anywhere(struct db *db, const struct list_query *query, json_t **page)
{
	struct db *log = NULL;
	int64_t copied = 0;
	int rc = audit_copied(db, &copied), away = 0;

	if (rc == 0 && copied) {
		rc = db_log(db, &log);
		if (rc == 0)
			rc = list_at(db, log, query, page, copied);
		away = rc < 0 && rc != ERR_INVALID;
	}
	if (away || (rc == 0 && copied == 0))
		rc = list_at(db, NULL, query, page, 0);
	if (rc == 0)
		json_set_bool(*page, "partial", away);
	return rc;
}

int audit_list(struct db *db, const struct list_query *query, json_t **page)
{
	json_t *row;
	size_t i;
	int rc = list_anywhere(db, query, page);

	if (rc < 0)
		return rc;
	json_array_foreach(json_object_get(*page, "rows"), i, row)
		json_set_string(row, "label", audit_label(json_string_value(json_object_get(row, "event"))));
	return 0;
}
