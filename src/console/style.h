/* style.h - the components of the consoles' pages side by side (/style), for those who build them: development builds alone serve it. */
#ifndef CONSOLE_STYLE_H
#define CONSOLE_STYLE_H

#include "web/call.h"

#ifdef KEYWARD_DEVELOPMENT
#define STYLE_ROWS(site) { WEB_GET, "/style", PERMISSION_SIGNED_IN, site "/style", style_page, style_query, ROUTE_PAGE_ONLY },

int style_page(struct call *c);
extern const struct route_param style_query[];
#else
#define STYLE_ROWS(site)
#endif

#endif
