/* sign.c - XML signatures and encryption: their one form that is accepted, then xmlsec for their values.
 *
 * The key is always one of ours or of the identity provider's metadata: nothing of a KeyInfo is looked at. */
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <string.h>
#include <xmlsec/crypto.h>
#include <xmlsec/templates.h>
#include <xmlsec/xmldsig.h>
#include <xmlsec/xmlenc.h>
#include <xmlsec/xmlsec.h>
#include <xmlsec/xmltree.h>

#include "base/err.h"
#include "base/mem.h"
#include "saml/xml.h"

#define ENVELOPED NS_SIGNATURE "enveloped-signature"
#define MORE "http://www.w3.org/2001/04/xmldsig-more#"
#define ENCRYPTION_11 "http://www.w3.org/2009/xmlenc11#"

static const char *const canonical[] = { NS_EXCLUSIVE, NULL };
static const char *const signatures[] = { SIGN_ALGORITHM, MORE "rsa-sha384", MORE "rsa-sha512", MORE "ecdsa-sha256", MORE "ecdsa-sha384",
	MORE "ecdsa-sha512", NULL };
static const char *const digests[] = { NS_ENCRYPTION "sha256", MORE "sha384", NS_ENCRYPTION "sha512", NULL };
static const char *const ciphers[] = { ENCRYPTION_11 "aes128-gcm", ENCRYPTION_11 "aes192-gcm", ENCRYPTION_11 "aes256-gcm",
	NS_ENCRYPTION "aes128-cbc", NS_ENCRYPTION "aes192-cbc", NS_ENCRYPTION "aes256-cbc", NULL };
/* Its SHA-1 is that of OAEP, where nothing depends on collisions. RSA with PKCS#1 v1.5 padding is not here: it can be asked for the plaintext. */
static const char *const transports[] = { NS_ENCRYPTION "rsa-oaep-mgf1p", NULL };
static const char *const oaep_digests[] = { NS_SIGNATURE "sha1", NS_ENCRYPTION "sha256", NS_ENCRYPTION "sha512", NULL };

static int is_one_of(const char *const *list, const char *name)
{
	for (; *list; list++)
		if (strcmp(*list, name) == 0)
			return 1;
	return 0;
}

static int check_algorithm(const xmlNode *n, const char *const *list, struct saml_verdict *v)
{
	const char *name = xml_attribute(n, "Algorithm");

	return is_one_of(list, name) ? 0 : saml_refuse(v, SAML_ALGORITHM, "%s %s", (const char *)n->name, name);
}

/* The children of PARENT are just NAMES, in this order; N[i] is the i-th. Those after LEAST may be missing. */
static int take_children(const xmlNode *parent, const char *ns, const char *const *names, size_t least, xmlNode **n, struct saml_verdict *v)
{
	xmlNode *child = xml_first(parent);
	size_t i = 0;

	for (; names[i]; i++) {
		n[i] = xml_is(child, ns, names[i]) ? child : NULL;
		if (n[i] == NULL && i < least)
			return saml_refuse(v, SAML_STRUCTURE, "%s has no %s where it belongs", (const char *)parent->name, names[i]);
		if (n[i])
			child = xml_next(child);
	}
	return child ? saml_refuse(v, SAML_STRUCTURE, "%s inside of %s", (const char *)child->name, (const char *)parent->name) : 0;
}

static int check_transforms(const xmlNode *transforms, struct saml_verdict *v)
{
	static const char *const names[] = { "Transform", "Transform", NULL };
	xmlNode *n[2];
	int rc = take_children(transforms, NS_SIGNATURE, names, 1, n, v);

	if (rc == 0 && strcmp(xml_attribute(n[0], "Algorithm"), ENVELOPED) != 0)
		rc = saml_refuse(v, SAML_ALGORITHM, "first transform %s", xml_attribute(n[0], "Algorithm"));
	if (rc == 0 && xml_first(n[0]))
		rc = saml_refuse(v, SAML_STRUCTURE, "something inside of a transform");
	if (rc == 0 && n[1])
		rc = check_algorithm(n[1], canonical, v);
	if (rc == 0 && n[1] && xml_first(n[1]) && (!xml_is(xml_first(n[1]), NS_EXCLUSIVE, "InclusiveNamespaces") || xml_next(xml_first(n[1]))))
		rc = saml_refuse(v, SAML_STRUCTURE, "something inside of a transform");
	return rc;
}

static int check_reference(const xmlNode *element, const xmlNode *reference, struct saml_verdict *v)
{
	static const char *const names[] = { "Transforms", "DigestMethod", "DigestValue", NULL };
	const char *id = xml_attribute(element, "ID"), *uri = xml_attribute(reference, "URI");
	xmlNode *n[3];
	int rc;

	if (!xml_is_id(id) || *uri != '#' || strcmp(uri + 1, id) != 0)
		return saml_refuse(v, SAML_STRUCTURE, "the signature of %s is over %s", id, uri);
	rc = take_children(reference, NS_SIGNATURE, names, 3, n, v);
	if (rc == 0)
		rc = check_transforms(n[0], v);
	return rc == 0 ? check_algorithm(n[1], digests, v) : rc;
}

int sign_check_form(const xmlNode *element, const xmlNode *signature, struct saml_verdict *v)
{
	static const char *const names[] = { "SignedInfo", "SignatureValue", "KeyInfo", NULL };
	static const char *const inside[] = { "CanonicalizationMethod", "SignatureMethod", "Reference", NULL };
	xmlNode *n[3], *info[3];
	int rc = take_children(signature, NS_SIGNATURE, names, 2, n, v);

	if (rc == 0)
		rc = take_children(n[0], NS_SIGNATURE, inside, 3, info, v);
	if (rc == 0)
		rc = check_algorithm(info[0], canonical, v);
	if (rc == 0 && xml_first(info[0]) && !xml_is(xml_first(info[0]), NS_EXCLUSIVE, "InclusiveNamespaces"))
		rc = saml_refuse(v, SAML_STRUCTURE, "something inside of the canonicalisation");
	if (rc == 0 && xml_first(info[1]))
		rc = saml_refuse(v, SAML_ALGORITHM, "a signature method with parameters");
	if (rc == 0)
		rc = check_algorithm(info[1], signatures, v);
	return rc == 0 ? check_reference(element, info[2], v) : rc;
}

/* Values */

static int verify_with(const char *certificate, xmlNode *signature)
{
	xmlSecDSigCtxPtr ctx = xmlSecDSigCtxCreate(NULL);
	int good = 0;

	if (ctx == NULL)
		fatal("out of memory");
	ctx->enabledReferenceUris = xmlSecTransformUriTypeSameDocument;
	ctx->signKey = xmlSecCryptoAppKeyLoadMemory((const xmlSecByte *)certificate, (xmlSecSize)strlen(certificate), xmlSecKeyDataFormatCertPem,
		NULL, NULL, NULL);
	if (ctx->signKey && xmlSecDSigCtxVerify(ctx, signature) == 0)
		good = ctx->status == xmlSecDSigStatusSucceeded && xmlSecPtrListGetSize(&ctx->signedInfoReferences) == 1
			&& xmlSecPtrListGetSize(&ctx->manifestReferences) == 0;
	xmlSecDSigCtxDestroy(ctx);
	return good;
}

int sign_verify(xmlNode *element, xmlNode *signature, const struct saml_idp *idp, struct saml_verdict *v)
{
	const xmlChar *id = (const xmlChar *)xml_attribute(element, "ID");
	int rc = sign_check_form(element, signature, v);

	if (rc < 0)
		return rc;
	/* The one id that a reference can find: what is found is this element. */
	if (xmlGetID(element->doc, id) == NULL)
		xmlAddID(NULL, element->doc, id, xmlHasProp(element, (const xmlChar *)"ID"));
	if (xmlGetID(element->doc, id) == NULL || xmlGetID(element->doc, id)->parent != element)
		return saml_refuse(v, SAML_STRUCTURE, "the id %s is there twice", (const char *)id);
	for (size_t i = 0; i < idp->certificate_count; i++)
		if (verify_with(idp->certificates[i], signature))
			return 0;
	return saml_refuse(v, SAML_SIGNATURE, "the signature of %s fits none of the %zu certificates known", (const char *)element->name,
		idp->certificate_count);
}

/* Encryption */

/* EncryptedKey stands in the KeyInfo of the data, or behind it. */
static xmlNode *key_of(const xmlNode *encrypted, const xmlNode *data)
{
	xmlNode *inside = xml_child(xml_child(data, NS_SIGNATURE, "KeyInfo"), NS_ENCRYPTION, "EncryptedKey");

	return inside ? inside : xml_child(encrypted, NS_ENCRYPTION, "EncryptedKey");
}

static int check_encryption(const xmlNode *n, const char *const *list, struct saml_verdict *v)
{
	const xmlNode *method = xml_child(n, NS_ENCRYPTION, "EncryptionMethod"), *value = xml_child(n, NS_ENCRYPTION, "CipherData");
	const xmlNode *digest = method ? xml_child(method, NS_SIGNATURE, "DigestMethod") : NULL;

	if (method == NULL || value == NULL || xml_child(value, NS_ENCRYPTION, "CipherValue") == NULL || xml_next(xml_first(value)))
		return saml_refuse(v, SAML_STRUCTURE, "%s has no method or no value", (const char *)n->name);
	if (digest && check_algorithm(digest, oaep_digests, v) < 0)
		return ERR_FORBIDDEN;
	return check_algorithm(method, list, v);
}

static int decrypt(xmlNode *n, int is_key, xmlSecKeyPtr key, struct buf *plain)
{
	xmlSecEncCtxPtr ctx = xmlSecEncCtxCreate(NULL);
	xmlSecBufferPtr got = NULL;

	if (ctx == NULL)
		fatal("out of memory");
	if (is_key)
		ctx->mode = xmlEncCtxModeEncryptedKey;
	ctx->encKey = key;
	if (key)
		got = xmlSecEncCtxDecryptToBuffer(ctx, n);
	if (got) {
		buf_reset(plain);
		buf_add(plain, xmlSecBufferGetData(got), xmlSecBufferGetSize(got));
		secret_wipe(xmlSecBufferGetData(got), xmlSecBufferGetSize(got));
	}
	xmlSecEncCtxDestroy(ctx);
	return got && plain->len ? 0 : ERR_CRYPTO;
}

static xmlSecKeyPtr own_key(const struct secret *pem)
{
	return xmlSecCryptoAppKeyLoadMemory(pem->data, (xmlSecSize)pem->len, xmlSecKeyDataFormatPem, NULL, NULL, NULL);
}

int sign_decrypt(xmlNode *encrypted, const struct saml_sp *sp, struct buf *plain, struct saml_verdict *v)
{
	xmlNode *data = xml_child(encrypted, NS_ENCRYPTION, "EncryptedData"), *wrapped = data ? key_of(encrypted, data) : NULL;
	struct buf session = BUF_INIT;
	int rc;

	if (wrapped == NULL)
		return saml_refuse(v, SAML_STRUCTURE, "%.60s without its data or key", (const char *)encrypted->name);
	rc = check_encryption(data, ciphers, v);
	if (rc == 0)
		rc = check_encryption(wrapped, transports, v);
	if (rc < 0)
		return rc;
	rc = decrypt(wrapped, 1, own_key(sp->key), &session);
	if (rc < 0 && sp->second)
		rc = decrypt(wrapped, 1, own_key(sp->second), &session);
	if (rc == 0)
		rc = decrypt(data, 0, xmlSecKeyReadMemory(xmlSecKeyDataAesId, (const xmlSecByte *)session.data, (xmlSecSize)session.len), plain);
	secret_wipe(session.data, session.len);
	buf_free(&session);
	/* Which step failed is nobody's business: it would help to guess. */
	return rc < 0 ? saml_refuse(v, SAML_DECRYPTION, "%.60s is not encrypted for a key of this side",
		(const char *)encrypted->name) : 0;
}

/* Our own */

static xmlNode *add_template(xmlDocPtr doc)
{
	xmlNode *root = xmlDocGetRootElement(doc), *issuer = xml_first(root), *signature, *reference, *transform;
	char *uri = mem_printf("#%s", xml_attribute(root, "ID"));

	signature = xmlSecTmplSignatureCreate(doc, xmlSecTransformExclC14NId, xmlSecTransformRsaSha256Id, NULL);
	reference = signature ? xmlSecTmplSignatureAddReference(signature, xmlSecTransformSha256Id, NULL, (const xmlChar *)uri, NULL) : NULL;
	transform = reference ? xmlSecTmplReferenceAddTransform(reference, xmlSecTransformEnvelopedId) : NULL;
	if (transform == NULL || xmlSecTmplReferenceAddTransform(reference, xmlSecTransformExclC14NId) == NULL)
		fatal("out of memory");
	xmlAddNextSibling(issuer, signature);
	xmlAddID(NULL, doc, (const xmlChar *)xml_attribute(root, "ID"), xmlHasProp(root, (const xmlChar *)"ID"));
	free(uri);
	return signature;
}

int sign_document(const char *xml, const struct saml_sp *sp, struct buf *out)
{
	struct saml_verdict v = { SAML_NONE, "" };
	xmlDocPtr doc;
	xmlSecDSigCtxPtr ctx;
	xmlChar *text = NULL;
	int len = 0, rc = xml_parse(xml, strlen(xml), SAML_MESSAGE_MAX, 0, &doc, &v);

	if (rc < 0)
		return rc;
	ctx = xmlSecDSigCtxCreate(NULL);
	if (ctx == NULL)
		fatal("out of memory");
	ctx->signKey = own_key(sp->key);
	rc = ctx->signKey && xmlSecDSigCtxSign(ctx, add_template(doc)) == 0 ? 0 : err_set(ERR_CRYPTO, "the message cannot be signed");
	if (rc == 0) {
		xmlDocDumpMemory(doc, &text, &len);
		buf_reset(out);
		buf_add(out, text, (size_t)len);
		xmlFree(text);
	}
	xmlSecDSigCtxDestroy(ctx);
	xmlFreeDoc(doc);
	return rc;
}

int sign_text(const char *text, const struct secret *key, struct buf *out)
{
	BIO *in = BIO_new_mem_buf(key->data, (int)key->len);
	EVP_PKEY *pkey = PEM_read_bio_PrivateKey(in, NULL, NULL, NULL);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char value[1024];
	size_t len = sizeof value;
	int good = pkey && ctx && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, pkey) == 1
		&& EVP_DigestSign(ctx, value, &len, (const unsigned char *)text, strlen(text)) == 1;

	if (good)
		base64_write(value, len, out);
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(pkey);
	BIO_free(in);
	return good ? 0 : err_set(ERR_CRYPTO, "the address cannot be signed");
}

static EVP_PKEY *key_in(const char *certificate)
{
	BIO *in = BIO_new_mem_buf(certificate, -1);
	X509 *x = PEM_read_bio_X509(in, NULL, NULL, NULL);
	EVP_PKEY *key = x ? X509_get_pubkey(x) : NULL;

	X509_free(x);
	BIO_free(in);
	return key;
}

static const EVP_MD *digest_of(const char *algorithm)
{
	const char *name = strrchr(algorithm, '-');

	return name == NULL ? NULL : strcmp(name, "-sha384") == 0 ? EVP_sha384() : strcmp(name, "-sha512") == 0 ? EVP_sha512() : EVP_sha256();
}

int sign_text_verify(const char *text, size_t len, const char *algorithm, const struct buf *signature, const struct saml_idp *idp,
	struct saml_verdict *v)
{
	int good = 0;

	/* With ECDSA a redirect's signature is in another form: nobody was seen to send it. */
	if (!is_one_of(signatures, algorithm) || strstr(algorithm, "#rsa-") == NULL)
		return saml_refuse(v, SAML_ALGORITHM, "SigAlg %s", algorithm);
	for (size_t i = 0; i < idp->certificate_count && !good; i++) {
		EVP_PKEY *key = key_in(idp->certificates[i]);
		EVP_MD_CTX *ctx = EVP_MD_CTX_new();

		good = key && ctx && EVP_PKEY_is_a(key, "RSA") && EVP_DigestVerifyInit(ctx, NULL, digest_of(algorithm), NULL, key) == 1
			&& EVP_DigestVerify(ctx, (const unsigned char *)signature->data, signature->len, (const unsigned char *)text, len) == 1;
		EVP_MD_CTX_free(ctx);
		EVP_PKEY_free(key);
	}
	return good ? 0 : saml_refuse(v, SAML_SIGNATURE, "the signature of the address fits none of the %zu certificates known",
		idp->certificate_count);
}
