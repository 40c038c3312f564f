/* provider.h - the seam to what runs this machine: who we are, and which devices there are. A provider is one struct
 * and one file; provider.c lists them. What is on a device is not a provider's affair (inventory.h). */
#ifndef AGENT_PROVIDER_PROVIDER_H
#define AGENT_PROVIDER_PROVIDER_H

#include <stddef.h>

#include "agent/conf.h"
#include "proto/message.h"

struct provider_context {
	const struct agent_conf *conf;
	const char *state_dir;
};

struct provider_identity {
	char instance_id[PROTO_ID_MAX + 1];
	char image_id[PROTO_ID_MAX + 1];
	char image_name[PROTO_TEXT_MAX + 1];
	char region[PROTO_WORD_MAX + 1], zone[PROTO_WORD_MAX + 1];
};

struct provider {
	const char *name, *title;
	int (*identify)(const struct provider_context *ctx, struct provider_identity *out);
	/* Fills id, name, path, kind and size of at most MAX devices, with ids that stay the same over reboots and are
	 * unique in the list; the count, or a negative ERR_ code. */
	int (*list)(const struct provider_context *ctx, struct proto_device *out, size_t max);
};

extern const struct provider provider_native;

extern const struct provider *const providers[];         /* NULL-terminated */
/* ERR_NOT_FOUND names those that there are. */
int provider_find(const char *name, const struct provider **out);

#endif
