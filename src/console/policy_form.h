/* policy_form.h - rules as a form: a flat list of lines, groups as lines that others stand below, one deeper; and back. Pure: no
 * database, no request.
 *
 * A line is {kind: "rule", "all", "any" or "not", depth, and of a rule: type, join, name, conditions: [...]} in the shape of
 * policy/rule.h, but for values that are no good: they stay as they were typed, until the validator says what is wrong. */
#ifndef CONSOLE_POLICY_FORM_H
#define CONSOLE_POLICY_FORM_H

#include <jansson.h>

#define POLICY_FORM_DEPTH 8      /* groups within groups */

/* Rules to lines, each with "at": where it stands in the rules ("rules/1/any/0"). What is no rule and no group is left out. */
json_t *policy_form_lines(const json_t *rules);
/* Lines to rules. */
json_t *policy_form_rules(const json_t *lines);
/* The fields of the form, "<line>.<member>" and "<line>.<condition>.<member>", to lines. */
json_t *policy_form_read(const json_t *fields);

/* What the buttons of the form do to the lines: "up:3", "down:3", "remove:3", "into:3", "out:3", "wrap:3", "unwrap:3",
 * "condition:3" (one more), "drop:3.1" (one less), "group:3" (a new group in line 3, "group:top" at the end). Returns the line to
 * show afterwards, or -1 when GO is none of these. */
int policy_form_act(json_t *lines, const char *go);
/* Adds a rule of TYPE into the group of line IN (-1: at the end); returns its line. */
int policy_form_add(json_t *lines, int in, const char *type);

#endif
