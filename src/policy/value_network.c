/* value_network.c - IPv4 and IPv6 addresses and networks in one form. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "policy/value.h"

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

#define V4_BITS 96               /* of the prefix, before an IPv4 address begins */

/* The digits from AT to END as a prefix of at most MOST bits. */
static int read_prefix(const char *at, const char *end, unsigned most, unsigned *out)
{
	unsigned n = 0;

	if (at == end || end - at > 3 || (*at == '0' && end - at > 1))
		return ERR_INVALID;
	for (; at < end; at++) {
		if (*at < '0' || *at > '9')
			return ERR_INVALID;
		n = n * 10 + (unsigned)(*at - '0');
	}
	if (n > most)
		return ERR_INVALID;
	*out = n;
	return 0;
}

static int read_address(const char *text, size_t len, struct network *out, int *four)
{
	char copy[INET6_ADDRSTRLEN];

	if (len >= sizeof copy)
		return ERR_INVALID;
	memcpy(copy, text, len);
	copy[len] = '\0';
	*four = memchr(copy, ':', len) == NULL;
	if (*four) {
		memcpy(out->bytes, mapped, sizeof mapped);
		return inet_pton(AF_INET, copy, out->bytes + sizeof mapped) == 1 ? 0 : ERR_INVALID;
	}
	return inet_pton(AF_INET6, copy, out->bytes) == 1 ? 0 : ERR_INVALID;
}

int network_read(const char *text, size_t len, int prefix_needed, struct network *out)
{
	const char *slash = memchr(text, '/', len), *end = text + len;
	struct network n = { .prefix = 128 };
	unsigned prefix = 0;
	int four;

	if (prefix_needed && slash == NULL)
		return ERR_INVALID;
	if (read_address(text, (size_t)((slash ? slash : end) - text), &n, &four) < 0)
		return ERR_INVALID;
	if (slash && read_prefix(slash + 1, end, four ? 32 : 128, &prefix) < 0)
		return ERR_INVALID;
	if (slash)
		n.prefix = (uint8_t)(prefix + (four ? V4_BITS : 0));
	*out = n;
	return 0;
}

int network_mask(struct network *n)
{
	int had = 0;

	for (unsigned i = 0; i < sizeof n->bytes; i++) {
		unsigned bits = n->prefix <= i * 8 ? 0 : n->prefix - i * 8;
		uint8_t mask = bits >= 8 ? 0xff : (uint8_t)(0xff00 >> bits);

		had |= n->bytes[i] & ~mask;
		n->bytes[i] &= mask;
	}
	return had != 0;
}

int network_is_v4(const struct network *n)
{
	return n->prefix >= V4_BITS && memcmp(n->bytes, mapped, sizeof mapped) == 0;
}

int network_contains(const struct network *outer, const struct network *inner)
{
	unsigned whole = outer->prefix / 8, rest = outer->prefix % 8;

	/* ::/0 is all of IPv6 and none of IPv4. */
	if (inner->prefix < outer->prefix || network_is_v4(outer) != network_is_v4(inner))
		return 0;
	if (memcmp(outer->bytes, inner->bytes, whole) != 0)
		return 0;
	return rest == 0 || (outer->bytes[whole] ^ inner->bytes[whole]) >> (8 - rest) == 0;
}

int network_is_loopback(const struct network *n)
{
	static const uint8_t six[16] = { [15] = 1 };

	return network_is_v4(n) ? n->bytes[12] == 127 : n->prefix == 128 && memcmp(n->bytes, six, sizeof six) == 0;
}

void network_text(const struct network *n, int with_prefix, char out[static VALUE_TEXT_SIZE])
{
	int four = network_is_v4(n);
	size_t len;

	inet_ntop(four ? AF_INET : AF_INET6, n->bytes + (four ? sizeof mapped : 0), out, VALUE_TEXT_SIZE);
	len = strlen(out);
	if (with_prefix)
		snprintf(out + len, VALUE_TEXT_SIZE - len, "/%u", n->prefix - (four ? V4_BITS : 0u));
}
