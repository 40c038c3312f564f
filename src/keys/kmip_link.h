/* kmip_link.h - the connection to a KMIP server: TLS 1.2 or later, both certificates checked, a time limit on everything. One KMIP message
 * out, one in. Blocks, so only a child of keyd opens one (apart.h). */
#ifndef KEYS_KMIP_LINK_H
#define KEYS_KMIP_LINK_H

#include <stdint.h>

#include "base/buf.h"
#include "base/secret.h"
#include "base/wire.h"

#define KMIP_PORT 5696
#define KMIP_HOST_MAX 255
#define KMIP_PEM_MAX 12288       /* bytes of certificates of an authority, or of a client with its chain */
#define KMIP_KEY_MAX 8192        /* of its private key */

/* Owner: whoever fills it; kmip_settings_free. */
struct kmip_settings {
	char *host;                  /* a name or an address */
	uint32_t port;
	char *ca;                    /* PEM: only what these vouch for is believed */
	char *certificate;           /* PEM: the client's own, then those between it and its authority */
	struct secret *key;          /* PEM, without a passphrase */
	int local;                   /* 1: addresses of this machine and its link are fine */
};

#define KMIP_SETTINGS_MAX 33792  /* bytes of them as one */

struct kmip_link;

void kmip_settings_free(struct kmip_settings *s);
/* 0, or ERR_INVALID with what is wrong: no host or port, nothing to read as certificates, a key that is not the certificate's. */
int kmip_settings_check(const struct kmip_settings *s);

/* All but LOCAL as bytes: the caller's. */
struct secret *kmip_settings_put(const struct kmip_settings *s);
/* ERR_INVALID, ERR_TOO_LARGE. OUT is filled also then, for kmip_settings_free. */
int kmip_settings_get(struct wire_view from, struct kmip_settings *out);

/* Connects. ERR_UNAVAILABLE (no connection), ERR_TIMEOUT, ERR_CRYPTO (TLS, the server's certificate), ERR_FORBIDDEN (the server does not
 * take ours; an address that is refused), ERR_INVALID (settings). */
int kmip_link_open(const struct kmip_settings *s, int limit_ms, struct kmip_link **out);
/* Sends OUT and replaces IN by one message within LIMIT_MS. After an error the link is of no use. As kmip_link_open, and ERR_TOO_LARGE,
 * ERR_INVALID (what comes is no KMIP). Both buffers may hold secrets; the caller wipes. */
int kmip_link_call(struct kmip_link *l, const struct buf *out, struct buf *in, int limit_ms);
void kmip_link_close(struct kmip_link *l);           /* NULL is fine */

#endif
