/* xml.h - the wall that all XML passes: size, no DTD, no entities, no network, UTF-8, and in messages neither comments nor
 * processing instructions nor CDATA. And how the files of this folder read the tree. */
#ifndef SAML_XML_H
#define SAML_XML_H

#include <libxml/tree.h>

#include "saml/saml.h"

#define NS_PROTOCOL "urn:oasis:names:tc:SAML:2.0:protocol"
#define NS_ASSERTION "urn:oasis:names:tc:SAML:2.0:assertion"
#define NS_METADATA "urn:oasis:names:tc:SAML:2.0:metadata"
#define NS_SIGNATURE "http://www.w3.org/2000/09/xmldsig#"
#define NS_ENCRYPTION "http://www.w3.org/2001/04/xmlenc#"
#define NS_EXCLUSIVE "http://www.w3.org/2001/10/xml-exc-c14n#"
#define BINDING_REDIRECT "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
#define BINDING_POST "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
#define STATUS_SUCCESS "urn:oasis:names:tc:SAML:2.0:status:Success"
#define FORMAT_ENTITY "urn:oasis:names:tc:SAML:2.0:nameid-format:entity"
#define FORMAT_UNSPECIFIED "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"

/* LENIENT: comments and processing instructions are left out of the tree instead of refused (metadata, which people write). */
int xml_parse(const char *bytes, size_t len, size_t max, int lenient, xmlDocPtr *out, struct saml_verdict *v);
int xml_is(const xmlNode *n, const char *ns, const char *name);
xmlNode *xml_first(const xmlNode *parent);                   /* element children alone */
xmlNode *xml_next(const xmlNode *n);
xmlNode *xml_child(const xmlNode *parent, const char *ns, const char *name);         /* the first; NULL */
/* The attribute without namespace; "" when there is none. Valid as long as the tree is not changed. */
const char *xml_attribute(const xmlNode *n, const char *name);
/* The element's text without spaces at both ends, all of it: NULL where it has elements inside or is longer than MAX bytes. The caller frees. */
char *xml_text(const xmlNode *n, size_t max);
/* Everything in UTF-8 that XML lets stand in an element or an attribute, escaped. */
void xml_escape(struct buf *out, const char *text);
/* ASCII, a letter or '_' first, then letters, digits, '_', '-', '.'; at most SAML_ID_MAX. */
int xml_is_id(const char *s);

/* base64 with line breaks, as messages carry it; ERR_INVALID. */
int base64_read(const char *text, size_t len, size_t max, struct buf *out);
void base64_write(const void *data, size_t len, struct buf *out);

/* sign.c: signatures and encryption of elements, by xmlsec and OpenSSL. */
/* Whether SIGNATURE, a child of ELEMENT, has the one form that we accept: exclusive canonicalisation, one reference to ELEMENT, enveloped,
 * algorithms of the list. */
int sign_check_form(const xmlNode *element, const xmlNode *signature, struct saml_verdict *v);
/* Its form, and then its value, with one of the certificates of IDP. */
int sign_verify(xmlNode *element, xmlNode *signature, const struct saml_idp *idp, struct saml_verdict *v);
/* What is inside of ENCRYPTED (saml:EncryptedAssertion, saml:EncryptedID). PLAIN may hold personal data. */
int sign_decrypt(xmlNode *encrypted, const struct saml_sp *sp, struct buf *plain, struct saml_verdict *v);
/* Signs the root element of XML, putting the signature behind its Issuer. */
int sign_document(const char *xml, const struct saml_sp *sp, struct buf *out);
/* The signature of a redirect over TEXT, base64; RSA with SHA-256. */
#define SIGN_ALGORITHM "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
int sign_text(const char *text, const struct secret *key, struct buf *out);
int sign_text_verify(const char *text, size_t len, const char *algorithm, const struct buf *signature, const struct saml_idp *idp,
	struct saml_verdict *v);

/* redirect.c */
int redirect_url(const char *to, const char *field, const char *xml, const char *relay, const struct secret *key, struct buf *url);
/* XML as the query QUERY has it in SAMLRequest (*IS_ANSWER 0) or SAMLResponse (1), its signature verified. */
int redirect_read(const char *query, const struct saml_idp *idp, struct buf *xml, int *is_answer, struct saml_verdict *v);

/* response.c, also for logout */
int message_check_ids(const xmlNode *root, struct saml_verdict *v);
/* What NAME_ID holds in a saml:EncryptedID, in a document of its own, DOC, which the caller frees. */
int message_open_name(xmlNode *encrypted, const struct saml_sp *sp, xmlDocPtr *doc, const xmlNode **name_id, struct saml_verdict *v);
int message_check_issuer(const xmlNode *issuer, const struct saml_idp *idp, struct saml_verdict *v);

#endif
