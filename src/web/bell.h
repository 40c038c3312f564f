/* bell.h - the bell of every page: its live count. */
#ifndef WEB_BELL_H
#define WEB_BELL_H

#include "web/call.h"

/* The member `bell` of every page: { count, more, label }; null where nobody is signed in. */
json_t *bell_member(struct call *c);

#endif
