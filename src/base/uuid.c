/* uuid.c - UUID version 7 (RFC 9562, section 5.7). */
#include "base/uuid.h"

#include <ctype.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"

/* Milliseconds since 1970 and 12 bits of their fraction; what one process asks for always grows (section 6.2, method 3). */
static uint64_t next_tick(void)
{
	static _Atomic uint64_t last;
	uint64_t us = (uint64_t)clock_now(), now = (us / 1000) << 12 | (us % 1000) * 4096 / 1000, before = atomic_load(&last), next;

	do
		next = now > before ? now : before + 1;
	while (!atomic_compare_exchange_weak(&last, &before, next));
	return next;
}

struct uuid uuid_new(void)
{
	struct uuid id;
	uint64_t tick = next_tick();

	randombytes_buf(id.bytes, sizeof id.bytes);
	for (int i = 0; i < 6; i++)
		id.bytes[i] = (uint8_t)(tick >> (52 - 8 * i));
	id.bytes[6] = (uint8_t)(0x70 | (tick >> 8 & 0x0f));
	id.bytes[7] = (uint8_t)tick;
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

/* By hand: printf takes as long as enciphering a key. */
void uuid_text(const struct uuid *id, char out[static UUID_TEXT_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	char *to = out;

	for (int i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*to++ = '-';
		*to++ = digits[id->bytes[i] >> 4];
		*to++ = digits[id->bytes[i] & 15];
	}
	*to = '\0';
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
