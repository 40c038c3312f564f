/* faults.h - what is wrong with a policy (rules_compile, document_parse), for pages in any language: faults themselves are English text, which the API says
 * as it is. */
#ifndef POLICY_FAULTS_H
#define POLICY_FAULTS_H

#include <jansson.h>

/* A fault's text as a phrase (base/phrase.h); what is not known as it stands. The caller's. */
json_t *policy_fault_phrase(const char *text);

#endif
