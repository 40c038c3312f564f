/* container.c - see container.h. */
#include "agent/common/container.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

#define SIZE_MOST ((uint64_t)1 << 56)

static int parse_size(const char *text, uint64_t *out)
{
	static const char units[] = "KMGT";
	unsigned long long n;
	const char *unit;
	char *end;

	if (strcmp(text, "rest") == 0) {
		*out = 0;
		return 0;
	}
	errno = 0;
	n = strtoull(text, &end, 10);
	unit = *end ? strchr(units, *end) : NULL;
	if (end == text || *text == '-' || errno || (*end && (unit == NULL || end[1])) || n > SIZE_MOST)
		return err_set(ERR_INVALID, "container: the size is \"rest\" or a number with K, M, G or T, not \"%s\"", text);
	for (int i = unit ? (int)(unit - units) + 1 : 0; i > 0; i--)
		n = n > SIZE_MOST ? n : n * 1024;
	if (n < CONTAINER_SIZE_LEAST || n > SIZE_MOST)
		return err_set(ERR_INVALID, "container: a size from 32M on is needed");
	*out = n;
	return 0;
}

int container_parse(const char *text, struct container *out)
{
	char path[CONTAINER_PATH_MAX + 1], size[32], word[16] = "", more;
	struct container c = { .sparse = 0 };
	int n = sscanf(text, " %1023[^,], %31[^, ] , %15s %c", path, size, word, &more), rc;

	if (n < 2 || n > 3 || path[0] != '/' || (n == 3 && strcmp(word, "sparse") != 0))
		return err_set(ERR_INVALID, "container: PATH,SIZE or PATH,SIZE,sparse is needed");
	rc = parse_size(size, &c.size);
	if (rc < 0)
		return rc;
	snprintf(c.path, sizeof c.path, "%s", path);
	c.sparse = n == 3;
	*out = c;
	return 0;
}
