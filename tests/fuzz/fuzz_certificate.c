/* fuzz_certificate.c - certificates that files and settings hold: read, and described in texts of their size. */
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "identity/certificate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct certificate c;

	if (certificate_read((const char *)data, size, &c) == 0) {
		if (strlen(c.fingerprint) != 64 || strlen(c.names) >= sizeof c.names || strlen(c.subject) >= sizeof c.subject)
			fatal("a certificate's description does not fit");
	}
	return 0;
}
