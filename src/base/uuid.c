/* uuid.c - UUID version 7 (RFC 9562, section 5.7). */
#include "base/uuid.h"

#include <ctype.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"

struct uuid uuid_new(void)
{
	struct uuid id;
	uint64_t ms = (uint64_t)(clock_now() / 1000);

	randombytes_buf(id.bytes, sizeof id.bytes);
	for (int i = 0; i < 6; i++)
		id.bytes[i] = (uint8_t)(ms >> (40 - 8 * i));
	id.bytes[6] = (uint8_t)(0x70 | (id.bytes[6] & 0x0f));
	id.bytes[8] = (uint8_t)(0x80 | (id.bytes[8] & 0x3f));
	return id;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int uuid_parse(const char *text, struct uuid *out)
{
	struct uuid id;
	int n = 0;

	if (text == NULL || strlen(text) != UUID_TEXT_SIZE - 1)
		return err_set(ERR_INVALID, "not a UUID");
	for (int i = 0; i < UUID_TEXT_SIZE - 1; i++) {
		int high, low;

		if (i == 8 || i == 13 || i == 18 || i == 23) {
			if (text[i] != '-')
				return err_set(ERR_INVALID, "not a UUID");
			continue;
		}
		high = hex_digit(text[i]);
		low = hex_digit(text[++i]);
		if (high < 0 || low < 0)
			return err_set(ERR_INVALID, "not a UUID");
		id.bytes[n++] = (uint8_t)(high << 4 | low);
	}
	*out = id;
	return 0;
}

void uuid_text(const struct uuid *id, char out[static UUID_TEXT_SIZE])
{
	const uint8_t *b = id->bytes;

	snprintf(out, UUID_TEXT_SIZE, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2],
		b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

int uuid_equal(const struct uuid *a, const struct uuid *b)
{
	return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

int uuid_is_nil(const struct uuid *id)
{
	static const struct uuid nil;

	return uuid_equal(id, &nil);
}
