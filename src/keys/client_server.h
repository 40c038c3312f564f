/* client_server.h - key servers as keyd's callers see them (KEY-3). A device's key that is kept on one is a reference to keyd's callers:
 * wrapped as a key is, and used by the same calls, but longer (keys_is_elsewhere). keyd has to have been told of the server before:
 * ERR_NOT_FOUND otherwise. Calls wait for the server, for some seconds at most: ERR_UNAVAILABLE, ERR_TIMEOUT, ERR_FORBIDDEN, ERR_CRYPTO
 * with what is wrong, and at once while it has just failed. */
#ifndef KEYS_CLIENT_SERVER_H
#define KEYS_CLIENT_SERVER_H

#include "base/conf.h"
#include "keys/client.h"

#define KEYS_SERVER_HOST_MAX 255
#define KEYS_SERVER_PEM_MAX 12288
#define KEYS_SERVER_KEY_MAX 8192
#define KEYS_SERVER_SETTINGS_MAX 34816
#define KEYS_SERVER_ID_MAX 255       /* bytes of what a server calls a key */
#define KEYS_SERVER_VENDOR_MAX 128
/* What the settings' key is wrapped for: keys_system_rewrap of the installation's, keys_rewrap (of the object that is the tenant) of a tenant's. */
#define KEYS_SERVER_PURPOSE "key-server"
#define KEYS_SERVER_TENANT_PURPOSE "key/server"

struct keys_server {
	struct uuid owner;                   /* the tenant; nil: the installation, and no WRAPPED_TENANT */
	struct wire_view wrapped_tenant;
	struct wire_view key, settings;      /* from keys_server_protect */
	int local;                           /* 1: it may be on this machine (setting outside.local) */
};

/* TENANT's own one, or with NULL the installation's: that may be on this machine whatever outside.local says, for the operator has named
 * it, and has no use for WRAPPED_TENANT. Lends what it is given. */
struct keys_server keys_server_of(const struct conf *conf, const struct uuid *tenant, const struct buf *wrapped_tenant, const struct buf *key,
	const struct buf *settings);

struct keys_server_settings {
	const char *host;
	uint32_t port;
	const char *ca, *certificate;        /* PEM */
	const struct secret *key;            /* PEM; NULL: the one in the former settings */
	struct wire_view former_key, former;
};

/* For OWNER: SETTINGS holds all of them, the key too, under WRAPPED, which is a key under the tenant's or the root key. ERR_INVALID says
 * what is wrong with them. */
int keys_server_protect(struct keys_client *c, const struct uuid *request, const struct uuid *owner, struct wire_view wrapped_tenant,
	const struct keys_server_settings *s, struct buf *wrapped, struct buf *settings);
int keys_server_tell(struct keys_client *c, const struct uuid *request, const struct keys_server *server);
/* SAYS: "PyKMIP 0.10.0 Software Server, KMIP 2.0". It is asked even if it has just failed. */
int keys_server_test(struct keys_client *c, const struct uuid *request, const struct keys_server *server, struct buf *says);
/* A new key of KEYS_DEVICE_KEY_SIZE bytes for DEVICE, made on the server. ID: what that calls it, to be shown. */
int keys_server_create(struct keys_client *c, const struct uuid *request, const struct keys_server *server, const struct keys_device *device,
	struct buf *wrapped, char id[static KEYS_SERVER_ID_MAX + 1]);
/* 0 also when it was gone. */
int keys_server_destroy(struct keys_client *c, const struct uuid *request, const struct keys_server *server, const struct keys_device *device,
	struct wire_view wrapped);
/* Of what has just failed: the key server's or keyd's own words. The thread's, as err_text. */
const char *keys_server_reason(void);
/* 1: the key itself is on a key server. */
int keys_is_elsewhere(struct wire_view wrapped_device);

#endif
