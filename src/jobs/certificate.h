/* certificate.h - the certificate of destruction: a PDF, and the statement about it that is signed. */
#ifndef JOBS_CERTIFICATE_H
#define JOBS_CERTIFICATE_H

#include <jansson.h>

#include "base/buf.h"
#include "base/clock.h"

/* FACTS as closing_facts has them; PUBLIC: of the key that signs. ERR_UNAVAILABLE: there are no fonts; ERR_IO. */
int certificate_make(const json_t *facts, const char *installation, const uint8_t public_key[static 32], clock_us now, struct buf *pdf);
/* What is signed: two lines, the second with the SHA-256 of PDF. docs/closing.md has the command that checks it. */
void certificate_statement(const struct buf *pdf, struct buf *out);

#endif
