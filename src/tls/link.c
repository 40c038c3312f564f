/* link.c - a connection to a server, and what a connection carries whoever has begun it. */
#include "tls/link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/address.h"
#include "base/err.h"
#include "base/mem.h"
#include "tls/own.h"

#define PIECE (1 << 20)          /* bytes that are given to OpenSSL at a time */
#define TAKEN_PAUSE_MS 5

static int is_address(const char *host)
{
	struct in6_addr a;

	return inet_pton(AF_INET, host, &a) == 1 || inet_pton(AF_INET6, host, &a) == 1;
}

static int check_host(const char *what, const char *host)
{
	size_t len = host ? strlen(host) : 0;

	if (len == 0 || len > TLS_HOST_MAX)
		return err_set(ERR_INVALID, "%s's host name has %zu bytes", what, len);
	if (!is_address(host) && strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") != len)
		return err_set(ERR_INVALID, "\"%s\" is neither a host name nor an address", host);
	return 0;
}

static int is_long(const char *text, size_t most)
{
	return text && strlen(text) > most;
}

int tls_peer_check(const struct tls_peer *p)
{
	SSL_CTX *context = NULL;
	int rc = check_host(p->what, p->host);

	if (rc == 0 && (p->port == 0 || p->port > 65535))
		rc = err_set(ERR_INVALID, "port %u", p->port);
	if (rc == 0 && (is_long(p->ca, TLS_PEM_MAX) || is_long(p->certificate, TLS_PEM_MAX) || (p->key && p->key->len > TLS_KEY_MAX)))
		rc = err_set(ERR_TOO_LARGE, "certificates are at most %d bytes, the key %d", TLS_PEM_MAX, TLS_KEY_MAX);
	if (rc == 0)
		rc = tls_context_make(TLS_client_method(), p->ca, p->certificate, p->key, &context);
	SSL_CTX_free(context);
	return rc;
}

static int wait_for(struct tls_link *l, short events)
{
	struct pollfd one = { l->fd, events, 0 };
	clock_us left = l->until - clock_ticks();

	if (left <= 0 || poll(&one, 1, (int)(left / 1000 + 1)) == 0)
		return err_set(ERR_TIMEOUT, "%s does not answer in time", l->what);
	return 0;
}

static int connect_to(struct tls_link *l, const struct addrinfo *a)
{
	int problem = 0, one = 1;
	socklen_t size = sizeof problem;

	l->fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fd < 0)
		return err_set(ERR_UNAVAILABLE, "socket: %s", strerror(errno));
	setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (connect(l->fd, a->ai_addr, a->ai_addrlen) < 0) {
		int rc = errno == EINPROGRESS ? wait_for(l, POLLOUT) : err_set(ERR_UNAVAILABLE, "no connection: %s", strerror(errno));

		if (rc < 0)
			return rc;
	}
	if (getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &problem, &size) < 0 || problem)
		return err_set(ERR_UNAVAILABLE, "no connection: %s", strerror(problem ? problem : errno));
	return 0;
}

/* The first address that takes the connection. The name's meaning is known only now: what is not allowed is refused here. */
static int connect_any(struct tls_link *l, const struct tls_peer *p)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG }, *all = NULL;
	char port[16];
	int rc;

	snprintf(port, sizeof port, "%u", p->port);
	if (is_address(p->host))
		hints.ai_flags = AI_NUMERICHOST;
	rc = getaddrinfo(p->host, port, &hints, &all);
	if (rc != 0)
		return err_set(ERR_UNAVAILABLE, "%s: %s", p->host, gai_strerror(rc));
	rc = err_set(ERR_UNAVAILABLE, "%s has no address", p->host);
	for (const struct addrinfo *a = all; a && rc < 0 && rc != ERR_TIMEOUT; a = a->ai_next) {
		if (l->fd >= 0)
			close(l->fd);
		l->fd = -1;
		rc = p->local || !address_is_near(a->ai_addr) ? connect_to(l, a)
			: err_set(ERR_FORBIDDEN, "the address belongs to the server's own machine or link, which is not allowed");
	}
	freeaddrinfo(all);
	return rc;
}

static int gone(const struct tls_link *l)
{
	return err_set(ERR_UNAVAILABLE, "%s has closed the connection", l->what);
}

/* 0: try again; else what the call RC of OpenSSL means. */
static int judge(struct tls_link *l, int got)
{
	long verified = SSL_get_verify_result(l->tls);
	int what = SSL_get_error(l->tls, got), reason;

	if (what == SSL_ERROR_WANT_READ)
		return wait_for(l, POLLIN);
	if (what == SSL_ERROR_WANT_WRITE)
		return wait_for(l, POLLOUT);
	if (verified != X509_V_OK) {
		ERR_clear_error();
		return err_set(ERR_CRYPTO, "%s's certificate: %s", l->what, X509_verify_cert_error_string(verified));
	}
	if (what != SSL_ERROR_SSL) {
		ERR_clear_error();
		return gone(l);
	}
	reason = ERR_GET_REASON(ERR_peek_error());
	if (reason == SSL_R_SSLV3_ALERT_BAD_CERTIFICATE || reason == SSL_R_TLSV1_ALERT_UNKNOWN_CA
		|| reason == SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED || reason == SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN
		|| reason == SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED || reason == SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED) {
		ERR_clear_error();
		return err_set(ERR_FORBIDDEN, "%s does not accept the client's certificate", l->what);
	}
	tls_error(l->what);
	return ERR_CRYPTO;
}

int tls_link_begin(struct tls_link *l, int (*step)(SSL *))
{
	int got, rc = 0;

	while (rc == 0 && (got = step(l->tls)) != 1)
		rc = judge(l, got);
	return rc;
}

static int start_tls(struct tls_link *l, const struct tls_peer *p)
{
	X509_VERIFY_PARAM *check;
	int ok;

	l->tls = SSL_new(l->context);
	if (l->tls == NULL || SSL_set_fd(l->tls, l->fd) != 1)
		return tls_error("TLS");
	check = SSL_get0_param(l->tls);
	ok = is_address(p->host) ? X509_VERIFY_PARAM_set1_ip_asc(check, p->host)
		: X509_VERIFY_PARAM_set1_host(check, p->host, 0) && SSL_set_tlsext_host_name(l->tls, p->host);
	if (!ok)
		return tls_error("TLS");
	return tls_link_begin(l, SSL_connect);
}

int tls_link_write(struct tls_link *l, const void *data, size_t len)
{
	size_t done = 0;
	int rc = 0;

	while (rc == 0 && done < len) {
		size_t left = len - done;
		int got = SSL_write(l->tls, (const char *)data + done, left > PIECE ? PIECE : (int)left);

		if (got > 0)
			done += (size_t)got;
		else
			rc = judge(l, got);
	}
	return rc;
}

int tls_link_read(struct tls_link *l, void *data, size_t len)
{
	size_t done = 0;
	int rc = 0;

	while (rc == 0 && done < len) {
		int got = SSL_read(l->tls, (char *)data + done, (int)(len - done));

		if (got > 0)
			done += (size_t)got;
		else
			rc = judge(l, got);
	}
	return rc;
}

int tls_link_wait(struct tls_link *l, int fd)
{
	struct pollfd both[] = { { l->fd, POLLIN, 0 }, { fd, POLLIN, 0 } };
	int n;

	if (SSL_pending(l->tls))
		return 1;
	do
		n = poll(both, 2, -1);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_set(ERR_IO, "poll: %s", strerror(errno));
	return both[0].revents ? 1 : 2;
}

static int say_goodbye(struct tls_link *l)
{
	int rc = 0, got;

	/* What other uses need not tell apart: the other end's goodbye, and its end alone. */
	SSL_clear_options(l->tls, SSL_OP_IGNORE_UNEXPECTED_EOF);
	while (rc == 0 && (got = SSL_shutdown(l->tls)) < 0)
		rc = judge(l, got);
	if (rc == 0)
		shutdown(l->fd, SHUT_WR);
	return rc;
}

static int is_bare_end(struct tls_link *l, int got)
{
	return SSL_get_error(l->tls, got) == SSL_ERROR_SSL && ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
}

/* 1: the other end has said goodbye; 0: it has ended without. */
static int hear_out(struct tls_link *l)
{
	char rest[256];
	int rc = 0, got;

	while (rc == 0) {
		got = SSL_read(l->tls, rest, sizeof rest);
		if (got <= 0 && SSL_get_error(l->tls, got) == SSL_ERROR_ZERO_RETURN)
			return 1;
		if (got <= 0 && is_bare_end(l, got)) {
			ERR_clear_error();
			return 0;
		}
		rc = got > 0 ? 0 : judge(l, got);
	}
	return rc;
}

static int hear_end(struct tls_link *l)
{
	char rest[256];
	ssize_t got;
	int rc = 0;

	while (rc == 0 && (got = recv(l->fd, rest, sizeof rest, 0)) != 0)
		if (got < 0 && errno != EINTR)
			rc = errno == EAGAIN ? wait_for(l, POLLIN) : gone(l);
	return rc;
}

/* An end may be older than what was written after it, which then is answered by a reset: only what has been acknowledged was read before the end. The
 * order matters: a reset empties the queue, too, but notes the error first. */
static int all_taken(struct tls_link *l)
{
	int queued = 1, problem = 0;
	socklen_t size = sizeof problem;

	while (ioctl(l->fd, SIOCOUTQ, &queued) == 0 && queued && clock_ticks() < l->until)
		poll(NULL, 0, TAKEN_PAUSE_MS);
	if (getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &problem, &size) < 0 || problem)
		return gone(l);
	return queued ? err_set(ERR_TIMEOUT, "%s does not answer in time", l->what) : 0;
}

int tls_link_finish(struct tls_link *l, int *goodbye)
{
	int rc = say_goodbye(l), said = rc == 0 ? hear_out(l) : rc;

	rc = said < 0 ? said : hear_end(l);
	if (rc == 0)
		rc = all_taken(l);
	if (rc == 0)
		*goodbye = said;
	return rc;
}

int tls_link_open(const struct tls_peer *p, clock_us limit, struct tls_link **out)
{
	struct tls_link *l = mem_alloc(sizeof *l);
	int rc;

	l->what = p->what;
	l->fd = -1;
	tls_link_limit(l, limit);
	rc = tls_context_make(TLS_client_method(), p->ca, p->certificate, p->key, &l->context);
	if (rc == 0)
		rc = connect_any(l, p);
	if (rc == 0)
		rc = start_tls(l, p);
	if (rc == 0)
		*out = l;
	else
		tls_link_close(l);
	return rc;
}

void tls_link_limit(struct tls_link *l, clock_us limit)
{
	l->until = clock_ticks() + limit;
	ERR_clear_error();
}

void tls_link_close(struct tls_link *l)
{
	if (l == NULL)
		return;
	if (l->tls && SSL_is_init_finished(l->tls))
		SSL_shutdown(l->tls);
	SSL_free(l->tls);
	SSL_CTX_free(l->context);
	if (l->fd >= 0)
		close(l->fd);
	free(l);
	ERR_clear_error();
}
