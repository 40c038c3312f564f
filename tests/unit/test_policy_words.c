/* test_policy_words.c - what people are told of a policy beyond its rules one by one: the policy in a sentence, and which rules are in the way. */
#include <jansson.h>

#include "base/phrase.h"
#include "base/err.h"
#include "base/mem.h"
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

static void expect_phrase(json_t *phrase, const char *want)
{
	char *text = words_phrase_text(NULL, phrase);

	CHECK_STR(text, want);
	free(text);
	json_decref(phrase);
}

/* Which rules are in the way */

#define IN(region) "{\"type\": \"instance.region\", \"conditions\": [{\"operator\": \"equals\", \"value\": \"" region "\"}]}"
#define BITS(n) "{\"type\": \"os.bits\", \"conditions\": [{\"operator\": \"equals\", \"value\": " n "}]}"
#define HOST "{\"type\": \"host.name\", \"conditions\": [{\"operator\": \"equals\", \"value\": \"db-1\"}]}"

/* On a machine of 64 bits in eu-west-1 whose name nobody knows. */
static void expect_reasons(const char *rules, size_t most, const char *want)
{
	json_t *source = parsed(rules), *facts = parsed("{\"agent\": {\"values\": {\"instance.region\": \"eu-west-1\", \"os.bits\": 64}}}"), *rows, *list;
	struct rules *r = rules_compile(source, "rules", NULL);
	struct facts f;

	CHECK_INT(facts_read(facts, &f), 0);
	rows = rules_explain(r, &f, NOW);
	list = rules_reasons(rows, most);
	expect_phrase(phrase_list(list, "; "), want);
	json_decref(rows);
	rules_free(r);
	json_decref(facts);
	json_decref(source);
}

TEST(rules_that_are_in_the_way, "POL-7,RUN-3,RUL-24")
{
	expect_reasons("[" IN("eu-west-1") ", " BITS("64") "]", 9, "");
	expect_reasons("[" IN("eu-west-2") ", " BITS("64") "]", 9, "Region: it is eu-west-1");
	expect_reasons("[" IN("eu-west-2") ", " BITS("32") "]", 9, "Region: it is eu-west-1; Architecture, bits: it is 64");
	expect_reasons("[" HOST "]", 9, "Host name: the agent has not told host.name");
	/* Of a group that holds nothing is in the way, whatever stands in it. */
	expect_reasons("[{\"any\": [" IN("eu-west-2") ", " BITS("64") "]}]", 9, "");
	expect_reasons("[{\"any\": [" IN("eu-west-2") ", " BITS("32") "]}]", 9, "Region: it is eu-west-1; Architecture, bits: it is 64");
	expect_reasons("[{\"all\": [" IN("eu-west-2") ", " BITS("64") "]}]", 9, "Region: it is eu-west-1");
	/* What must not be. */
	expect_reasons("[{\"not\": " IN("eu-west-2") "}]", 9, "");
	expect_reasons("[{\"not\": " IN("eu-west-1") "}]", 9, "Region: it is eu-west-1, and that is ruled out");
	expect_reasons("[{\"not\": {\"not\": " IN("eu-west-2") "}}]", 9, "Region: it is eu-west-1");
	expect_reasons("[{\"not\": {\"any\": [" IN("eu-west-1") ", " BITS("32") "]}}]", 9, "Region: it is eu-west-1, and that is ruled out");
	/* Of many the first. */
	expect_reasons("[" IN("a") ", " IN("b") ", " IN("c") ", " BITS("1") "]", 1, "Region: it is eu-west-1; and 3 more rules");
}

/* In plain words */

#define POLICY(match, mismatch, rules) "{\"keyward_policy\": 1, \"name\": \"P\", \"description\": \"D\", \"rules\": [" rules "], \"action\": {\"on_match\": \"" match \
	"\", \"on_mismatch\": \"" mismatch "\"}}"
#define PATCHED "{\"type\": \"os.pending_security_updates\", \"conditions\": [{\"operator\": \"equals\", \"value\": 0}]}"
#define HEAD "\"keyward_policy\": 1, \"name\": \"P\", \"description\": \"D\", \"rules\": [" PATCHED "]"
#define SOME "A machine gets its key automatically if "
#define REST "; all others wait for a person."

static void expect_sentence(const char *document, const char *want)
{
	json_t *d = parsed(document);

	expect_phrase(policy_sentence(d), want);
	json_decref(d);
}

TEST(a_policy_in_a_sentence, "POL-2,POL-4")
{
	expect_sentence(POLICY("approve", "manual", IN("eu-west-1") ", " PATCHED), SOME "it is in region eu-west-1 and it has no pending security update" REST);
	expect_sentence(POLICY("approve", "deny", PATCHED), SOME "it has no pending security update; all others are denied.");
	expect_sentence(POLICY("approve", "approve", PATCHED), SOME "it has no pending security update; all others get theirs too, and wait for a person only where"
		" something is not known.");
	expect_sentence(POLICY("manual", "deny", PATCHED), "A machine's key waits for a person if it has no pending security update; all others are denied.");
	/* What the actions say does not count without rules, nor the rules where all waits. */
	expect_sentence(POLICY("approve", "deny", ""), "Every key waits for a person, because the policy has no rules.");
	expect_sentence(POLICY("manual", "manual", PATCHED), "Every key waits for a person, who sees which rules match.");
	/* What is said of none is not said of three. */
	expect_sentence(POLICY("approve", "manual", "{\"type\": \"os.pending_security_updates\", \"conditions\": [{\"operator\": \"equals\", \"value\": 3}]}"),
		SOME "Pending security updates is 3" REST);
	/* Groups, and what there are no own words for. */
	expect_sentence(POLICY("approve", "manual", "{\"any\": [" IN("a") ", {\"not\": " BITS("32") "}]}"), SOME "(it is in region a or it is not so that Architecture,"
		" bits is 32)" REST);
	expect_sentence(POLICY("approve", "manual", "{\"type\": \"instance.region\", \"conditions\": [{\"operator\": \"in\", \"value\": [\"a\", \"b\"]}]}"),
		SOME "it is in region a or b" REST);
	expect_sentence(POLICY("approve", "manual", IN("a") ", " IN("b") ", " IN("c") ", " IN("d") ", " IN("e") ", " IN("f") ", " IN("g")), SOME "it is in region a and it is in"
		" region b and it is in region c and it is in region d and it is in region e and 2 more rules match" REST);
	/* A time, several people, and what comes later. */
	expect_sentence("{" HEAD ", \"action\": {\"on_match\": \"manual-timeout\", \"on_mismatch\": \"manual\", \"timeout_s\": 600}}", "A machine gets its key"
		" automatically, unless a person decides within 10 minutes, if it has no pending security update" REST);
	expect_sentence("{" HEAD ", \"action\": {\"on_match\": \"approve\", \"on_mismatch\": \"manual\"}, \"approvals\": {\"needed\": 2, \"of\": [], \"expires_s\": 3600},"
		" \"check\": {\"scheduled\": true, \"on_failure\": \"revoke\"}}", SOME "it has no pending security update" REST " What waits needs 2 people."
		" When a later check finds that the rules no longer match, the key is revoked.");
	/* Of what is not sound nothing is said. */
	expect_sentence("{\"keyward_policy\": 1}", "");
}

TEST_MAIN
