/* own_key.c - a key and its certificate made. */
#include "identity/own_key.h"

#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

#define BITS 3072
#define DAYS 3650
#define NAME_MAX_BYTES 64                /* of a common name */

static int fill(X509 *x, EVP_PKEY *key, const char *name, clock_us now)
{
	X509_NAME *subject = X509_get_subject_name(x);
	BIGNUM *serial = BN_new();
	char cut[NAME_MAX_BYTES + 1];
	int good;

	snprintf(cut, sizeof cut, "%s", name);
	good = serial && X509_set_version(x, 2) == 1 && BN_rand(serial, 127, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1
		&& BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(x)) != NULL
		&& X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)cut, -1, -1, 0) == 1
		&& X509_set_issuer_name(x, subject) == 1
		&& ASN1_TIME_adj(X509_getm_notBefore(x), (time_t)(now / CLOCK_SECOND), -1, 0) != NULL
		&& ASN1_TIME_adj(X509_getm_notAfter(x), (time_t)(now / CLOCK_SECOND), DAYS, 0) != NULL
		&& X509_set_pubkey(x, key) == 1 && X509_sign(x, key, EVP_sha256()) > 0;
	BN_free(serial);
	return good;
}

static char *text_of(X509 *x)
{
	BIO *out = BIO_new(BIO_s_mem());
	char *data, *text = NULL;

	if (PEM_write_bio_X509(out, x) == 1) {
		long len = BIO_get_mem_data(out, &data);

		text = mem_dup(data, (size_t)len);
	}
	BIO_free(out);
	return text;
}

static struct secret *secret_of(EVP_PKEY *key)
{
	BIO *out = BIO_new(BIO_s_secmem());
	char *data;
	struct secret *s = NULL;

	if (PEM_write_bio_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL) == 1) {
		long len = BIO_get_mem_data(out, &data);

		s = secret_take(data, (size_t)len);
	}
	BIO_free(out);
	return s;
}

int own_key_make(const char *name, clock_us now, struct secret **key, char **certificate)
{
	EVP_PKEY *pkey = EVP_RSA_gen(BITS);
	X509 *x = X509_new();
	int good = pkey && x && fill(x, pkey, name, now);

	if (good) {
		*certificate = text_of(x);
		*key = secret_of(pkey);
		good = *certificate && *key;
	}
	X509_free(x);
	EVP_PKEY_free(pkey);
	return good ? 0 : err_set(ERR_CRYPTO, "no key could be made");
}
