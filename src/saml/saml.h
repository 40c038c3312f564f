/* saml.h - SAML 2.0 as a service provider speaks it: bytes in, a verdict with its reason out (IDN-3, SEC-3).
 *
 * Pure: no file, no network, no clock, no database. All XML comes from outside and passes one wall (xml.h) before anything reads it.
 * What a response says is read from the very element whose signature was verified. Only keyward-ssod runs this.
 *
 * Every check that refuses says why in a struct saml_verdict: the reason's name for the log's readers and tests, a text for the
 * administrator. Neither is for the page that the person sees who signs in. */
#ifndef SAML_SAML_H
#define SAML_SAML_H

#include <jansson.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/secret.h"

#define SAML_MESSAGE_MAX (64 * 1024)     /* bytes of XML in one message, before it is parsed */
#define SAML_METADATA_MAX (96 * 1024)
#define SAML_ID_MAX 256                  /* bytes of an id, and of a name identifier */
#define SAML_URL_MAX 1000
#define SAML_ENTITY_MAX 1024
#define SAML_VALUE_MAX 1024              /* bytes of one value of an attribute */
#define SAML_ATTRIBUTES_MAX 100
#define SAML_VALUES_MAX 500              /* of all attributes together */
#define SAML_CERTIFICATES_MAX 4          /* an identity provider signs with: two, while it changes them */
#define SAML_RELAY_MAX 80                /* bytes, as the standard has it */
#define SAML_SKEW_MOST 300               /* seconds by which two clocks may differ */
#define SAML_SESSIONS_MAX 20             /* that a request to sign out names */
#define SAML_RSA_LEAST 2048              /* bits */

/* id, name in the log */
#define SAML_REASONS(X) \
	X(NONE, "") \
	X(TOO_LARGE, "too-large") \
	X(ENCODING, "encoding")          /* not base64, not deflated, not UTF-8 */ \
	X(XML, "xml")                    /* not well-formed, or not what SAML allows at this place */ \
	X(DTD, "dtd") \
	X(COMMENT, "comment")            /* a comment, a processing instruction or CDATA: values can be cut by them */ \
	X(STRUCTURE, "structure")        /* elements where they do not belong: signature wrapping */ \
	X(ALGORITHM, "algorithm")        /* not on the list */ \
	X(UNSIGNED, "unsigned") \
	X(SIGNATURE, "signature") \
	X(DECRYPTION, "decryption") \
	X(STATUS, "status")              /* the identity provider itself says no */ \
	X(ISSUER, "issuer") \
	X(DESTINATION, "destination") \
	X(RECIPIENT, "recipient") \
	X(AUDIENCE, "audience") \
	X(UNSOLICITED, "unsolicited")    /* nobody asked */ \
	X(REQUEST, "in-response-to")     /* an answer to another request */ \
	X(REPLAY, "replay")              /* to a request that was answered, is too old, or is another browser's */ \
	X(EXPIRED, "expired") \
	X(NOT_YET, "not-yet-valid") \
	X(SUBJECT, "subject")            /* no usable name identifier or confirmation */ \
	X(SETTINGS, "settings")          /* our own: keys, metadata */

enum saml_reason {
#define X(id, name) SAML_##id,
	SAML_REASONS(X)
#undef X
	SAML_REASON_COUNT
};

struct saml_verdict {
	enum saml_reason reason;
	char text[256];
};

const char *saml_reason_name(enum saml_reason r);
/* Notes why and returns ERR_FORBIDDEN. */
int saml_refuse(struct saml_verdict *v, enum saml_reason r, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Once, while the process can still load what its libraries need. */
void saml_init(void);

/* The other side, as its metadata describe it. The same as JSON (saml_idp_json): what is kept in the database. */
struct saml_idp {
	char *entity;
	char *sso_url;                   /* takes our requests by redirect */
	char *slo_url, *slo_answer_url;  /* NULL: no single logout; answers go to their own address where there is one */
	int slo_post;                    /* 1: it takes them by POST alone */
	char *certificates[SAML_CERTIFICATES_MAX];   /* PEM */
	size_t certificate_count;
};

/* Our side. Nothing is owned. */
struct saml_sp {
	const char *entity, *acs_url, *slo_url;
	const char *certificate;         /* PEM */
	const struct secret *key;        /* PEM */
	const char *second_certificate;  /* that stands in the metadata too, for what is to come; NULL: none */
	const struct secret *second;     /* what is encrypted for it is read too, nothing signed; NULL: none */
};

void saml_idp_release(struct saml_idp *idp);
/* Reads what saml_idp_json wrote. ERR_INVALID. */
int saml_idp_read(const json_t *o, struct saml_idp *out);
/* {entity, sso_url, slo_url, slo_answer_url, slo_post, certificates: [{pem, subject, sha256, not_before, not_after}]}; the caller's. */
json_t *saml_idp_json(const struct saml_idp *idp);

/* metadata.c */
/* ERR_FORBIDDEN with V: too large, not XML, a DTD, no identity provider or several, no address that takes redirects, no key to verify
 * with or a weak one, out of date at NOW. */
int saml_metadata_read(const char *bytes, size_t len, clock_us now, struct saml_idp *out, struct saml_verdict *v);
void saml_metadata_write(const struct saml_sp *sp, struct buf *out);

/* request.c. All put an address into URL to which the browser is sent; RELAY may be NULL. ERR_INVALID, ERR_CRYPTO. */
struct saml_ask {
	const char *id;                  /* of the message; from us, never seen before */
	const char *relay;
	const char *format;              /* of the name identifier that is wished for; NULL: any */
	int again;                       /* the person has to sign in once more */
	clock_us now;
};
int saml_request_url(const struct saml_sp *sp, const struct saml_idp *idp, const struct saml_ask *ask, struct buf *url);

/* response.c */
struct saml_expected {
	const char *request;             /* the id of our request that this browser has sent, not answered yet */
	clock_us now;
	int skew;                        /* seconds */
};
/* BYTES: the field SAMLResponse, base64. 0: *OUT is {issuer, name_id, format, session, session_end, assertion, encrypted, attributes:
 * {name: [value]}, friendly: {name: name}}, the caller's. ERR_FORBIDDEN with V. */
int saml_response_judge(const struct saml_sp *sp, const struct saml_idp *idp, const struct saml_expected *e, const char *bytes, size_t len,
	json_t **out, struct saml_verdict *v);

/* logout.c */
struct saml_logout {
	char *id;                        /* of the message */
	char *request;                   /* of an answer: what it answers; NULL in a request */
	char *name_id, *format;          /* of a request */
	json_t *sessions;                /* the session indexes that a request names; empty: all of the name's */
	int success;                     /* of an answer */
};
struct saml_logout_ask {
	const char *id, *relay;
	const char *name_id, *format, *session;  /* of a request: format and session may be NULL */
	const char *request;             /* of an answer: the id that it answers; NULL: this is a request */
	int success;
	clock_us now;
};
void saml_logout_release(struct saml_logout *l);
/* To be sent by redirect: to URL. Where the other side takes POST alone, URL is where to and FIELD the signed message in base64; FIELD
 * stays empty otherwise. */
int saml_logout_url(const struct saml_sp *sp, const struct saml_idp *idp, const struct saml_logout_ask *ask, struct buf *url,
	struct buf *field);
/* What came by redirect (QUERY: the whole raw query) or by POST (FIELD, base64). */
int saml_logout_query(const struct saml_sp *sp, const struct saml_idp *idp, const char *query, clock_us now, int skew,
	struct saml_logout *out, struct saml_verdict *v);
int saml_logout_post(const struct saml_sp *sp, const struct saml_idp *idp, const char *field, size_t len, clock_us now, int skew,
	struct saml_logout *out, struct saml_verdict *v);

#endif
