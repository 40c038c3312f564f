/* document.c - policy documents: reading them with every fault, and their canonical form. */
#include "policy/document.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "policy/value.h"

/* One object of the document: where it is, and whose members have been asked for. */
struct reader {
	const json_t *o;
	const char *at;              /* "" or "action/" */
	json_t *faults;
	int *bad;
};

static void wrong(const struct reader *r, const char *member, const char *text)
{
	char at[128];

	snprintf(at, sizeof at, "%s%s", r->at, member);
	rule_fault(r->faults, at, "%s", text);
	*r->bad = 1;
}

static void known_members(const struct reader *r, const char *const *names)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)r->o, name, value) {
		const char *const *known = names;
		char shown[64];

		while (*known && strcmp(*known, name) != 0)
			known++;
		snprintf(shown, sizeof shown, "%.60s", name);
		if (*known == NULL)
			wrong(r, shown, "there is no such member");
	}
}

static char *read_text(const struct reader *r, const char *member, size_t max, int lines)
{
	const json_t *j = json_object_get(r->o, member);
	const char *text = json_string_value(j);
	char most[64];
	int blank = 1, odd = 0;

	snprintf(most, sizeof most, "at most %zu bytes", max);
	for (const char *c = text; c && *c; c++) {
		blank &= *c == ' ' || *c == '\n' || *c == '\t';
		odd |= (unsigned char)*c < 0x20 && !(lines && (*c == '\n' || *c == '\t' || *c == '\r'));
	}
	if (text == NULL || blank)
		wrong(r, member, "a text is needed");
	else if (json_string_length(j) > max)
		wrong(r, member, most);
	else if (odd)
		wrong(r, member, "no control characters, please");
	else
		return mem_strdup(text);
	return NULL;
}

static int read_bool(const struct reader *r, const char *member)
{
	const json_t *j = json_object_get(r->o, member);

	if (j && !json_is_null(j) && !json_is_boolean(j))
		wrong(r, member, "true or false is needed");
	return json_is_true(j);
}

static int64_t read_number(const struct reader *r, const char *member, int64_t least, int64_t most, int64_t otherwise)
{
	char text[96];
	int64_t n = otherwise;

	if (json_get_int_opt(r->o, member, least, most, &n) < 0) {
		snprintf(text, sizeof text, "a whole number from %lld to %lld is needed", (long long)least, (long long)most);
		wrong(r, member, text);
	}
	return n;
}

static struct reader inner(const struct reader *r, const char *member, const char *at)
{
	const json_t *j = json_object_get(r->o, member);

	if (j && !json_is_null(j) && !json_is_object(j))
		wrong(r, member, "an object is needed");
	return (struct reader){ json_is_object(j) ? j : NULL, at, r->faults, r->bad };
}

/* Texts, each once, in order: so that two documents that mean the same are the same. */
static int compare_texts(const void *a, const void *b)
{
	const json_t *const *x = a, *const *y = b;

	return strcmp(json_string_value(*x), json_string_value(*y));
}

static json_t *sorted(const json_t *list)
{
	size_t count = json_array_size(list);
	const json_t **texts = mem_array(count + 1, sizeof(const json_t *));
	json_t *out = json_array();

	for (size_t i = 0; i < count; i++)
		texts[i] = json_array_get(list, i);
	qsort(texts, count, sizeof(const json_t *), compare_texts);
	for (size_t i = 0; i < count; i++)
		if (i == 0 || compare_texts(&texts[i - 1], &texts[i]) != 0)
			json_array_append(out, (json_t *)(uintptr_t)texts[i]);
	free(texts);
	return out;
}

static json_t *read_texts(const struct reader *r, const char *member)
{
	const json_t *list = json_object_get(r->o, member), *one;
	const char *why;
	char at[64];
	size_t i;
	int bad = 0;

	if (list == NULL || json_is_null(list))
		return NULL;
	if (!json_is_array(list) || json_array_size(list) > DOCUMENT_LIST_MAX) {
		wrong(r, member, json_is_array(list) ? "at most 1000 entries" : "a list is needed");
		return NULL;
	}
	json_array_foreach(list, i, one) {
		snprintf(at, sizeof at, "%s/%zu", member, i);
		if (json_is_string(one) && json_string_length(one) > 0 && text_check(json_string_value(one), json_string_length(one), &why))
			continue;
		wrong(r, at, "a text is needed");
		bad = 1;
	}
	return bad ? NULL : sorted(list);
}

static void read_rules(const struct reader *r, struct policy_document *d)
{
	struct rules *rules = rules_compile(json_object_get(r->o, "rules"), "rules", r->faults);

	if (rules_faulty(rules))
		*r->bad = 1;
	else
		d->rules = rules_json(rules);
	rules_free(rules);
}

static void read_action(const struct reader *r, struct policy_document *d)
{
	static const char *const members[] = { "on_match", "on_mismatch", "timeout_s", NULL };
	const char *match = json_string_value(json_object_get(r->o, "on_match"));
	const char *mismatch = json_string_value(json_object_get(r->o, "on_mismatch"));
	int64_t timeout;

	known_members(r, members);
	if (match == NULL || policy_action_parse(match, &d->on_match) < 0 || d->on_match == POLICY_ACTION_DENY)
		wrong(r, "on_match", "one of these is needed: approve, manual, manual-timeout");
	if (mismatch == NULL || policy_action_parse(mismatch, &d->on_mismatch) < 0 || d->on_mismatch == POLICY_ACTION_MANUAL_TIMEOUT)
		wrong(r, "on_mismatch", "one of these is needed: approve, manual, deny");
	timeout = read_number(r, "timeout_s", 0, DOCUMENT_TIMEOUT_MAX_S, 0);
	if (d->on_match != POLICY_ACTION_MANUAL_TIMEOUT || match == NULL)
		return;
	if (timeout == 0)
		wrong(r, "timeout_s", "a time is needed after which the key is approved automatically");
	d->timeout_s = timeout;
}

static void read_approvals(const struct reader *r, struct policy_document *d)
{
	static const char *const members[] = { "needed", "of", "expires_s", NULL };

	known_members(r, members);
	d->approvals.needed = (int)read_number(r, "needed", 1, DOCUMENT_APPROVALS_MAX, 1);
	d->approvals.expires_s = read_number(r, "expires_s", 60, DOCUMENT_EXPIRES_MAX_S, DOCUMENT_EXPIRES_DEFAULT_S);
	d->approvals.of = read_texts(r, "of");
	if (d->approvals.of == NULL)
		d->approvals.of = json_array();
	if (json_array_size(d->approvals.of) && json_array_size(d->approvals.of) < (size_t)d->approvals.needed)
		wrong(r, "of", "fewer people than approvals needed");
	/* What the clock approves, several people have not. */
	if (d->approvals.needed > 1 && d->on_match == POLICY_ACTION_MANUAL_TIMEOUT)
		wrong(r, "needed", "one approval is all that can be asked for where keys are approved after a time");
}

static void read_check(const struct reader *r, struct policy_document *d)
{
	static const char *const members[] = { "scheduled", "on_failure", "grace_s", NULL };
	const json_t *failure = json_object_get(r->o, "on_failure");
	int64_t grace;

	known_members(r, members);
	d->check.scheduled = read_bool(r, "scheduled");
	if (failure && !json_is_null(failure) && (!json_is_string(failure) || check_failure_parse(json_string_value(failure), &d->check.on_failure) < 0))
		wrong(r, "on_failure", "one of these is needed: notify, revoke, revoke-after");
	grace = read_number(r, "grace_s", 0, DOCUMENT_GRACE_MAX_S, 0);
	if (d->check.on_failure != CHECK_REVOKE_AFTER)
		return;
	if (grace == 0)
		wrong(r, "grace_s", "a grace period is needed: the time until the key is revoked");
	d->check.grace_s = grace;
}

static void read_all(const struct reader *r, struct policy_document *d)
{
	static const char *const members[] = { "keyward_policy", "name", "description", "pooling", "rules", "action", "approvals", "check",
		"images", "devices", NULL };
	const json_t *version = json_object_get(r->o, "keyward_policy");
	struct reader action = inner(r, "action", "action/"), approvals = inner(r, "approvals", "approvals/"),
		check = inner(r, "check", "check/");

	known_members(r, members);
	if (!json_is_integer(version) || json_integer_value(version) != 1)
		wrong(r, "keyward_policy", "1 is needed: the version of this form");
	d->name = read_text(r, "name", DOCUMENT_NAME_MAX, 0);
	d->description = read_text(r, "description", DOCUMENT_DESCRIPTION_MAX, 1);
	d->pooling = read_bool(r, "pooling");
	read_rules(r, d);
	read_action(&action, d);
	read_approvals(&approvals, d);
	read_check(&check, d);
	d->images = read_texts(r, "images");
	d->devices = read_texts(r, "devices");
}

int document_parse(const json_t *doc, struct policy_document *out, json_t *faults)
{
	struct policy_document d = { .name = NULL };
	int bad = 0;
	struct reader r = { doc, "", faults, &bad };

	if (!json_is_object(doc)) {
		wrong(&r, "", "a policy is an object");
	} else if (json_dumpb(doc, NULL, 0, JSON_COMPACT) > DOCUMENT_SIZE_MAX) {
		wrong(&r, "", "the policy is too large: at most 64 KiB");
	} else {
		read_all(&r, &d);
	}
	if (bad) {
		document_release(&d);
		return err_set(ERR_INVALID, "the policy has faults");
	}
	*out = d;
	return 0;
}

json_t *document_json(const struct policy_document *d)
{
	json_t *out = json_pack("{s:i, s:s, s:s, s:b, s:O, s:{s:s, s:s, s:I}, s:{s:i, s:O, s:I}, s:{s:b, s:s, s:I}}", "keyward_policy", 1,
		"name", d->name, "description", d->description, "pooling", d->pooling, "rules", d->rules, "action", "on_match",
		policy_action_name(d->on_match), "on_mismatch", policy_action_name(d->on_mismatch), "timeout_s", (json_int_t)d->timeout_s,
		"approvals", "needed", d->approvals.needed, "of", d->approvals.of, "expires_s", (json_int_t)d->approvals.expires_s, "check",
		"scheduled", d->check.scheduled, "on_failure", check_failure_name(d->check.on_failure), "grace_s",
		(json_int_t)d->check.grace_s);

	if (d->images)
		json_object_set(out, "images", d->images);
	if (d->devices)
		json_object_set(out, "devices", d->devices);
	return out;
}

void document_release(struct policy_document *d)
{
	free(d->name);
	free(d->description);
	json_decref(d->rules);
	json_decref(d->approvals.of);
	json_decref(d->images);
	json_decref(d->devices);
	memset(d, 0, sizeof *d);
}
