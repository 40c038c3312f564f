/* fuzz_policy.c - fuzzes policy documents, rules and facts: the input is a document (or a list of rules) and facts, parted by an
 * empty line. covers: POL-8, SEC-5, RUL-24
 *
 * What must hold whatever comes: a document that is taken gives a canonical form that is taken again and is the same; one that is not
 * has at least one fault, with a text; nothing that was not understood approves; the explanation's statuses are the verdict's. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "policy/document.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW (INT64_C(1795262400) * CLOCK_SECOND)

static void must(int condition)
{
	if (!condition)
		abort();
}

static void check_again(const struct policy_document *d)
{
	json_t *once = document_json(d), *again, *faults = json_array(), *diff;
	struct policy_document e;

	must(document_parse(once, &e, faults) == 0);
	again = document_json(&e);
	must(json_equal(once, again));
	diff = policy_document_diff(once, again);
	must(json_array_size(diff) == 0);
	json_decref(diff);
	json_decref(again);
	json_decref(once);
	json_decref(faults);
	document_release(&e);
}

static void check_verdict(const struct policy *p, const struct facts *f)
{
	struct rules *rules = rules_compile(p->rules, "rules", NULL);
	struct verdict v;
	const json_t *row;
	json_t *info = json_array(), *whole;
	size_t i;
	int passed = 0, unknown = 0;

	policy_evaluate(p, f, NOW, &v);
	json_array_foreach(v.rules, i, row) {
		const char *status = json_string_value(json_object_get(row, "status"));

		passed += strcmp(status, "passed") == 0;
		unknown += strcmp(status, "unknown") == 0;
	}
	must(passed <= v.passed && (v.unknown == 0) == (unknown == 0));
	must(!rules_faulty(rules) || v.integrity != INTEGRITY_GOOD || rules_count(rules) > 0);
	must(!v.unknown || v.action != POLICY_ACTION_APPROVE);
	whole = verdict_json(&v);
	must(whole != NULL);
	policy_informational(p, f, info);
	json_decref(info);
	json_decref(whole);
	verdict_release(&v);
	rules_free(rules);
}

static void check_faults(const json_t *faults)
{
	const json_t *f;
	size_t i;

	must(json_array_size(faults) > 0);
	json_array_foreach(faults, i, f)
		must(json_is_string(json_object_get(f, "at")) && json_string_length(json_object_get(f, "text")) > 0);
}

static void evaluate(const json_t *doc, const struct facts *f)
{
	json_t *faults = json_array();
	struct policy_document d;

	if (document_parse(doc, &d, faults) == 0) {
		struct policy p = { d.on_match, d.on_mismatch, d.timeout_s, d.rules };

		must(json_array_size(faults) == 0);
		check_again(&d);
		check_verdict(&p, f);
		document_release(&d);
	} else {
		/* As if it had been stored all the same. */
		struct policy p = { POLICY_ACTION_APPROVE, POLICY_ACTION_APPROVE, 0, json_is_array(doc) ? doc : json_object_get(doc, "rules") };

		check_faults(faults);
		check_verdict(&p, f);
	}
	json_decref(faults);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *cut = memmem(data, size, "\n\n", 2);
	size_t len = cut ? (size_t)(cut - text) : size;
	json_t *doc = json_loadb(text, len, JSON_DECODE_ANY, NULL), *facts = cut ? json_loadb(cut, size - len, 0, NULL) : NULL;
	struct facts f;

	if (doc && facts_read(facts, &f) == 0)
		evaluate(doc, &f);
	json_decref(doc);
	json_decref(facts);
	return 0;
}
