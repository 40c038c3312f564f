/* key_server_keyd.c - key servers as keyd is told of them. */
#include "web/key_server_keyd.h"

#include <string.h>

static struct wire_view view(const struct buf *b)
{
	return (struct wire_view){ (const uint8_t *)b->data, b->len };
}

struct keys_server key_server_for_keyd(const struct conf *conf, const struct key_server *s, const struct uuid *tenant,
	const struct buf *wrapped_tenant)
{
	struct keys_server out = { .key = view(&s->key), .settings = view(&s->settings), .local = 1 };

	/* What the operator names may be on this machine. */
	if (s->owner == KEY_SERVER_TENANT) {
		out.owner = *tenant;
		out.wrapped_tenant = view(wrapped_tenant);
		out.local = strcmp(conf_get(conf, CONF_OUTSIDE_LOCAL), "yes") == 0;
	}
	return out;
}
