/* key_server_keyd.h - key servers as keyd is told of them: by pages, and by the agent service. */
#ifndef WEB_KEY_SERVER_KEYD_H
#define WEB_KEY_SERVER_KEYD_H

#include "base/conf.h"
#include "keys/client_server.h"
#include "store/key_server.h"

/* TENANT and its key count for a tenant's own. Lends what it is given. */
struct keys_server key_server_for_keyd(const struct conf *conf, const struct key_server *s, const struct uuid *tenant,
	const struct buf *wrapped_tenant);

#endif
