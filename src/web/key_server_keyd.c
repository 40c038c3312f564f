/* key_server_keyd.c - key servers as keyd is told of them. */
#include "web/key_server_keyd.h"

#include <string.h>

struct keys_server key_server_for_keyd(const struct conf *conf, const struct key_server *s, const struct uuid *tenant,
	const struct buf *wrapped_tenant)
{
	struct keys_server out = { .key = wire_view_of(&s->key), .settings = wire_view_of(&s->settings), .local = 1 };

	/* What the operator names may be on this machine. */
	if (s->owner == KEY_SERVER_TENANT) {
		out.owner = *tenant;
		out.wrapped_tenant = wire_view_of(wrapped_tenant);
		out.local = strcmp(conf_get(conf, CONF_OUTSIDE_LOCAL), "yes") == 0;
	}
	return out;
}
