/* https.h - one kept-alive HTTPS connection with checked certificates, as light as a client can be: what the load generator
 * spends is taken from what it measures. */
#ifndef BENCH_HTTPS_H
#define BENCH_HTTPS_H

#include <openssl/ssl.h>

#include "base/buf.h"

struct https {
	SSL *ssl;
	char host[128];              /* as in "Host:" */
	struct buf sent, got;
};

/* The server of 127.0.0.1:PORT under NAME, whose certificate must be good; any failure ends the program. */
void https_open(struct https *h, SSL_CTX *ctx, const char *name, int port);
void https_close(struct https *h);
/* One request; BODY NULL: GET, else POST of TYPE. Replaces OUT by the answer's body, returns its status, or ERR_UNAVAILABLE. */
int https_ask(struct https *h, const char *path, const char *type, const struct buf *body, struct buf *out);

#endif
