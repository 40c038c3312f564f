/* request_back.c - an agent that was missing is heard again: what it still has open is in use again, and is checked at once. Nobody can
 * escape the checks by being silent for a while (SEC-7). */
#include "store/request.h"

#include "base/err.h"
#include "store/check.h"
#include "store/device_step.h"
#include "store/request_step.h"

/* The newest request of each of its devices, where the agent's last heartbeat says that the volume is open and nobody has asked for it
 * since. What the agent says of a device that has no key of ours any more changes nothing. */
#define REOPEN "update key_request r set closed = null, closed_reason = null from device d, agent a where r.instance = $1" \
	" and r.closed_reason = '" REQUEST_MISSING "' and r.status in ('delivered', 'revoking') and d.tenant = r.tenant" \
	" and d.id = r.device and a.tenant = r.tenant and a.id = r.agent and a.state = 'active' and exists (select 1" \
	" from jsonb_array_elements((select h.volumes from heartbeat h where h.tenant = r.tenant and h.agent = r.agent" \
	" order by h.at desc limit 1)) v where v->>'device' = d.provider_device and v->>'status' = 'open')" \
	" and (d.status in ('encrypted', 'in-use') or (d.status = 'undetected' and d.luks_uuid <> ''))" \
	" and not exists (select 1 from key_request o where o.tenant = r.tenant and o.device = r.device and o.id <> r.id" \
	" and ((o.instance = r.instance and o.requested > r.requested) or (r.pooled and o.closed is null))) returning r.id, d.status = 'undetected'"

static int reopened(struct db *db, const struct uuid *id, int was_lost)
{
	struct request_held h;
	int rc = request_hold(db, id, &h);

	if (rc < 0)
		return rc;
	rc = request_log(db, AUDIT_KEY_REOPENED, &h, NULL);
	if (rc == 0 && was_lost)
		rc = device_step(db, &h.device, DEVICE_EVENT_FIND_ENCRYPTED, AUDIT_DEVICE_FOUND, NULL);
	if (rc == 0)
		rc = device_step(db, &h.device, DEVICE_EVENT_OPEN, AUDIT_DEVICE_OPENED, NULL);
	request_held_release(&h);
	return rc;
}

int request_back(struct db *db, const struct uuid *instance)
{
	struct db_result *r;
	int rc = db_query(db, &r, REOPEN, DB_ARGS(db_uuid_arg(instance)));
	size_t count = rc < 0 ? 0 : db_rows(r);

	for (size_t i = 0; rc == 0 && i < count; i++) {
		struct uuid id = db_uuid(r, i, 0);

		rc = reopened(db, &id, db_bool(r, i, 1));
	}
	if (rc == 0 && count > 0)
		rc = check_order(db, instance, CHECK_BY_BOOT);
	db_result_free(r);
	return rc;
}
