/* own.h - what the two ends of a connection (link.c, door.c) have in common. For this folder alone. */
#ifndef TLS_OWN_H
#define TLS_OWN_H

#include <openssl/ssl.h>

#include "base/clock.h"
#include "base/secret.h"

struct tls_link {
	const char *what;            /* who is at the other end, in reasons */
	int fd;                      /* never blocks; -1 while there is none */
	SSL_CTX *context;
	SSL *tls;
	clock_us until;
};

/* The reason that OpenSSL gives, as ERR_INVALID. */
int tls_error(const char *what);
/* Settings of connections by METHOD: TLS 1.2 or later; only what CA vouches for is believed (PEM; NULL or empty: the system's authorities); we are
 * CERTIFICATE (PEM, its chain after it) with KEY, or nobody (NULL). ERR_INVALID with what is wrong. OUT: the caller's. */
int tls_context_make(const SSL_METHOD *method, const char *ca, const char *certificate, const struct secret *key, SSL_CTX **out);
/* Begins TLS as L's method says, within its limit. */
int tls_link_begin(struct tls_link *l, int (*step)(SSL *));

#endif
