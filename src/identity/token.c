/* token.c - making, hashing and comparing random tokens. */
#include "identity/token.h"

#include <sodium.h>
#include <string.h>

void token_new(char out[static TOKEN_TEXT_SIZE])
{
	unsigned char raw[32];

	randombytes_buf(raw, sizeof raw);
	sodium_bin2base64(out, TOKEN_TEXT_SIZE, raw, sizeof raw, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	sodium_memzero(raw, sizeof raw);
}

void token_hash(const char *text, uint8_t out[static TOKEN_HASH_SIZE])
{
	crypto_hash_sha256(out, (const unsigned char *)text, strlen(text));
}

int token_equal(const char *a, const char *b)
{
	size_t n = strlen(a);

	return n == strlen(b) && sodium_memcmp(a, b, n) == 0;
}

void token_code(char out[static TOKEN_CODE_SIZE])
{
	static const char alphabet[] = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
	char *at = out;

	for (int i = 0; i < 20; i++) {
		if (i && i % 5 == 0)
			*at++ = '-';
		*at++ = alphabet[randombytes_uniform(32)];
	}
	*at = '\0';
}
