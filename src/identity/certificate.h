/* certificate.h - what a certificate says of itself: bytes from files and settings, read once. Nothing is verified. */
#ifndef IDENTITY_CERTIFICATE_H
#define IDENTITY_CERTIFICATE_H

#include <stddef.h>

#include "base/clock.h"

#define CERTIFICATE_PEM_MAX 65536
#define CERTIFICATE_NAMES_MAX 1024

struct certificate {
	char subject[512], issuer[512];          /* "CN=cmc.example.net, O=Example": cut where longer */
	char names[CERTIFICATE_NAMES_MAX];       /* host names and addresses that it is for, between commas; "" where it names none */
	char fingerprint[65];                    /* SHA-256, hexadecimal */
	clock_us not_before, not_after;
	int self_signed;                         /* subject and issuer are the same */
};

/* The first one of PEM (LEN bytes). ERR_INVALID, ERR_TOO_LARGE. */
int certificate_read(const char *pem, size_t len, struct certificate *out);

#endif
