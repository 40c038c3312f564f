/* inventory.c - what an agent publishes of its machine, and its farewell. */
#include <stdio.h>
#include <stdlib.h>

#include "agentapi/service.h"
#include "base/err.h"
#include "base/mem.h"
#include "store/agent.h"

static void describe(const struct proto_inventory *m, struct inventory_device *devices, struct inventory *out)
{
	*out = (struct inventory){ .provider = m->provider, .instance_id = m->instance_id, .image_id = m->image_id,
		.image_name = m->image_name, .region = m->region, .zone = m->zone, .host_name = m->host.name, .system = m->host.system,
		.distribution = m->host.distribution, .version = m->host.version, .kernel = m->host.kernel, .arch = m->host.arch,
		.devices = devices, .devices_count = (size_t)m->devices_count };
	for (int i = 0; i < m->devices_count; i++) {
		const struct proto_device *d = &m->devices[i];

		devices[i] = (struct inventory_device){ .id = d->id, .name = d->name, .path = d->path,
			.kind = proto_device_kind_names[d->kind], .filesystem = d->filesystem, .size_bytes = d->size_bytes,
			.in_use = d->in_use, .system = d->system, .unusable = d->unusable, .token_account = d->key_account,
			.token_device = d->key_device, .token_server = d->key_server, .token_version = d->key_version,
			.luks_uuid = d->luks_uuid };
	}
}

int message_inventory(struct agent_call *c)
{
	const struct proto_inventory *m = c->message;
	struct proto_inventory_answer *answer = c->answer;
	struct inventory_device *devices = mem_array((size_t)m->devices_count, sizeof *devices);
	struct inventory inventory;
	struct agent agent;
	size_t left_out = 0;
	int rc = agent_active(c, &agent);

	describe(m, devices, &inventory);
	if (rc == 0)
		rc = inventory_publish(c->db, &agent.instance, &inventory, &left_out);
	if (rc == 0)
		rc = agent_booted(c->db, &c->agent);
	if (rc == 0 && left_out)
		snprintf(answer->warning, sizeof answer->warning, "%zu devices are not registered: the account's quota of devices is used up; its provider"
			" can raise it", left_out);
	if (rc == 0)
		rc = agent_watch(c, answer->watch_files, &answer->watch_files_count);
	free(devices);
	return rc;
}

int message_bye(struct agent_call *c)
{
	const struct proto_bye *m = c->message;
	struct agent agent;
	int rc = agent_active(c, &agent);

	return rc < 0 ? rc : agent_stopped(c->db, &c->agent, proto_reason_names[m->reason]);
}
