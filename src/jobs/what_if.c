/* what_if.c - step by step through the requests, so that its progress can be seen and nothing is lost when it is broken off. */
#include "jobs/what_if.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/phrase.h"
#include "policy/document.h"
#include "store/what_if.h"

#define STEP 250                         /* requests per transaction */
#define LEASE (15 * CLOCK_SECOND)        /* from step to step */
#define REASONS_MOST 4                   /* rules of one request; of the others only the number */
#define TURN (20 * CLOCK_SECOND)         /* then another job gets the thread; well within the lease */

struct run {
	struct uuid id;
	struct policy_document document;
	struct policy policy;
	struct rules *rules;
};

/* One more of "FIRST>SECOND". */
static void count(json_t *counts, const char *first, const char *second)
{
	char *name = mem_printf("%s>%s", first, second);

	json_set_int(counts, name, json_integer_value(json_object_get(counts, name)) + 1);
	free(name);
}

/* How each rule came out, and all together. */
static void count_rules(json_t *counts, const struct verdict *v)
{
	const json_t *row;
	char number[20];
	size_t i;

	json_array_foreach(v->rules, i, row) {
		snprintf(number, sizeof number, "%zu", i);
		count(counts, number, json_string_value(json_object_get(row, "status")));
	}
	if (v->passed && v->failed == 0)
		count(counts, "all", rule_status_name(RULE_PASSED));
}

/* Which rules do not match, and why: a phrase; null. */
static json_t *reason(const struct verdict *v)
{
	json_t *list = v->passed + v->failed ? rules_reasons(v->rules, REASONS_MOST) : json_pack("[o]", phrase("No rule is evaluated, so a person decides"));

	if (json_array_size(list))
		return phrase_list(list, "; ");
	json_decref(list);
	return json_null();
}

static void try(const struct run *run, const json_t *row, struct what_if_found *f)
{
	const char *was = json_string_value(json_object_get(row, "was")), *would;
	struct verdict verdict;
	struct facts facts;
	clock_us at = 0;

	f->done++;
	if (was == NULL || facts_read(json_object_get(row, "facts"), &facts) < 0
		|| clock_parse(json_string_value(json_object_get(row, "requested")), &at) < 0) {
		f->unknown++;
		return;
	}
	policy_decide(&run->policy, run->rules, &facts, at, &verdict);
	verdict.rules = rules_explain(run->rules, &facts, at);
	would = policy_action_name(verdict.action);
	count(f->verdicts, was, would);
	count_rules(f->rules, &verdict);
	json_array_append_new(f->rows, json_pack("{s:O,s:O,s:s,s:s,s:o}", "request", json_object_get(row, "id"), "requested",
		json_object_get(row, "requested"), "was", was, "would", would, "reason", reason(&verdict)));
	verdict_release(&verdict);
}

static int open_run(struct run *run, const json_t *row)
{
	json_t *faults = json_array();
	int rc = document_parse(json_object_get(row, "document"), &run->document, faults);

	json_decref(faults);
	if (rc < 0)
		return rc;
	run->policy = (struct policy){ run->document.on_match, run->document.on_mismatch, run->document.timeout_s, run->document.rules };
	run->rules = rules_compile(run->document.rules, "rules", NULL);
	return 0;
}

static void close_run(struct run *run)
{
	rules_free(run->rules);
	document_release(&run->document);
}

static int try_all(struct work *w, const struct run *run, const json_t *rows)
{
	struct what_if_found f = { json_array(), json_object(), json_object(), 0, 0 };
	const json_t *row;
	size_t i;
	int rc;

	json_array_foreach(rows, i, row)
		try(run, row, &f);
	rc = what_if_note(w->db, &run->id, &f, json_array_get(rows, json_array_size(rows) - 1));
	json_decref(f.rows);
	json_decref(f.verdicts);
	json_decref(f.rules);
	return rc;
}

/* One step; *MORE: there may be another. */
static int step(struct work *w, struct run *run, int *more)
{
	json_t *row = NULL, *rows = NULL;
	int rc = work_begin(w);

	if (rc == 0)
		rc = job_keep(w->db, &w->job->id, LEASE);
	if (rc == 0)
		rc = what_if_take(w->db, &run->id, &row);
	if (rc == 0 && run->rules == NULL)
		rc = open_run(run, row);
	if (rc == 0)
		rc = what_if_next(w->db, row, STEP, &rows);
	if (rc == 0)
		rc = try_all(w, run, rows);
	rc = db_end(w->db, rc);
	*more = json_array_size(rows) > 0;
	json_decref(rows);
	json_decref(row);
	return rc;
}

static int give_up(struct work *w, const struct uuid *id, int rc)
{
	char *why = mem_strdup(err_text());

	if (work_begin(w) == 0 && what_if_failed(w->db, id, why) == 0)
		db_commit(w->db);
	db_rollback(w->db);
	rc = err_set(rc, "%s", why);
	free(why);
	return rc;
}

int what_if_job(struct work *w)
{
	clock_us end = clock_ticks() + TURN;
	struct run run = { .rules = NULL };
	int more = 1, rc = json_get_uuid(w->job->payload, "run", &run.id);

	while (rc == 0 && more && clock_ticks() < end)
		rc = step(w, &run, &more);
	close_run(&run);
	if (rc == 0 && more)
		return work_again(w);
	/* Stopped by a person, done by another jobd, or gone with its policy. */
	if (rc == ERR_CONFLICT || rc == ERR_NOT_FOUND)
		return 0;
	return rc == ERR_INVALID ? give_up(w, &run.id, rc) : rc;
}
