/* rule.h - rules: from their JSON form to a compiled one, with all faults named by their places.
 *
 * A list of nodes, joined by AND at the top; a node is one of
 *     {"type": "network.services", "join": "any"|"all" (default), "conditions": [condition...], "name": optional text}
 *     {"all": [node...]}   {"any": [node...]}   {"not": node}
 * and a condition {"operator": "contains-none", "value": ..., "subject": "openssl"}; subject only for rule types that have one.
 * A fault is {"at": "rules/2/conditions/0/value", "text": "..."}: for the field it is about. */
#ifndef POLICY_RULE_H
#define POLICY_RULE_H

#include <jansson.h>

#define RULES_MAX 200            /* rules and groups of a policy, at all depths */
#define RULE_DEPTH_MAX 8         /* groups within groups */
#define RULE_CONDITIONS_MAX 100  /* of one rule */
#define RULE_LIST_MAX 200        /* values of one condition */
#define RULE_TEXT_MAX 1024       /* bytes of one value or subject */
#define RULE_NAME_MAX 255
#define RULE_FAULTS_MAX 100      /* more are not listed */

struct rules;

/* Never fails: what is faulty is told in FAULTS (a list to append to; may be NULL) and is Unknown when evaluated. AT is put before the
 * places: "rules". Copies what it needs of SOURCE. */
struct rules *rules_compile(const json_t *source, const char *at, json_t *faults);
void rules_free(struct rules *r);                            /* NULL is fine */
size_t rules_count(const struct rules *r);                   /* at the top */
int rules_faulty(const struct rules *r);                     /* 1 when anything in it is */
/* The canonical JSON of sound rules, the caller's: defaults left out, values in one form; compiles to the same again. A faulty node
 * comes out as it went in. */
json_t *rules_json(const struct rules *r);
/* A node (rule or group) as a phrase (base/phrase.h), the caller's: "Network services contain none of 8080, tcp/9000". */
json_t *rule_words(const json_t *node);
/* A rule type's label, the node's own name, or what a group is: for headings. A phrase, the caller's. */
json_t *rule_label(const json_t *node);
/* Appends a fault; used by whoever validates next to rules. */
void rule_fault(json_t *faults, const char *at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
