/* network.c - addresses and networks of the interfaces, without the loopback's and those that hold on one link only. */
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "agent/integrity/family.h"

struct address {
	int family, bits;                /* bits: of the network */
	unsigned char bytes[16];
};

static size_t size_of(const struct address *a)
{
	return a->family == AF_INET ? 4 : 16;
}

static const void *bytes_of(const struct sockaddr *a)
{
	union { const struct sockaddr *any; const struct sockaddr_in *four; const struct sockaddr_in6 *six; } at = { a };

	return a->sa_family == AF_INET ? (const void *)&at.four->sin_addr : (const void *)&at.six->sin6_addr;
}

static int take(const struct ifaddrs *i, struct address *a)
{
	const unsigned char *mask;

	if (i->ifa_addr == NULL || i->ifa_flags & IFF_LOOPBACK
		|| (i->ifa_addr->sa_family != AF_INET && i->ifa_addr->sa_family != AF_INET6))
		return 0;
	*a = (struct address){ .family = i->ifa_addr->sa_family };
	memcpy(a->bytes, bytes_of(i->ifa_addr), size_of(a));
	mask = i->ifa_netmask ? bytes_of(i->ifa_netmask) : NULL;
	for (size_t n = 0; mask && n < size_of(a); n++)
		a->bits += __builtin_popcount(mask[n]);
	return a->family == AF_INET || (a->bytes[0] != 0xfe || (a->bytes[1] & 0xc0) != 0x80);
}

static void add_address(json_t *set, struct address *a)
{
	char text[INET6_ADDRSTRLEN];

	json_object_set_new(set, inet_ntop(a->family, a->bytes, text, sizeof text), json_null());
}

static void add_network(json_t *set, struct address *a)
{
	char text[INET6_ADDRSTRLEN], network[INET6_ADDRSTRLEN + 5];

	for (int bit = a->bits; bit < (int)size_of(a) * 8; bit++)
		a->bytes[bit / 8] &= (unsigned char)~(0x80 >> bit % 8);
	snprintf(network, sizeof network, "%s/%d", inet_ntop(a->family, a->bytes, text, sizeof text), a->bits);
	json_object_set_new(set, network, json_null());
}

static json_t *each(void (*add)(json_t *set, struct address *a))
{
	struct ifaddrs *all = NULL;
	struct address a;
	json_t *set;

	if (getifaddrs(&all) < 0)
		return NULL;
	set = json_object();
	for (struct ifaddrs *i = all; i; i = i->ifa_next)
		if (take(i, &a))
			add(set, &a);
	freeifaddrs(all);
	return set;
}

json_t *fact_addresses(struct facts_run *run)
{
	return each(add_address);
}

json_t *fact_networks(struct facts_run *run)
{
	return each(add_network);
}
