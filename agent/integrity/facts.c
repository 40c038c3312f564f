/* facts.c - the table of facts, and what holds for all of them: time, size, what text may hold. */
#include "agent/integrity/facts.h"

#include <stdlib.h>
#include <string.h>

#include "agent/integrity/family.h"
#include "agent/integrity/processes.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"

/* Far above what they take (docs/agent.md): these are for what hangs, not for what is slow at boot. */
#define QUICK_MS 5000
#define LOOK_MS 15000            /* walks through many small files of the kernel */
#define READ_MS 30000            /* reads what may be large, or from a disk that is busy at boot */

/* Names are those of the rules (docs/policy.md). A fact may use those above it. */
const struct fact facts_table[] = {
	{ "host.name", fact_host_name, QUICK_MS },
	{ "os.system", fact_system, QUICK_MS },
	{ "os.distribution", fact_distribution, QUICK_MS },
	{ "os.version", fact_version, QUICK_MS },
	{ "os.kernel", fact_kernel, QUICK_MS },
	{ "os.arch", fact_arch, QUICK_MS },
	{ "os.bits", fact_bits, QUICK_MS },
	{ "os.uptime_s", fact_uptime, QUICK_MS },
	{ "os.booted_at", fact_booted, QUICK_MS },
	{ "os.pending_updates", fact_pending, READ_MS },
	{ "os.pending_security_updates", fact_pending_security, READ_MS },
	{ "os.updates_checked_at", fact_checked, QUICK_MS },
	{ "secure_boot", fact_secure_boot, QUICK_MS },
	{ "agent.version", fact_agent_version, QUICK_MS },
	{ "instance.region", fact_region, QUICK_MS },
	{ "instance.zone", fact_zone, QUICK_MS },
	{ "instance.user_data", fact_user_data, QUICK_MS },
	{ "network.addresses", fact_addresses, QUICK_MS },
	{ "network.networks", fact_networks, QUICK_MS },
	{ "processes", fact_processes, LOOK_MS },
	{ "network.services", fact_services, LOOK_MS },
	{ "packages", fact_packages, READ_MS },
	{ "security.products", fact_products, LOOK_MS },
	{ "files", fact_files, READ_MS },
};
const size_t facts_count = ARRAY_LEN(facts_table);

/* In this order facts are left out where all of them do not fit into a message. */
static const char *const dispensable[] = { "packages", "processes", "files", "network.services", "security.products", "instance.user_data", "network.networks",
	"network.addresses" };

void facts_walk(const struct facts_wish *wish, json_t *known, const json_t *skip, facts_sink sink, void *ctx)
{
	struct facts_run run = { .wish = wish, .so_far = known };

	for (size_t i = 0; i < facts_count; i++) {
		const struct fact *f = &facts_table[i];
		clock_us began = clock_ticks();
		json_t *value;

		if (json_object_get(known, f->name) || json_object_get(skip, f->name))
			continue;
		value = f->gather(&run);
		sink(ctx, f, value, clock_ticks() - began);
		if (value)
			json_object_set_new(known, f->name, value);
	}
	processes_free(run.processes);
}

static size_t size_of(const json_t *v)
{
	char *text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
	size_t size = text ? strlen(text) : 0;

	free(text);
	return size;
}

void facts_fit(json_t *facts, size_t max)
{
	for (size_t i = 0; i < ARRAY_LEN(dispensable) && size_of(facts) > max; i++) {
		json_t *left = json_object_get(facts, "facts.left_out");

		if (json_object_del(facts, dispensable[i]) < 0)
			continue;
		if (left == NULL)
			json_object_set_new(facts, "facts.left_out", left = json_array());
		json_array_append_new(left, json_string(dispensable[i]));
		log_warning("the facts do not fit into a message; one is left out", "fact", dispensable[i], NULL);
	}
}

static void take_time(void *ctx, const struct fact *f, json_t *value, clock_us took)
{
	clock_us *longest = (clock_us *)ctx + (f - facts_table);

	if (took > *longest)
		*longest = took;
}

void facts_measure(const struct facts_wish *wish, int n, struct buf *out)
{
	clock_us *took = mem_array(facts_count, sizeof *took), all = 0;
	json_t *facts = NULL;

	for (int i = 0; i < n; i++) {
		json_decref(facts);
		facts = json_object();
		facts_walk(wish, facts, NULL, take_time, took);
	}
	buf_puts(out, "| fact | ms | bytes | members |\n|---|---|---|---|\n");
	for (size_t i = 0; i < facts_count; i++) {
		const json_t *v = json_object_get(facts, facts_table[i].name);

		all += took[i];
		buf_printf(out, "| `%s` | %.1f | %zu | ", facts_table[i].name, (double)took[i] / 1000, size_of(v));
		buf_printf(out, json_is_object(v) ? "%zu |\n" : v ? "|\n" : "not known |\n", json_object_size(v));
	}
	buf_printf(out, "| all | %.1f | %zu | |\n", (double)all / 1000, size_of(facts));
	json_decref(facts);
	free(took);
}
