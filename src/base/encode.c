/* encode.c - hexadecimal, base64 and base64url, by libsodium. */
#include "base/encode.h"

#include <sodium.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

#define BASE64URL sodium_base64_VARIANT_URLSAFE_NO_PADDING

char *encode_hex(const void *data, size_t len)
{
	char *text = mem_alloc(len * 2 + 1);

	return sodium_bin2hex(text, len * 2 + 1, data, len);
}

static char *to_base64(const void *data, size_t len, int variant)
{
	size_t size = sodium_base64_encoded_len(len, variant);
	char *text = mem_alloc(size);

	return sodium_bin2base64(text, size, data, len, variant);
}

char *encode_base64(const void *data, size_t len)
{
	return to_base64(data, len, sodium_base64_VARIANT_ORIGINAL);
}

char *encode_base64url(const void *data, size_t len)
{
	return to_base64(data, len, BASE64URL);
}

typedef int decoder(unsigned char *, size_t, const char *, size_t, size_t *, const char **);

static int from_hex(unsigned char *bin, size_t size, const char *text, size_t len, size_t *used, const char **end)
{
	return sodium_hex2bin(bin, size, text, len, NULL, used, end);
}

static int from_base64url(unsigned char *bin, size_t size, const char *text, size_t len, size_t *used, const char **end)
{
	return sodium_base642bin(bin, size, text, len, NULL, used, end, BASE64URL);
}

static int decode(const char *text, struct buf *out, decoder *from)
{
	size_t before = out->len, len = strlen(text), used = 0;
	const char *end = NULL;
	unsigned char *at = buf_extend(out, len);
	int rc = from(at, len, text, len, &used, &end);

	if (rc != 0 || end != text + len) {
		out->len = before;
		out->data[before] = '\0';
		return err_set(ERR_INVALID, "badly encoded");
	}
	out->len = before + used;
	out->data[out->len] = '\0';
	return 0;
}

int decode_hex(const char *text, struct buf *out)
{
	return decode(text, out, from_hex);
}

int decode_base64url(const char *text, struct buf *out)
{
	return decode(text, out, from_base64url);
}
