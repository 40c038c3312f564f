/* catalogue.h - the one table of rule types, and the one of data types and their operators. Forms, the validator, the evaluator, the
 * documentation (docs/policy.md) and GET /api/v1/policies/catalogue all read them. */
#ifndef POLICY_CATALOGUE_H
#define POLICY_CATALOGUE_H

#include <jansson.h>

#include "base/buf.h"
#include "policy/facts.h"

/* id, name in JSON, words */
#define POLICY_DATA_ROWS(X) \
	X(STRING, "string", "Text") \
	X(NUMBER, "number", "Number") \
	X(VERSION, "version", "Version") \
	X(DATE, "date", "Date") \
	X(IP, "ip", "IP address") \
	X(CIDR, "cidr", "IP range (CIDR)") \
	X(SET, "set", "Set") \
	X(PORT, "port", "Port")                      /* only as a member of a set */ \
	X(SUBJECT, "subject", "Named thing")         /* operators of rule types with a subject: is it there at all? */

enum policy_data {
#define X(id, name, label) DATA_##id,
	POLICY_DATA_ROWS(X)
#undef X
	DATA_COUNT
};

#define POLICY_OPERATOR_ROWS(X) \
	X(EQUALS, "equals") X(NOT_EQUALS, "not-equals") X(CONTAINS, "contains") X(NOT_CONTAINS, "not-contains") \
	X(STARTS_WITH, "starts-with") X(MATCHES, "matches") X(LESS, "less") X(GREATER, "greater") X(AT_LEAST, "at-least") \
	X(AT_MOST, "at-most") X(BETWEEN, "between") X(IN, "in") X(NOT_IN, "not-in") X(IN_RANGE, "in-range") \
	X(NOT_IN_RANGE, "not-in-range") X(NEWER_THAN, "newer-than") X(OLDER_THAN, "older-than") X(IN_WINDOW, "in-window") \
	X(NOT_IN_WINDOW, "not-in-window") X(CONTAINS_ANY, "contains-any") X(CONTAINS_NONE, "contains-none") X(EMPTY, "empty") \
	X(NOT_EMPTY, "not-empty") X(PRESENT, "present") X(ABSENT, "absent")

enum policy_operator {
#define X(id, name) OPERATOR_##id,
	POLICY_OPERATOR_ROWS(X)
#undef X
	OPERATOR_COUNT
};

/* What an operator is given as "value". */
#define POLICY_OPERAND_ROWS(X) \
	X(NONE, "none", "nothing") \
	X(ONE, "one", "one value") \
	X(LIST, "list", "a list of values") \
	X(PAIR, "pair", "two values: from, to (both included)") \
	X(PATTERN, "pattern", "a text in which * stands for any characters and ? for one") \
	X(RANGE, "range", "a network such as 10.0.0.0/8 or 2001:db8::/32") \
	X(DURATION, "duration", "a time such as 7d, 12h, 30m or 90s") \
	X(WINDOW, "window", "weekdays, and times of the day from and to")

enum policy_operand {
#define X(id, name, label) OPERAND_##id,
	POLICY_OPERAND_ROWS(X)
#undef X
	OPERAND_COUNT
};

struct operator_row {
	enum policy_data data;
	enum policy_operator op;
	enum policy_operator base;   /* differs from OP where OP is its opposite */
	enum policy_operand operand;
	const char *label;           /* "is one of": stands between a rule type's label and the operand */
	const char *help;
};

#define RULE_TYPE_SINGLE 1       /* one condition only */
#define RULE_TYPE_FOLD 2         /* capital and small letters are the same (ASCII) */
#define RULE_TYPE_CLOSED 4       /* nothing but the choices */
#define RULE_TYPE_RESERVED 8     /* this release cannot verify the fact: always unknown, and not offered */
#define RULE_TYPE_SHA256 16     /* 64 hexadecimal digits */
#define RULE_TYPE_PATH 32        /* the subject is an absolute path */
#define RULE_TYPE_PLAIN 64       /* of its versions, dashes part nothing: 6.1.0-9-amd64 has no revision "amd64" */

/* What of a set's members counts for the rule: 1, 0, or -1 when the detail does not tell. */
typedef int rule_filter(const json_t *detail);

struct rule_type {
	const char *name;            /* "network.services" */
	const char *label;           /* "Network services" */
	const char *covers;          /* lines of the specification: "RUL-9" */
	const char *group;           /* heading in pickers */
	enum policy_data data, element;              /* element: of a set; else DATA_STRING */
	unsigned flags;
	const char *subject;         /* what "subject" names ("Package"); NULL: the rule type has none */
	const char *const *subjects; /* suggestions for it, or, with SUBJECT NULL, those that are tried in turn; NULL-terminated */
	const char *member;          /* where in a subject's detail the value is; NULL: it is the detail */
	rule_filter *filter;         /* NULL: every member counts */
	const char *fact;            /* its name in the source's layer */
	enum fact_source source;
	const char *const *choices;  /* suggestions, or with RULE_TYPE_CLOSED all there are; NULL-terminated */
	const char *help;
	const char *example;         /* a condition, as JSON */
	const char *search;          /* what people look for who do not know its label: words, translated where they are searched */
};

const struct rule_type *rule_types(size_t *count);
const struct rule_type *rule_type_find(const char *name);    /* NULL: none */
int rule_type_offers(const struct rule_type *type, const char *choice);      /* 1: it is one of the type's choices */
const struct operator_row *policy_operators(size_t *count);  /* by data type */
/* The row of operator NAME for the rule type; NULL: it has none. */
const struct operator_row *rule_type_operator(const struct rule_type *type, const char *name);
int rule_type_allows(const struct rule_type *type, const struct operator_row *row);
const char *policy_data_name(enum policy_data d);
const char *policy_data_label(enum policy_data d);
const char *policy_operator_name(enum policy_operator o);
const char *policy_operand_name(enum policy_operand o);
const char *policy_operand_label(enum policy_operand o);

/* {"types": [{name, label, covers, group, data, element|null, single, reserved, closed, subject|null, subjects [], fact, source,
 * source_label, choices [], help, search, example {}, operators [name, ...]}], "data": [{name, label, operators [{name, label, operand,
 * operand_label, help}]}], "limits": {...}}: all that a form or a program needs. The caller's. */
json_t *catalogue_json(void);
/* The reference tables of docs/policy.md, as Markdown. */
void catalogue_describe(struct buf *out);

#endif
