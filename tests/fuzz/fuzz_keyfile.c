/* fuzz_keyfile.c - files of exported keys, XML and zip: what is accepted keeps to the table of fields. */
#include <stdint.h>
#include <string.h>

#include "agent/keytool/keyfile.h"
#include "base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct keyfiles k = { NULL, 0 };

	if (keyfiles_parse((const char *)data, size, &k) < 0)
		return 0;
	if (k.count == 0 || k.count > EXPORTED_FILES_MAX)
		fatal("%zu files", k.count);
	for (size_t i = 0; i < k.count; i++) {
		if (k.list[i].sealed.len <= EXPORTED_OVERHEAD)
			fatal("a sealed key of %zu bytes", k.list[i].sealed.len);
		for (int f = 0; f < EXPORTED_FIELD_COUNT; f++)
			if (k.list[i].fields[f] == NULL || strlen(k.list[i].fields[f]) > exported_names[f].most)
				fatal("field %d", f);
	}
	keyfiles_free(&k);
	return 0;
}
