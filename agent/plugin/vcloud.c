/* vcloud.c - the plug-in vcloud: guests of VMware Cloud Director. The machine is known by its firmware's id, as natively, unless the setting
 * names the VM; so it has the same identity before it has credentials and after. What the director adds are the names of its
 * independent disks and the check of credentials. Disks cannot be attached at run time (POL-5). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/common/host.h"
#include "agent/plugin/kit.h"
#include "agent/plugin/vcloud_api.h"
#include "agent/provider/block.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"

#define NAMES_MAX 64
#define AGAIN_SECONDS 3600               /* names are looked up again after that, or when disks come and go */

static int identify(struct kit_question *q, void *answer)
{
	struct plugin_identity *out = answer;
	const char *set = kit_text(q->settings, "vm");
	char id[VCLOUD_VM_MAX + 1];

	kit_machine(out);
	if (*set == '\0')
		return 0;
	if (!vcloud_vm_id(set, id))
		return err_set(ERR_INVALID, "\"%s\" is no id of a VM: it looks like vm-0190a5c4-7d10-7abc-8123-456789abcdef", set);
	snprintf(out->instance_id, sizeof out->instance_id, "%s", id);
	return 0;
}

/* "bus:unit" -> name of the independent disk there. */
static int ask_names(struct kit_question *q, json_t *names)
{
	const struct xml_node *n = NULL;
	struct vcloud *v = NULL;
	struct xml *vm = NULL;
	int rc = vcloud_open(q, &v);

	if (rc == 0)
		rc = vcloud_find_vm(v, q, &vm);
	while (rc == 0 && json_object_size(names) < NAMES_MAX && (n = xml_walk(xml_root(vm), n, "DiskSettings")) != NULL) {
		char bus[8], unit[8], name[128], *place;

		xml_text(n, "BusNumber", bus, sizeof bus);
		xml_text(n, "UnitNumber", unit, sizeof unit);
		xml_attribute(xml_find(n, "Disk"), "name", name, sizeof name);
		place = mem_printf("%s:%s", bus, unit);
		if (*name && *bus && *unit)
			json_set_string(names, place, name);
		free(place);
	}
	xml_free(vm);
	vcloud_close(v);
	return rc;
}

/* "bus:unit" of the disk called NAME by the kernel's host and target: VMware's adapters are numbered in their order. "" where it has none. */
static void place_of(const char *name, char out[static 24])
{
	char *path = mem_printf("/sys/class/block/%s/device", name), *real = realpath(path, NULL), *last = real ? strrchr(real, '/') : NULL;
	unsigned host, channel, target, lun;

	out[0] = '\0';
	if (last && sscanf(last + 1, "%u:%u:%u:%u", &host, &channel, &target, &lun) == 4)
		snprintf(out, 24, "%u:%u", host, target);
	free(real);
	free(path);
}

/* Hosts as the kernel numbers them begin anywhere: the least of those that have disks is bus 0. */
static unsigned first_host(const struct proto_device *list, int count)
{
	unsigned least = UINT32_MAX, host;
	char place[24];

	for (int i = 0; i < count; i++) {
		place_of(strrchr(list[i].path, '/') + 1, place);
		if (sscanf(place, "%u", &host) == 1 && host < least)
			least = host;
	}
	return least;
}

static char *all_ids(const struct proto_device *list, int count)
{
	struct buf b = BUF_INIT;

	for (int i = 0; i < count; i++)
		buf_printf(&b, "%s ", list[i].id);
	return buf_take(&b);
}

static void refresh_names(struct kit_question *q, const char *ids)
{
	json_int_t age = clock_now() / CLOCK_SECOND - json_integer_value(json_object_get(q->memo, "at"));
	json_t *names;

	if (json_object_size(q->credentials) == 0 || (strcmp(kit_text(q->memo, "ids"), ids) == 0 && age >= 0 && age < AGAIN_SECONDS))
		return;
	names = json_object();
	if (ask_names(q, names) < 0)
		snprintf(q->warning, sizeof q->warning, "names of disks are not known: %.200s", err_text());
	json_object_set_new(q->memo, "names", names);
	json_set_string(q->memo, "ids", ids);
	json_set_int(q->memo, "at", clock_now() / CLOCK_SECOND);
	q->advice = NULL;
}

static void name_disks(const json_t *names, struct proto_device *list, int count)
{
	unsigned first = first_host(list, count), host, target;

	for (int i = 0; i < count; i++) {
		char place[24], *at;
		const char *name;

		place_of(strrchr(list[i].path, '/') + 1, place);
		if (list[i].kind != PROTO_DEVICE_DISK || sscanf(place, "%u:%u", &host, &target) != 2)
			continue;
		at = mem_printf("%u:%u", host - first, target);
		name = json_string_value(json_object_get(names, at));
		if (name)
			snprintf(list[i].name, sizeof list[i].name, "%s", name);
		free(at);
	}
}

static int list(struct kit_question *q, void *answer)
{
	static struct proto_device found[PROTO_DEVICES_MAX];
	int count = block_list(found, PROTO_DEVICES_MAX);
	char *ids;

	if (count < 0)
		return count;
	ids = all_ids(found, count);
	if (strlen(ids) < PLUGIN_MEMO_MAX / 2)
		refresh_names(q, ids);
	free(ids);
	q->keep_memo = json_object_size(q->memo) > 0;
	if (json_is_object(json_object_get(q->memo, "names")))
		name_disks(json_object_get(q->memo, "names"), found, count);
	kit_devices(found, count, answer);
	return 0;
}

static int check_credentials(struct kit_question *q, void *answer)
{
	struct plugin_account *out = answer;
	struct vcloud *v = NULL;
	struct xml *vm = NULL;
	int rc = vcloud_open(q, &v);

	if (rc == 0)
		rc = vcloud_find_vm(v, q, &vm);
	if (rc == 0)
		snprintf(out->account, sizeof out->account, "%s", vcloud_user(v));
	xml_free(vm);
	vcloud_close(v);
	return rc;
}

static const struct plugin_description about = {
	.name = "vcloud", .title = "VMware Cloud Director", .version = HOST_AGENT_VERSION, .settings_count = 6,
	.settings = {
		{ .name = "endpoint", .help = "URL of the director, https://vcd.example", .required = 1 },
		{ .name = "organization", .help = "organization that the VM belongs to", .required = 1 },
		{ .name = "api_version", .help = "version of the director's interface", .standard = "36.0" },
		{ .name = "vm", .help = "id of this VM (vm-UUID); empty: found by its network addresses" },
		{ .name = "ca_file", .help = "PEM file of certificates to trust instead of the system's" },
		{ .name = "proxy", .help = "URL of an HTTP proxy" }
	},
	.credentials_count = 3,
	.credentials = {
		{ .name = "user", .help = "user name, with a password" },
		{ .name = "password", .help = "its password", .secret = 1 },
		{ .name = "api_token", .help = "API token, in place of both", .secret = 1 }
	}
};

int main(void)
{
	static const struct kit kit = { &about, { [PLUGIN_IDENTIFY] = identify, [PLUGIN_LIST] = list, [PLUGIN_CHECK] = check_credentials } };

	return kit_main(&kit);
}
