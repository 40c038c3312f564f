/* context.c - settings of TLS connections: certificates, keys, authorities, as PEM from settings and files. */
#include "tls/own.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/err.h"

/* OpenSSL asks for a passphrase otherwise, on whatever terminal there is. */
static int no_passphrase(char *out, int size, int writing, void *ctx)
{
	return 0;
}

int tls_error(const char *what)
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

int tls_context_make(const SSL_METHOD *method, const char *ca, const char *certificate, const struct secret *key, SSL_CTX **out)
{
	SSL_CTX *context = SSL_CTX_new(method);
	int rc = context && SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 ? 0 : tls_error("TLS");

	if (rc == 0)
		rc = ca && *ca ? add_authorities(context, ca) : SSL_CTX_set_default_verify_paths(context) == 1 ? 0 : tls_error("TLS");
	if (rc == 0 && certificate)
		rc = use_certificate(context, certificate);
	if (rc == 0 && certificate)
		rc = use_key(context, key);
	if (rc == 0) {
		SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
		SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
		SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
		SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
		*out = context;
	} else {
		SSL_CTX_free(context);
	}
	return rc;
}
