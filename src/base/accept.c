/* accept.c - takes such a header apart. */
#include "base/accept.h"

#include <stdlib.h>
#include <string.h>

#define BETWEEN " \t,"

int accept_next(const char **rest, struct accept_item *out)
{
	const char *at = *rest ? *rest + strspn(*rest, BETWEEN) : "";
	size_t len = strcspn(at, ",");
	const char *weight = memchr(at, '=', len);

	if (*at == '\0')
		return 0;
	/* RFC 9110, 12.4.2: 1 where none is said; what is no number counts as none at all. */
	*out = (struct accept_item){ at, strcspn(at, ";" BETWEEN), weight ? strtod(weight + 1, NULL) : 1 };
	*rest = at + len;
	return 1;
}
