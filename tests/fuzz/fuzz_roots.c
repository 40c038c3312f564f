/* fuzz_roots.c - the list of root keys, which keyd-opener reads as root. What is taken can be written, and is read again as the same. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/secret.h"
#include "keys/roots.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct roots first = { .count = 0 }, second = { .count = 0 };
	struct buf one = BUF_INIT, two = BUF_INIT;

	secret_init();
	if (size > ROOTS_FILE_MAX || roots_parse(data, size, "roots", &first) < 0)
		return 0;
	if (first.count == 0 || first.count > ROOTS_MAX)
		abort();
	roots_print(&first, &one);
	if (roots_parse((const uint8_t *)one.data, one.len, "roots", &second) < 0)
		abort();
	roots_print(&second, &two);
	if (one.len != two.len || memcmp(one.data, two.data, one.len) != 0)
		abort();
	roots_free(&first);
	roots_free(&second);
	buf_free(&one);
	buf_free(&two);
	return 0;
}
