/* address.c - tells near and private addresses from those of others. */
#include "base/address.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

static int is_local4(uint32_t a)
{
	return a >> 24 == 0 || a >> 24 == 127 || a >> 16 == 0xa9fe || a >> 28 >= 0xe;
}

static int is_local(const struct sockaddr *a)
{
	union { const struct sockaddr *any; const struct sockaddr_in *four; const struct sockaddr_in6 *six; } at = { a };
	const struct in6_addr *six;
	uint32_t mapped;

	if (a->sa_family == AF_INET)
		return is_local4(ntohl(at.four->sin_addr.s_addr));
	if (a->sa_family != AF_INET6)
		return 1;
	six = &at.six->sin6_addr;
	memcpy(&mapped, six->s6_addr + 12, sizeof mapped);
	if (IN6_IS_ADDR_V4MAPPED(six))
		return is_local4(ntohl(mapped));
	return IN6_IS_ADDR_LOOPBACK(six) || IN6_IS_ADDR_UNSPECIFIED(six) || IN6_IS_ADDR_LINKLOCAL(six) || IN6_IS_ADDR_MULTICAST(six);
}

static int is_same(const struct sockaddr *a, const struct sockaddr *b)
{
	union { const struct sockaddr *any; const struct sockaddr_in *four; const struct sockaddr_in6 *six; } x = { a }, y = { b };

	if (b == NULL)
		return 0;
	if (a->sa_family == AF_INET6 && b->sa_family == AF_INET && IN6_IS_ADDR_V4MAPPED(&x.six->sin6_addr))
		return memcmp(x.six->sin6_addr.s6_addr + 12, &y.four->sin_addr, sizeof y.four->sin_addr) == 0;
	if (a->sa_family != b->sa_family)
		return 0;
	return a->sa_family == AF_INET ? x.four->sin_addr.s_addr == y.four->sin_addr.s_addr
		: a->sa_family == AF_INET6 && IN6_ARE_ADDR_EQUAL(&x.six->sin6_addr, &y.six->sin6_addr);
}

/* One of the machine's own, whatever it is called outside; where they cannot be told, it may be one. */
static int is_own(const struct sockaddr *a)
{
	struct ifaddrs *all = NULL;
	int own = 0;

	if (getifaddrs(&all) < 0)
		return 1;
	for (const struct ifaddrs *i = all; i && !own; i = i->ifa_next)
		own = is_same(a, i->ifa_addr);
	freeifaddrs(all);
	return own;
}

int address_is_near(const struct sockaddr *a)
{
	return is_local(a) || is_own(a);
}

static const struct {
	uint32_t net;
	int bits;
} private4[] = { { 0x0a000000, 8 }, { 0x64400000, 10 }, { 0xac100000, 12 }, { 0xc0000000, 24 }, { 0xc0a80000, 16 }, { 0xc6120000, 15 } };

static int is_private4(uint32_t a)
{
	int found = is_local4(a);

	for (size_t i = 0; i < sizeof private4 / sizeof *private4; i++)
		found |= (a ^ private4[i].net) >> (32 - private4[i].bits) == 0;
	return found;
}

static uint32_t four_at(const struct in6_addr *six, size_t at)
{
	uint32_t four;

	memcpy(&four, six->s6_addr + at, sizeof four);
	return ntohl(four);
}

/* Only what is given out for everybody (2000::/3), and of that not what carries a private address of IPv4 (6to4, Teredo); and NAT64. */
static int is_private6(const struct in6_addr *six)
{
	static const uint8_t nat64[12] = { 0, 0x64, 0xff, 0x9b };

	if (IN6_IS_ADDR_V4MAPPED(six) || memcmp(six, nat64, sizeof nat64) == 0)
		return is_private4(four_at(six, 12));
	if (six->s6_addr[0] == 0x20 && six->s6_addr[1] == 0x02)
		return is_private4(four_at(six, 2));
	return six->s6_addr[0] >> 5 != 1 || four_at(six, 0) == 0x20010000;
}

int address_is_private(const struct sockaddr *a)
{
	union { const struct sockaddr *any; const struct sockaddr_in *four; const struct sockaddr_in6 *six; } at = { a };

	return address_is_near(a) || (a->sa_family == AF_INET ? is_private4(ntohl(at.four->sin_addr.s_addr)) : is_private6(&at.six->sin6_addr));
}
