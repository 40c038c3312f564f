/* fuzz_header.c - the metadata of a LUKS2 header that anybody may have written: what is let through is within the limits. */
#include <stdint.h>
#include <stdlib.h>

#include "agent/volume/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct limits *l = NULL;

	if (limits_parse((const char *)data, size, &l) < 0)
		return 0;
	limits_all(l);
	for (int i = 0; i < 40; i++) {
		int key = limits_slot(l, i, LIMITS_DEVICE_KEY), passphrase = limits_slot(l, i, LIMITS_PASSPHRASE);

		/* What may be tried with a device key may be tried with what is stretched longer. */
		if (key == 0 && passphrase < 0)
			abort();
	}
	limits_free(l);
	return 0;
}
