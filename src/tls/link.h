/* link.h - a TLS connection to a server that a tenant or the operator names in a setting: TLS 1.2 or later, its certificate always checked, a
 * certificate of ours where it wants one, one time limit for whatever is under way. Blocks, in poll alone: for jobs and children of keyd.
 *
 * The address is somebody else's choice, so: no connection to this machine itself or its link (loopback, link-local, unspecified, multicast) unless
 * LOCAL. */
#ifndef TLS_LINK_H
#define TLS_LINK_H

#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/secret.h"

#define TLS_HOST_MAX 255
#define TLS_PEM_MAX 12288        /* bytes of certificates of an authority, or of a client with its chain */
#define TLS_KEY_MAX 8192         /* of its private key */

/* All borrowed for as long as the call lasts, but for WHAT: as long as the link. */
struct tls_peer {
	const char *what;            /* "the key server": how reasons call it */
	const char *host;            /* a name or an address */
	uint32_t port;
	const char *ca;              /* PEM: only what these vouch for is believed; NULL or empty: the system's authorities */
	const char *certificate;     /* PEM: the client's own, then those between it and its authority; NULL: none */
	const struct secret *key;    /* PEM, without a passphrase */
	int local;                   /* 1: addresses of this machine and its link are fine */
};

struct tls_link;

/* 0, ERR_TOO_LARGE, or ERR_INVALID with what is wrong: no host or port, nothing to read as certificates, a key that is not the certificate's. */
int tls_peer_check(const struct tls_peer *p);
/* Connects within LIMIT microseconds. ERR_UNAVAILABLE (no connection), ERR_TIMEOUT, ERR_CRYPTO (TLS, the server's certificate), ERR_FORBIDDEN (the
 * server does not take ours; an address that is refused), ERR_INVALID (settings). OUT: the caller's. */
int tls_link_open(const struct tls_peer *p, clock_us limit, struct tls_link **out);
/* What follows has LIMIT microseconds from now. */
void tls_link_limit(struct tls_link *l, clock_us limit);
/* All of it, or an error as above; then the link is of no use. */
int tls_link_write(struct tls_link *l, const void *data, size_t len);
/* Exactly LEN bytes. */
int tls_link_read(struct tls_link *l, void *data, size_t len);
/* Waits until there is something to read, or FD has something or is closed by the other end, however long. 1: the link; 2: FD. ERR_IO. */
int tls_link_wait(struct tls_link *l, int fd);
/* Says that nothing more comes, and waits until the server has closed the connection in order: it has read all that was written, as its system resets
 * that of one that has not, which is an error. GOODBYE: 1 where it said so in TLS (close_notify), so nobody else has; 0 where only TCP did. */
int tls_link_finish(struct tls_link *l, int *goodbye);
void tls_link_close(struct tls_link *l);             /* NULL is fine */

#endif
