/* policy_actions.c - what a policy does: its actions (POL-4), who must approve (RUN-8), and what follows a failed check (INT-2). */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/say.h"
#include "console/pages.h"
#include "console/policy_edit.h"
#include "policy/document.h"
#include "web/doc.h"

static const struct {
	const char *value, *text;
	int64_t seconds;
} units[] = { { "m", N_("minutes"), 60 }, { "h", N_("hours"), 3600 }, { "d", N_("days"), 86400 }, { "s", N_("seconds"), 1 } };
static const char *const unit_values[] = { "m", "h", "d", "s", NULL };

/* value, what it is called and what it means; words of the actions themselves are the policy's own. */
struct choice {
	const char *value, *text, *hint;
};
static const struct choice matches[] = {
	{ "approve", "Approve", "The key is released at once, without a person." },
	{ "manual", "Manual Approve", "The key waits for a person." },
	{ "manual-timeout", "Manual Approve, then automatically", "The key waits for a person for the time below; if nobody decides, it is"
		" released." },
};
static const struct choice mismatches[] = {
	{ "approve", "Approve", "The key is released although a rule does not match. What cannot be evaluated still waits for a person." },
	{ "manual", "Manual Approve", "The key waits for a person, who sees which rules do not match." },
	{ "deny", "Deny", "The key is refused at once." },
};
static const struct choice failures[] = {
	{ "notify", "Notify", "The request is marked Failed and people are told. The volume stays open." },
	{ "revoke", "Notify and revoke the key at once", "The agent closes the volume and wipes the key." },
	{ "revoke-after", "Notify, and revoke the key after a grace period", "A good check within that time cancels it." },
};

const struct route_param policy_actions_fields[] = {
	POLICY_FORM_PARAMS,
	{ "on_match", "If all rules match", PARAM_TEXT, 0, 0, 40, NULL },
	{ "on_mismatch", "If a rule does not match", PARAM_TEXT, 0, 0, 40, NULL },
	{ "timeout", "Time-out", PARAM_TEXT, 0, 0, 40, NULL },
	{ "timeout_unit", "Unit", PARAM_ENUM, 0, 0, 0, unit_values },
	{ "needed", "Approvals needed", PARAM_TEXT, 0, 0, 40, NULL },
	{ "of", "Approvers", PARAM_TEXTS, 0, 0, DOCUMENT_LIST_MAX, NULL },
	{ "expires", "Expiry", PARAM_TEXT, 0, 0, 40, NULL },
	{ "expires_unit", "Unit", PARAM_ENUM, 0, 0, 0, unit_values },
	{ "scheduled", "Scheduled integrity check", PARAM_BOOL, 0, 0, 0, NULL },
	{ "on_failure", "If a check fails", PARAM_TEXT, 0, 0, 40, NULL },
	{ "grace", "Grace period", PARAM_TEXT, 0, 0, 40, NULL },
	{ "grace_unit", "Unit", PARAM_ENUM, 0, 0, 0, unit_values },
	PARAM_END
};

/* Drawing */

static void offer(struct call *c, const char *field, const struct choice *choices, size_t count, const char *present)
{
	call_form(c, field, json_string(present));
	for (size_t i = 0; i < count; i++)
		call_form_option(c, field, choices[i].value, call_translate(c, choices[i].text), call_translate(c, choices[i].hint),
			strcmp(choices[i].value, present) == 0);
}

/* Seconds as a number and the largest unit that divides it; what is no number stays as it was typed. */
static void show_time(struct call *c, const char *field, const char *unit_field, const json_t *value, const char *unit)
{
	int64_t s = json_integer_value(value);
	char text[32];
	size_t chosen = 0;

	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (strcmp(units[i].value, unit) == 0)
			chosen = i;
	for (size_t i = 0; s > 0 && i < ARRAY_LEN(units); i++)
		if (s % units[chosen].seconds != 0 || (s % units[i].seconds == 0 && units[i].seconds > units[chosen].seconds))
			chosen = i;
	snprintf(text, sizeof text, "%lld", (long long)(s / units[chosen].seconds));
	call_form(c, field, json_string(json_is_string(value) ? json_string_value(value) : s ? text : ""));
	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		call_form_option(c, unit_field, units[i].value, call_translate(c, units[i].text), NULL, i == chosen);
}

static int is_listed(const json_t *list, const char *email)
{
	json_t *one;
	size_t i;

	json_array_foreach(list, i, one)
		if (json_is_string(one) && strcasecmp(json_string_value(one), email) == 0)
			return 1;
	return 0;
}

/* Everybody who may decide, ticked when chosen; then those who were chosen and may not (any more). */
static int show_approvers(struct call *c, const struct policy_edit *e, const json_t *approvals)
{
	json_t *people, *person, *of = json_object_get(approvals, "of"), *email;
	struct buf known = BUF_INIT;
	size_t i;
	int rc = policy_approvers(c->db, policy_deciders(), &people);

	if (rc < 0)
		return rc;
	json_array_foreach(people, i, person) {
		enum role role;

		call_form_option(c, "of", doc_text(person, "email"), doc_text(person, "name"),
			role_parse(doc_text(person, "role"), 0, &role) == 0 ? call_translate(c, role_label(role)) : "",
			is_listed(of, doc_text(person, "email")));
		buf_printf(&known, "%s\n", doc_text(person, "email"));
	}
	json_array_foreach(of, i, email)
		if (json_is_string(email) && strcasestr(buf_str(&known), json_string_value(email)) == NULL)
			call_form_option(c, "of", json_string_value(email), json_string_value(email),
				call_translate(c, "May not decide key requests"), 1);
	call_set(c, "approver_count", json_integer((json_int_t)json_array_size(people)));
	for (i = 0; i < json_array_size(of); i++) {
		char at[40];

		snprintf(at, sizeof at, "approvals/of/%zu", i);
		policy_edit_show_fault(c, e, "of", at);
	}
	policy_edit_show_fault(c, e, "of", "approvals/of");
	buf_free(&known);
	json_decref(people);
	return 0;
}

/* The document's numbers as typed, which may be texts. */
static json_t *number_text(const json_t *value)
{
	return json_is_integer(value) ? json_sprintf("%lld", (long long)json_integer_value(value)) :
		json_string(json_is_string(value) ? json_string_value(value) : "");
}

int policy_actions_page(struct call *c)
{
	static const struct { const char *field, *at; } faults[] = { { "on_match", "action/on_match" }, { "on_mismatch",
		"action/on_mismatch" }, { "needed", "approvals/needed" }, { "on_failure", "check/on_failure" } };
	/* The validator counts seconds; people choose a unit. */
	static const struct { const char *field, *at, *text; } times[] = {
		{ "timeout", "action/timeout_s", "A time is needed here: a whole number, at most 365 days." },
		{ "expires", "approvals/expires_s", "A time is needed here: a whole number, from 1 minute to 90 days." },
		{ "grace", "check/grace_s", "A time is needed here: a whole number, at most 30 days." } };
	struct policy_edit e;
	const json_t *action, *approvals, *check;
	int rc = policy_edit_load(c, &e);

	if (rc < 0)
		return rc;
	rc = policy_edit_frame(c, &e, STEP_ACTIONS);
	action = json_object_get(e.document, "action");
	approvals = json_object_get(e.document, "approvals");
	check = json_object_get(e.document, "check");
	offer(c, "on_match", matches, ARRAY_LEN(matches), doc_text(action, "on_match"));
	offer(c, "on_mismatch", mismatches, ARRAY_LEN(mismatches), doc_text(action, "on_mismatch"));
	offer(c, "on_failure", failures, ARRAY_LEN(failures), doc_text(check, "on_failure"));
	show_time(c, "timeout", "timeout_unit", json_object_get(action, "timeout_s"), "m");
	show_time(c, "expires", "expires_unit", json_object_get(approvals, "expires_s"), "h");
	show_time(c, "grace", "grace_unit", json_object_get(check, "grace_s"), "m");
	call_form(c, "needed", number_text(json_object_get(approvals, "needed")));
	call_form(c, "scheduled", json_boolean(json_is_true(json_object_get(check, "scheduled"))));
	call_set(c, "no_rules", json_boolean(json_array_size(json_object_get(e.document, "rules")) == 0));
	for (size_t i = 0; i < ARRAY_LEN(faults); i++)
		policy_edit_show_fault(c, &e, faults[i].field, faults[i].at);
	for (size_t i = 0; i < ARRAY_LEN(times); i++)
		if (policy_edit_fault(&e, times[i].at))
			call_form_error(c, times[i].field, call_translate(c, times[i].text));
	if (rc == 0)
		rc = show_approvers(c, &e, approvals);
	policy_edit_release(&e);
	return rc;
}

/* Reading */

/* A whole number, times FACTOR; or the text, for the validator to refuse. An empty one is 0. */
static json_t *read_number(const char *text, int64_t factor)
{
	size_t digits = strspn(text, "0123456789");

	if (text[digits] != '\0' || digits > 9)
		return json_string(text);
	return json_integer(atoll(text) * factor);
}

static json_t *read_time(const struct call *c, const char *field, const char *unit_field)
{
	const char *unit = call_text(c, unit_field);
	int64_t factor = 60;

	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (strcmp(units[i].value, unit) == 0)
			factor = units[i].seconds;
	return read_number(call_text(c, field), factor);
}

static json_t *read_document(const struct call *c)
{
	json_t *of = json_array();

	for (size_t i = 0; i < call_count(c, "of"); i++)
		json_array_append_new(of, json_string(call_text_at(c, "of", i)));
	return json_pack("{s:{s:s, s:s, s:o}, s:{s:o, s:o, s:o}, s:{s:b, s:s, s:o}}", "action", "on_match", call_text(c, "on_match"),
		"on_mismatch", call_text(c, "on_mismatch"), "timeout_s", read_time(c, "timeout", "timeout_unit"), "approvals", "needed",
		read_number(call_text(c, "needed"), 1), "of", of, "expires_s", read_time(c, "expires", "expires_unit"), "check", "scheduled",
		call_bool(c, "scheduled"), "on_failure", call_text(c, "on_failure"), "grace_s", read_time(c, "grace", "grace_unit"));
}

int policy_actions_run(struct call *c)
{
	struct policy_edit e;
	json_t *typed;
	int rc = policy_edit_begin(c, &e);

	if (rc <= 0)
		return rc;
	typed = read_document(c);
	json_object_update(e.document, typed);
	json_decref(typed);
	rc = policy_edit_go(c, &e, STEP_ACTIONS);
	policy_edit_release(&e);
	return rc;
}
