/* jobs.c - the queue for the operator (ADM-2): what waits, runs, was given up and why; trying again, removing. Of an account its name, never what its
 * jobs are about. */
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "central/pages.h"
#include "store/job_seen.h"
#include "web/diagram.h"
#include "web/doc.h"
#include "web/list.h"

static const char *const filters[] = { "state", "kind", NULL };
static const char *const sorts[] = { "created", "run_at", "attempts", "kind", "account", NULL };
static const struct list_chip chips[] = { { "failed", "Given up" }, { "again", "Tried again" }, { "waiting", "Waiting" }, { "running", "Running" }, { "later", "For later" },
	{ NULL, NULL } };
static const char *const states[] = { "failed", "again", "waiting", "running", "later", NULL };
static const struct list_csv columns[] = { { "Job", "name" }, { "Tenant", "account" }, { "State", "status" }, { "Attempts", "attempts" }, { "Added", "created" },
	{ "Next attempt", "next" }, { "Error", "error" }, { NULL, NULL } };
static const struct list_view view = { .url = "/jobs", .filters = filters, .chip = "state", .chips = chips, .sorts = sorts, .columns = columns, .file =
	"jobs.csv" };

const struct route_param jobs_query[] = {
	LIST_PARAMS_CSV,
	{ "state", "State", PARAM_ENUM, 0, 0, 0, states },
	{ "kind", "Kind", PARAM_TEXT, 0, 0, 100, NULL },
	PARAM_END
};

static json_t *state_badge(const struct call *c, const char *state)
{
	static const struct { const char *state, *label, *colour; } badges[] = { { "failed", "Given up", "red" }, { "again", "Tried again", "orange" },
		{ "waiting", "Waiting", "yellow" }, { "running", "Running", "green" }, { "later", "For later", "blue" } };
	size_t i = 0;

	while (i + 1 < sizeof badges / sizeof *badges && strcmp(badges[i].state, state) != 0)
		i++;
	return doc_badge(c, badges[i].label, badges[i].colour);
}

static json_t *show_row(struct call *c, json_t *row)
{
	const char *state = doc_text(row, "state"), *kind = doc_text(row, "kind"), *id = doc_text(row, "id");
	int edit = call_may(c, PERMISSION_SYSTEM_EDIT);
	json_t *out = json_pack("{s:s, s:s, s:s, s:s, s:o, s:O, s:o, s:o, s:o, s:b, s:b}", "id", id, "kind", kind, "name", call_translate(c, job_kind_label(kind)), "state", state,
		"status", state_badge(c, state), "attempts", json_object_get(row, "attempts"), "created", doc_when(c, row, "created"), "next", strcmp(state, "failed") == 0 ?
		json_null() : doc_when(c, row, "run_at"), "error", doc_reason(c, doc_text(row, "last_error")), "may_retry", edit && job_may_retry(state), "may_drop", edit &&
		job_may_drop(kind, state));

	json_object_set_new(out, "account", doc_link("/tenants", doc_optional(row, "account"), doc_text(row, "account_name")));
	json_object_set_new(out, "url", json_sprintf("/jobs/%s", id));
	return out;
}

static const struct diagram_part parts[] = {
	{ "running", "Running", 2 }, { "waiting", "Waiting", 1 }, { "failed", "Given up", 3 }, { NULL, NULL, 0 },
};

static int set_chart(struct call *c)
{
	json_t *kinds = NULL, *row;
	size_t i;
	int rc = job_seen_kinds(c->db, &kinds);

	if (rc < 0)
		return rc;
	json_array_foreach(kinds, i, row)
		json_set_string(row, "name", call_translate(c, job_kind_label(doc_text(row, "kind"))));
	call_set(c, "chart", json_array_size(kinds) ? diagram_rows(c, "Jobs by kind", kinds, parts) : json_null());
	call_set(c, "kinds", kinds);
	return 0;
}

static int fetch(struct call *c, const struct list_query *q, json_t **page)
{
	return job_seen_list(c->db, q, page);
}

int jobs_page(struct call *c)
{
	int rc = list_answer(c, &view, fetch, show_row);

	return rc < 0 ? rc : set_chart(c);
}

static int ask(struct call *c, struct doc_confirm ask_for, const char *running)
{
	struct uuid id = call_uuid(c, "id");
	char text[UUID_TEXT_SIZE];
	json_t *row = NULL;
	int rc = job_seen_get(c->db, &id, &row), may;

	if (rc < 0)
		return rc;
	uuid_text(&id, text);
	may = strcmp(ask_for.act, "retry") == 0 ? job_may_retry(doc_text(row, "state")) : job_may_drop(doc_text(row, "kind"), doc_text(row, "state"));
	ask_for.folder = "/jobs";
	ask_for.id = text;
	ask_for.name = call_translate(c, job_kind_label(doc_text(row, "kind")));
	if (may)
		doc_confirm(c, &ask_for);
	/* There is no page of the job alone to go back to. */
	if (may)
		json_object_set_new(json_object_get(c->doc, "confirm"), "cancel", json_string("/jobs"));
	json_decref(row);
	return may ? 0 : call_refuse(c, ERR_CONFLICT, running);
}

#define NOT_RETRY "This job is not one to be tried again: it runs, or is about to."
#define NOT_DROP "This job cannot be removed: it runs, or something that it is about would stay half done."

int job_retry_ask(struct call *c)
{
	return ask(c, (struct doc_confirm){ .act = "retry", .title = "Retry the job", .icon = "refresh", .colour = "blue", .button = "Try again",
		.text = call_translate(c, "A job process takes it at once, and gives it as many attempts as at first. A mail whose handing over broke off may reach its recipient twice.") }, NOT_RETRY);
}

int job_drop_ask(struct call *c)
{
	return ask(c, (struct doc_confirm){ .act = "drop", .title = "Remove the job", .icon = "trash", .colour = "red", .danger = 1, .button = "Remove",
		.text = call_translate(c, "It is never done: a mail is not sent, a report not made. Whoever waits for it is not told.") }, NOT_DROP);
}

static int done(struct call *c, int rc, const char *notice, const char *refused)
{
	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, refused);
	if (rc < 0)
		return rc;
	call_notice(c, "success", notice);
	call_redirect(c, "/jobs");
	return 0;
}

int job_retry(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL;
	int rc = job_seen_get(c->db, &id, &row);

	json_decref(row);
	if (rc == 0)
		rc = job_seen_retry(c->db, &id);
	return done(c, rc, "The job is tried again.", NOT_RETRY);
}

int job_drop(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL;
	int rc = job_seen_get(c->db, &id, &row);

	if (rc == 0 && !job_may_drop(doc_text(row, "kind"), doc_text(row, "state")))
		rc = err_set(ERR_CONFLICT, "not while it waits");
	if (rc == 0)
		rc = job_seen_drop(c->db, &id);
	json_decref(row);
	return done(c, rc, "The job is removed.", NOT_DROP);
}
