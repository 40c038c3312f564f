/* redirect.c - the HTTP-Redirect binding: a message deflated into an address, its signature over the query as it stands there. */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "saml/xml.h"

#define RAW_DEFLATE (-15)                /* window bits; negative: no header around it */

static void put_encoded(struct buf *out, const char *text)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";

	for (; *text; text++) {
		if (strchr(plain, *text))
			buf_putc(out, *text);
		else
			buf_printf(out, "%%%02X", (unsigned char)*text);
	}
}

static int deflate_text(const char *text, struct buf *out)
{
	z_stream z = { .next_in = (Bytef *)(uintptr_t)text, .avail_in = (uInt)strlen(text) };
	struct buf packed = BUF_INIT;
	uLong bound;
	int done;

	if (deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, RAW_DEFLATE, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return err_set(ERR_INTERNAL, "zlib cannot start");
	bound = deflateBound(&z, z.avail_in);
	z.next_out = buf_extend(&packed, bound);
	z.avail_out = (uInt)bound;
	done = deflate(&z, Z_FINISH);
	if (done == Z_STREAM_END)
		base64_write(packed.data, z.total_out, out);
	deflateEnd(&z);
	buf_free(&packed);
	return done == Z_STREAM_END ? 0 : err_set(ERR_INTERNAL, "zlib cannot deflate");
}

int redirect_url(const char *to, const char *field, const char *xml, const char *relay, const struct secret *key, struct buf *url)
{
	struct buf text = BUF_INIT, query = BUF_INIT, signature = BUF_INIT;
	int rc = deflate_text(xml, &text);

	if (rc == 0) {
		buf_printf(&query, "%s=", field);
		put_encoded(&query, buf_str(&text));
		if (relay && *relay) {
			buf_puts(&query, "&RelayState=");
			put_encoded(&query, relay);
		}
		buf_puts(&query, "&SigAlg=");
		put_encoded(&query, SIGN_ALGORITHM);
		rc = sign_text(buf_str(&query), key, &signature);
	}
	if (rc == 0) {
		buf_reset(url);
		buf_printf(url, "%s%c%s&Signature=", to, strchr(to, '?') ? '&' : '?', buf_str(&query));
		put_encoded(url, buf_str(&signature));
	}
	buf_free(&text);
	buf_free(&query);
	buf_free(&signature);
	return rc;
}

/* What came */

struct field {
	const char *at;                  /* "name=value", as it was sent */
	size_t len, name;
};

/* The one field NAME; 1, 0 when there is none, -1 when there are several. */
static int find(const char *query, const char *name, struct field *out)
{
	size_t wanted = strlen(name);
	int count = 0;

	for (const char *s = query; *s; ) {
		size_t len = strcspn(s, "&");

		if (len > wanted && s[wanted] == '=' && strncmp(s, name, wanted) == 0) {
			*out = (struct field){ s, len, wanted };
			count++;
		}
		s += len + (s[len] == '&');
	}
	return count > 1 ? -1 : count;
}

static int hex(char c)
{
	const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c | (c >= 'A' ? 0x20 : 0)) : NULL;

	return at ? (int)(at - digits) : -1;
}

static int decode(const struct field *f, struct buf *out)
{
	const char *s = f->at + f->name + 1, *end = f->at + f->len;

	for (; s < end; s++) {
		if (*s == '%') {
			int high = s + 2 < end ? hex(s[1]) : -1, low = high >= 0 ? hex(s[2]) : -1;

			if (low < 0 || (high == 0 && low == 0))
				return ERR_INVALID;
			buf_putc(out, (char)(high * 16 + low));
			s += 2;
		} else {
			buf_putc(out, *s == '+' ? ' ' : *s);
		}
	}
	return 0;
}

static int inflate_bytes(const struct buf *in, struct buf *out, struct saml_verdict *v)
{
	z_stream z = { .next_in = (Bytef *)in->data, .avail_in = (uInt)in->len };
	int done;

	if (inflateInit2(&z, RAW_DEFLATE) != Z_OK)
		fatal("zlib cannot start");
	buf_reset(out);
	/* One more than the most: what does not end by then is too large, and no more memory is taken for it. */
	z.next_out = buf_extend(out, SAML_MESSAGE_MAX + 1);
	z.avail_out = SAML_MESSAGE_MAX + 1;
	done = inflate(&z, Z_FINISH);
	out->len = z.total_out;
	out->data[out->len] = '\0';
	inflateEnd(&z);
	if (done == Z_STREAM_END && out->len <= SAML_MESSAGE_MAX && z.avail_in == 0)
		return 0;
	return out->len > SAML_MESSAGE_MAX ? saml_refuse(v, SAML_TOO_LARGE, "the message is larger than %d bytes", SAML_MESSAGE_MAX) :
		saml_refuse(v, SAML_ENCODING, "the message is not deflated as it must be");
}

/* The signature is over the fields as they were sent, in the order of the standard. */
static int verify(const char *query, const struct field *message, const struct saml_idp *idp, struct saml_verdict *v)
{
	struct buf signed_text = BUF_INIT, algorithm = BUF_INIT, text = BUF_INIT, signature = BUF_INIT;
	struct field relay, method, value;
	int has_relay = find(query, "RelayState", &relay), rc = 0;

	if (find(query, "SigAlg", &method) != 1 || find(query, "Signature", &value) != 1 || has_relay < 0)
		return saml_refuse(v, SAML_UNSIGNED, "the address bears no signature");
	buf_add(&signed_text, message->at, message->len);
	if (has_relay) {
		buf_putc(&signed_text, '&');
		buf_add(&signed_text, relay.at, relay.len);
	}
	buf_putc(&signed_text, '&');
	buf_add(&signed_text, method.at, method.len);
	if (decode(&method, &algorithm) < 0 || decode(&value, &text) < 0 || base64_read(buf_str(&text), text.len, 1024, &signature) < 0)
		rc = saml_refuse(v, SAML_ENCODING, "the signature of the address is not base64");
	if (rc == 0)
		rc = sign_text_verify(signed_text.data, signed_text.len, buf_str(&algorithm), &signature, idp, v);
	buf_free(&signed_text);
	buf_free(&algorithm);
	buf_free(&text);
	buf_free(&signature);
	return rc;
}

int redirect_read(const char *query, const struct saml_idp *idp, struct buf *xml, int *is_answer, struct saml_verdict *v)
{
	struct buf text = BUF_INIT, packed = BUF_INIT;
	struct field request, response;
	int requests = find(query, "SAMLRequest", &request), responses = find(query, "SAMLResponse", &response), rc;

	if (requests < 0 || responses < 0 || requests + responses != 1)
		return saml_refuse(v, SAML_XML, "not one message");
	rc = verify(query, requests ? &request : &response, idp, v);
	if (rc == 0 && (decode(requests ? &request : &response, &text) < 0 || base64_read(buf_str(&text), text.len, SAML_MESSAGE_MAX, &packed) < 0))
		rc = saml_refuse(v, SAML_ENCODING, "the message is not base64");
	if (rc == 0)
		rc = inflate_bytes(&packed, xml, v);
	if (rc == 0)
		*is_answer = responses;
	buf_free(&text);
	buf_free(&packed);
	return rc;
}
