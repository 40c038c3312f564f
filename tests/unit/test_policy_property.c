/* test_policy_property.c - what holds for all rules: laws of three-valued logic, over rules and facts made at random (always the same
 * ones), and versions against dpkg itself. */
#include <jansson.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "policy/document.h"
#include "policy/parts.h"

#include "check.h"

#define ROUNDS 3000
#define NOW (INT64_C(1795262400) * CLOCK_SECOND)     /* 2026-11-21T12:00:00Z, and some hours */

/* Chance, the same in every run */

static uint64_t seed;

static unsigned chance(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed >> 11) % n;
}

#define PICK(list) list[chance(ARRAY_LEN(list))]

/* Rules: types with few values each, so that facts often meet them. */

static const struct {
	const char *type, *operators[8], *values[6], *facts[6];
} pool[] = {
	{ "host.name", { "equals", "not-equals", "contains", "starts-with", "matches" }, { "\"db\"", "\"d*\"", "\"web-1\"", "\"?b\"" },
		{ "\"db\"", "\"web-1\"", "\"\"", "7" } },
	{ "os.distribution", { "in", "not-in" }, { "[\"debian\"]", "[\"debian\", \"ubuntu\"]" }, { "\"Debian\"", "\"arch\"", "[]" } },
	{ "os.pending_updates", { "equals", "less", "greater", "at-least", "at-most", "not-equals" }, { "0", "5", "9" },
		{ "0", "5", "7", "\"5\"" } },
	{ "os.uptime_s", { "between" }, { "[1, 5]", "[5, 5]" }, { "1", "5", "6", "5.0" } },
	{ "os.version", { "at-least", "less", "equals", "starts-with" }, { "\"12\"", "\"12.1\"", "\"9~rc1\"" },
		{ "\"12\"", "\"12.1\"", "\"9\"", "\"?\"" } },
	{ "os.booted_at", { "newer-than", "older-than" }, { "\"7d\"", "\"1h\"" },
		{ "\"2026-11-20T00:00:00Z\"", "\"2026-01-01T00:00:00Z\"", "\"2030-01-01T00:00:00Z\"", "\"x\"" } },
	{ "os.updates_checked_at", { "in-window", "not-in-window" },
		{ "{\"weekdays\": [\"fri\"], \"from\": \"22:00\", \"to\": \"06:00\"}", "{\"from\": \"08:00\"}" },
		{ "\"2026-11-20T23:00:00Z\"", "\"2026-11-21T12:00:00Z\"", "false" } },
	{ "network.services", { "contains", "contains-any", "contains-none", "in", "equals" },
		{ "[22]", "[22, \"tcp/443\"]", "[\"tcp/1-1024\"]", "[8080, \"udp/53\"]" },
		{ "{}", "{\"tcp/22\": null}", "{\"tcp/22\": null, \"udp/53\": null}", "{\"tcp/22\": null, \"x\": null}", "[]" } },
	{ "network.services.remote", { "contains-none", "in" }, { "[22]", "[\"1-65535\"]" }, { "{\"tcp/22\": {\"address\": [\"::1\"]}}" } },
	{ "network.addresses", { "in", "contains", "contains-none" }, { "[\"10.0.0.0/8\"]", "[\"::/0\", \"10.0.0.5\"]" },
		{ "{\"10.0.0.5\": null}", "{\"2001:db8::1\": null, \"10.0.0.5\": null}", "{\"q\": null}" } },
	{ "processes", { "contains", "contains-any", "contains-none", "in", "equals" }, { "[\"sshd\"]", "[\"s*\", \"nc\"]" },
		{ "{}", "{\"sshd\": 1}", "{\"nc\": 1, \"sh\": 2}", "\"sshd\"" } },
	{ "packages", { "empty", "not-empty" }, { NULL }, { "{}", "{\"openssl\": \"3.0\"}", "{\"openssl\": null, \"bash\": \"5\"}", "3" } },
	{ "package.version", { "present", "absent" }, { NULL }, { NULL } },
	{ "package.version", { "at-least", "not-equals", "in" }, { "\"3.0\"", "\"5\"" }, { NULL } },
	{ "deep_security.status", { "equals", "not-equals" }, { "\"on\"", "\"off\"" }, { "\"on\"", "\"warning\"" } },
	{ "secure_boot", { "equals", "not-equals" }, { "\"on\"", "\"off\"" }, { "\"on\"", "\"off\"", "\"perhaps\"", "1" } },
	{ "cloud.identity", { "equals" }, { "\"1\"" }, { "\"1\"" } },
};

static unsigned given(const char *const *list, unsigned most)
{
	unsigned n = 0;

	while (n < most && list[n])
		n++;
	return n;
}

static json_t *parsed(const char *text)
{
	json_t *j = json_loads(text, JSON_DECODE_ANY, NULL);

	if (j == NULL)
		fatal("%s", text);
	return j;
}

static json_t *some_condition(unsigned which)
{
	unsigned values = given(pool[which].values, 6);
	json_t *c = json_object();

	json_set_string(c, "operator", pool[which].operators[chance(given(pool[which].operators, 8))]);
	if (values)
		json_object_set_new(c, "value", parsed(pool[which].values[chance(values)]));
	if (strcmp(pool[which].type, "package.version") == 0)
		json_set_string(c, "subject", chance(2) ? "openssl" : "bash");
	return c;
}

static json_t *some_rule(void)
{
	unsigned which = chance(ARRAY_LEN(pool)), n = 1 + chance(3);
	json_t *out = json_pack("{s:s, s:[]}", "type", pool[which].type, "conditions");
	const struct rule_type *t = rule_type_find(pool[which].type);

	if (chance(2))
		json_set_string(out, "join", chance(2) ? "any" : "all");
	for (unsigned i = 0; i < (t->flags & RULE_TYPE_SINGLE ? 1 : n); i++)
		json_array_append_new(json_object_get(out, "conditions"), some_condition(which));
	return out;
}

static json_t *some_node(int depth)
{
	unsigned kind = depth > 0 ? chance(6) : 5;
	json_t *list;

	if (kind > 2)
		return some_rule();
	if (kind == 2)
		return json_pack("{s:o}", "not", some_node(depth - 1));
	list = json_array();
	for (unsigned n = 1 + chance(3); n; n--)
		json_array_append_new(list, some_node(depth - 1));
	return json_pack("{s:o}", kind ? "any" : "all", list);
}

static json_t *some_facts(void)
{
	json_t *agent = json_object(), *deep = json_object(), *doc;

	for (size_t i = 0; i < ARRAY_LEN(pool); i++) {
		const struct rule_type *t = rule_type_find(pool[i].type);
		unsigned n = given(pool[i].facts, 6);

		if (n && chance(4))
			json_object_set_new(t->source == FACT_AGENT ? agent : deep, t->fact, parsed(pool[i].facts[chance(n)]));
	}
	doc = json_pack("{s:{s:o}, s:{s:o}}", "agent", "values", agent, "deep_security", "values", deep);
	if (chance(4) == 0)
		json_set_bool(json_object_get(doc, "deep_security"), "off", 1);
	return doc;
}

/* What comes of a node. */
static enum rule_status ask(const json_t *node, const json_t *doc)
{
	json_t *list = json_pack("[O]", node);
	struct rules *r = rules_compile(list, "rules", NULL);
	struct facts f;
	struct moment m;
	enum rule_status s;

	if (facts_read(doc, &f) < 0 || rules_faulty(r))
		fatal("the test's own rules or facts are faulty");
	m = moment_at(&f, NOW);
	s = node_test(&r->top.nodes[0], &f, &m);
	rules_free(r);
	json_decref(list);
	return s;
}

static void show(const char *law, const json_t *node, const json_t *doc)
{
	char *rule = json_text(node), *facts = json_text(doc);

	printf("    %s: %s\n    %s\n", law, rule, facts);
	check_failures++;
	free(rule);
	free(facts);
}

#define EACH_ROUND(node, doc, depth) \
	for (int round_ = 0; round_ < ROUNDS && check_failures < 5; round_++) \
		for (json_t *node = some_node(depth), *doc = some_facts(); node; json_decref(node), json_decref(doc), node = NULL)

/* The laws */

TEST(not_not_is_nothing, "RUL-26")
{
	seed = 1;
	EACH_ROUND(node, doc, 3) {
		json_t *twice = json_pack("{s:{s:O}}", "not", "not", node);

		if (ask(twice, doc) != ask(node, doc))
			show("not not", node, doc);
		if (ask(node, doc) == RULE_UNKNOWN) {
			json_t *once = json_object_get(twice, "not");

			if (ask(once, doc) != RULE_UNKNOWN)
				show("not unknown", node, doc);
		}
		json_decref(twice);
	}
}

static json_t *backwards(const json_t *node);

static json_t *list_backwards(const json_t *list)
{
	json_t *out = json_array();

	for (size_t i = json_array_size(list); i > 0; i--)
		json_array_append_new(out, backwards(json_array_get(list, i - 1)));
	return out;
}

/* The same node with all lists the other way round, those of a condition's values too where they are alternatives. */
static json_t *backwards(const json_t *node)
{
	static const char *const lists[] = { "all", "any", "conditions" };
	json_t *out = json_copy((json_t *)(uintptr_t)node);
	const char *op = json_string_value(json_object_get(node, "operator"));

	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		if (json_object_get(node, lists[i]))
			json_object_set_new(out, lists[i], list_backwards(json_object_get(node, lists[i])));
	if (json_object_get(node, "not"))
		json_object_set_new(out, "not", backwards(json_object_get(node, "not")));
	if (op && strcmp(op, "between") != 0 && json_is_array(json_object_get(node, "value"))) {
		json_t *values = json_object_get(node, "value"), *turned = json_array();

		for (size_t i = json_array_size(values); i > 0; i--)
			json_array_append(turned, json_array_get(values, i - 1));
		json_object_set_new(out, "value", turned);
	}
	return out;
}

TEST(order_does_not_matter, "RUL-26")
{
	seed = 2;
	EACH_ROUND(node, doc, 3) {
		json_t *turned = backwards(node);

		if (ask(turned, doc) != ask(node, doc))
			show("order", node, doc);
		json_decref(turned);
	}
}

TEST(de_morgan, "RUL-26")
{
	seed = 3;
	EACH_ROUND(a, doc, 2) {
		json_t *b = some_node(2);
		json_t *one = json_pack("{s:{s:[O,O]}}", "not", "all", a, b);
		json_t *other = json_pack("{s:[{s:O},{s:O}]}", "any", "not", a, "not", b);

		if (ask(one, doc) != ask(other, doc))
			show("de Morgan", one, doc);
		json_decref(one);
		json_decref(other);
		one = json_pack("{s:{s:[O,O]}}", "not", "any", a, b);
		other = json_pack("{s:[{s:O},{s:O}]}", "all", "not", a, "not", b);
		if (ask(one, doc) != ask(other, doc))
			show("de Morgan, or", one, doc);
		json_decref(one);
		json_decref(other);
		json_decref(b);
	}
}

/* An opposite operator is what NOT makes of the other. */
TEST(opposite_operators_are_not, "RUL-26")
{
	size_t count;
	const struct operator_row *rows = policy_operators(&count);

	seed = 4;
	for (int round = 0; round < ROUNDS * 4 && check_failures < 5; round++) {
		unsigned which = chance(ARRAY_LEN(pool));
		const struct rule_type *t = rule_type_find(pool[which].type);
		json_t *c = some_condition(which), *doc = some_facts();
		const struct operator_row *op = rule_type_operator(t, json_string_value(json_object_get(c, "operator")));
		json_t *one = json_pack("{s:s, s:[O]}", "type", t->name, "conditions", c);

		for (size_t i = 0; i < count; i++) {
			json_t *other, *opposite;

			if (rows[i].data != op->data || rows[i].base != op->op || rows[i].op == op->op)
				continue;
			other = json_deep_copy(one);
			json_set_string(json_array_get(json_object_get(other, "conditions"), 0), "operator", policy_operator_name(rows[i].op));
			opposite = json_pack("{s:o}", "not", other);
			if (ask(one, doc) != ask(opposite, doc))
				show("opposite", one, doc);
			json_decref(opposite);
		}
		json_decref(one);
		json_decref(c);
		json_decref(doc);
	}
}

static void forget(json_t *doc)
{
	const char *const sources[] = { "agent", "deep_security" };
	json_t *values = json_object_get(json_object_get(doc, PICK(sources)), "values");
	const char *name;
	json_t *value;
	void *next;

	json_object_foreach_safe(values, next, name, value)
		if (chance(3) == 0)
			json_object_del(values, name);
}

/* Kleene: knowing more never turns a yes into a no, or either into a doubt. So an unknown may become either, and what was sure
 * without it stays. */
TEST(knowing_less_is_only_less_sure, "RUL-24,RUL-26,SEC-7")
{
	int sure = 0, doubts = 0;

	seed = 5;
	EACH_ROUND(node, doc, 3) {
		enum rule_status known = ask(node, doc), less;

		forget(doc);
		less = ask(node, doc);
		if (less != known && less != RULE_UNKNOWN)
			show("knowing less", node, doc);
		sure += less == known && known != RULE_UNKNOWN;
		doubts += less != known;
	}
	CHECK(sure > ROUNDS / 10);
	CHECK(doubts > ROUNDS / 20);
}

/* With nothing known, everything is in doubt but what is switched off. */
TEST(knowing_nothing_is_unknown, "RUL-24")
{
	json_t *nothing = json_object();

	seed = 6;
	EACH_ROUND(node, doc, 3)
		if (ask(node, nothing) != RULE_UNKNOWN)
			show("nothing known", node, doc);
	json_decref(nothing);
}

static json_t *some_policy_rules(void)
{
	json_t *rules = json_array();

	for (unsigned n = chance(4); n; n--)
		json_array_append_new(rules, some_node(2));
	return rules;
}

static void check_verdict(const struct policy *p, const struct verdict *v, const json_t *doc)
{
	int counted[RULE_STATUS_COUNT] = { 0 };
	const json_t *row;
	size_t i;

	json_array_foreach(v->rules, i, row)
		for (int s = 0; s < RULE_STATUS_COUNT; s++)
			counted[s] += strcmp(json_string_value(json_object_get(row, "status")), rule_status_name((enum rule_status)s)) == 0;
	if (counted[RULE_PASSED] != v->passed || counted[RULE_UNKNOWN] != v->unknown || counted[RULE_SKIPPED] != v->skipped
		|| counted[RULE_FAILED] + counted[RULE_UNKNOWN] != v->failed)
		show("rows and numbers", p->rules, doc);
	if (v->unknown && (v->action == POLICY_ACTION_APPROVE || v->action == POLICY_ACTION_MANUAL_TIMEOUT || v->approve_at))
		show("unknown releases", p->rules, doc);
	if (v->passed + v->failed == 0 && (v->action != POLICY_ACTION_MANUAL || v->integrity != INTEGRITY_UNKNOWN))
		show("nothing to go by", p->rules, doc);
	if (v->integrity == INTEGRITY_GOOD && (v->failed || !v->passed))
		show("good", p->rules, doc);
}

TEST(unknown_never_releases, "RUL-24,POL-4,SEC-7,RUN-3")
{
	int approved = 0;

	seed = 7;
	for (int round = 0; round < ROUNDS && check_failures < 5; round++) {
		json_t *rules = some_policy_rules(), *doc = some_facts();
		struct policy p = { (enum policy_action)chance(POLICY_ACTION_COUNT), (enum policy_action)chance(POLICY_ACTION_COUNT), 60, rules };
		struct verdict v;
		struct facts f;

		CHECK_INT(facts_read(doc, &f), 0);
		policy_evaluate(&p, &f, NOW, &v);
		check_verdict(&p, &v, doc);
		approved += v.action == POLICY_ACTION_APPROVE;
		verdict_release(&v);
		json_decref(rules);
		json_decref(doc);
	}
	CHECK(approved > 0);
}

TEST(printed_rules_compile_to_the_same, "POL-8")
{
	seed = 8;
	EACH_ROUND(node, doc, 4) {
		json_t *list = json_pack("[O]", node), *once, *again;
		struct rules *r = rules_compile(list, "rules", NULL);

		once = rules_json(r);
		rules_free(r);
		r = rules_compile(once, "rules", NULL);
		again = rules_json(r);
		if (rules_faulty(r) || !json_equal(once, again))
			show("printed", once, again);
		if (ask(node, doc) != ask(json_array_get(once, 0), doc))
			show("another meaning", node, doc);
		rules_free(r);
		json_decref(list);
		json_decref(once);
		json_decref(again);
	}
}

/* A rule that is not understood is in doubt, and so is what hangs on it. */
TEST(what_is_not_understood_is_unknown, "RUL-24,SEC-7")
{
	seed = 9;
	EACH_ROUND(node, doc, 0) {
		json_t *broken = json_deep_copy(node), *condition = json_array_get(json_object_get(broken, "conditions"), 0);
		json_t *list = json_pack("[O, {s:O}]", broken, "not", broken);
		struct policy p = { POLICY_ACTION_APPROVE, POLICY_ACTION_APPROVE, 0, list };
		struct verdict v;
		struct facts f;

		switch (chance(4)) {
		case 0:
			json_set_string(broken, "type", "os.name");
			break;
		case 1:
			json_object_clear(condition);
			break;
		case 2:
			json_set_string(condition, "operator", "eqals");
			break;
		default:
			json_set_int(condition, "values", 1);
		}
		CHECK_INT(facts_read(doc, &f), 0);
		policy_evaluate(&p, &f, NOW, &v);
		if (v.unknown != 2 || v.action != POLICY_ACTION_MANUAL)
			show("not understood", broken, doc);
		verdict_release(&v);
		json_decref(list);
		json_decref(broken);
	}
}

/* Versions: dpkg knows. */

/* posix_spawn: a fork of a process with sanitizers takes long. */
static int dpkg_agrees(const char *a, const char *op, const char *b)
{
	const char *const argv[] = { "dpkg", "--compare-versions", a, op, b, NULL };
	union { const char *const *in; char *const *out; } arguments = { argv };
	int status = -1;
	pid_t pid;

	if (posix_spawnp(&pid, "dpkg", NULL, NULL, arguments.out, environ) != 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status)
		|| WEXITSTATUS(status) > 1)
		fatal("dpkg does not compare %s with %s", a, b);
	return WEXITSTATUS(status) == 0;
}

static int dpkg_says(const char *a, const char *b)
{
	return dpkg_agrees(a, "lt", b) ? -1 : !dpkg_agrees(a, "eq", b);
}

static void some_version(char *out)
{
	static const char characters[] = "0011299.~+-abZ";
	size_t n = 0;

	if (chance(5) == 0)
		n += (size_t)sprintf(out, "%u:", chance(3));
	out[n++] = (char)('0' + chance(10));
	for (unsigned i = chance(7); i; i--)
		out[n++] = characters[chance(sizeof characters - 1)];
	/* dpkg wants something behind the last dash. */
	out[n++] = "0127"[chance(4)];
	out[n] = '\0';
}

TEST(versions_compare_as_dpkg_does, "RUL-19")
{
	int equal = 0;

	seed = 10;
	for (int i = 0; i < 150; i++) {
		char a[32], b[32];
		int want, got;

		some_version(a);
		some_version(b);
		/* Often one that is nearly the other. */
		if (chance(2))
			snprintf(b, sizeof b, "%s%s", a, chance(3) == 0 ? "~" : chance(2) ? "0" : "");
		if (b[strlen(b) - 1] == '~')
			strcat(b, "1");
		want = dpkg_says(a, b);
		got = version_compare(a, b, 0);
		CHECK(version_valid(a, strlen(a)) && version_valid(b, strlen(b)));
		if (got != want) {
			printf("    %s and %s: %d, not %d\n", a, b, got, want);
			check_failures++;
		}
		equal += want == 0;
	}
	CHECK(equal > 5);
}

TEST_MAIN
