/* certificate.c - reads certificates by OpenSSL. */
#include "identity/certificate.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

static void put_name(const X509_NAME *name, char *out, size_t size)
{
	BIO *b = BIO_new(BIO_s_mem());
	char *text = NULL;
	long len;

	*out = '\0';
	if (X509_NAME_print_ex(b, name, 0, XN_FLAG_ONELINE & ~XN_FLAG_SPC_EQ & ~ASN1_STRFLGS_ESC_MSB) >= 0 && (len = BIO_get_mem_data(b, &text)) > 0)
		snprintf(out, size, "%.*s", (int)len, text);
	BIO_free(b);
}

static int put_time(const ASN1_TIME *at, clock_us *out)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(at, &tm) != 1)
		return err_set(ERR_INVALID, "the certificate has no readable time");
	*out = (clock_us)timegm(&tm) * CLOCK_SECOND;
	return 0;
}

/* What a name holds beyond letters that names have was put there to confuse. */
static int is_plain(const unsigned char *text, int len)
{
	for (int i = 0; i < len; i++)
		if (text[i] <= ' ' || text[i] >= 127 || text[i] == ',')
			return 0;
	return len > 0;
}

static void add_name(char *names, const char *text)
{
	size_t len = strlen(names);

	if (len + strlen(text) + 3 < CERTIFICATE_NAMES_MAX)
		snprintf(names + len, CERTIFICATE_NAMES_MAX - len, "%s%s", len ? ", " : "", text);
}

static void put_names(const X509 *x, char *names)
{
	GENERAL_NAMES *all = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);

	*names = '\0';
	for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) {
		const GENERAL_NAME *one = sk_GENERAL_NAME_value(all, i);
		char text[256];

		if (one->type == GEN_DNS && is_plain(ASN1_STRING_get0_data(one->d.dNSName), ASN1_STRING_length(one->d.dNSName))) {
			snprintf(text, sizeof text, "%.*s", ASN1_STRING_length(one->d.dNSName), ASN1_STRING_get0_data(one->d.dNSName));
			add_name(names, text);
		} else if (one->type == GEN_IPADD) {
			int len = ASN1_STRING_length(one->d.iPAddress);

			if ((len == 4 || len == 16) && inet_ntop(len == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(one->d.iPAddress), text, sizeof text))
				add_name(names, text);
		}
	}
	GENERAL_NAMES_free(all);
}

static int put_fingerprint(const X509 *x, char out[static 65])
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (X509_digest(x, EVP_sha256(), hash, &len) != 1 || len != 32)
		return err_set(ERR_CRYPTO, "SHA-256 is not available");
	for (unsigned i = 0; i < len; i++)
		snprintf(out + 2 * i, 3, "%02x", hash[i]);
	return 0;
}

static int describe(const X509 *x, struct certificate *c)
{
	int rc = put_time(X509_get0_notBefore(x), &c->not_before);

	if (rc == 0)
		rc = put_time(X509_get0_notAfter(x), &c->not_after);
	if (rc == 0)
		rc = put_fingerprint(x, c->fingerprint);
	if (rc < 0)
		return rc;
	put_name(X509_get_subject_name(x), c->subject, sizeof c->subject);
	put_name(X509_get_issuer_name(x), c->issuer, sizeof c->issuer);
	put_names(x, c->names);
	c->self_signed = X509_NAME_cmp(X509_get_subject_name(x), X509_get_issuer_name(x)) == 0;
	return 0;
}

int certificate_read(const char *pem, size_t len, struct certificate *out)
{
	struct certificate c = { .self_signed = 0 };
	BIO *in;
	X509 *x;
	int rc;

	if (len > CERTIFICATE_PEM_MAX)
		return err_set(ERR_TOO_LARGE, "a certificate of %zu bytes", len);
	in = BIO_new_mem_buf(pem, (int)len);
	x = PEM_read_bio_X509(in, NULL, NULL, NULL);
	BIO_free(in);
	rc = x ? describe(x, &c) : err_set(ERR_INVALID, "no certificate in PEM form");
	X509_free(x);
	if (rc == 0)
		*out = c;
	return rc;
}

static char *tidy_lines(const char *text)
{
	static const char blank[] = " \t\r";
	struct buf out = BUF_INIT;

	for (size_t len; *text; text += len + (text[len] == '\n')) {
		size_t skip = strspn(text, blank), end;

		len = end = strcspn(text, "\n");
		while (end > skip && strchr(blank, text[end - 1]))
			end--;
		if (end > skip) {
			buf_add(&out, text + skip, end - skip);
			buf_putc(&out, '\n');
		}
	}
	return out.len ? buf_take(&out) : mem_strdup("");
}

static enum certificate_fault judge_block(const char *name, const unsigned char *data, long len)
{
	X509 *x = NULL;
	int good;

	if (strstr(name, "PRIVATE KEY"))
		return CERTIFICATE_PRIVATE;
	if (strcmp(name, PEM_STRING_X509) != 0 && strcmp(name, PEM_STRING_X509_OLD) != 0)
		return CERTIFICATE_OTHER;
	x = d2i_X509(NULL, &data, len);
	good = x != NULL;
	X509_free(x);
	return good ? CERTIFICATE_GOOD : CERTIFICATE_BROKEN;
}

/* COUNT of blocks that were read; the first that is wrong decides. */
static enum certificate_fault judge_all(const char *text, int *count)
{
	enum certificate_fault f = CERTIFICATE_GOOD;
	BIO *in = BIO_new_mem_buf(text, -1);
	char *name = NULL, *header = NULL;
	unsigned char *data = NULL;
	long len = 0;

	while (f == CERTIFICATE_GOOD && PEM_read_bio(in, &name, &header, &data, &len) == 1) {
		f = judge_block(name, data, len);
		++*count;
		OPENSSL_free(name);
		OPENSSL_free(header);
		OPENSSL_clear_free(data, (size_t)len);
	}
	BIO_free(in);
	ERR_clear_error();
	return f;
}

static int blocks_begun(const char *text)
{
	int n = 0;

	while ((text = strstr(text, "-----BEGIN ")) != NULL) {
		text++;
		n++;
	}
	return n;
}

enum certificate_fault certificate_tidy(const char *text, char **out)
{
	char *tidy = tidy_lines(text);
	int count = 0;
	enum certificate_fault f = judge_all(tidy, &count);

	if (f == CERTIFICATE_GOOD && strstr(tidy, "PRIVATE KEY-----"))
		f = CERTIFICATE_PRIVATE;
	else if (f == CERTIFICATE_GOOD && count < blocks_begun(tidy))
		f = CERTIFICATE_BROKEN;
	else if (f == CERTIFICATE_GOOD && count == 0)
		f = CERTIFICATE_NONE;
	if (f == CERTIFICATE_GOOD)
		*out = tidy;
	else
		free(tidy);
	return f;
}
