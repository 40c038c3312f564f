/* policy_edit.c - making and changing policies: drafts, steps or tabs, conflicts, and saving. policy_begin.c begins and discards them. */
#include "console/policy_edit.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "console/pages.h"
#include "policy/document.h"
#include "policy/faults.h"
#include "web/doc.h"

/* FAULTS are those whose places begin so, with commas between. */
static const struct {
	const char *name, *title, *edit_title, *faults;
} steps[STEPS] = {
	[STEP_GENERAL] = { "general", "Name", "General", "name,description,pooling,keyward_policy" },
	[STEP_IMAGES] = { "images", "Images", "Images", "images" },
	[STEP_DEVICES] = { "devices", "Devices", "Devices", "devices" },
	[STEP_RULES] = { "rules", "Rules", "Rules", "rules" },
	[STEP_ACTIONS] = { "actions", "Actions", "Actions", "action,approvals,check" },
};

const struct route_param policy_edit_query[] = { POLICY_PAGE_PARAMS, PARAM_END };

const char *policy_step_name(enum policy_step step)
{
	return steps[step].name;
}

const char *const *policy_deciders(void)
{
	static const char *names[ROLE_COUNT + 1];
	size_t n = 0;

	/* Always the same, whoever writes it. */
	for (enum role r = ROLE_NONE + 1; r < ROLE_COUNT; r++)
		if (!role_is_operator(r) && role_may(r, PERMISSION_REQUESTS_DECIDE))
			names[n++] = role_name(r);
	return names;
}

int policy_check_document(struct call *c, const struct uuid *id, const json_t *document, json_t *faults, json_t **canonical)
{
	struct policy_document parsed = { .name = NULL };
	int bad = document_parse(document, &parsed, faults) < 0, rc;

	*canonical = bad ? NULL : document_json(&parsed);
	document_release(&parsed);
	rc = policy_faults(c->db, id, *canonical ? *canonical : document, policy_deciders(), faults);
	if ((rc < 0 || json_array_size(faults)) && *canonical) {
		json_decref(*canonical);
		*canonical = NULL;
	}
	return rc;
}

/* Loading */

static int load(struct call *c, struct policy_edit *e, const struct uuid *id, int lock)
{
	int rc;

	*e = (struct policy_edit){ .id = *id };
	uuid_text(&e->id, e->id_text);
	rc = policy_draft_get(c->db, &e->id, lock, &e->draft);
	if (rc < 0)
		return rc;
	e->document = json_object_get(e->draft, "document");
	e->is_new = json_is_null(json_object_get(e->draft, "policy"));
	e->is_default = json_is_true(json_object_get(e->draft, "is_default"));
	return 0;
}

int policy_edit_take(struct call *c, struct policy_edit *e, const struct uuid *draft)
{
	return load(c, e, draft, 1);
}

int policy_edit_load(struct call *c, struct policy_edit *e)
{
	struct uuid id = call_uuid(c, "id");

	return load(c, e, &id, 0);
}

void policy_edit_release(struct policy_edit *e)
{
	json_decref(e->draft);
	json_decref(e->faults);
	e->draft = e->faults = NULL;
}

static int policy_of(const struct policy_edit *e, struct uuid *out)
{
	return e->is_new ? ERR_NOT_FOUND : uuid_parse(doc_text(e->draft, "policy"), out);
}

/* *CANONICAL may be NULL when nobody wants it. */
static int check(struct call *c, struct policy_edit *e, json_t **canonical)
{
	struct uuid policy;
	json_t *made = NULL;
	int rc;

	e->faults = json_array();
	rc = policy_check_document(c, policy_of(e, &policy) == 0 ? &policy : NULL, e->document, e->faults, &made);
	if (canonical)
		*canonical = made;
	else
		json_decref(made);
	return rc;
}

/* Faults */

static int is_of_step(const char *at, enum policy_step step)
{
	const char *list = steps[step].faults;

	while (*list) {
		size_t len = strcspn(list, ",");

		if (strncmp(at, list, len) == 0 && (at[len] == '\0' || at[len] == '/'))
			return 1;
		list += len + (list[len] == ',');
	}
	return 0;
}

static int count_faults(const struct policy_edit *e, enum policy_step step)
{
	json_t *fault;
	size_t i;
	int n = 0;

	json_array_foreach(e->faults, i, fault)
		n += is_of_step(doc_text(fault, "at"), step);
	return n;
}

/* What belongs to no step (a member that there is not) is shown with the first. */
static enum policy_step first_faulty(const struct policy_edit *e)
{
	for (enum policy_step s = 0; s < STEPS; s++)
		if (count_faults(e, s))
			return s;
	return STEP_GENERAL;
}

const char *policy_edit_fault(const struct policy_edit *e, const char *at)
{
	json_t *fault;
	size_t i;

	json_array_foreach(e->faults, i, fault)
		if (strcmp(doc_text(fault, "at"), at) == 0)
			return doc_text(fault, "text");
	return NULL;
}

static json_t *fault_said(const struct call *c, const char *text)
{
	json_t *known = policy_fault_phrase(text), *said = call_phrase(c, known);

	json_decref(known);
	return said;
}

char *policy_fault_text(const struct call *c, const char *text)
{
	json_t *said = fault_said(c, text);
	char *out = mem_strdup(json_is_string(said) ? json_string_value(said) : "");

	json_decref(said);
	*out = (char)toupper((unsigned char)*out);
	return out;
}

json_t *policy_faults_said(const struct call *c, const json_t *faults)
{
	json_t *out = json_array(), *fault;
	size_t i;

	json_array_foreach(faults, i, fault)
		json_array_append_new(out, json_pack("{s:s, s:o}", "at", doc_text(fault, "at"), "text", fault_said(c, doc_text(fault, "text"))));
	return out;
}

void policy_edit_show_fault(struct call *c, const struct policy_edit *e, const char *field, const char *at)
{
	const char *fault = policy_edit_fault(e, at);
	char *text = fault ? policy_fault_text(c, fault) : NULL;

	if (text)
		call_form_error(c, field, text);
	free(text);
}

/* The frame */

json_t *policy_changes(const struct call *c, const json_t *before, const json_t *after)
{
	static const char *const said[] = { "label", "old", "new" };
	json_t *out = policy_document_diff(before, after), *one;
	size_t i;

	json_array_foreach(out, i, one)
		for (size_t n = 0; n < ARRAY_LEN(said); n++)
			json_object_set_new(one, said[n], call_phrase(c, json_object_get(one, said[n])));
	return out;
}

/* What somebody else has saved since this draft was begun: null, or who, when, and what differs. */
static int set_conflict(struct call *c, const struct policy_edit *e)
{
	json_int_t base = json_integer_value(json_object_get(e->draft, "base_version"));
	json_t *before, *now = json_object_get(e->draft, "version"), *conflict;
	struct uuid policy;
	int rc;

	if (e->is_new || json_integer_value(now) == base) {
		call_set(c, "conflict", json_null());
		return 0;
	}
	if (policy_of(e, &policy) < 0)
		return ERR_NOT_FOUND;
	rc = policy_version_get(c->db, &policy, base, &before);
	if (rc < 0)
		return rc;
	conflict = json_pack("{s:s, s:o, s:O, s:I, s:o}", "by", doc_text(e->draft, "changed_by"), "at", doc_when(c, e->draft,
		"policy_changed"), "version", now, "base", base, "changes", policy_changes(c, json_object_get(before, "document"),
		json_object_get(e->draft, "saved")));
	call_set(c, "conflict", conflict);
	json_decref(before);
	return 0;
}

static json_t *step_member(struct call *c, const struct policy_edit *e, enum policy_step s, enum policy_step present)
{
	json_t *out = json_pack("{s:s, s:s, s:i, s:b, s:b, s:i}", "name", steps[s].name, "title",
		call_translate(c, e->is_new ? steps[s].title : steps[s].edit_title), "number", (int)s + 1, "active", s == present, "done",
		e->is_new && s < present, "faults", count_faults(e, s));

	json_object_set(out, "count", s == STEP_IMAGES ? json_object_get(e->draft, "images") : s == STEP_DEVICES ?
		json_object_get(e->draft, "devices") : json_null());
	if (s == STEP_RULES)
		json_object_set_new(out, "count", json_integer((json_int_t)json_array_size(json_object_get(e->document, "rules"))));
	json_object_set_new(out, "has_count", json_boolean(json_is_integer(json_object_get(out, "count"))));
	return out;
}

static void set_edit(struct call *c, const struct policy_edit *e, enum policy_step step)
{
	const char *policy = doc_text(e->draft, "policy"), *name = e->is_new ? doc_text(e->document, "name") : doc_policy(c, doc_text(e->draft, "name"));
	json_t *out = json_pack("{s:s, s:o, s:b, s:b, s:s, s:s, s:s, s:s, s:b, s:b}", "id", e->id_text, "url",
		json_sprintf("/policies/drafts/%s", e->id_text), "is_new", e->is_new, "is_default", e->is_default, "name", name, "policy",
		policy, "step", steps[step].name, "why", doc_text(e->draft, "why"), "is_first", step == 0, "is_last", step + 1 == STEPS);

	json_object_set_new(out, "title", e->is_new ? json_string(call_translate(c, "New policy")) : json_string(name));
	json_object_set_new(out, "up_url", e->is_new ? json_string("/policies") : json_sprintf("/policies/%s", policy));
	json_object_set_new(out, "up", json_string(call_translate(c, e->is_new ? "Policies" : "Policy")));
	json_object_set_new(out, "step_title", json_string(call_translate(c, e->is_new ? steps[step].title : steps[step].edit_title)));
	json_object_set_new(out, "number", json_integer((json_int_t)step + 1));
	json_object_set_new(out, "previous", step ? json_string(steps[step - 1].name) : json_null());
	json_object_set(out, "version", json_object_get(e->draft, "version"));
	json_object_set_new(out, "started", doc_when(c, e->draft, "created"));
	call_set(c, "edit", out);
}

/* Faults that no field of the present page shows. */
static void set_other_faults(struct call *c, const struct policy_edit *e)
{
	json_t *out = json_array(), *fault;
	size_t i;

	json_array_foreach(e->faults, i, fault) {
		int known = 0;

		for (enum policy_step s = 0; s < STEPS; s++)
			known |= is_of_step(doc_text(fault, "at"), s);
		if (!known)
			json_array_append(out, fault);
	}
	call_set(c, "has_other_faults", json_boolean(json_array_size(out)));
	call_set(c, "other_faults", policy_faults_said(c, out));
	json_decref(out);
}

/* The policy in plain words, where its rules and actions are made; null as long as it has faults. */
static void set_sentence(struct call *c, const struct policy_edit *e, enum policy_step step)
{
	json_t *said = step < STEP_RULES ? NULL : policy_sentence(e->document);

	call_set(c, "sentence", call_phrase(c, said));
	json_decref(said);
}

/* What the policy lacks to decide about any key, before it is made and while it is changed; null: nothing. */
static void set_idle(struct call *c, const struct policy_edit *e, enum policy_step step)
{
	int images = json_integer_value(json_object_get(e->draft, "images")) > 0, devices = json_integer_value(json_object_get(e->draft, "devices")) > 0;
	int shown = !e->is_default && !(images && devices) && (!e->is_new || step == STEP_ACTIONS);

	call_set(c, "idle", shown ? json_pack("{s:b, s:b}", "images", !images, "devices", !devices) : json_null());
}

int policy_edit_frame(struct call *c, struct policy_edit *e, enum policy_step step)
{
	json_t *list = json_array();
	int rc = call_bool(c, "check") ? check(c, e, NULL) : 0;

	if (rc == 0)
		rc = set_conflict(c, e);
	for (enum policy_step s = 0; s < STEPS; s++)
		json_array_append_new(list, step_member(c, e, s, step));
	call_set(c, "steps", list);
	call_set(c, "faults_here", json_integer(count_faults(e, step)));
	set_other_faults(c, e);
	set_edit(c, e, step);
	set_sentence(c, e, step);
	set_idle(c, e, step);
	call_form(c, "why", json_string(doc_text(e->draft, "why")));
	return rc;
}

/* Buttons */

/* The draft is gone: the form was sent twice, or another window has saved it. A new one of the policy, as if it had been begun one version
 * ago: then the page tells what that version has changed. */
static int begin_again(struct call *c, struct policy_edit *e)
{
	struct uuid id = call_uuid(c, "policy"), policy = uuid_is_nil(&id) ? call_uuid(c, "id") : id, draft;
	json_int_t version;
	int rc = policy_draft_open(c->db, &policy, &draft);

	if (rc == 0)
		rc = load(c, e, &draft, 1);
	if (rc < 0)
		return rc;
	e->again = 1;
	version = json_integer_value(json_object_get(e->draft, "version"));
	return version > 1 ? policy_draft_rebase(c->db, &e->id, version - 1) : 0;
}

int policy_edit_begin(struct call *c, struct policy_edit *e)
{
	struct uuid id = call_uuid(c, "id");
	int rc = load(c, e, &id, 1);

	if (rc == ERR_NOT_FOUND)
		rc = begin_again(c, e);
	return rc < 0 ? rc : 1;
}

static int to_step(struct call *c, const struct policy_edit *e, enum policy_step step, int with_check)
{
	call_redirect(c, "/policies/drafts/%s/%s%s", e->id_text, with_check && e->as_json ? "json" : steps[step].name,
		with_check ? "?check=1" : "");
	return 0;
}

static int step_parse(const char *name, enum policy_step *out)
{
	for (enum policy_step s = 0; s < STEPS; s++) {
		if (strcmp(name, steps[s].name) == 0) {
			*out = s;
			return 0;
		}
	}
	return ERR_NOT_FOUND;
}

static int move_members(struct call *c, const struct policy_edit *e, const struct uuid *policy)
{
	int rc = 0;

	for (enum policy_member kind = POLICY_IMAGE; rc == 0 && kind <= POLICY_DEVICE; kind++) {
		json_t *add, *remove;

		rc = policy_draft_moves(c->db, &e->id, kind, &add, &remove);
		if (rc < 0)
			return rc;
		rc = policy_move(c->db, policy, kind, add, remove);
		json_decref(add);
		json_decref(remove);
	}
	return rc;
}

/* Into the policies; the draft is done with. */
static int commit(struct call *c, struct policy_edit *e, const json_t *document, struct uuid *policy)
{
	const char *why = doc_text(e->draft, "why");
	int rc;

	*policy = e->id;
	if (e->is_new)
		rc = policy_create(c->db, policy, document, why);
	else if (policy_of(e, policy) < 0)
		rc = ERR_NOT_FOUND;
	else
		rc = policy_change(c->db, policy, document, why, json_integer_value(json_object_get(e->draft, "base_version")));
	if (rc == 0)
		rc = move_members(c, e, policy);
	return rc == 0 ? policy_draft_delete(c->db, &e->id) : rc;
}

static int is_overtaken(const struct policy_edit *e)
{
	return !e->is_new && json_integer_value(json_object_get(e->draft, "base_version")) !=
		json_integer_value(json_object_get(e->draft, "version"));
}

/* The user has seen what the others changed and wants the draft all the same. */
static int overwrite(struct call *c, struct policy_edit *e)
{
	int64_t seen = call_int(c, "seen", 0);

	if (seen != json_integer_value(json_object_get(e->draft, "version")))
		return 0;
	json_set_int(e->draft, "base_version", seen);
	return policy_draft_rebase(c->db, &e->id, seen);
}

/* After "Apply" the user goes on where they were, with a new draft of what is saved now. */
static int go_on(struct call *c, const struct uuid *policy, enum policy_step step)
{
	struct uuid draft;
	char text[UUID_TEXT_SIZE];
	int rc = policy_draft_open(c->db, policy, &draft);

	if (rc < 0)
		return rc;
	uuid_text(&draft, text);
	call_notice(c, "success", "The changes are saved.");
	call_redirect(c, "/policies/drafts/%s/%s", text, steps[step].name);
	return 0;
}

static int finish(struct call *c, struct policy_edit *e, enum policy_step step, int stay)
{
	struct uuid policy;
	json_t *document;
	int rc = check(c, e, &document);

	if (rc < 0)
		return rc;
	if (json_array_size(e->faults))
		return to_step(c, e, count_faults(e, step) ? step : first_faulty(e), 1);
	rc = is_overtaken(e) ? to_step(c, e, step, 0) : commit(c, e, document, &policy);
	json_decref(document);
	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, "Somebody else has saved something at this very moment. Please try again.");
	if (rc < 0 || is_overtaken(e))
		return rc;
	return stay ? go_on(c, &policy, step) : doc_done(c, "/policies", &policy, e->is_new ? "The policy is made." :
		"The changes are saved.");
}

int policy_edit_finish(struct call *c, struct policy_edit *e, enum policy_step step)
{
	return finish(c, e, step, 0);
}

static int next(struct call *c, struct policy_edit *e, enum policy_step step)
{
	int rc = check(c, e, NULL);

	if (rc < 0)
		return rc;
	return count_faults(e, step) || step + 1 == STEPS ? to_step(c, e, step, 1) : to_step(c, e, step + 1, 0);
}

/* What is tried must be as sound as what is saved. */
static int try_out(struct call *c, struct policy_edit *e, enum policy_step step)
{
	int rc = check(c, e, NULL);

	if (rc < 0)
		return rc;
	if (json_array_size(e->faults))
		return to_step(c, e, count_faults(e, step) ? step : first_faulty(e), 1);
	call_redirect(c, "/policies/drafts/%s/what-if", e->id_text);
	return 0;
}

/* Whether the draft would change anything. */
static int is_idle(struct call *c, struct policy_edit *e, int *idle)
{
	json_t *changes = policy_changes(c, json_object_get(e->draft, "saved"), e->document);
	int rc = 0;

	*idle = json_array_size(changes) == 0;
	for (enum policy_member kind = POLICY_IMAGE; rc == 0 && kind <= POLICY_DEVICE; kind++) {
		json_t *add = NULL, *remove = NULL;

		rc = policy_draft_moves(c->db, &e->id, kind, &add, &remove);
		*idle &= json_array_size(add) == 0 && json_array_size(remove) == 0;
		json_decref(add);
		json_decref(remove);
	}
	json_decref(changes);
	return rc;
}

/* The form's draft was saved already. What the form says beyond that is kept, and shown beside what was saved. */
static int settle_again(struct call *c, struct policy_edit *e, enum policy_step step)
{
	struct uuid policy;
	int idle, rc = is_idle(c, e, &idle);

	if (rc < 0 || (rc = policy_of(e, &policy)) < 0)
		return rc;
	if (idle) {
		rc = policy_draft_delete(c->db, &e->id);
		return rc < 0 ? rc : doc_done(c, "/policies", &policy, "This was saved already.");
	}
	call_notice(c, "warning", "Another window has saved this policy since. What you entered here is kept, but not saved: look at both.");
	if (!e->as_json)
		return to_step(c, e, step, 0);
	call_redirect(c, "/policies/drafts/%s/json", e->id_text);
	return 0;
}

int policy_edit_go(struct call *c, struct policy_edit *e, enum policy_step step)
{
	const char *go = call_text(c, "go");
	enum policy_step to;
	int rc = policy_draft_save(c->db, &e->id, e->document, call_has(c, "why") ? call_text(c, "why") : "");

	json_set_string(e->draft, "why", call_text(c, "why"));
	if (rc == 0 && e->again)
		return settle_again(c, e, step);
	if (rc == 0 && strcmp(go, "overwrite") == 0)
		rc = overwrite(c, e);
	if (rc < 0)
		return rc;
	if (strncmp(go, "to:", 3) == 0 && step_parse(go + 3, &to) == 0)
		return to_step(c, e, to, 0);
	if (strcmp(go, "next") == 0)
		return next(c, e, step);
	if (strcmp(go, "finish") == 0 || strcmp(go, "save") == 0 || strcmp(go, "overwrite") == 0)
		return finish(c, e, step, 0);
	if (strcmp(go, "apply") == 0 && !e->is_new)
		return finish(c, e, step, 1);
	if (strcmp(go, "what-if") == 0)
		return try_out(c, e, step);
	if (strcmp(go, "json") == 0) {
		call_redirect(c, "/policies/drafts/%s/json", e->id_text);
		return 0;
	}
	return to_step(c, e, step, 0);
}

/* The first step: name, description, resource pooling */

const struct route_param policy_general_fields[] = {
	POLICY_FORM_PARAMS,
	{ "name", "Name", PARAM_TEXT, 0, 0, 1000, NULL },
	{ "description", "Description", PARAM_LINES, 0, 0, 8000, NULL },
	{ "pooling", "Enable Resource Pooling", PARAM_BOOL, 0, 0, 0, NULL },
	PARAM_END
};

int policy_general_page(struct call *c)
{
	struct policy_edit e;
	int rc = policy_edit_load(c, &e);

	if (rc < 0)
		return rc;
	rc = policy_edit_frame(c, &e, STEP_GENERAL);
	call_form(c, "name", json_string(doc_text(e.document, "name")));
	call_form(c, "description", json_string(doc_text(e.document, "description")));
	call_form(c, "pooling", json_boolean(json_is_true(json_object_get(e.document, "pooling"))));
	policy_edit_show_fault(c, &e, "name", "name");
	policy_edit_show_fault(c, &e, "description", "description");
	policy_edit_release(&e);
	return rc;
}

int policy_general_run(struct call *c)
{
	struct policy_edit e;
	int rc = policy_edit_begin(c, &e);

	if (rc <= 0)
		return rc;
	json_set_string(e.document, "name", call_text(c, "name"));
	json_set_string(e.document, "description", call_text(c, "description"));
	json_set_bool(e.document, "pooling", call_bool(c, "pooling"));
	rc = policy_edit_go(c, &e, STEP_GENERAL);
	policy_edit_release(&e);
	return rc;
}
