/* ldap_link.c - connecting to a directory with libldap.
 *
 * The connection itself is made here, not by libldap: so that each server has its own short time, that addresses are looked at, and that
 * a failure can be told apart from another. */
#include "sso/ldap_link.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openldap.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/address.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "sso/service.h"

#define SYSTEM_CA "/etc/ssl/certs/ca-certificates.crt"
/* GnuTLS' words for: what is current, from TLS 1.2 on. */
#define TLS_PRIORITY "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

/* Connecting */

static int wait_connected(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	int error = 0;
	socklen_t size = sizeof error;

	if (poll(&p, 1, LDAP_LINK_CONNECT_MS) <= 0)
		return ETIMEDOUT;
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 ? errno : error;
}

static int connect_to(const struct addrinfo *to, const char *address, int *out)
{
	const struct timeval limit = { LDAP_LINK_ANSWER_S, 0 };
	int fd, why = 0;

	if (!sso_options.local && address_is_near(to->ai_addr))
		return err_set(ERR_FORBIDDEN, "%s is an address of this server itself or its link, which is not allowed", address);
	fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set(ERR_UNAVAILABLE, "%s: %s", address, strerror(errno));
	if (connect(fd, to->ai_addr, to->ai_addrlen) < 0)
		why = errno == EINPROGRESS ? wait_connected(fd) : errno;
	if (why == 0) {
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
		*out = fd;
		return 0;
	}
	close(fd);
	if (why == ETIMEDOUT)
		return err_set(ERR_TIMEOUT, "%s cannot be reached: no answer within %d seconds", address, LDAP_LINK_CONNECT_MS / 1000);
	return err_set(ERR_UNAVAILABLE, "%s cannot be reached: %s", address, strerror(why));
}

/* The address that answers first, in the order of the resolver. */
static int dial(const struct directory_server *s, const char *address, int *fd)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
	struct addrinfo *found = NULL;
	char port[8];
	int rc;

	snprintf(port, sizeof port, "%d", s->port);
	rc = getaddrinfo(s->host, port, &hints, &found);
	if (rc != 0)
		return err_set(ERR_UNAVAILABLE, "%s cannot be reached: there is no address for this name (%s)", address, gai_strerror(rc));
	rc = ERR_UNAVAILABLE;
	for (const struct addrinfo *a = found; a && rc < 0; a = a->ai_next)
		rc = connect_to(a, address, fd);
	freeaddrinfo(found);
	return rc;
}

/* TLS */

/* GnuTLS takes a file's name alone: one in memory. */
static int set_ca(LDAP *ld, const char *pem)
{
	char path[64] = SYSTEM_CA;
	int fd;

	if (*pem) {
		fd = memfd_create("ca", MFD_CLOEXEC);
		if (fd < 0 || write(fd, pem, strlen(pem)) != (ssize_t)strlen(pem))
			return err_set(ERR_IO, "trusted certificates: %s", strerror(errno));
		/* Open until the process ends, soon. */
		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	}
	if (ldap_set_option(ld, LDAP_OPT_X_TLS_CACERTFILE, path) != LDAP_OPT_SUCCESS)
		return err_set(ERR_INTERNAL, "libldap takes no trusted certificates");
	return 0;
}

static int set_tls(LDAP *ld, const char *pem)
{
	int demand = LDAP_OPT_X_TLS_HARD, fresh = 0, rc = set_ca(ld, pem);

	if (rc < 0)
		return rc;
	if (ldap_set_option(ld, LDAP_OPT_X_TLS_REQUIRE_CERT, &demand) != LDAP_OPT_SUCCESS
		|| ldap_set_option(ld, LDAP_OPT_X_TLS_CIPHER_SUITE, TLS_PRIORITY) != LDAP_OPT_SUCCESS)
		return err_set(ERR_INTERNAL, "libldap does not take settings of TLS");
	if (ldap_set_option(ld, LDAP_OPT_X_TLS_NEWCTX, &fresh) != LDAP_OPT_SUCCESS)
		return err_set(ERR_CRYPTO, "the trusted certificates cannot be read: they must be one or several certificates in PEM");
	return 0;
}

static int set_options(LDAP *ld)
{
	const struct timeval limit = { LDAP_LINK_ANSWER_S, 0 };
	int version = LDAP_VERSION3;

	if (ldap_set_option(ld, LDAP_OPT_PROTOCOL_VERSION, &version) != LDAP_OPT_SUCCESS
		|| ldap_set_option(ld, LDAP_OPT_REFERRALS, LDAP_OPT_OFF) != LDAP_OPT_SUCCESS
		|| ldap_set_option(ld, LDAP_OPT_RESTART, LDAP_OPT_ON) != LDAP_OPT_SUCCESS
		|| ldap_set_option(ld, LDAP_OPT_TIMEOUT, &limit) != LDAP_OPT_SUCCESS
		|| ldap_set_option(ld, LDAP_OPT_NETWORK_TIMEOUT, &limit) != LDAP_OPT_SUCCESS)
		return err_set(ERR_INTERNAL, "libldap does not take settings");
	return 0;
}

/* Connected, in the clear still. */
static int attach(const struct directory *d, const struct directory_server *s, struct ldap_link *l)
{
	int fd, rc = dial(s, l->address, &fd);

	if (rc < 0)
		return rc;
	if (ldap_init_fd(fd, LDAP_PROTO_TCP, l->address, &l->ld) != LDAP_SUCCESS) {
		close(fd);
		return err_set(ERR_INTERNAL, "libldap does not take %s", l->address);
	}
	rc = set_options(l->ld);
	return rc < 0 ? rc : set_tls(l->ld, d->ca);
}

static int start_tls(struct ldap_link *l)
{
	return l->server->tls ? ldap_install_tls(l->ld) : ldap_start_tls_s(l->ld, NULL, NULL);
}

/* What a refused certificate was: libldap does not tell. Asked for once more by a connection that believes anything, sends nothing,
 * and ends. */
static X509 *fetch_certificate(const struct directory *d, const struct directory_server *s, const char *address)
{
	int never = LDAP_OPT_X_TLS_NEVER, fresh = 0;
	struct ldap_link l = { .server = s };
	struct berval der = { 0, NULL };
	const unsigned char *at;
	X509 *cert = NULL;

	snprintf(l.address, sizeof l.address, "%s", address);
	if (attach(d, s, &l) == 0 && ldap_set_option(l.ld, LDAP_OPT_X_TLS_REQUIRE_CERT, &never) == LDAP_OPT_SUCCESS
		&& ldap_set_option(l.ld, LDAP_OPT_X_TLS_NEWCTX, &fresh) == LDAP_OPT_SUCCESS && start_tls(&l) == LDAP_SUCCESS
		&& ldap_get_option(l.ld, LDAP_OPT_X_TLS_PEERCERT, &der) == LDAP_OPT_SUCCESS && der.bv_val) {
		at = (const unsigned char *)der.bv_val;
		cert = d2i_X509(NULL, &at, (long)der.bv_len);
		ldap_memfree(der.bv_val);
	}
	ldap_link_close(&l);
	return cert;
}

static int certificate_error(const struct directory_server *s, const char *address, X509 *cert)
{
	char issuer[300];

	if (X509_cmp_current_time(X509_get0_notAfter(cert)) < 0)
		return err_set(ERR_CRYPTO, "%s: the server's certificate has expired", address);
	if (X509_cmp_current_time(X509_get0_notBefore(cert)) > 0)
		return err_set(ERR_CRYPTO, "%s: the server's certificate is not valid yet: compare the clocks", address);
	if (X509_check_ip_asc(cert, s->host, 0) != 1 && X509_check_host(cert, s->host, strlen(s->host), 0, NULL) != 1)
		return err_set(ERR_CRYPTO, "%s: the server's certificate is not for this name: the address has to name the server as its "
			"certificate does", address);
	X509_NAME_oneline(X509_get_issuer_name(cert), issuer, sizeof issuer);
	return err_set(ERR_CRYPTO, "%s: the server's certificate was issued by \"%s\", which the trusted certificates do not vouch for", address,
		issuer);
}

static int tls_error(const struct directory *d, struct ldap_link *l, int code)
{
	X509 *cert;
	int rc;

	if (code == LDAP_PROTOCOL_ERROR || code == LDAP_UNAVAILABLE || code == LDAP_UNWILLING_TO_PERFORM || code == LDAP_OPERATIONS_ERROR)
		return err_set(ERR_CRYPTO, "%s: the server does not offer StartTLS (%s), and nothing is sent without TLS: use an ldaps:// address, or "
			"give the server a certificate", l->address, ldap_err2string(code));
	if (code == LDAP_TIMEOUT)
		return err_set(ERR_TIMEOUT, "%s: no answer within %d seconds", l->address, LDAP_LINK_ANSWER_S);
	cert = fetch_certificate(d, l->server, l->address);
	if (cert == NULL)
		return err_set(ERR_CRYPTO, "%s: no TLS connection (%s): the port may be another service's, or the server's TLS older than 1.2",
			l->address, ldap_err2string(code));
	rc = certificate_error(l->server, l->address, cert);
	X509_free(cert);
	return rc;
}

static int open_one(const struct directory *d, const struct directory_server *s, struct ldap_link *out)
{
	struct ldap_link l = { .server = s };
	int is_v6 = strchr(s->host, ':') != NULL, rc, code;

	snprintf(l.address, sizeof l.address, "%s://%s%s%s:%d", s->tls ? "ldaps" : "ldap", is_v6 ? "[" : "", s->host, is_v6 ? "]" : "", s->port);
	rc = attach(d, s, &l);
	if (rc == 0) {
		code = start_tls(&l);
		rc = code == LDAP_SUCCESS ? 0 : tls_error(d, &l, code);
	}
	if (rc < 0) {
		ldap_link_close(&l);
		return rc;
	}
	*out = l;
	return 0;
}

int ldap_link_open(const struct directory *d, struct ldap_link *out)
{
	int rc = ERR_UNAVAILABLE;

	for (size_t i = 0; i < d->server_count && rc < 0; i++)
		rc = open_one(d, &d->servers[i], out);
	return rc;
}

void ldap_link_close(struct ldap_link *l)
{
	if (l->ld)
		ldap_unbind_ext_s(l->ld, NULL, NULL);
	l->ld = NULL;
}

/* Asking */

static int is_away(int code)
{
	return code == LDAP_SERVER_DOWN || code == LDAP_CONNECT_ERROR || code == LDAP_UNAVAILABLE || code == LDAP_BUSY;
}

int ldap_link_error(struct ldap_link *l, int code, const char *what)
{
	char *more = NULL;
	int rc = ERR_IO;

	if (code == LDAP_TIMEOUT || code == LDAP_TIMELIMIT_EXCEEDED)
		return err_set(ERR_TIMEOUT, "%s: %s: no answer within %d seconds", l->address, what, LDAP_LINK_ANSWER_S);
	if (code == LDAP_REFERRAL)
		return err_set(ERR_FORBIDDEN, "%s: %s: the server refers to another one, which is not followed: name the one that has the data",
			l->address, what);
	ldap_get_option(l->ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &more);
	if (is_away(code))
		rc = ERR_UNAVAILABLE;
	else if (code == LDAP_INVALID_CREDENTIALS || code == LDAP_INAPPROPRIATE_AUTH)
		rc = ERR_UNAUTHENTICATED;
	else if (code == LDAP_NO_SUCH_OBJECT)
		rc = ERR_NOT_FOUND;
	else if (code == LDAP_FILTER_ERROR || code == LDAP_INVALID_DN_SYNTAX)
		rc = ERR_INVALID;
	else if (code == LDAP_INSUFFICIENT_ACCESS || code == LDAP_CONFIDENTIALITY_REQUIRED || code == LDAP_STRONG_AUTH_REQUIRED
			|| code == LDAP_UNWILLING_TO_PERFORM)
		rc = ERR_FORBIDDEN;
	err_set(rc, "%s: %s: %s%s%.300s%s", l->address, what, ldap_err2string(code), more && *more ? " (" : "", more ? more : "",
		more && *more ? ")" : "");
	ldap_memfree(more);
	return rc;
}

int ldap_link_bind(struct ldap_link *l, const char *dn, struct wire_view password)
{
	struct berval given = { password.len, (char *)(uintptr_t)password.data };
	int code;

	/* With a name and no password a server says yes to anybody, having taken it for anonymous (RFC 4513, 5.1.2). */
	if (*dn && password.len == 0)
		return err_set(ERR_UNAUTHENTICATED, "%s: no password was given", l->address);
	code = ldap_sasl_bind_s(l->ld, *dn ? dn : NULL, LDAP_SASL_SIMPLE, *dn ? &given : NULL, NULL, NULL, NULL);
	return code == LDAP_SUCCESS ? 0 : ldap_link_error(l, code, "sign-in at the directory");
}

int ldap_link_search(struct ldap_link *l, const char *base, int scope, const char *filter, const char *const *attributes, int most,
	LDAPMessage **result)
{
	struct timeval limit = { LDAP_LINK_ANSWER_S, 0 };
	LDAPMessage *found = NULL;
	int code = ldap_search_ext_s(l->ld, base, scope, filter, (char **)(uintptr_t)attributes, 0, NULL, NULL, &limit, most, &found);

	if (code == LDAP_SUCCESS || code == LDAP_SIZELIMIT_EXCEEDED) {
		*result = found;
		return code == LDAP_SUCCESS ? 0 : err_set(ERR_TOO_MANY, "%s: more than %d entries", l->address, most);
	}
	if (found)
		ldap_msgfree(found);
	return ldap_link_error(l, code, "search");
}
