/* licence_bar.h - what every page says of licences that are near their limit or their end (LIC-3). */
#ifndef WEB_LICENCE_BAR_H
#define WEB_LICENCE_BAR_H

#include "web/call.h"

/* Appends notices to LIST, in the page's transaction; nothing where there is nothing to say. Borrowed. */
void licence_bar(struct call *c, json_t *list);

#endif
