/* metadata.c - what an identity provider's metadata say, and our own. */
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "saml/xml.h"

#define CERTIFICATE_MAX 8192             /* bytes of one, encoded */

void saml_idp_release(struct saml_idp *idp)
{
	free(idp->entity);
	free(idp->sso_url);
	free(idp->slo_url);
	free(idp->slo_answer_url);
	for (size_t i = 0; i < idp->certificate_count; i++)
		free(idp->certificates[i]);
	memset(idp, 0, sizeof *idp);
}

/* Certificates */

static X509 *certificate_of(const char *pem)
{
	BIO *in = BIO_new_mem_buf(pem, -1);
	X509 *x = PEM_read_bio_X509(in, NULL, NULL, NULL);

	BIO_free(in);
	return x;
}

static void put_time(json_t *o, const char *name, const ASN1_TIME *at)
{
	struct tm tm;
	char text[32] = "";

	if (ASN1_TIME_to_tm(at, &tm) == 1)
		strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	json_set_string(o, name, text);
}

static json_t *describe(const char *pem)
{
	X509 *x = certificate_of(pem);
	json_t *o = json_pack("{s:s}", "pem", pem);
	char subject[256] = "", *hex;
	unsigned char hash[SHA256_DIGEST_LENGTH];
	unsigned int len = sizeof hash;

	if (x) {
		X509_NAME_oneline(X509_get_subject_name(x), subject, sizeof subject);
		X509_digest(x, EVP_sha256(), hash, &len);
		hex = encode_hex(hash, len);
		json_set_string(o, "sha256", hex);
		free(hex);
		put_time(o, "not_before", X509_get0_notBefore(x));
		put_time(o, "not_after", X509_get0_notAfter(x));
	}
	if (json_object_set_new(o, "subject", json_string(subject)) < 0)
		json_set_string(o, "subject", "?");
	X509_free(x);
	return o;
}

json_t *saml_idp_json(const struct saml_idp *idp)
{
	json_t *certificates = json_array();

	for (size_t i = 0; i < idp->certificate_count; i++)
		json_array_append_new(certificates, describe(idp->certificates[i]));
	return json_pack("{s:s, s:s, s:s?, s:s?, s:b, s:o}", "entity", idp->entity, "sso_url", idp->sso_url, "slo_url", idp->slo_url,
		"slo_answer_url", idp->slo_answer_url, "slo_post", idp->slo_post, "certificates", certificates);
}

static int read_text(const json_t *o, const char *name, size_t max, char **out)
{
	const char *text = NULL;
	int rc = json_get_string_opt(o, name, max, &text);

	if (rc == 0)
		*out = mem_strdup(text);
	return rc;
}

int saml_idp_read(const json_t *o, struct saml_idp *out)
{
	struct saml_idp idp = { .slo_post = json_is_true(json_object_get(o, "slo_post")) };
	json_t *list = NULL, *row;
	size_t i;
	int rc = read_text(o, "entity", SAML_ENTITY_MAX, &idp.entity);

	if (rc == 0)
		rc = read_text(o, "sso_url", SAML_URL_MAX, &idp.sso_url);
	if (rc == 0)
		rc = read_text(o, "slo_url", SAML_URL_MAX, &idp.slo_url);
	if (rc == 0)
		rc = read_text(o, "slo_answer_url", SAML_URL_MAX, &idp.slo_answer_url);
	if (rc == 0)
		rc = json_get_array(o, "certificates", SAML_CERTIFICATES_MAX, &list);
	json_array_foreach(list, i, row)
		if (rc == 0) {
			rc = read_text(row, "pem", CERTIFICATE_MAX * 2, &idp.certificates[i]);
			idp.certificate_count += rc == 0 && idp.certificates[i];
		}
	if (rc == 0 && (!idp.entity || !idp.sso_url || idp.certificate_count == 0 || idp.certificate_count != json_array_size(list)))
		rc = err_set(ERR_INVALID, "the identity provider is not described in full");
	if (rc == 0)
		*out = idp;
	else
		saml_idp_release(&idp);
	return rc;
}

/* Theirs */

static int check_certificate(const char *pem, struct saml_verdict *v)
{
	X509 *x = certificate_of(pem);
	EVP_PKEY *key = x ? X509_get0_pubkey(x) : NULL;
	int rc = 0;

	if (key == NULL)
		rc = saml_refuse(v, SAML_XML, "a signing certificate cannot be read");
	else if (EVP_PKEY_is_a(key, "RSA") && EVP_PKEY_get_bits(key) < SAML_RSA_LEAST)
		rc = saml_refuse(v, SAML_ALGORITHM, "a signing key of %d bits; RSA keys have at least %d", EVP_PKEY_get_bits(key), SAML_RSA_LEAST);
	else if (!EVP_PKEY_is_a(key, "RSA") && !EVP_PKEY_is_a(key, "EC"))
		rc = saml_refuse(v, SAML_ALGORITHM, "a signing key that is neither RSA nor EC");
	X509_free(x);
	return rc;
}

static char *pem_of(const xmlNode *n)
{
	struct buf der = BUF_INIT;
	char *text = xml_text(n, CERTIFICATE_MAX * 2), *pem = NULL;
	const unsigned char *at;
	X509 *x = NULL;

	if (text && base64_read(text, strlen(text), CERTIFICATE_MAX, &der) == 0) {
		at = (const unsigned char *)der.data;
		x = d2i_X509(NULL, &at, (long)der.len);
	}
	if (x) {
		BIO *out = BIO_new(BIO_s_mem());
		char *data;

		if (PEM_write_bio_X509(out, x) == 1) {
			long len = BIO_get_mem_data(out, &data);

			pem = mem_dup(data, (size_t)len);
		}
		BIO_free(out);
	}
	X509_free(x);
	buf_free(&der);
	free(text);
	return pem;
}

static int has_certificate(const struct saml_idp *idp, const char *pem)
{
	for (size_t i = 0; i < idp->certificate_count; i++)
		if (strcmp(idp->certificates[i], pem) == 0)
			return 1;
	return 0;
}

static int take_certificate(const xmlNode *n, struct saml_idp *idp, struct saml_verdict *v)
{
	char *pem = pem_of(n);
	int rc;

	if (pem == NULL)
		return saml_refuse(v, SAML_XML, "a signing certificate cannot be read");
	rc = check_certificate(pem, v);
	if (rc == 0 && !has_certificate(idp, pem)) {
		if (idp->certificate_count == SAML_CERTIFICATES_MAX)
			rc = saml_refuse(v, SAML_TOO_LARGE, "more than %d signing certificates", SAML_CERTIFICATES_MAX);
		else
			idp->certificates[idp->certificate_count++] = mem_strdup(pem);
	}
	free(pem);
	return rc;
}

static int take_keys(const xmlNode *role, struct saml_idp *idp, struct saml_verdict *v)
{
	int rc = 0;

	for (const xmlNode *n = xml_first(role); n && rc == 0; n = xml_next(n)) {
		const char *use = xml_attribute(n, "use");
		const xmlNode *info;

		if (!xml_is(n, NS_METADATA, "KeyDescriptor") || (*use && strcmp(use, "signing") != 0))
			continue;
		info = xml_child(n, NS_SIGNATURE, "KeyInfo");
		for (const xmlNode *data = info ? xml_first(info) : NULL; data && rc == 0; data = xml_next(data))
			for (const xmlNode *x = xml_is(data, NS_SIGNATURE, "X509Data") ? xml_first(data) : NULL; x && rc == 0; x = xml_next(x))
				if (xml_is(x, NS_SIGNATURE, "X509Certificate"))
					rc = take_certificate(x, idp, v);
	}
	if (rc == 0 && idp->certificate_count == 0)
		rc = saml_refuse(v, SAML_SETTINGS, "there is no certificate to verify signatures with");
	return rc;
}

/* Only over TLS; but for a test on the browser's own machine. */
static int is_address(const char *url)
{
	static const char *const begins[] = { "https://", "http://127.0.0.1:", "http://localhost:" };
	size_t len = strlen(url);
	int good = 0;

	for (size_t i = 0; i < ARRAY_LEN(begins); i++)
		good |= strncmp(url, begins[i], strlen(begins[i])) == 0 && url[strlen(begins[i])] != '\0';
	for (const char *s = url; *s; s++)
		if ((unsigned char)*s <= ' ' || (unsigned char)*s >= 0x7f || strchr("\"'<>\\^`{|}#", *s))
			good = 0;
	return good && len <= SAML_URL_MAX;
}

static const xmlNode *service(const xmlNode *role, const char *name, const char *binding)
{
	for (const xmlNode *n = xml_first(role); n; n = xml_next(n))
		if (xml_is(n, NS_METADATA, name) && strcmp(xml_attribute(n, "Binding"), binding) == 0)
			return n;
	return NULL;
}

static int take_url(const xmlNode *n, const char *attribute, char **out, struct saml_verdict *v)
{
	const char *url = n ? xml_attribute(n, attribute) : "";

	if (*url == '\0')
		return 0;
	if (!is_address(url))
		return saml_refuse(v, SAML_SETTINGS, "the address %.100s does not begin with https://, or is too long", url);
	*out = mem_strdup(url);
	return 0;
}

static int take_services(const xmlNode *role, struct saml_idp *idp, struct saml_verdict *v)
{
	const xmlNode *slo = service(role, "SingleLogoutService", BINDING_REDIRECT);
	int rc = take_url(service(role, "SingleSignOnService", BINDING_REDIRECT), "Location", &idp->sso_url, v);

	if (rc == 0 && idp->sso_url == NULL)
		rc = saml_refuse(v, SAML_SETTINGS, "there is no SingleSignOnService that takes requests by HTTP-Redirect");
	if (slo == NULL) {
		slo = service(role, "SingleLogoutService", BINDING_POST);
		idp->slo_post = slo != NULL;
	}
	if (rc == 0)
		rc = take_url(slo, "Location", &idp->slo_url, v);
	return rc == 0 ? take_url(slo, "ResponseLocation", &idp->slo_answer_url, v) : rc;
}

static int check_date(const xmlNode *n, clock_us now, struct saml_verdict *v)
{
	const char *until = xml_attribute(n, "validUntil");
	clock_us at;

	if (*until == '\0')
		return 0;
	if (clock_parse(until, &at) < 0)
		return saml_refuse(v, SAML_XML, "validUntil %.40s is no time", until);
	return at > now ? 0 : saml_refuse(v, SAML_EXPIRED, "the metadata were valid until %.40s", until);
}

static int take_entity(const xmlNode *n, clock_us now, struct saml_idp *idp, struct saml_verdict *v)
{
	const char *entity = xml_attribute(n, "entityID");
	const xmlNode *role = xml_child(n, NS_METADATA, "IDPSSODescriptor");
	int rc = check_date(n, now, v);

	if (rc < 0)
		return rc;
	if (*entity == '\0' || strlen(entity) > SAML_ENTITY_MAX || strpbrk(entity, " \t\r\n"))
		return saml_refuse(v, SAML_XML, "entityID is empty, too long or has spaces");
	if (strstr(xml_attribute(role, "protocolSupportEnumeration"), NS_PROTOCOL) == NULL)
		return saml_refuse(v, SAML_SETTINGS, "the identity provider does not speak SAML 2.0");
	idp->entity = mem_strdup(entity);
	rc = check_date(role, now, v);
	if (rc == 0)
		rc = take_keys(role, idp, v);
	return rc == 0 ? take_services(role, idp, v) : rc;
}

/* The one entity with an identity provider: the root itself, or among the children of a list. */
static int find_entity(const xmlNode *root, clock_us now, const xmlNode **out, struct saml_verdict *v)
{
	size_t found = 0;
	int rc = 0;

	if (xml_is(root, NS_METADATA, "EntitiesDescriptor")) {
		rc = check_date(root, now, v);
		for (const xmlNode *n = xml_first(root); n; n = xml_next(n))
			if (xml_is(n, NS_METADATA, "EntityDescriptor") && xml_child(n, NS_METADATA, "IDPSSODescriptor") && found++ == 0)
				*out = n;
	} else if (xml_is(root, NS_METADATA, "EntityDescriptor")) {
		found = xml_child(root, NS_METADATA, "IDPSSODescriptor") != NULL;
		*out = root;
	} else {
		return saml_refuse(v, SAML_XML, "these are no SAML metadata: the first element is %.60s", (const char *)root->name);
	}
	if (rc == 0 && found > 1)
		rc = saml_refuse(v, SAML_SETTINGS, "there are %zu identity providers in it; one is wanted", found);
	if (rc == 0 && found == 0)
		rc = saml_refuse(v, SAML_SETTINGS, xml_child(root, NS_METADATA, "SPSSODescriptor") ? "there is no identity provider in it, but a service provider: are "
			"these this side's own metadata?" : "there is no identity provider in it (IDPSSODescriptor)");
	return rc;
}

int saml_metadata_read(const char *bytes, size_t len, clock_us now, struct saml_idp *out, struct saml_verdict *v)
{
	struct saml_idp idp = { .entity = NULL };
	const xmlNode *entity = NULL;
	xmlDocPtr doc;
	int rc = xml_parse(bytes, len, SAML_METADATA_MAX, 1, &doc, v);

	if (rc < 0)
		return rc;
	rc = find_entity(xmlDocGetRootElement(doc), now, &entity, v);
	if (rc == 0)
		rc = take_entity(entity, now, &idp, v);
	xmlFreeDoc(doc);
	if (rc == 0)
		*out = idp;
	else
		saml_idp_release(&idp);
	return rc;
}

/* Ours */

static void put_key(struct buf *out, const char *use, const char *pem, int ciphers)
{
	buf_printf(out, "<md:KeyDescriptor use=\"%s\"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>", use);
	for (const char *line = pem; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		if (*line != '-')
			buf_add(out, line, strcspn(line, "\r\n"));
	buf_puts(out, "</ds:X509Certificate></ds:X509Data></ds:KeyInfo>");
	if (ciphers)
		buf_puts(out, "<md:EncryptionMethod Algorithm=\"http://www.w3.org/2009/xmlenc11#aes256-gcm\"/>"
			"<md:EncryptionMethod Algorithm=\"" NS_ENCRYPTION "aes256-cbc\"/>"
			"<md:EncryptionMethod Algorithm=\"" NS_ENCRYPTION "rsa-oaep-mgf1p\"/>");
	buf_puts(out, "</md:KeyDescriptor>");
}

static void put_service(struct buf *out, const char *name, const char *binding, const char *url, const char *more)
{
	buf_printf(out, "<md:%s Binding=\"%s\" Location=\"", name, binding);
	xml_escape(out, url);
	buf_printf(out, "\"%s/>", more);
}

void saml_metadata_write(const struct saml_sp *sp, struct buf *out)
{
	buf_reset(out);
	buf_puts(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<md:EntityDescriptor xmlns:md=\"" NS_METADATA "\" xmlns:ds=\"" NS_SIGNATURE
		"\" entityID=\"");
	xml_escape(out, sp->entity);
	buf_puts(out, "\"><md:SPSSODescriptor AuthnRequestsSigned=\"true\" WantAssertionsSigned=\"true\" protocolSupportEnumeration=\""
		NS_PROTOCOL "\">");
	put_key(out, "signing", sp->certificate, 0);
	if (sp->second_certificate)
		put_key(out, "signing", sp->second_certificate, 0);
	put_key(out, "encryption", sp->certificate, 1);
	if (sp->second_certificate)
		put_key(out, "encryption", sp->second_certificate, 1);
	put_service(out, "SingleLogoutService", BINDING_REDIRECT, sp->slo_url, "");
	put_service(out, "SingleLogoutService", BINDING_POST, sp->slo_url, "");
	put_service(out, "AssertionConsumerService", BINDING_POST, sp->acs_url, " index=\"0\" isDefault=\"true\"");
	buf_puts(out, "</md:SPSSODescriptor></md:EntityDescriptor>\n");
}
