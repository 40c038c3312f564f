/* fuzz_logo.c - pictures from outside: what is taken is a PNG within the limits that is taken again and stays as it is. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "central/logo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf once = BUF_INIT, twice = BUF_INIT;

	if (logo_take(data, size, &once) == 0) {
		if (once.len == 0 || once.len > LOGO_KEPT_MAX)
			abort();
		if (once.len <= LOGO_BYTES_MAX && (logo_take(once.data, once.len, &twice) < 0 || twice.len != once.len || memcmp(twice.data, once.data, once.len) != 0))
			abort();
	}
	buf_free(&once);
	buf_free(&twice);
	return 0;
}
