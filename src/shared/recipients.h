/* recipients.h - addresses that are typed into one field: of groups and of reports. */
#ifndef SHARED_RECIPIENTS_H
#define SHARED_RECIPIENTS_H

#include <jansson.h>

#include "web/call.h"

#define RECIPIENTS_MOST 50

/* Those of the form's "recipients", in small letters, each once: the caller's. NULL: one is none, or they are too many; the field says so. */
json_t *recipients_read(struct call *c);
/* "a@x; b@y": the caller's. */
char *recipients_text(const json_t *list);

#endif
