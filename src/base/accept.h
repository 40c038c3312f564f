/* accept.h - what a request's header would take, with weights: Accept-Encoding, Accept-Language. */
#ifndef BASE_ACCEPT_H
#define BASE_ACCEPT_H

#include <stddef.h>

struct accept_item {
	const char *name;                /* into the header, LEN bytes */
	size_t len;
	double weight;
};

/* The next one of *REST (may be NULL), which is moved behind it: 1; 0: there is none. */
int accept_next(const char **rest, struct accept_item *out);

#endif
