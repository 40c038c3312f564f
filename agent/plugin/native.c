/* native.c - bare metal and guests of hypervisors without an interface of their own: DMI, /etc, sysfs. */
#include "agent/common/host.h"
#include "agent/plugin/kit.h"
#include "agent/provider/block.h"

static int identify(struct kit_question *q, void *answer)
{
	kit_machine(answer);
	return 0;
}

static int list(struct kit_question *q, void *answer)
{
	static struct proto_device found[PROTO_DEVICES_MAX];
	int count = block_list(found, PROTO_DEVICES_MAX);

	if (count >= 0)
		kit_devices(found, count, answer);
	return count < 0 ? count : 0;
}

static const struct plugin_description about = {
	.name = "native", .title = "Bare metal, vSphere guests, iSCSI, container files", .version = HOST_AGENT_VERSION
};

int main(void)
{
	static const struct kit kit = { &about, { [PLUGIN_IDENTIFY] = identify, [PLUGIN_LIST] = list } };

	return kit_main(&kit);
}
