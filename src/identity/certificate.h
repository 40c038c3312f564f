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

/* Certificates as somebody has pasted them. */
enum certificate_fault {
	CERTIFICATE_GOOD,
	CERTIFICATE_NONE,                /* there is none in PEM */
	CERTIFICATE_BROKEN,              /* one that cannot be read, or has no end */
	CERTIFICATE_PRIVATE,             /* a private key stands among them */
	CERTIFICATE_OTHER                /* something else in PEM does: a request, a public key */
};
/* OUT, the caller's where it is good: the same, a line for each, without spaces around them and without empty ones. Text before and after a certificate stays. */
enum certificate_fault certificate_tidy(const char *text, char **out);

#endif
