/* parts.h - compiled rules as the files of this folder share them; nobody else includes this. */
#ifndef POLICY_PARTS_H
#define POLICY_PARTS_H

#include "base/phrase.h"
#include "policy/evaluate.h"
#include "policy/value.h"

struct condition {
	const struct operator_row *op;       /* NULL: faulty */
	struct value *values;                /* of ONE, PATTERN and RANGE one, of PAIR two, of LIST COUNT */
	size_t count;
	clock_us duration;
	struct window window;
	json_t *canonical;                   /* the condition again; values borrow their texts from it */
	const char *subject;                 /* of CANONICAL; NULL: none */
	size_t subject_len;
};

enum node_kind { NODE_RULE, NODE_ALL, NODE_ANY, NODE_NOT };

struct node {
	enum node_kind kind;
	const struct rule_type *type;        /* of NODE_RULE */
	size_t type_index;                   /* its bit in facts.sound */
	size_t fact_len;
	int any;                             /* conditions are joined by "any" */
	struct condition *conditions;
	struct node *nodes;                  /* of a group; of NODE_NOT one */
	size_t count;                        /* of conditions or nodes */
	char *fault;                         /* NULL: sound; else the node is Unknown, and this says why */
	json_t *source;                      /* as it came in */
};

struct rules {
	struct node top;                     /* NODE_ALL */
	int faulty;
};

/* Compiles one rule as of TYPE, whatever it says of its type: for tests of what no row of the catalogue uses. */
struct rules *rules_compile_as(const struct rule_type *type, const json_t *rule, json_t *faults);

/* Why something is unknown. */
enum why { WHY_NONE, WHY_MISSING, WHY_MALFORMED, WHY_NO_SUBJECT, WHY_NO_MEMBER, WHY_FUTURE, WHY_RESERVED, WHY_FAULT, WHY_WORK };

/* What goes with every test of one evaluation. */
struct moment {
	clock_us now;
	int64_t utc_offset_s;
	int sound;                           /* the set at hand has only members that can be read */
	long work;                           /* comparisons left: a bound on what rules can cost */
	enum why why;                        /* of the last unknown */
};

#define EVALUATE_WORK_MAX 5000000        /* a policy of people is far below; beyond it everything is Unknown */

struct moment moment_at(const struct facts *f, clock_us now);
/* The value that a condition looks at: NULL with M->why when it is not there. */
const json_t *condition_value(const struct node *n, const struct condition *c, const json_t *fact, struct moment *m);
enum rule_status condition_test(const struct node *n, const struct condition *c, const json_t *fact, struct moment *m);
enum rule_status node_test(const struct node *n, const struct facts *f, struct moment *m);
const json_t *node_fact(const struct node *n, const struct facts *f);
/* Both as Kleene: PASSED and FAILED are true and false; SKIPPED is not there at all. */
enum rule_status status_and(enum rule_status a, enum rule_status b);
enum rule_status status_or(enum rule_status a, enum rule_status b);
enum rule_status status_not(enum rule_status a);

/* set.c */
enum rule_status set_test(const struct rule_type *type, const struct condition *c, const json_t *set, struct moment *m);
/* A counted member that fits VALUE; NULL: none. ANY: when VALUE is NULL, one that fits none of C's values. For explanations. */
const char *set_example(const struct rule_type *type, const struct condition *c, const struct value *value, const json_t *set);

/* words.c; all of them phrases (base/phrase.h), the caller's */
json_t *condition_words(const struct node *n, const struct condition *c, int with_label);
/* The node's own name, or its type's label, or what a group is. */
json_t *node_heading(const struct node *n);
json_t *node_words(const struct node *n);
json_t *value_words(const struct value *v);
/* What a condition compares with: a value, or several. */
json_t *operand_words(const struct condition *c);
/* LIST, taken over, and how many MORE there are. */
json_t *phrase_more(json_t *list, size_t more);

#endif
