/* key_server_keyd.c - key servers as keyd is told of them. */
#include "web/key_server_keyd.h"

struct keys_server key_server_for_keyd(const struct conf *conf, const struct key_server *s, const struct uuid *tenant,
	const struct buf *wrapped_tenant)
{
	return keys_server_of(conf, s->owner == KEY_SERVER_TENANT ? tenant : NULL, wrapped_tenant, &s->key, &s->settings);
}
