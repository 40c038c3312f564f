/* rotation.h - rotation of devices' keys (KEY-6). A device whose volume is open is rotated at once, by order to its agent; another when its
 * key is next released. Until the agent has seen the new key open, the old one is the current one; until it says that the old one's slot is
 * gone, both are kept, and both are given with a release. An array is rotated member by member. */
#ifndef STORE_ROTATION_H
#define STORE_ROTATION_H

#include <jansson.h>

#include "base/buf.h"
#include "store/device.h"
#include "store/key.h"

#define ROTATION_ORDER "rotate"
#define ROTATION_REENCRYPT_ORDER "reencrypt"
/* SQL, of a row r of rotation: the order for it. */
#define ROTATION_ORDER_OF "case r.kind when 'volume-key' then '" ROTATION_REENCRYPT_ORDER "' else '" ROTATION_ORDER "' end"
/* SQL, of device d: its key can be rotated. */
#define ROTATION_FITS "(d.status in ('encrypted', 'in-use') and d.key_created is not null and d.release = '')"
/* SQL, of device d and rotation_age a: when its key is old enough to be rotated. In the last tenth of its time, each at a moment of its own, so
 * that what was encrypted together is not rotated together. */
#define ROTATION_DUE "(coalesce(d.key_rotated, d.key_created) + make_interval(days => a.days)" \
	" * (0.9 + 0.1 * (abs(hashtext(d.id::text)::bigint) % 1000) / 1000.0))"

/* Console */

enum rotation_kind {
	ROTATION_DEVICE_KEY,
	ROTATION_VOLUME_KEY          /* all data are encrypted anew, while the volume is open; the device key stays */
};

/* Of a device, or of all members of an array. ERR_CONFLICT: no key or no volume that could be opened, or it is to be released; one that is
 * under way already is left to itself, unless all are: ERR_CONFLICT. */
int rotation_want(struct db *db, const struct uuid *device, enum rotation_kind kind);
/* All devices (members, not arrays) that QUERY's filters and search of device_list leave, or that are in IDS (NULL: all), and that
 * rotation_want would take. jobd gives the orders. *COUNT: how many. */
int rotation_want_many(struct db *db, const struct list_query *query, const json_t *ids, int *count);
/* ERR_CONFLICT: none waits: the agent has begun, or it is over. */
int rotation_cancel(struct db *db, const struct uuid *device);
/* The newest of each of the device or the array's members, by name: [{device, name, kind, state, reason, by_name, wanted, begun, finished,
 * from_version, to_version, progress, error, tried}] */
int rotation_list(struct db *db, const struct uuid *device, json_t **out);
/* Days; 0: no limit. */
int rotation_age_get(struct db *db, int64_t *days);
int rotation_age_set(struct db *db, int64_t days);
/* When the key of a device, or the first of an array's members, is due by its age; 0: there is no maximum age, or no key. */
int rotation_due(struct db *db, const struct uuid *device, clock_us *at);

/* Agent */

/* Both keys of a rotation, wrapped. */
struct rotation_keys {
	int64_t from, to;
	struct buf old;
	struct device_key_new next;
	int fresh;                   /* there is no next one yet: to be made of version TO, for rotation_start */
};
/* What INSTANCE needs for rotating D's key; logged. ERR_CONFLICT: nobody wants it, or the volume is not open there under a delivered key.
 * K: zeroed; ended with rotation_keys_free in any case. */
int rotation_begin(struct db *db, const struct device *d, const struct uuid *instance, struct rotation_keys *k);
int rotation_start(struct db *db, const struct device *d, const struct rotation_keys *k);
void rotation_keys_free(struct rotation_keys *k);
/* The key of VERSION opens the volume: it is the current one now. Can be repeated. ERR_CONFLICT. */
int rotation_added(struct db *db, const struct device *d, int64_t version);
/* The old one does not open it any more. Can be repeated. ERR_CONFLICT. */
int rotation_done(struct db *db, const struct device *d, int64_t version);
/* The device key for encrypting D anew on INSTANCE, begun or taken up again; logged. WRAPPED's former content is replaced. ERR_CONFLICT as for
 * rotation_begin. */
int rotation_reencrypt(struct db *db, const struct device *d, const struct uuid *instance, int64_t *version, struct buf *wrapped);
/* ERR_CONFLICT: nobody wants it (any more). */
int rotation_progress(struct db *db, const struct uuid *device, int percent);
/* All of it is under the new volume key. Can be repeated. ERR_CONFLICT. */
int rotation_reencrypted(struct db *db, const struct device *d);
/* Of devices of INSTANCE whose tokens were just taken: what was brought back from before a rotation, and so has the former key alone, is rotated
 * to the current one once more; until then both are given. */
int rotation_brought_back(struct db *db, const struct uuid *instance);
/* The volume is open by the key request REQUEST: what waits for that is ordered. */
int rotation_opened(struct db *db, const struct uuid *device, const struct uuid *request);
/* The order failed; it will be given again. */
int rotation_failed(struct db *db, const struct uuid *device, const char *why);
/* ERR_CONFLICT while a rotation of the device is past its beginning; one that waits is cancelled. For who takes the key away. */
int rotation_stop(struct db *db, const struct uuid *device);

/* jobd, bound to a tenant: gives orders for what was wanted of many or has failed before, and wants what is over age, little by little; at
 * most LIMIT. */
int rotation_run(struct db *db, clock_us now, int limit);
/* jobd, bound to none: [{id}] of tenants for which there may be something to do. */
int rotation_tenants(struct db *db, json_t **out);

#endif
