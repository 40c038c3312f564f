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

#define QUICK_MS 200
#define LOOK_MS 3000             /* walks through many small files of the kernel */
#define READ_MS 10000            /* reads what may be large, or from a disk that is busy at boot */

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
	{ "os.pending_updates", fact_pending, QUICK_MS },
	{ "os.pending_security_updates", fact_pending_security, QUICK_MS },
	{ "os.updates_checked_at", fact_checked, QUICK_MS },
	{ "agent.version", fact_agent_version, QUICK_MS },
	{ "instance.region", fact_region, QUICK_MS },
	{ "instance.zone", fact_zone, QUICK_MS },
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
static const char *const dispensable[] = { "packages", "processes", "files", "network.services", "security.products", "network.networks",
	"network.addresses" };

void fact_clean(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~' || *text == '"' || *text == '\\')
			*text = '?';
}

json_t *fact_if(int keep, json_t *v)
{
	if (keep)
		return v;
	json_decref(v);
	return NULL;
}

static clock_us add(json_t *o, const struct fact *f, struct facts_run *run)
{
	clock_us began = clock_ticks(), took;
	json_t *value = f->gather(run);

	took = clock_ticks() - began;
	if (value && took > f->limit_ms * (CLOCK_SECOND / 1000)) {
		log_warning("a fact took too long and is left out", "fact", f->name, NULL);
		json_decref(value);
		value = NULL;
	}
	if (value)
		json_object_set_new(o, f->name, value);
	return took;
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

/* TOOK: one entry per row of the table, may be NULL. */
static json_t *gather(const struct facts_wish *wish, clock_us *took)
{
	json_t *o = json_object();
	struct facts_run run = { .wish = wish, .so_far = o };
	char text[CLOCK_TEXT_SIZE];

	for (size_t i = 0; i < facts_count; i++) {
		clock_us t = add(o, &facts_table[i], &run);

		if (took && t > took[i])
			took[i] = t;
	}
	processes_free(run.processes);
	clock_text(clock_now(), text);
	json_set_string(o, "gathered_at", text);
	return o;
}

json_t *facts_gather(const struct facts_wish *wish)
{
	json_t *o = gather(wish, NULL);

	facts_fit(o, PROTO_FACTS_MAX);
	return o;
}

void facts_measure(const struct facts_wish *wish, int n, struct buf *out)
{
	clock_us *took = mem_array(facts_count, sizeof *took), all = 0;
	json_t *facts = NULL;

	for (int i = 0; i < n; i++) {
		json_decref(facts);
		facts = gather(wish, took);
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
