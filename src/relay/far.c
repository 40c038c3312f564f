/* far.c - the end on keyd's machine: takes TLS connections of machines that it knows, and has one to keyd for each, as the user that it runs as. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/ipc.h"
#include "base/log.h"
#include "relay/relay.h"
#include "relay/share.h"
#include "tls/door.h"

#define HANDSHAKE_LIMIT (5 * CLOCK_SECOND)

int far_listen(struct relay *r)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST }, *at = NULL;
	char port[16];
	int fd, one = 1;

	if (tls_door_make(r->ca, r->certificate, r->key, r->names, &r->door) < 0)
		fatal("%s", err_text());
	share_init(RELAY_MOST, tls_door_names(r->door));
	snprintf(port, sizeof port, "%u", r->port);
	if (getaddrinfo(r->host, port, &hints, &at) != 0)
		fatal("--listen: %s is no address of this machine", r->host);
	fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 || bind(fd, at->ai_addr, at->ai_addrlen) < 0 || listen(fd, 64) < 0)
		fatal("%s, port %u: %s", r->host, r->port, strerror(errno));
	freeaddrinfo(at);
	return fd;
}

/* A machine that has vanished without a word is noticed within about a minute. */
static void keep_alive(int fd)
{
	int on = 1, idle = 30, between = 10, tries = 3;

	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &between, sizeof between);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &tries, sizeof tries);
}

void far_serve(struct relay *r, int fd, int (*come_in)(void *ctx, unsigned which), void *ctx)
{
	struct tls_link *l = NULL;
	const char *name = NULL;
	unsigned which = 0;
	char from[64] = "?";
	struct sockaddr_storage a;
	socklen_t size = sizeof a;
	int keyd = -1, rc;

	if (getpeername(fd, (struct sockaddr *)&a, &size) == 0)
		getnameinfo((struct sockaddr *)&a, size, from, sizeof from, NULL, 0, NI_NUMERICHOST);
	keep_alive(fd);
	rc = tls_door_take(r->door, fd, HANDSHAKE_LIMIT, &l, &name, &which);
	if (rc < 0) {
		log_warning("refused", "from", from, "reason", err_text(), NULL);
		return;
	}
	log_info("connected", "from", from, "name", name, NULL);
	rc = come_in(ctx, which);
	if (rc == 0)
		rc = ipc_dial(r->socket, &keyd);
	if (rc == 0)
		rc = pump(keyd, l);
	if (rc < 0)
		log_warning("connection ended", "from", from, "name", name, "reason", err_text(), NULL);
	tls_link_close(l);
	if (keyd >= 0)
		close(keyd);
}
