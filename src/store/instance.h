/* instance.h - running machines (RUN-6, RUN-7). */
#ifndef STORE_INSTANCE_H
#define STORE_INSTANCE_H

#include "store/db.h"
#include "store/list.h"

/* Its id, host_name, provider, provider_instance, os, distribution, os_version, kernel, arch, region, zone, state, first_seen, last_seen, image and image_name, with facts,
 * facts_at, agent {id, version, state, insecure_tls, last_heartbeat, address, log_level, created} or null,
 * devices [{id, name, status, mount_point, size_bytes, policy, policy_name}], requests (the newest 50, as in request_list). */
int instance_get(struct db *db, const struct uuid *id, json_t **out);
/* What to call it: its host name, else the provider's id. *OUT, the caller's. ERR_NOT_FOUND. */
int instance_name(struct db *db, const struct uuid *id, json_t **out);
/* jobd, bound to none: [{id}] of tenants for which instance_find_missing finds some. */
int instance_missing_tenants(struct db *db, clock_us before, json_t **out);
/* jobd: instances that run but were not seen since BEFORE are missing: their volumes count as closed, open requests end.
 * At most LIMIT, those not seen for the longest time first; how many. */
int instance_find_missing(struct db *db, clock_us before, int limit);
/* jobd: those missing or stopped since BEFORE leave the list, with their requests; devices stay. As above. */
int instance_expire(struct db *db, clock_us before, int limit);

#endif
