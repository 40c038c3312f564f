/* sigv4.c - canonical request, string to sign, key by four steps of HMAC-SHA256. */
#include "agent/plugin/sigv4.h"

#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/secret.h"
#include "proto/crypto.h"

void sigv4_date(time_t at, char out[static SIGV4_DATE_SIZE])
{
	struct tm t;

	gmtime_r(&at, &t);
	strftime(out, SIGV4_DATE_SIZE, "%Y%m%dT%H%M%SZ", &t);
}

static int add_digest(const char *text, size_t len, struct buf *out)
{
	uint8_t digest[PROTO_DIGEST_SIZE];
	int rc = proto_sha256(text, len, digest);
	char *hex;

	if (rc < 0)
		return rc;
	hex = encode_hex(digest, sizeof digest);
	buf_puts(out, hex);
	free(hex);
	return 0;
}

static const char *signed_headers(const struct sigv4_keys *keys)
{
	return keys->session_token[0] ? "content-type;host;x-amz-date;x-amz-security-token" : "content-type;host;x-amz-date";
}

static int canonical(const struct sigv4_request *r, const struct sigv4_keys *keys, const char *date, struct buf *out)
{
	buf_printf(out, "%s\n%s\n\ncontent-type:%s\nhost:%s\nx-amz-date:%s\n", r->method, r->path, r->content_type, r->host, date);
	if (keys->session_token[0])
		buf_printf(out, "x-amz-security-token:%s\n", keys->session_token);
	buf_printf(out, "\n%s\n", signed_headers(keys));
	return add_digest(r->body, strlen(r->body), out);
}

/* "AWS4" and the secret, then date, region, service, "aws4_request". */
static int signing_key(const struct sigv4_request *r, const struct sigv4_keys *keys, const char *day, uint8_t key[static PROTO_DIGEST_SIZE])
{
	const char *const steps[] = { day, r->region, r->service, "aws4_request" };
	char *first = mem_printf("AWS4%s", keys->secret_access_key);
	size_t len = strlen(first);
	int rc = proto_hmac(first, len, steps[0], strlen(steps[0]), key);

	secret_wipe(first, len);
	free(first);
	for (size_t i = 1; rc == 0 && i < ARRAY_LEN(steps); i++) {
		uint8_t next[PROTO_DIGEST_SIZE];

		rc = proto_hmac(key, PROTO_DIGEST_SIZE, steps[i], strlen(steps[i]), next);
		memcpy(key, next, sizeof next);
		secret_wipe(next, sizeof next);
	}
	return rc;
}

int sigv4_sign(const struct sigv4_request *r, const struct sigv4_keys *keys, struct buf *authorization)
{
	struct buf request = BUF_INIT, to_sign = BUF_INIT;
	uint8_t key[PROTO_DIGEST_SIZE], mac[PROTO_DIGEST_SIZE];
	char date[SIGV4_DATE_SIZE], day[9], *scope, *hex;
	int rc;

	sigv4_date(r->at, date);
	memcpy(day, date, 8);
	day[8] = '\0';
	scope = mem_printf("%s/%s/%s/aws4_request", day, r->region, r->service);
	buf_printf(&to_sign, "AWS4-HMAC-SHA256\n%s\n%s\n", date, scope);
	rc = canonical(r, keys, date, &request);
	if (rc == 0)
		rc = add_digest(buf_str(&request), request.len, &to_sign);
	if (rc == 0)
		rc = signing_key(r, keys, day, key);
	if (rc == 0)
		rc = proto_hmac(key, sizeof key, to_sign.data, to_sign.len, mac);
	if (rc == 0) {
		hex = encode_hex(mac, sizeof mac);
		buf_printf(authorization, "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s", keys->access_key_id, scope,
			signed_headers(keys), hex);
		free(hex);
	}
	secret_wipe(key, sizeof key);
	buf_free(&request);
	buf_free(&to_sign);
	free(scope);
	return rc;
}
