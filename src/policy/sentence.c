/* sentence.c - a whole policy in a sentence or two of plain words: who gets a key without a person, and what becomes of all others. */
#include <string.h>

#include "base/mem.h"
#include "base/say.h"
#include "policy/document.h"
#include "policy/parts.h"

#define RULES_SAID 5             /* of the others only the number */

/* Conditions that people say otherwise than as rule type, operator and value. A machine is "it"; VALUE: for this one alone, NULL: any. */
static const struct saying {
	const char *type;
	enum policy_operator op;
	const char *value;
	const char *says;
} sayings[] = {
	{ "instance.region", OPERATOR_EQUALS, NULL, N_("it is in region %{value}") },
	{ "instance.region", OPERATOR_IN, NULL, N_("it is in region %{value}") },
	{ "instance.region", OPERATOR_NOT_EQUALS, NULL, N_("it is not in region %{value}") },
	{ "instance.region", OPERATOR_NOT_IN, NULL, N_("it is not in region %{value}") },
	{ "instance.zone", OPERATOR_EQUALS, NULL, N_("it is in zone %{value}") },
	{ "instance.zone", OPERATOR_IN, NULL, N_("it is in zone %{value}") },
	{ "os.pending_security_updates", OPERATOR_EQUALS, "0", N_("it has no pending security update") },
	{ "os.pending_security_updates", OPERATOR_AT_MOST, "0", N_("it has no pending security update") },
	{ "os.pending_updates", OPERATOR_EQUALS, "0", N_("it has no pending update") },
	{ "os.pending_updates", OPERATOR_AT_MOST, "0", N_("it has no pending update") },
	{ "os.updates_checked_at", OPERATOR_NEWER_THAN, NULL, N_("its last look for updates is less than %{value} ago") },
	{ "os.booted_at", OPERATOR_NEWER_THAN, NULL, N_("it was started less than %{value} ago") },
	{ "os.system", OPERATOR_EQUALS, NULL, N_("it runs %{value}") },
	{ "os.distribution", OPERATOR_EQUALS, NULL, N_("it runs %{value}") },
	{ "os.distribution", OPERATOR_IN, NULL, N_("it runs %{value}") },
	{ "host.name", OPERATOR_EQUALS, NULL, N_("its name is %{value}") },
	{ "host.name", OPERATOR_IN, NULL, N_("its name is %{value}") },
	{ "host.name", OPERATOR_MATCHES, NULL, N_("its name fits %{value}") },
	{ "host.name", OPERATOR_STARTS_WITH, NULL, N_("its name begins with %{value}") },
	{ "request.address", OPERATOR_EQUALS, NULL, N_("it asks from %{value}") },
	{ "request.address", OPERATOR_IN, NULL, N_("it asks from %{value}") },
	{ "request.address", OPERATOR_IN_RANGE, NULL, N_("it asks from %{value}") },
	{ "instance.first_seen", OPERATOR_OLDER_THAN, NULL, N_("it has been known for %{value} or longer") },
	{ "device.access", OPERATOR_EQUALS, "read-only", N_("it opens the device for reading only") },
	{ "secure_boot", OPERATOR_EQUALS, "on", N_("it was started with secure boot") },
	{ "network.services", OPERATOR_IN, NULL, N_("it listens on nothing but %{value}") },
	{ "network.services", OPERATOR_CONTAINS_NONE, NULL, N_("it does not listen on %{value}") },
	{ "network.services.remote", OPERATOR_CONTAINS_NONE, NULL, N_("nobody outside reaches it on %{value}") },
	{ "security.running", OPERATOR_CONTAINS, NULL, N_("it runs %{value}") },
	{ "processes", OPERATOR_CONTAINS, NULL, N_("it runs %{value}") },
};

static const struct saying *saying_of(const struct node *n)
{
	char own[VALUE_TEXT_SIZE];
	const struct condition *c = n->conditions;

	for (size_t i = 0; n->count == 1 && i < ARRAY_LEN(sayings); i++)
		if (strcmp(sayings[i].type, n->type->name) == 0 && sayings[i].op == c->op->op && (sayings[i].value == NULL || (c->count == 1 &&
			strcmp(sayings[i].value, value_text(&c->values[0], own)) == 0)))
			return &sayings[i];
	return NULL;
}

/* "a or b", where each of them would do, or none may be there. */
static json_t *operand(const struct condition *c)
{
	json_t *list;

	if (c->op->operand != OPERAND_LIST || c->count < 2 || c->count > RULES_SAID)
		return operand_words(c);
	list = json_array();
	for (size_t i = 0; i < c->count; i++)
		json_array_append_new(list, value_words(&c->values[i]));
	return phrase_list(list, c->op->op == OPERATOR_CONTAINS ? N_(" and ") : N_(" or "));
}

static json_t *clause(const struct node *n);

/* What is joined within something else stands in brackets. */
static json_t *clauses(const struct node *n, int inner)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n->count && i < RULES_SAID; i++)
		json_array_append_new(list, clause(&n->nodes[i]));
	if (n->count > RULES_SAID)
		json_array_append_new(list, phrase_count("%{n} more rule matches", "%{n} more rules match", (int64_t)(n->count - RULES_SAID)));
	if (json_array_size(list) == 1) {
		json_t *only = json_incref(json_array_get(list, 0));

		json_decref(list);
		return only;
	}
	list = phrase_list(list, n->kind == NODE_ANY ? N_(" or ") : N_(" and "));
	return inner ? phrase_say("(%{rules})", "rules", list, NULL) : list;
}

static json_t *clause(const struct node *n)
{
	const struct saying *s;

	if (n->fault)
		return node_words(n);
	if (n->kind == NODE_NOT)
		return phrase_say("it is not so that %{rules}", "rules", clauses(n, 1), NULL);
	if (n->kind != NODE_RULE)
		return clauses(n, 1);
	s = saying_of(n);
	return s ? phrase_say(s->says, "value", operand(n->conditions), NULL) : node_words(n);
}

/* Who gets it at once, or has it waiting. RULES is taken over. */
static json_t *on_match(const struct policy_document *d, json_t *rules)
{
	switch (d->on_match) {
	case POLICY_ACTION_APPROVE:
		return phrase_say("A machine gets its key automatically if %{rules}", "rules", rules, NULL);
	case POLICY_ACTION_MANUAL_TIMEOUT:
		return phrase_say("A machine gets its key automatically, unless a person decides within %{time}, if %{rules}", "time",
			phrase_span_exact(d->timeout_s), "rules", rules, NULL);
	default:
		return phrase_say("A machine's key waits for a person if %{rules}", "rules", rules, NULL);
	}
}

static json_t *on_mismatch(const struct policy_document *d)
{
	switch (d->on_mismatch) {
	case POLICY_ACTION_APPROVE:
		return phrase("all others get theirs too, and wait for a person only where something is not known.");
	case POLICY_ACTION_DENY:
		return phrase("all others are denied.");
	default:
		return phrase("all others wait for a person.");
	}
}

static json_t *main_sentence(const struct policy_document *d)
{
	struct rules *r;
	json_t *out;

	if (json_array_size(d->rules) == 0)
		return phrase("Every key waits for a person, because the policy has no rules.");
	if (d->on_match == POLICY_ACTION_MANUAL && d->on_mismatch == POLICY_ACTION_MANUAL)
		return phrase("Every key waits for a person, who sees which rules match.");
	r = rules_compile(d->rules, "rules", NULL);
	out = phrase_say("%{some}; %{others}", "some", on_match(d, clauses(&r->top, 0)), "others", on_mismatch(d), NULL);
	rules_free(r);
	return out;
}

json_t *policy_sentence(const json_t *document)
{
	struct policy_document d = { .name = NULL };
	json_t *out;

	if (document_parse(document, &d, NULL) < 0)
		return NULL;
	out = json_array();
	json_array_append_new(out, main_sentence(&d));
	if (d.approvals.needed > 1)
		json_array_append_new(out, phrase_say("What waits needs %{n} people.", "n", json_integer(d.approvals.needed), NULL));
	if (d.check.scheduled && d.check.on_failure != CHECK_NOTIFY)
		json_array_append_new(out, phrase("When a later check finds that the rules no longer match, the key is revoked."));
	document_release(&d);
	return phrase_list(out, " ");
}
