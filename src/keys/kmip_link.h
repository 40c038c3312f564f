/* kmip_link.h - the connection to a KMIP server (tls/link.h): one KMIP message out, one in. Blocks, so only a child of keyd opens one (apart.h). */
#ifndef KEYS_KMIP_LINK_H
#define KEYS_KMIP_LINK_H

#include <stdint.h>

#include "base/buf.h"
#include "base/secret.h"
#include "base/wire.h"
#include "tls/link.h"

#define KMIP_PORT 5696
#define KMIP_HOST_MAX TLS_HOST_MAX
#define KMIP_PEM_MAX TLS_PEM_MAX
#define KMIP_KEY_MAX TLS_KEY_MAX

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

/* Connects. Errors as of tls_link_open. */
int kmip_link_open(const struct kmip_settings *s, int limit_ms, struct kmip_link **out);
/* Sends OUT and replaces IN by one message within LIMIT_MS. After an error the link is of no use. As kmip_link_open, and ERR_TOO_LARGE,
 * ERR_INVALID (what comes is no KMIP). Both buffers may hold secrets; the caller wipes. */
int kmip_link_call(struct kmip_link *l, const struct buf *out, struct buf *in, int limit_ms);
void kmip_link_close(struct kmip_link *l);           /* NULL is fine */

#endif
