/* machine.c - who a machine is where no provider says so: DMI, /etc. */
#include <stdio.h>
#include <string.h>

#include "agent/common/host.h"
#include "agent/plugin/kit.h"

/* Boards without an id show one of these. */
static int is_filler(const char *uuid)
{
	return strlen(uuid) < 32 || strspn(uuid, "0-") == strlen(uuid) || strspn(uuid, "Ff-") == strlen(uuid)
		|| strncasecmp(uuid, "03000200-0400-0500-0006-000700080009", 36) == 0;
}

/* The firmware's id first: unlike machine-id it differs between clones of one image. Without either the agent makes one. */
static void instance_id(char out[static PROTO_ID_MAX + 1])
{
	char text[64];

	host_read_line("/sys/class/dmi/id/product_uuid", text, sizeof text);
	if (!is_filler(text)) {
		snprintf(out, PROTO_ID_MAX + 1, "dmi-%s", text);
		return;
	}
	host_read_line("/etc/machine-id", text, sizeof text);
	if (strlen(text) == 32)
		snprintf(out, PROTO_ID_MAX + 1, "machine-%s", text);
}

void kit_machine(struct plugin_identity *out)
{
	char id[PROTO_WORD_MAX], version[PROTO_WORD_MAX];

	instance_id(out->instance_id);
	host_release("IMAGE_ID", out->image_id, sizeof out->image_id);
	if (out->image_id[0] == '\0') {
		host_release("ID", id, sizeof id);
		host_release("VERSION_ID", version, sizeof version);
		snprintf(out->image_id, sizeof out->image_id, "%s%s%s", id[0] ? id : "linux", version[0] ? "-" : "", version);
	}
	host_release("PRETTY_NAME", out->image_name, sizeof out->image_name);
}
