/* key_server.h - key servers that keep device keys (KEY-3): the installation's and the bound tenant's own, how they do, where keys of new
 * devices are kept, and what is to be destroyed on them. Settings are opaque: keyd made them and keyd alone opens them. */
#ifndef STORE_KEY_SERVER_H
#define STORE_KEY_SERVER_H

#include <jansson.h>

#include "base/buf.h"
#include "store/db.h"
#include "store/key.h"

/* Of the blobs that hold settings' keys, as keyd knows them (keys/client_server.h): the installation's, a tenant's. */
#define KEY_SERVER_SYSTEM_PURPOSE "key-server"
#define KEY_SERVER_PURPOSE "key/server"
#define KEY_SERVER_JOB "key-server"
#define KEY_SERVER_LOOK_S 5      /* between two looks at one that answers; after a failure 1, doubled each time */
#define KEY_SERVER_PAUSE_MOST_S 30

enum key_server_owner { KEY_SERVER_INSTALLATION, KEY_SERVER_TENANT };
/* "installation", "tenant": in device_key.key_server and key_place.place. */
const char *key_server_owner_name(enum key_server_owner o);

/* What it takes to have keyd use one. */
struct key_server {
	enum key_server_owner owner;
	struct buf key, settings;
	clock_us away_since;         /* 0: it answers, as far as is known */
	char error[256];
};
void key_server_free(struct key_server *s);                  /* zeroed is fine */
/* ERR_NOT_FOUND: none is set. Central: the installation's alone; jobs that are bound to none, too. */
int key_server_get(struct db *db, enum key_server_owner o, struct key_server *out);
/* The one that keeps DEVICE's key of VERSION; ERR_NOT_FOUND: none does. */
int key_server_of_key(struct db *db, const struct uuid *device, int64_t version, struct key_server *out);
/* 1 and the one that is away when keys of DEVICE, or of an array's members, are on it. */
int key_server_away_for(struct db *db, const struct uuid *device, struct key_server *out);
/* The one that keeps keys of new devices; ERR_NOT_FOUND: they are kept in the database. ERR_CONFLICT: it is not set any more. */
int key_server_for_new(struct db *db, struct key_server *out);
/* 0, or ERR_UNAVAILABLE with what people should know: what needs it has to wait. */
int key_server_check(const struct key_server *s);

/* Consoles */

struct key_server_change {
	const char *host;
	int64_t port;
	const char *ca, *certificate;
	const struct buf *key, *settings;
};
int key_server_set(struct db *db, enum key_server_owner o, const struct key_server_change *c);
/* ERR_CONFLICT: keys are kept there, are still to be destroyed there, or (tenant) are to be made there. */
int key_server_remove(struct db *db, enum key_server_owner o);
/* {host, port, ca, certificate, says, changed, checked, away_since, error, for_new, keys, gone, tenants}; ERR_NOT_FOUND. Of a tenant's own
 * for_new and tenants are null. */
int key_server_show(struct db *db, enum key_server_owner o, json_t **out);
/* Looked at again at once. ERR_NOT_FOUND. */
int key_server_look(struct db *db, enum key_server_owner o);
/* Central: keys of tenants that have chosen nothing else. ERR_NOT_FOUND. */
int key_server_for_all(struct db *db, int yes);
/* Central: [{id, name, since}] of tenants whose own is away. */
int key_servers_away(struct db *db, json_t **out);
/* Tenant: {choice ("default", "server", "installation", "tenant"), now (the last three), offered (the installation has one), own (the tenant has
 * one), by_default}. */
int key_place_get(struct db *db, json_t **out);
/* CHOICE as above; ERR_CONFLICT: there is no such key server. */
int key_place_set(struct db *db, const char *choice);
/* What every page says while keys cannot be had: *OUT, a text of the catalogues, or NULL. Console, central. */
int key_server_trouble(struct db *db, int central, const char **out);

/* jobd */

/* [{id}] of tenants for whom there is something to do. */
int key_server_tenants(struct db *db, json_t **out);
/* Queues it, for the bound tenant, or for the installation where it is due. How many. */
int key_server_run(struct db *db);
/* Bound to whom the server belongs: 1 when it is to be looked at; nobody else does for a while. */
int key_server_claim(struct db *db, enum key_server_owner o);
/* How it does: ERROR NULL: well, and what it SAYS about itself. Going away and coming back is logged. */
int key_server_note(struct db *db, enum key_server_owner o, const char *error, const char *says);
/* A key to be destroyed. */
struct key_server_gone {
	struct uuid device;
	int64_t version;
	char server_key[256];
	struct buf wrapped;
};
/* The next that is due of the bound tenant, on a server that is not known to be away; nobody else gets it for a while. ERR_NOT_FOUND. */
int key_server_gone_next(struct db *db, struct key_server_gone *out, struct key_server *server);
/* ERROR NULL: it is destroyed, which is logged; else it is tried again later. */
int key_server_gone_note(struct db *db, const struct key_server_gone *g, enum key_server_owner o, const char *error);

#endif
