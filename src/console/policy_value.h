/* policy_value.h - one condition of a rule: from the fields of a form, and to what the fields show. Pure. */
#ifndef CONSOLE_POLICY_VALUE_H
#define CONSOLE_POLICY_VALUE_H

#include "policy/catalogue.h"

/* The condition that the fields "<at>.operator", .subject, .value, .to, .unit, .from, .until, .day and .pick make. TYPE may be NULL:
 * then values are texts. What cannot be read as it should stays a text. */
json_t *policy_value_read(const json_t *fields, const char *at, const struct rule_type *type);
/* A condition to begin with: as LAST (may be NULL), without its value. */
json_t *policy_value_first(const struct rule_type *type, const json_t *last);
/* {value, to, unit, from, until, days: {mon: true...}, picks: [..]}: what the fields of CONDITION hold; texts are never null. A list is
 * a value per line, without those that are CHOICES of the type (they are picks). */
json_t *policy_value_show(const struct rule_type *type, const struct operator_row *op, const json_t *condition);

#endif
