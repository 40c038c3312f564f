/* fuzz_certificate.c - certificates that files and settings hold: read, and described in texts of their size. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "identity/certificate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct certificate c;
	char *text, *tidy = NULL, *again = NULL;

	if (certificate_read((const char *)data, size, &c) == 0) {
		if (strlen(c.fingerprint) != 64 || strlen(c.names) >= sizeof c.names || strlen(c.subject) >= sizeof c.subject)
			fatal("a certificate's description does not fit");
	}
	text = mem_dup(data, size);
	if (certificate_tidy(text, &tidy) == CERTIFICATE_GOOD && certificate_tidy(tidy, &again) != CERTIFICATE_GOOD)
		fatal("what was good is not when it is read again");
	free(text);
	free(tidy);
	free(again);
	return 0;
}
