/* facts.c - facts that cost nothing to gather. */
#include "agent/integrity/facts.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "agent/host.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define QUICK_MS 200

static json_t *text_or_null(const char *text)
{
	return text[0] ? json_string(text) : NULL;
}

#define HOST_FACT(name) \
	static json_t *gather_##name(void) \
	{ \
		struct proto_host h; \
\
		host_describe(&h); \
		return text_or_null(h.name); \
	}
HOST_FACT(system)
HOST_FACT(distribution)
HOST_FACT(version)
HOST_FACT(kernel)
HOST_FACT(arch)
HOST_FACT(agent_version)

static json_t *gather_host_name(void)
{
	struct proto_host h;

	host_describe(&h);
	return text_or_null(h.name);
}

static json_t *gather_bits(void)
{
	struct proto_host h;

	host_describe(&h);
	return h.arch[0] ? json_integer(strstr(h.arch, "64") ? 64 : 32) : NULL;
}

static json_t *gather_uptime(void)
{
	return json_integer((json_int_t)host_uptime());
}

static json_t *gather_booted(void)
{
	char text[CLOCK_TEXT_SIZE];
	int64_t at = host_booted();

	if (at == 0)
		return NULL;
	clock_text(at * CLOCK_SECOND, text);
	return json_string(text);
}

static const char *address_text(const struct sockaddr *a, char out[static INET6_ADDRSTRLEN])
{
	union { const struct sockaddr *any; const struct sockaddr_in *four; const struct sockaddr_in6 *six; } at = { a };

	if (a->sa_family == AF_INET)
		return inet_ntop(AF_INET, &at.four->sin_addr, out, INET6_ADDRSTRLEN);
	if (a->sa_family == AF_INET6 && !IN6_IS_ADDR_LINKLOCAL(&at.six->sin6_addr))
		return inet_ntop(AF_INET6, &at.six->sin6_addr, out, INET6_ADDRSTRLEN);
	return NULL;
}

static json_t *gather_addresses(void)
{
	json_t *list = json_array();
	struct ifaddrs *all = NULL;
	char text[INET6_ADDRSTRLEN];

	if (getifaddrs(&all) < 0) {
		json_decref(list);
		return NULL;
	}
	for (struct ifaddrs *i = all; i; i = i->ifa_next)
		if (i->ifa_addr && !(i->ifa_flags & IFF_LOOPBACK) && address_text(i->ifa_addr, text))
			json_array_append_new(list, json_string(text));
	freeifaddrs(all);
	return list;
}

const struct fact facts_table[] = {
	{ "host.name", gather_host_name, QUICK_MS },
	{ "os.system", gather_system, QUICK_MS },
	{ "os.distribution", gather_distribution, QUICK_MS },
	{ "os.version", gather_version, QUICK_MS },
	{ "os.kernel", gather_kernel, QUICK_MS },
	{ "os.arch", gather_arch, QUICK_MS },
	{ "os.bits", gather_bits, QUICK_MS },
	{ "os.uptime_s", gather_uptime, QUICK_MS },
	{ "os.booted_at", gather_booted, QUICK_MS },
	{ "network.addresses", gather_addresses, QUICK_MS },
	{ "agent.version", gather_agent_version, QUICK_MS },
};
const size_t facts_count = ARRAY_LEN(facts_table);

static void add(json_t *o, const struct fact *f)
{
	clock_us began = clock_ticks();
	json_t *value = f->gather();

	if (value && clock_ticks() - began > f->limit_ms * (CLOCK_SECOND / 1000)) {
		log_warning("a fact took too long and is left out", "fact", f->name, NULL);
		json_decref(value);
		value = NULL;
	}
	if (value)
		json_object_set_new(o, f->name, value);
}

json_t *facts_gather(void)
{
	json_t *o = json_object();
	char text[CLOCK_TEXT_SIZE];

	for (size_t i = 0; i < facts_count; i++)
		add(o, &facts_table[i]);
	clock_text(clock_now(), text);
	json_object_set_new(o, "gathered_at", json_string(text));
	return o;
}
