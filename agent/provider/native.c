/* native.c - bare metal and guests of hypervisors without an interface of their own: DMI, /etc, sysfs. */
#include <stdio.h>
#include <string.h>

#include "agent/common/host.h"
#include "agent/common/registration.h"
#include "agent/provider/block.h"
#include "agent/provider/provider.h"
#include "base/err.h"
#include "base/log.h"

/* Boards without an id show one of these. */
static int is_filler(const char *uuid)
{
	return strlen(uuid) < 32 || strspn(uuid, "0-") == strlen(uuid) || strspn(uuid, "Ff-") == strlen(uuid)
		|| strncasecmp(uuid, "03000200-0400-0500-0006-000700080009", 36) == 0;
}

/* The firmware's id first: unlike machine-id it differs between clones of one image. */
static int instance_id(const struct provider_context *ctx, char out[static PROTO_ID_MAX + 1])
{
	char text[64];

	snprintf(out, PROTO_ID_MAX + 1, "%.*s", PROTO_ID_MAX, agent_conf_text(ctx->conf, AGENT_INSTANCE_ID));
	if (out[0])
		return 0;
	host_read_line("/sys/class/dmi/id/product_uuid", text, sizeof text);
	if (!is_filler(text)) {
		snprintf(out, PROTO_ID_MAX + 1, "dmi-%s", text);
		return 0;
	}
	host_read_line("/etc/machine-id", text, sizeof text);
	if (strlen(text) == 32) {
		snprintf(out, PROTO_ID_MAX + 1, "machine-%s", text);
		return 0;
	}
	return registration_instance_id(ctx->state_dir, out);
}

static int identify(const struct provider_context *ctx, struct provider_identity *out)
{
	char id[PROTO_WORD_MAX], version[PROTO_WORD_MAX];
	int rc;

	memset(out, 0, sizeof *out);
	rc = instance_id(ctx, out->instance_id);
	host_release("IMAGE_ID", out->image_id, sizeof out->image_id);
	if (out->image_id[0] == '\0') {
		host_release("ID", id, sizeof id);
		host_release("VERSION_ID", version, sizeof version);
		snprintf(out->image_id, sizeof out->image_id, "%s%s%s", id[0] ? id : "linux", version[0] ? "-" : "", version);
	}
	host_release("PRETTY_NAME", out->image_name, sizeof out->image_name);
	return rc;
}

static int is_listed(const struct proto_device *list, size_t count, const struct proto_device *d)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i].id, d->id) == 0 || strcmp(list[i].path, d->path) == 0)
			return 1;
	return 0;
}

static int list(const struct provider_context *ctx, struct proto_device *out, size_t max)
{
	char path[PROTO_TEXT_MAX + 1];
	size_t cursor = 0;
	int count = block_list(out, max);

	while (count >= 0 && (size_t)count < max && agent_conf_item(ctx->conf, AGENT_DEVICES, &cursor, path, sizeof path)) {
		if (block_describe(path, &out[count]) < 0)
			log_warning("a device of the configuration file is left out", "path", path, "reason", err_text(), NULL);
		else if (!is_listed(out, (size_t)count, &out[count]))
			count++;
	}
	return count;
}

const struct provider provider_native = {
	"native", "Bare metal, vSphere guests, iSCSI, container files", identify, list
};
