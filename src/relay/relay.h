/* relay.h - keyward-relay: carries messages of a Unix socket to another machine, so that the key service need not be on the web server's.
 *
 *     web worker - keyd.sock of "near" - TLS 1.3, certificates at both ends - "far" - keyd.sock of keyd
 *
 * A message goes as its length in 4 bytes, most significant first, and its bytes (at most IPC_MESSAGE_MAX). A connection of one side is a connection
 * of the other: when an end closes, so does the other, and who asks connects anew, as with keyd itself. The relay knows nothing of what it carries:
 * answers are sealed, and what may be asked keyd decides, by the user that FAR runs as and the proofs that questions carry. */
#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H

#include <stdint.h>

#include "base/daemon.h"
#include "base/secret.h"

#define RELAY_MOST 256               /* connections at a time; further ones are closed. At the far end: of machines that are known (porch.h), by shares (share.h) */

struct tls_link;

struct relay {
	const char *socket;          /* near: where it listens; far: keyd's */
	const char *host;            /* near: whom it connects to; far: the address it listens at */
	uint32_t port;
	const char *names;           /* far: of certificates that may come, between commas */
	char *ca, *certificate;      /* PEM */
	struct secret *key;
	struct daemon_users users;   /* near: who may connect */
	struct tls_door *door;       /* far */
};

/* The listening sockets. End the process when they fail. */
int near_listen(const struct relay *r, const char *group);
int far_listen(struct relay *r);
/* One connection from its beginning to its end, in a thread of its own; owns FD. COME_IN: called once it is known who comes, as which of the names (from
 * 0); what it returns, if not 0, ends it. */
void near_serve(struct relay *r, int fd);
void far_serve(struct relay *r, int fd, int (*come_in)(void *ctx, unsigned which), void *ctx);

/* Carries messages between the Unix socket FD and L, both ways, until one has closed (0) or failed. Neither is closed. */
int pump(int fd, struct tls_link *l);

#endif
