/* test_policy_document.c - whole policies as JSON: every fault with its place, the canonical form, what differs; the limits of rules; the
 * catalogue; and docs/policy.md, whose examples are run and whose tables are the catalogue's. */
#include <jansson.h>

#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "policy/catalogue.h"
#include "policy/document.h"
#include "render/words.h"

#include "check.h"

#define NOW (INT64_C(1795262400) * CLOCK_SECOND)     /* 2026-11-21T12:00:00Z */

static json_t *parsed(const char *text)
{
	json_error_t e;
	json_t *j = json_loads(text, JSON_DECODE_ANY, &e);

	if (j == NULL)
		fatal("%s in %s", e.text, text);
	return j;
}

#define HEAD "\"keyward_policy\": 1, \"name\": \"Databases\", \"description\": \"All of them\""
#define ACTION "\"action\": {\"on_match\": \"approve\", \"on_mismatch\": \"deny\"}"

/* "at: text" of every fault, parted by "; ". */
static char *faults_of(const char *text)
{
	json_t *doc = parsed(text), *faults = json_array(), *f;
	struct policy_document d = { .name = NULL };
	struct buf out = BUF_INIT;
	size_t i;
	int rc = document_parse(doc, &d, faults);

	CHECK_INT(rc, json_array_size(faults) ? ERR_INVALID : 0);
	CHECK(rc == 0 || d.name == NULL);
	json_array_foreach(faults, i, f)
		buf_printf(&out, "%s%s: %s", i ? "; " : "", json_string_value(json_object_get(f, "at")),
			json_string_value(json_object_get(f, "text")));
	document_release(&d);
	json_decref(doc);
	json_decref(faults);
	return out.len ? buf_take(&out) : mem_strdup("");
}

static void expect_faults(const char *doc, const char *want)
{
	char *got = faults_of(doc);

	CHECK_STR(got, want);
	free(got);
}

TEST(a_document_with_everything_and_one_with_the_least, "POL-2,POL-8")
{
	expect_faults("{" HEAD ", " ACTION "}", "");
	expect_faults("{" HEAD ", \"pooling\": true, \"rules\": [{\"type\": \"os.bits\", \"conditions\": [{\"operator\": \"equals\","
		" \"value\": 64}]}], \"action\": {\"on_match\": \"manual\", \"on_mismatch\": \"deny\"},"
		" \"approvals\": {\"needed\": 2, \"of\": [\"a@example.com\", \"b@example.com\"], \"expires_s\": 3600},"
		" \"check\": {\"scheduled\": true, \"on_failure\": \"revoke-after\", \"grace_s\": 900},"
		" \"images\": [\"native:one\"], \"devices\": [\"disk-1\"]}", "");
}

TEST(null_is_as_if_it_were_not_there, "POL-8")
{
	expect_faults("{" HEAD ", " ACTION ", \"pooling\": null, \"rules\": [{\"type\": \"os.bits\", \"name\": null, \"join\": null, \"conditions\":"
		" [{\"operator\": \"equals\", \"value\": 64, \"subject\": null}]}], \"approvals\": null, \"check\": {\"on_failure\": null,"
		" \"grace_s\": null}, \"images\": null}", "");
}

TEST(all_faults_are_told_with_their_places, "POL-8,WEB-3")
{
	expect_faults("[]", ": a policy is an object");
	expect_faults("{\"keyward_policy\": 2, \"name\": \" \", \"pooling\": 1, \"colour\": \"red\"}",
		"colour: there is no such member; keyward_policy: 1 is needed: the version of this form; name: a text is needed;"
		" description: a text is needed; pooling: true or false is needed; action/on_match: one of these is needed: approve, manual,"
		" manual-timeout; action/on_mismatch: one of these is needed: approve, manual, deny");
	expect_faults("{" HEAD ", \"action\": {\"on_match\": \"manual-timeout\", \"on_mismatch\": \"manual-timeout\"},"
		" \"check\": {\"on_failure\": \"revoke-after\"}}",
		"action/on_mismatch: one of these is needed: approve, manual, deny; action/timeout_s: a time is needed after which the"
		" key is approved automatically; check/grace_s: a grace period is needed: the time until the key is revoked");
	expect_faults("{" HEAD ", " ACTION ", \"check\": {\"on_failure\": \"shrug\", \"grace_s\": -1}, \"images\": [7]}",
		"check/on_failure: one of these is needed: notify, revoke, revoke-after; check/grace_s: a whole number from 0 to 2592000 is"
		" needed; images/0: a text is needed");
}

TEST(zero_approvals_are_refused, "RUN-8,SEC-7")
{
	expect_faults("{" HEAD ", " ACTION ", \"approvals\": {\"needed\": 0}}",
		"approvals/needed: a whole number from 1 to 20 is needed");
	expect_faults("{" HEAD ", " ACTION ", \"approvals\": {\"needed\": 2, \"of\": [\"a@example.com\", \"a@example.com\"]}}",
		"approvals/of: fewer people than approvals needed");
	expect_faults("{" HEAD ", \"action\": {\"on_match\": \"manual-timeout\", \"on_mismatch\": \"deny\", \"timeout_s\": 60},"
		" \"approvals\": {\"needed\": 2}}",
		"approvals/needed: one approval is all that can be asked for where keys are approved after a time");
}

#define RULES(text) "{" HEAD ", " ACTION ", \"rules\": [" text "]}"

TEST(faults_of_rules_stand_next_to_their_fields, "POL-8,WEB-3")
{
	expect_faults(RULES("{\"type\": \"os.name\"}, 7, {\"type\": \"os.bits\"}, {}"),
		"rules/0/type: there is no rule type \"os.name\"; rules/1: a rule is an object with type and conditions, or a group: all, any,"
		" not; rules/2/conditions: at least one condition is needed; rules/3/type: a rule type is needed");
	expect_faults(RULES("{\"type\": \"os.bits\", \"join\": \"none\", \"conditions\": [{\"operator\": \"matches\", \"value\": 1},"
		" {\"operator\": \"less\", \"value\": \"x\", \"subject\": \"y\"}], \"when\": 1}"),
		"rules/0: no such member: when; rules/0/join: \"all\" or \"any\" is needed; rules/0/conditions/0/operator: no operator"
		" \"matches\" for this rule: one of these is needed: equals, not-equals, less, greater, at-least, at-most, between, in, not-in;"
		" rules/0/conditions/1/subject: \"os.bits\" has no subject; rules/0/conditions/1/value: a whole number is needed");
	expect_faults(RULES("{\"type\": \"package.version\", \"conditions\": [{\"operator\": \"at-least\", \"value\": \"3\"}]},"
		" {\"type\": \"file.sha256\", \"conditions\": [{\"operator\": \"equals\", \"value\": \"abc\", \"subject\": \"etc/x\"}]}"),
		"rules/0/conditions/0/subject: Package: a name is needed; rules/1/conditions/0/subject: a path that begins with / is needed;"
		" rules/1/conditions/0/value: 64 hexadecimal digits are needed: what sha256sum prints");
	expect_faults(RULES("{\"type\": \"device.access\", \"conditions\": [{\"operator\": \"equals\", \"value\": \"rw\"},"
		" {\"operator\": \"equals\", \"value\": \"read-only\"}]}"),
		"rules/0/conditions: \"device.access\" takes one condition only; rules/0/conditions/0/value: one of these is needed:"
		" read-only, read-write");
	expect_faults(RULES("{\"any\": [{\"not\": {\"all\": []}}]}"), "rules/0/any/0/not/all: a group needs at least one rule");
	expect_faults(RULES("{\"all\": [{\"type\": \"os.bits\", \"conditions\": [{}]}], \"any\": []}"),
		"rules/0: no such member: any; rules/0/all/0/conditions/0/operator: no operator: one of these is needed: equals, not-equals,"
		" less, greater, at-least, at-most, between, in, not-in");
	expect_faults("{" HEAD ", " ACTION ", \"rules\": {}}", "rules: a list of rules is needed");
}

static char *repeated(const char *before, const char *what, int n, const char *between, const char *after)
{
	struct buf out = BUF_INIT;

	buf_puts(&out, before);
	for (int i = 0; i < n; i++)
		buf_printf(&out, "%s%s", i ? between : "", what);
	buf_puts(&out, after);
	return buf_take(&out);
}

/* Texts are cut in faults and reasons, even within a character. */
TEST(cut_texts_stay_texts, "SEC-5,WEB-3")
{
	char *text, *name = repeated("x", "\xc3\xa4", 60, "", ""), *doc = mem_printf("{" HEAD ", " ACTION ", \"%s\": 1, \"rules\": [{\"type\": \"%s\"},"
		" {\"type\": \"request.at\", \"conditions\": [{\"operator\": \"in-window\", \"value\": {\"%s\": 1}}]}]}", name, name, name);
	json_t *j = parsed(doc), *faults = json_array(), *rules, *facts, *rows;
	struct policy_document d;
	struct rules *r;
	struct facts f;

	CHECK_INT(document_parse(j, &d, faults), ERR_INVALID);
	CHECK_INT(json_array_size(faults), 3);
	rules = parsed("[{\"type\": \"processes\", \"conditions\": [{\"operator\": \"empty\"}, {\"operator\": \"in\", \"value\": \"a\"}]}]");
	facts = json_pack("{s:{s:{s:{s:i}}}}", "agent", "values", "processes", name, 1);
	CHECK_INT(facts_read(facts, &f), 0);
	r = rules_compile(rules, "rules", NULL);
	rows = rules_explain(r, &f, NOW);
	text = words_phrase_text(NULL, json_object_get(json_array_get(rows, 0), "reason"));
	CHECK(strstr(text, "is not one of them") != NULL);
	free(text);
	rules_free(r);
	json_decref(rows);
	json_decref(facts);
	json_decref(rules);
	json_decref(faults);
	json_decref(j);
	free(doc);
	free(name);
}

/* Limits */

#define SOUND "{\"type\": \"os.bits\", \"conditions\": [{\"operator\": \"equals\", \"value\": 64}]}"

static void expect_repeated(const char *before, const char *what, int n, const char *between, const char *after, const char *want)
{
	char *doc = repeated(before, what, n, between, after);

	expect_faults(doc, want);
	free(doc);
}

TEST(limits_give_clear_faults, "POL-8,SEC-5")
{
	const char *begin = "{" HEAD ", " ACTION ", \"rules\": [", *condition = "{\"operator\": \"equals\", \"value\": 64}";
	const char *rule = "{" HEAD ", " ACTION ", \"rules\": [{\"type\": \"os.bits\", \"conditions\": [";
	char *deep;

	expect_repeated(begin, SOUND, 200, ",", "]}", "");
	expect_repeated(begin, SOUND, 201, ",", "]}", "rules: at most 200 rules and groups");
	expect_repeated(rule, condition, 100, ",", "]}]}", "");
	expect_repeated(rule, condition, 101, ",", "]}]}", "rules/0/conditions: at most 100 conditions");
	rule = "{" HEAD ", " ACTION ", \"rules\": [{\"type\": \"os.bits\", \"conditions\": [{\"operator\": \"in\", \"value\": [";
	expect_repeated(rule, "7", 200, ",", "]}]}]}", "");
	expect_repeated(rule, "7", 201, ",", "]}]}]}", "rules/0/conditions/0/value: at most 200 values");
	rule = "{" HEAD ", " ACTION ", \"rules\": [{\"type\": \"host.name\", \"conditions\": [{\"operator\": \"equals\", \"value\": \"";
	expect_repeated(rule, "x", 1024, "", "\"}]}]}", "");
	expect_repeated(rule, "x", 1025, "", "\"}]}]}", "rules/0/conditions/0/value: too long: at most 1024 bytes");
	expect_repeated("{" HEAD ", " ACTION ", \"images\": [\"", "x", 66000, "", "\"]}", ": the policy is too large: at most 64 KiB");
	deep = repeated("", "{\"not\": ", 8, "", SOUND "}}}}}}}}");
	expect_repeated(begin, deep, 1, "", "]}", "");
	free(deep);
	deep = repeated("", "{\"not\": ", 9, "", SOUND "}}}}}}}}}");
	expect_repeated(begin, deep, 1, "", "]}",
		"rules/0/not/not/not/not/not/not/not/not: at most 8 groups within each other");
	free(deep);
}

/* Hundreds of faults are not. */
TEST(faults_have_a_limit_too, "SEC-5")
{
	char *doc = repeated("{" HEAD ", " ACTION ", \"rules\": [", "1", 190, ",", "]}");
	json_t *j = parsed(doc), *faults = json_array();
	struct policy_document d;

	CHECK_INT(document_parse(j, &d, faults), ERR_INVALID);
	CHECK_INT(json_array_size(faults), RULE_FAULTS_MAX);
	json_decref(faults);
	json_decref(j);
	free(doc);
}

/* Names with wildcards against many members: a bound on work, and beyond it nobody knows. */
TEST(rules_that_compare_too_much_are_unknown, "SEC-5,RUL-24")
{
	json_t *set = json_object(), *values = json_array(), *rules = json_array(), *doc;
	struct policy p = { POLICY_ACTION_APPROVE, POLICY_ACTION_APPROVE, 0, rules };
	struct verdict v;
	struct facts f;

	for (int i = 0; i < 5000; i++) {
		char name[64];

		snprintf(name, sizeof name, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa%d", i);
		json_object_set_new(set, name, json_string("1"));
	}
	for (int i = 0; i < 200; i++)
		json_array_append_new(values, json_string("*a*a*a*a*a*a*a*a*a*a*b"));
	for (int i = 0; i < 20; i++)
		json_array_append_new(rules, json_pack("{s:s, s:[{s:s, s:O}]}", "type", "packages", "conditions", "operator", "contains-none",
			"value", values));
	doc = json_pack("{s:{s:{s:o}}}", "agent", "values", "packages", set);
	CHECK_INT(facts_read(doc, &f), 0);
	policy_evaluate(&p, &f, NOW, &v);
	CHECK(v.unknown > 0);
	CHECK_INT(v.action, POLICY_ACTION_MANUAL);
	verdict_release(&v);
	json_decref(doc);
	json_decref(values);
	json_decref(rules);
}

/* The canonical form */

static char *canonical(const char *text)
{
	json_t *doc = parsed(text), *faults = json_array(), *out;
	struct policy_document d;
	char *result;

	if (document_parse(doc, &d, faults) < 0)
		fatal("%s", text);
	out = document_json(&d);
	result = json_text(out);
	document_release(&d);
	json_decref(out);
	json_decref(doc);
	json_decref(faults);
	return result;
}

TEST(documents_that_mean_the_same_are_the_same_text, "POL-6,POL-8")
{
	char *a = canonical("{" HEAD ", " ACTION ", \"rules\": [{\"type\": \"network.services\", \"conditions\": [{\"operator\":"
		" \"contains-none\", \"value\": [8080, \"tcp/22-22\"]}]}, {\"type\": \"os.bits\", \"join\": \"any\", \"conditions\":"
		" [{\"value\": \"64\", \"operator\": \"equals\"}]}], \"images\": [\"b\", \"a\", \"b\"]}");
	char *b = canonical("{\"images\": [\"a\", \"b\"], \"rules\": [{\"type\": \"network.services\", \"join\": \"all\", \"conditions\":"
		" [{\"operator\": \"contains-none\", \"value\": [\"8080\", \"tcp/22\"]}]}, {\"type\": \"os.bits\", \"conditions\":"
		" [{\"operator\": \"equals\", \"value\": 64}]}], \"pooling\": false, \"check\": {\"scheduled\": false, \"grace_s\": 60},"
		" \"approvals\": {\"needed\": 1}, " ACTION ", " HEAD "}");
	char *again;

	CHECK_STR(a, b);
	again = canonical(a);
	CHECK_STR(again, a);
	free(again);
	free(a);
	free(b);
}

static void expect_diff(const char *before, const char *after, const char *want)
{
	char *a = canonical(before), *b = canonical(after);
	json_t *x = parsed(a), *y = parsed(b), *diff = policy_document_diff(x, y), *row;
	struct buf out = BUF_INIT;
	size_t i;

	json_array_foreach(diff, i, row) {
		char *label = words_phrase_text(NULL, json_object_get(row, "label"));
		char *old = words_phrase_text(NULL, json_object_get(row, "old")), *new = words_phrase_text(NULL, json_object_get(row, "new"));

		buf_printf(&out, "%s [%s] %s -> %s\n", json_string_value(json_object_get(row, "at")), label, *old ? old : "-", *new ? new : "-");
		free(label);
		free(old);
		free(new);
	}
	CHECK_STR(buf_str(&out), want);
	buf_free(&out);
	json_decref(diff);
	json_decref(x);
	json_decref(y);
	free(a);
	free(b);
}

TEST(what_differs_in_words, "POL-6")
{
	expect_diff("{" HEAD ", " ACTION "}", "{" HEAD ", " ACTION "}", "");
	expect_diff("{" HEAD ", " ACTION "}", "{\"keyward_policy\": 1, \"name\": \"Web\", \"description\": \"All of them\", \"pooling\":"
		" true, \"action\": {\"on_match\": \"manual-timeout\", \"on_mismatch\": \"deny\", \"timeout_s\": 5400}, \"check\":"
		" {\"on_failure\": \"revoke\"}, \"approvals\": {\"of\": [\"a@example.com\"]}}",
		"name [Name] Databases -> Web\npooling [Resource pooling] Off -> On\n"
		"action/on_match [If all rules match] Approve -> Manual Approve, automatically after a time\n"
		"action/timeout_s [Automatic approval after] - -> 90 minutes\napprovals/of [Approvers] - -> a@example.com\n"
		"check/on_failure [If a check fails] Notify -> Notify and revoke the key at once\n");
	expect_diff(RULES(SOUND ", {\"type\": \"host.name\", \"conditions\": [{\"operator\": \"equals\", \"value\": \"db\"}]},"
		" {\"type\": \"processes\", \"conditions\": [{\"operator\": \"contains\", \"value\": \"auditd\"}]}"),
		RULES("{\"type\": \"host.name\", \"conditions\": [{\"operator\": \"starts-with\", \"value\": \"db\"}]}, " SOUND
		", {\"any\": [" SOUND "]}"),
		"rules/0 [Rule: Host name] Host name is db -> Host name starts with db\n"
		"rules/2 [Rule: One of] - -> (Architecture, bits is 64)\n"
		"rules/2 [Rule: Processes running] Processes running contain all of auditd -> -\n");
}

/* Facts */

TEST(facts_documents_are_read, "INT-5")
{
	json_t *doc = parsed("{\"agent\": {\"at\": \"2026-11-21T11:00:00Z\", \"values\": {\"os.bits\": 64}}, \"server\":"
		" {\"at\": \"2026-11-21T12:00:00Z\", \"utc_offset_s\": -3600, \"values\": {}}, \"deep_security\": {\"off\": true}}");
	static const char *const bad[] = { "[]", "{\"agent\": 7}", "{\"agent\": {\"values\": []}}", "{\"agent\": {\"at\": \"x\"}}",
		"{\"server\": {\"utc_offset_s\": 99999999}}", "{\"deep_security\": {\"off\": 1}}" };
	struct facts f, g = { .utc_offset_s = 7 };

	CHECK_INT(facts_read(doc, &f), 0);
	CHECK_INT(f.from[FACT_AGENT].at, NOW - CLOCK_HOUR);
	CHECK_INT(f.utc_offset_s, -3600);
	CHECK_INT(f.from[FACT_DEEP_SECURITY].off, 1);
	CHECK_INT(json_integer_value(json_object_get(f.from[FACT_AGENT].values, "os.bits")), 64);
	json_decref(doc);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		doc = parsed(bad[i]);
		g.utc_offset_s = 7;
		CHECK_INT(facts_read(doc, &g), ERR_INVALID);
		CHECK_INT(g.utc_offset_s, 7);
		json_decref(doc);
	}
	CHECK_INT(facts_read(NULL, &g), 0);
	CHECK(g.from[FACT_AGENT].values == NULL);
}

TEST(unused_rule_types_are_informational, "RUL-25,RUN-3")
{
	json_t *doc = parsed("{\"agent\": {\"at\": \"2026-11-21T11:00:00Z\", \"values\": {\"os.bits\": 64, \"host.name\": \"db\","
		" \"cloud.identity\": \"1\", \"processes\": {\"sshd\": 2, \"cron\": 1}}}}"), *rules = parsed("[{\"not\": " SOUND "}]");
	struct policy p = { .rules = rules };
	json_t *out = json_array(), *row;
	struct facts f;
	char *text;

	CHECK_INT(facts_read(doc, &f), 0);
	policy_informational(&p, &f, out);
	CHECK_INT(json_array_size(out), 2);
	row = json_array_get(out, 0);
	text = json_text(row);
	CHECK_STR(text, "{\"actual\":\"db\",\"at\":\"2026-11-21T11:00:00.000Z\",\"condition\":null,\"fact\":\"host.name\",\"reason\":null,"
		"\"rule\":{\"say\":\"Host name\"},\"source\":\"Agent\",\"status\":\"info\",\"type\":\"host.name\"}");
	free(text);
	text = words_phrase_text(NULL, json_object_get(json_array_get(out, 1), "actual"));
	CHECK_STR(text, "sshd, cron");
	free(text);
	json_decref(out);
	json_decref(rules);
	json_decref(doc);
}

/* The catalogue */

TEST(examples_of_the_catalogue_are_sound, "POL-8")
{
	size_t count;
	const struct rule_type *types = rule_types(&count);

	CHECK(count < 64);           /* a bit each in facts.sound */
	for (size_t i = 0; i < count; i++) {
		json_t *example = parsed(types[i].example), *faults = json_array();
		json_t *rules = json_pack("[{s:s, s:[O]}]", "type", types[i].name, "conditions", example);
		struct rules *r = rules_compile(rules, "rules", faults);

		if (rules_faulty(r)) {
			printf("    %s: %s\n", types[i].name, json_string_value(json_object_get(json_array_get(faults, 0), "text")));
			check_failures++;
		}
		rules_free(r);
		json_decref(rules);
		json_decref(faults);
		json_decref(example);
	}
}

TEST(catalogue_tells_forms_all_they_need, "POL-8,API-1")
{
	json_t *c = catalogue_json(), *types = json_object_get(c, "types"), *data = json_object_get(c, "data"), *type, *one;
	size_t count, i, n;

	rule_types(&count);
	CHECK_INT(json_array_size(types), count);
	json_array_foreach(types, i, type) {
		CHECK(json_string_length(json_object_get(type, "label")) && json_string_length(json_object_get(type, "help")));
		CHECK(json_array_size(json_object_get(type, "operators")) > 0 && json_is_object(json_object_get(type, "example")));
	}
	json_array_foreach(data, i, type)
		json_array_foreach(json_object_get(type, "operators"), n, one)
			CHECK(json_string_length(json_object_get(one, "label")) && json_string_length(json_object_get(one, "operand_label")));
	json_decref(c);
}

/* The documentation */

static char *policy_md(void)
{
	struct buf text = BUF_INIT;

	if (file_read(SOURCE_ROOT "/docs/policy.md", 1 << 20, &text) < 0)
		fatal("docs/policy.md: %s", err_text());
	return buf_take(&text);
}

TEST(documented_tables_are_the_catalogue, "RUL-26")
{
	struct buf want = BUF_INIT;
	char *text = policy_md();

	catalogue_describe(&want);
	if (strstr(text, buf_str(&want)) == NULL) {
		printf("    docs/policy.md does not hold what catalogue_describe prints; it has to be:\n%s", buf_str(&want));
		check_failures++;
	}
	buf_free(&want);
	free(text);
}

static void run_example(const json_t *example)
{
	const json_t *policy = json_object_get(example, "policy"), *rules = policy ? json_object_get(policy, "rules")
		: json_object_get(example, "rules"), *want = json_object_get(example, "result"), *rows;
	const char *now = json_string_value(json_object_get(example, "now"));
	struct policy p = { POLICY_ACTION_APPROVE, POLICY_ACTION_DENY, 600, rules };
	json_t *faults = json_array(), *got = json_array(), *row;
	struct policy_document d = { .name = NULL };
	clock_us at = NOW;
	struct verdict v;
	struct facts f;
	size_t i;

	if (policy) {
		CHECK_INT(document_parse(policy, &d, faults), 0);
		p = (struct policy){ d.on_match, d.on_mismatch, d.timeout_s, d.rules };
	}
	CHECK(now == NULL || clock_parse(now, &at) == 0);
	CHECK_INT(facts_read(json_object_get(example, "facts"), &f), 0);
	policy_evaluate(&p, &f, at, &v);
	rows = v.rules;
	json_array_foreach(rows, i, row)
		json_array_append(got, json_object_get(row, "status"));
	if (!json_equal(got, json_object_get(want, "rules"))) {
		char *text = json_text(rows);

		printf("    an example gives %s\n", text);
		check_failures++;
		free(text);
	}
	if (json_object_get(want, "action"))
		CHECK_STR(policy_action_name(v.action), json_string_value(json_object_get(want, "action")));
	if (json_object_get(want, "reason")) {
		char *why = words_phrase_text(NULL, json_object_get(json_array_get(rows, 0), "reason"));

		CHECK_STR(why, json_string_value(json_object_get(want, "reason")));
		free(why);
	}
	verdict_release(&v);
	document_release(&d);
	json_decref(faults);
	json_decref(got);
}

TEST(documented_examples_do_what_they_say, "RUL-26,POL-8")
{
	char *text = policy_md(), *end;
	int run = 0;

	for (char *at = strstr(text, "```json\n"); at; at = strstr(end + 3, "```json\n")) {
		json_error_t e;
		json_t *example;

		at += 8;
		end = strstr(at, "```");
		if (end == NULL)
			fatal("docs/policy.md: a block has no end");
		example = json_loadb(at, (size_t)(end - at), JSON_REJECT_DUPLICATES, &e);
		if (example == NULL) {
			printf("    docs/policy.md: a block is no JSON: %s in %.60s\n", e.text, at);
			check_failures++;
			continue;
		}
		if (json_object_get(example, "result")) {
			run_example(example);
			run++;
		}
		json_decref(example);
	}
	CHECK(run >= 8);
	free(text);
}

TEST_MAIN
