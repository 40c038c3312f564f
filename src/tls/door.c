/* door.c - TLS as the one who is connected to. */
#include "tls/door.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "tls/own.h"

struct tls_door {
	SSL_CTX *context;
	char *text;                  /* what the names lie in */
	const char *names[TLS_DOOR_NAMES_MAX];
	size_t count;
};

static int take_names(struct tls_door *d, const char *names)
{
	char *rest, *name;

	d->text = rest = mem_strdup(names);
	while ((name = strsep(&rest, ",")) != NULL) {
		if (*name == '\0' || strlen(name) > TLS_HOST_MAX)
			return err_set(ERR_INVALID, "\"%s\" is no name of a certificate", name);
		if (d->count == TLS_DOOR_NAMES_MAX)
			return err_set(ERR_INVALID, "more than %d names", TLS_DOOR_NAMES_MAX);
		d->names[d->count++] = name;
	}
	return 0;
}

int tls_door_make(const char *ca, const char *certificate, const struct secret *key, const char *names, struct tls_door **out)
{
	struct tls_door *d = mem_alloc(sizeof *d);
	int rc = ca && *ca ? 0 : err_set(ERR_INVALID, "without an authority nobody can be known");

	if (rc == 0)
		rc = take_names(d, names);
	if (rc == 0)
		rc = tls_context_make(TLS_server_method(), ca, certificate, key, &d->context);
	if (rc == 0 && SSL_CTX_set_min_proto_version(d->context, TLS1_3_VERSION) != 1)
		rc = tls_error("TLS 1.3");
	if (rc == 0) {
		SSL_CTX_set_verify(d->context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
		/* Nobody comes back with a ticket, and none lies between the messages. */
		SSL_CTX_set_num_tickets(d->context, 0);
		*out = d;
	} else {
		tls_door_free(d);
	}
	return rc;
}

void tls_door_free(struct tls_door *d)
{
	if (d == NULL)
		return;
	SSL_CTX_free(d->context);
	free(d->text);
	free(d);
}

unsigned tls_door_names(const struct tls_door *d)
{
	return (unsigned)d->count;
}

static int know(const struct tls_door *d, SSL *tls, const char **name, unsigned *which)
{
	X509 *cert = SSL_get0_peer_certificate(tls);

	for (size_t i = 0; cert && i < d->count; i++) {
		if (X509_check_host(cert, d->names[i], 0, X509_CHECK_FLAG_NO_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) == 1) {
			*name = d->names[i];
			*which = (unsigned)i;
			return 0;
		}
	}
	return err_set(ERR_FORBIDDEN, "a certificate that is good, but of nobody who may come");
}

int tls_door_take(const struct tls_door *d, int fd, clock_us limit, struct tls_link **out, const char **name, unsigned *which)
{
	struct tls_link *l = mem_alloc(sizeof *l);
	int one = 1, rc = 0;

	l->what = "who connects";
	l->fd = fd;
	tls_link_limit(l, limit);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	l->tls = SSL_new(d->context);
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || l->tls == NULL || SSL_set_fd(l->tls, fd) != 1)
		rc = tls_error("TLS");
	if (rc == 0)
		rc = tls_link_begin(l, SSL_accept);
	if (rc == 0)
		rc = know(d, l->tls, name, which);
	if (rc == 0)
		*out = l;
	else
		tls_link_close(l);
	return rc;
}
