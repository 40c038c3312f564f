/* system.c - facts of the machine and its system that cost nothing. */
#include <string.h>

#include "agent/common/host.h"
#include "agent/integrity/family.h"
#include "base/clock.h"

#define USER_DATA_MAX 16384

static json_t *text_or_null(const char *text)
{
	return text[0] ? json_string(text) : NULL;
}

#define HOST_FACT(function, member) \
	json_t *function(struct facts_run *run) \
	{ \
		struct proto_host h; \
\
		host_describe(&h); \
		return text_or_null(h.member); \
	}
HOST_FACT(fact_host_name, name)
HOST_FACT(fact_system, system)
HOST_FACT(fact_distribution, distribution)
HOST_FACT(fact_version, version)
HOST_FACT(fact_kernel, kernel)
HOST_FACT(fact_arch, arch)
HOST_FACT(fact_agent_version, agent_version)

json_t *fact_bits(struct facts_run *run)
{
	struct proto_host h;

	host_describe(&h);
	return h.arch[0] ? json_integer(strstr(h.arch, "64") || strcmp(h.arch, "s390x") == 0 ? 64 : 32) : NULL;
}

json_t *fact_uptime(struct facts_run *run)
{
	return json_integer((json_int_t)host_uptime());
}

json_t *fact_booted(struct facts_run *run)
{
	char text[CLOCK_TEXT_SIZE];
	int64_t at = host_booted();

	if (at == 0)
		return NULL;
	clock_text(at * CLOCK_SECOND, text);
	return json_string(text);
}

json_t *fact_region(struct facts_run *run)
{
	return run->wish->who ? text_or_null(run->wish->who->region) : NULL;
}

/* One that is longer than EC2's may be (16 KiB) is not told: a part of it could satisfy a rule that the whole does not. */
json_t *fact_user_data(struct facts_run *run)
{
	const char *text = run->wish->user_data;

	return text && strlen(text) <= USER_DATA_MAX ? json_string(text) : NULL;
}

json_t *fact_zone(struct facts_run *run)
{
	return run->wish->who ? text_or_null(run->wish->who->zone) : NULL;
}
