/* fact_change.c - what changes from one report to the next (INT-6), and what only passes by. */
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "store/facts.h"

#include <string.h>

/* What differs between two looks at an unchanged machine: the fact as a whole, or no more than the details of its members. */
static const struct {
	const char *name;
	int details_only;
} passing[] = {
	{ "gathered_at", 0 }, { "os.uptime_s", 0 }, { "os.booted_at", 0 }, { "os.updates_checked_at", 0 }, { "processes", 1 },
};

/* 0, or 1: its details, or 2: all of it. */
static int passes(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(passing); i++)
		if (strcmp(passing[i].name, name) == 0)
			return passing[i].details_only ? 1 : 2;
	return 0;
}

static const json_t *agent_values(const json_t *doc)
{
	return json_object_get(json_object_get(doc, "agent"), "values");
}

static int covers(const json_t *a, const json_t *b)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)a, name, value)
		if (passes(name) == 0 && !json_equal(value, json_object_get(b, name)))
			return 0;
	return 1;
}

int facts_agent_unchanged(const json_t *a, const json_t *b)
{
	return covers(a, b) && covers(b, a);
}

int facts_unchanged(const json_t *a, const json_t *b)
{
	return facts_agent_unchanged(agent_values(a), agent_values(b));
}

/* The differences of two reports, as rows for the table. */

struct differ {
	json_t *rows;
	const char *fact;
	int details;                 /* of members: they count */
	size_t added, removed, changed;      /* members of this fact */
};

/* A guest says what it likes, as long as it likes: that it has changed is kept. */
static const json_t *in_bounds(const json_t *value)
{
	return value && json_dumpb(value, NULL, 0, JSON_ENCODE_ANY) <= FACT_CHANGE_VALUE_MAX ? value : NULL;
}

static void add(struct differ *d, const char *subject, const char *kind, const json_t *old, const json_t *new)
{
	struct uuid id = uuid_new();
	json_t *row;

	if (strlen(d->fact) + strlen(subject) > FACT_CHANGE_VALUE_MAX)
		return;
	row = json_pack("{s:s,s:s,s:s,s:O?,s:O?}", "fact", d->fact, "subject", subject, "kind", kind, "old", in_bounds(old), "new",
		in_bounds(new));

	json_set_uuid(row, "id", &id);
	json_array_append_new(d->rows, row);
}

/* Those of A that B has not, or, with CHANGED, has otherwise. */
static void add_members(struct differ *d, const json_t *a, const json_t *b, int is_old)
{
	const char *member;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)a, member, value) {
		const json_t *other = json_object_get(b, member);

		if (other == NULL && is_old) {
			d->removed++;
			add(d, member, "removed", value, NULL);
		} else if (other == NULL) {
			d->added++;
			add(d, member, "added", NULL, value);
		} else if (is_old && d->details && !json_equal(value, other)) {
			d->changed++;
			add(d, member, "changed", value, other);
		}
	}
}

/* A new release of the system changes thousands of packages: then the number tells more. */
static void compare_sets(struct differ *d, const json_t *old, const json_t *new)
{
	size_t before = json_array_size(d->rows);
	json_t *numbers;

	d->added = d->removed = d->changed = 0;
	add_members(d, old, new, 1);
	add_members(d, new, old, 0);
	if (d->added + d->removed + d->changed <= FACT_CHANGES_MAX)
		return;
	while (json_array_size(d->rows) > before)
		json_array_remove(d->rows, json_array_size(d->rows) - 1);
	numbers = json_pack("{s:I,s:I,s:I}", "added", (json_int_t)d->added, "removed", (json_int_t)d->removed, "changed",
		(json_int_t)d->changed);
	add(d, "", "many", NULL, numbers);
	json_decref(numbers);
}

/* A set that comes or goes as a whole was not looked at before, or is not now: that says nothing about its members. */
static void compare(struct differ *d, const json_t *old, const json_t *new)
{
	if (json_is_object(old) && json_is_object(new))
		compare_sets(d, old, new);
	else if (new == NULL)
		add(d, "", "removed", json_is_object(old) ? NULL : old, NULL);
	else if (old == NULL)
		add(d, "", "added", NULL, json_is_object(new) ? NULL : new);
	else if (!json_equal(old, new))
		add(d, "", "changed", old, new);
}

static json_t *differences(const json_t *old, const json_t *new)
{
	struct differ d = { .rows = json_array() };
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)old, name, value) {
		d.fact = name;
		d.details = passes(name) == 0;
		if (passes(name) != 2)
			compare(&d, value, json_object_get(new, name));
	}
	json_object_foreach((json_t *)(uintptr_t)new, name, value) {
		d.fact = name;
		if (passes(name) != 2 && json_object_get(old, name) == NULL)
			compare(&d, NULL, value);
	}
	return d.rows;
}

static int keep_changes(struct db *db, const struct uuid *instance, const json_t *old, const json_t *new, clock_us now)
{
	json_t *rows = differences(old, new);
	int rc = 0;

	if (json_array_size(rows))
		rc = db_queue(db, "insert into fact_change (tenant, id, instance, at, fact, subject, kind, old, new) select current_tenant(), c.id,"
			" $1, $2, c.fact, c.subject, c.kind, c.old, c.new from json_to_recordset($3) as c(id uuid, fact text, subject text,"
			" kind text, old jsonb, new jsonb) limit greatest(0, $4 - (select count(*) from (select 1 from fact_change f where"
			" f.instance = $1 and f.at > $2::timestamptz - interval '1 day' limit $4) n))", DB_ARGS(db_uuid_arg(instance),
			db_time_arg(now), db_json_arg(rows), db_int_arg(FACT_CHANGES_DAY)));
	json_decref(rows);
	return rc;
}

/* The facts of the last report; json null before the first. The row stays locked: reports are compared one after another. */
static int last_values(struct db *db, const struct uuid *instance, json_t **out)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select facts -> 'agent' -> 'values' from instance where id = $1 for no key update",
		DB_ARGS(db_uuid_arg(instance)));

	if (rc < 0)
		return rc;
	*out = db_json(r, 0, 0);
	db_result_free(r);
	return 0;
}

int facts_report(struct db *db, const struct uuid *instance, const json_t *agent, const char *address, clock_us now)
{
	struct facts_question q = { .instance = instance, .agent = agent, .address = address, .at = now };
	json_t *doc = NULL, *old = NULL;
	int rc = last_values(db, instance, &old);

	if (rc == 0)
		rc = facts_document(db, &q, &doc);
	if (rc == 0 && json_is_object(old))
		rc = keep_changes(db, instance, old, agent_values(doc), now);
	if (rc == 0)
		rc = db_run_one(db, "update instance set facts = $2, facts_at = $3, last_seen = greatest(last_seen, $3) where id = $1",
			DB_ARGS(db_uuid_arg(instance), db_json_arg(doc), db_time_arg(now)));
	json_decref(doc);
	json_decref(old);
	return rc;
}

static const struct list_column sorts[] = {
	{ "at", "c.at", "timestamptz", 1 },
	{ NULL },
};
static const char *const searches[] = { "c.subject", "c.fact", "coalesce(c.old ->> 0, '')", "coalesce(c.new ->> 0, '')", NULL };
static const struct list_filter filters[] = {
	{ "instance", "c.instance = $::uuid" },
	{ "fact", "c.fact = $" },
	{ NULL },
};
static const struct list_spec spec = {
	.columns = "c.id, c.at, c.fact, c.subject, c.kind, c.old, c.new", .from = "fact_change c",
	/* Those of one report stand together by fact. */
	.id = "(c.fact || ' ' || c.subject || ' ' || c.id)", .id_type = "text", .sorts = sorts, .searches = searches, .filters = filters,
};

int fact_change_list(struct db *db, const struct list_query *query, json_t **page)
{
	return list_page(db, &spec, query, page);
}

/* Hops from name to name along the index, whatever the number of changes. */
int fact_change_facts(struct db *db, const struct uuid *instance, json_t **out)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "with recursive f(fact) as ((select fact from fact_change where instance = $1 order by fact limit 1)"
		" union all select (select c.fact from fact_change c where c.instance = $1 and c.fact > f.fact order by c.fact limit 1) from f"
		" where f.fact is not null) select coalesce(json_agg(fact) filter (where fact is not null), '[]') from f",
		DB_ARGS(db_uuid_arg(instance)));

	if (rc < 0)
		return rc;
	*out = db_json(r, 0, 0);
	db_result_free(r);
	return 0;
}

#define DIGITS_OF(n) #n
#define DIGITS(n) DIGITS_OF(n)

int facts_seen(struct db *db, const json_t *facts, json_t **out)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "with reported as (select facts -> 'agent' -> 'values' as all_of from instance where facts is not null"
		" order by last_seen desc, id desc limit " DIGITS(FACTS_SEEN_INSTANCES) "), each as (select f.name, all_of ->> f.name as value from reported,"
		" json_array_elements_text($1) f(name)), counted as (select name, value, count(*) as n, row_number() over (partition by name"
		" order by count(*) desc, value) as place from each where length(value) between 1 and 60 group by name, value)"
		" select coalesce(json_object_agg(name, shown), '{}') from (select name, json_agg(json_build_object('value', value, 'count', n)"
		" order by place) as shown from counted where place <= " DIGITS(FACTS_SEEN_MAX) " group by name) s", DB_ARGS(db_json_arg(facts)));

	if (rc < 0)
		return rc;
	*out = db_json(r, 0, 0);
	db_result_free(r);
	return 0;
}

int fact_change_clean(struct db *db, clock_us before)
{
	int rc = db_run(db, "delete from fact_change where id in (select id from fact_change where at < $1 order by at limit 10000)",
		DB_ARGS(db_time_arg(before)));

	return rc < 0 ? rc : 0;
}

static const struct list_column member_sorts[] = {
	{ "name", "m.key", "text", 0 },
	{ "fact", "f.key", "text", 0 },
	{ NULL },
};
static const char *const member_searches[] = { "m.key", "m.value::text", NULL };
static const struct list_filter member_filters[] = {
	{ "instance", "i.id = $::uuid" },
	{ "fact", "f.key = $" },
	{ NULL },
};
static const struct list_spec member_spec = {
	.columns = "f.key as fact, m.key as name, m.value as detail",
	.from = "instance i cross join lateral jsonb_each(i.facts #> '{agent,values}') f cross join lateral jsonb_each(case"
		" when jsonb_typeof(f.value) = 'object' then f.value else '{}' end) m",
	.id = "(m.key || ' ' || f.key)", .id_type = "text", .sorts = member_sorts, .searches = member_searches, .filters = member_filters,
};

int fact_member_list(struct db *db, const struct list_query *query, json_t **page)
{
	return list_page(db, &member_spec, query, page);
}
