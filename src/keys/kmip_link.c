/* kmip_link.c - sockets and OpenSSL, never waiting but in poll. */
#include "keys/kmip_link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "keys/kmip_message.h"
#include "keys/message.h"
#include "keys/ttlv.h"

struct kmip_link {
	int fd;
	SSL_CTX *context;
	SSL *tls;
	clock_us until;
};

void kmip_settings_free(struct kmip_settings *s)
{
	free(s->host);
	free(s->ca);
	free(s->certificate);
	secret_free(s->key);
	*s = (struct kmip_settings){ NULL };
}

struct secret *kmip_settings_put(const struct kmip_settings *s)
{
	struct buf b = BUF_INIT;
	struct secret *out;

	message_begin(&b);
	wire_put_string(&b, s->host);
	wire_put_u32(&b, s->port);
	wire_put_string(&b, s->ca);
	wire_put_string(&b, s->certificate);
	wire_put_bytes(&b, s->key->data, s->key->len);
	out = secret_take(b.data, b.len);
	message_wipe(&b);
	buf_free(&b);
	return out;
}

int kmip_settings_get(struct wire_view from, struct kmip_settings *out)
{
	struct wire_reader r = wire_read(from.data, from.len);
	struct wire_view key;

	out->host = wire_get_string(&r, KMIP_HOST_MAX);
	out->port = wire_get_u32(&r);
	out->ca = wire_get_string(&r, KMIP_PEM_MAX);
	out->certificate = wire_get_string(&r, KMIP_PEM_MAX);
	key = wire_get_bytes(&r, KMIP_KEY_MAX);
	if (r.error)
		return wire_end(&r);
	out->key = secret_new(key.len);
	if (key.len)
		memcpy(out->key->data, key.data, key.len);
	return wire_end(&r);
}

static int is_address(const char *host)
{
	struct in6_addr a;

	return inet_pton(AF_INET, host, &a) == 1 || inet_pton(AF_INET6, host, &a) == 1;
}

/* OpenSSL asks for a passphrase otherwise, on whatever terminal there is. */
static int no_passphrase(char *out, int size, int writing, void *ctx)
{
	return 0;
}

static int tls_error(const char *what)
{
	unsigned long e = ERR_get_error();
	char text[160] = "no reason given";

	if (e)
		ERR_error_string_n(e, text, sizeof text);
	ERR_clear_error();
	return err_set(ERR_INVALID, "%s: %s", what, text);
}

static int add_authorities(SSL_CTX *context, const char *pem)
{
	BIO *in = BIO_new_mem_buf(pem, -1);
	X509_STORE *store = SSL_CTX_get_cert_store(context);
	X509 *cert;
	int count = 0;

	while ((cert = PEM_read_bio_X509(in, NULL, no_passphrase, NULL)) != NULL) {
		count += X509_STORE_add_cert(store, cert);
		X509_free(cert);
	}
	BIO_free(in);
	ERR_clear_error();
	return count ? 0 : err_set(ERR_INVALID, "the authority's certificate is no certificate in PEM");
}

static int use_certificate(SSL_CTX *context, const char *pem)
{
	BIO *in = BIO_new_mem_buf(pem, -1);
	X509 *cert = PEM_read_bio_X509(in, NULL, no_passphrase, NULL), *more;
	int ok = cert && SSL_CTX_use_certificate(context, cert) == 1;

	X509_free(cert);
	while (ok && (more = PEM_read_bio_X509(in, NULL, no_passphrase, NULL)) != NULL) {
		/* The context owns what it has taken. */
		ok = SSL_CTX_add0_chain_cert(context, more) == 1;
		if (!ok)
			X509_free(more);
	}
	BIO_free(in);
	ERR_clear_error();
	return ok ? 0 : err_set(ERR_INVALID, "the client's certificate is no certificate in PEM");
}

static int use_key(SSL_CTX *context, const struct secret *pem)
{
	BIO *in = BIO_new_mem_buf(pem->data, (int)pem->len);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(in, NULL, no_passphrase, NULL);
	int ok = key && SSL_CTX_use_PrivateKey(context, key) == 1 && SSL_CTX_check_private_key(context) == 1;
	int rc = ok ? 0 : key ? err_set(ERR_INVALID, "the private key is not the client certificate's")
		: err_set(ERR_INVALID, "the client's key is no private key in PEM, or is under a passphrase");

	EVP_PKEY_free(key);
	BIO_free(in);
	ERR_clear_error();
	return rc;
}

static int make_context(const struct kmip_settings *s, SSL_CTX **out)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	int rc = context && SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 ? 0 : tls_error("TLS");

	if (rc == 0)
		rc = add_authorities(context, s->ca);
	if (rc == 0)
		rc = use_certificate(context, s->certificate);
	if (rc == 0)
		rc = use_key(context, s->key);
	if (rc == 0) {
		SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
		SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
		SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
		*out = context;
	} else {
		SSL_CTX_free(context);
	}
	return rc;
}

static int check_host(const char *host)
{
	size_t len = host ? strlen(host) : 0;

	if (len == 0 || len > KMIP_HOST_MAX)
		return err_set(ERR_INVALID, "the key server's host name has %zu bytes", len);
	if (!is_address(host) && strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") != len)
		return err_set(ERR_INVALID, "\"%s\" is neither a host name nor an address", host);
	return 0;
}

int kmip_settings_check(const struct kmip_settings *s)
{
	SSL_CTX *context = NULL;
	int rc = check_host(s->host);

	if (rc == 0 && (s->port == 0 || s->port > 65535))
		rc = err_set(ERR_INVALID, "port %u", s->port);
	if (rc == 0 && (strlen(s->ca) > KMIP_PEM_MAX || strlen(s->certificate) > KMIP_PEM_MAX || s->key->len > KMIP_KEY_MAX))
		rc = err_set(ERR_TOO_LARGE, "certificates are at most %d bytes, the key %d", KMIP_PEM_MAX, KMIP_KEY_MAX);
	if (rc == 0)
		rc = make_context(s, &context);
	SSL_CTX_free(context);
	return rc;
}

static int wait_for(struct kmip_link *l, short events)
{
	struct pollfd p = { l->fd, events, 0 };
	clock_us left = l->until - clock_ticks();

	if (left <= 0 || poll(&p, 1, (int)(left / 1000 + 1)) == 0)
		return err_set(ERR_TIMEOUT, "the key server does not answer in time");
	return 0;
}

static int connect_to(struct kmip_link *l, const struct addrinfo *a)
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
static int connect_any(struct kmip_link *l, const struct kmip_settings *s)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG }, *all = NULL;
	char port[16];
	int rc;

	snprintf(port, sizeof port, "%u", s->port);
	if (is_address(s->host))
		hints.ai_flags = AI_NUMERICHOST;
	rc = getaddrinfo(s->host, port, &hints, &all);
	if (rc != 0)
		return err_set(ERR_UNAVAILABLE, "%s: %s", s->host, gai_strerror(rc));
	rc = err_set(ERR_UNAVAILABLE, "%s has no address", s->host);
	for (const struct addrinfo *a = all; a && rc < 0 && rc != ERR_TIMEOUT; a = a->ai_next) {
		if (l->fd >= 0)
			close(l->fd);
		l->fd = -1;
		rc = s->local || !address_is_near(a->ai_addr) ? connect_to(l, a)
			: err_set(ERR_FORBIDDEN, "the address belongs to the server's own machine or link, which is not allowed");
	}
	freeaddrinfo(all);
	return rc;
}

/* 0: try again; else what the call RC of OpenSSL means. */
static int judge(struct kmip_link *l, int got)
{
	long verified = SSL_get_verify_result(l->tls);
	int what = SSL_get_error(l->tls, got), reason;

	if (what == SSL_ERROR_WANT_READ)
		return wait_for(l, POLLIN);
	if (what == SSL_ERROR_WANT_WRITE)
		return wait_for(l, POLLOUT);
	if (verified != X509_V_OK) {
		ERR_clear_error();
		return err_set(ERR_CRYPTO, "the key server's certificate: %s", X509_verify_cert_error_string(verified));
	}
	if (what != SSL_ERROR_SSL) {
		ERR_clear_error();
		return err_set(ERR_UNAVAILABLE, "the key server has closed the connection");
	}
	reason = ERR_GET_REASON(ERR_peek_error());
	if (reason == SSL_R_SSLV3_ALERT_BAD_CERTIFICATE || reason == SSL_R_TLSV1_ALERT_UNKNOWN_CA
		|| reason == SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED || reason == SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN
		|| reason == SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED || reason == SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED) {
		ERR_clear_error();
		return err_set(ERR_FORBIDDEN, "the key server does not accept the client's certificate");
	}
	tls_error("TLS with the key server");
	return ERR_CRYPTO;
}

static int start_tls(struct kmip_link *l, const struct kmip_settings *s)
{
	X509_VERIFY_PARAM *check;
	int ok, got, rc = 0;

	l->tls = SSL_new(l->context);
	if (l->tls == NULL || SSL_set_fd(l->tls, l->fd) != 1)
		return tls_error("TLS");
	check = SSL_get0_param(l->tls);
	ok = is_address(s->host) ? X509_VERIFY_PARAM_set1_ip_asc(check, s->host)
		: X509_VERIFY_PARAM_set1_host(check, s->host, 0) && SSL_set_tlsext_host_name(l->tls, s->host);
	if (!ok)
		return tls_error("TLS");
	while (rc == 0 && (got = SSL_connect(l->tls)) != 1)
		rc = judge(l, got);
	return rc;
}

static int send_all(struct kmip_link *l, const struct buf *out)
{
	size_t done = 0;
	int rc = 0;

	while (rc == 0 && done < out->len) {
		int got = SSL_write(l->tls, out->data + done, (int)(out->len - done));

		if (got > 0)
			done += (size_t)got;
		else
			rc = judge(l, got);
	}
	return rc;
}

static int receive(struct kmip_link *l, void *data, size_t len)
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

/* The outermost item says how long it is. */
static int receive_message(struct kmip_link *l, struct buf *in)
{
	const uint8_t *head = buf_extend(in, TTLV_HEAD);
	size_t len;
	int rc = receive(l, in->data, TTLV_HEAD);

	if (rc < 0)
		return rc;
	len = (size_t)head[4] << 24 | (size_t)head[5] << 16 | (size_t)head[6] << 8 | head[7];
	if (head[0] != 0x42 || head[3] != TTLV_STRUCTURE)
		return err_set(ERR_INVALID, "what answers is no KMIP server");
	if (len > KMIP_MESSAGE_MAX)
		return err_set(ERR_TOO_LARGE, "the key server's answer has %zu bytes", len);
	return receive(l, buf_extend(in, len), len);
}

int kmip_link_open(const struct kmip_settings *s, int limit_ms, struct kmip_link **out)
{
	struct kmip_link *l = mem_alloc(sizeof *l);
	int rc;

	l->fd = -1;
	l->until = clock_ticks() + limit_ms * (CLOCK_SECOND / 1000);
	ERR_clear_error();
	rc = make_context(s, &l->context);
	if (rc == 0)
		rc = connect_any(l, s);
	if (rc == 0)
		rc = start_tls(l, s);
	if (rc == 0)
		*out = l;
	else
		kmip_link_close(l);
	return rc;
}

int kmip_link_call(struct kmip_link *l, const struct buf *out, struct buf *in, int limit_ms)
{
	int rc;

	l->until = clock_ticks() + limit_ms * (CLOCK_SECOND / 1000);
	ERR_clear_error();
	message_begin(in);
	rc = send_all(l, out);
	return rc == 0 ? receive_message(l, in) : rc;
}

void kmip_link_close(struct kmip_link *l)
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
