/* certificate.h - the certificate of destruction: a PDF, and the statement about it that is signed. */
#ifndef JOBS_CERTIFICATE_H
#define JOBS_CERTIFICATE_H

#include <jansson.h>

#include "base/buf.h"
#include "base/clock.h"

/* Who certifies: NAME: the operator's for this installation (store/brand.h); PUBLIC_KEY: 32 bytes of the key that signs. */
struct certificate_issuer {
	const char *name, *installation;
	const uint8_t *public_key;
};

/* FACTS as closing_facts has them. ERR_UNAVAILABLE: there are no fonts; ERR_IO. */
int certificate_make(const json_t *facts, const struct certificate_issuer *by, clock_us now, struct buf *pdf);
/* What is signed: two lines, the second with the SHA-256 of PDF. docs/closing.md has the command that checks it. */
void certificate_statement(const struct buf *pdf, struct buf *out);

#endif
