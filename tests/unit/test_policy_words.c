/* test_policy_words.c - what people are told of a policy beyond its rules one by one: which rules are in the way. */
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

TEST_MAIN
