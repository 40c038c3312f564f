/* fuzz_licence.c - activation codes as somebody pastes them: what is read must come back as the same code. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/licence.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t signature[LICENCE_SIGNATURE_SIZE], again[LICENCE_SIGNATURE_SIZE];
	char *text = mem_alloc(size + 1), *back;
	struct licence l, m;

	memcpy(text, data, size);
	text[size] = '\0';
	if (licence_read(text, &l, signature) == 0) {
		back = licence_text(&l, signature);
		if (licence_read(back, &m, again) < 0 || memcmp(signature, again, sizeof again) != 0 || m.serial != l.serial || m.until != l.until)
			abort();
		free(back);
	}
	free(text);
	return 0;
}
