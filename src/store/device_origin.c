/* device_origin.c - whose volume lies on a device, by the token that its agent has read (VOL-5). */
#include "store/device_origin.h"

#include <string.h>

#include "base/err.h"
#include "base/json.h"

/* The other device, if it is one of this tenant's that is still there, and whether it is where it was. */
#define ORIGIN "select coalesce(d.token_account <> d.tenant, false) as foreign_account, d.token_account, d.token_device, d.token_server," \
	" d.key_created is not null as has_key, o.id, coalesce(nullif(o.name, ''), o.provider_device) as name, o.status = 'undetected' as gone," \
	" o.instance, coalesce(nullif(i.host_name, ''), i.provider_instance) as instance_name, o.instance = d.instance as same_instance" \
	" from device d left join device o on o.tenant = d.token_account and o.id = d.token_device" \
	" left join instance i on i.tenant = o.tenant and i.id = o.instance" \
	" where d.id = $1 and d.token_device is not null and (d.token_device <> d.id or d.token_account <> d.tenant)" \
	/* A copy that has been given a copy of the key is a device as any other, also from before a rotation of its own. */ \
	" and not exists (select 1 from device_key k where k.tenant = d.tenant and k.device = d.id and k.made_for = d.token_device)"

int device_origin(struct db *db, const struct uuid *id, json_t **out)
{
	int rc = db_get_row(db, out, ORIGIN, DB_ARGS(db_uuid_arg(id)));

	if (rc != ERR_NOT_FOUND)
		return rc;
	*out = json_null();
	return 0;
}

static const char *text(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s ? s : "";
}

enum device_origin_kind device_origin_kind(const json_t *o)
{
	if (!json_is_object(o))
		return DEVICE_ORIGIN_OWN;
	if (json_is_true(json_object_get(o, "foreign_account")))
		return DEVICE_ORIGIN_FOREIGN;
	if (*text(o, "id") == '\0')
		return DEVICE_ORIGIN_FORGOTTEN;
	return json_is_true(json_object_get(o, "gone")) ? DEVICE_ORIGIN_MOVED : DEVICE_ORIGIN_COPY;
}

void device_origin_say(const json_t *o, struct buf *out)
{
	switch (device_origin_kind(o)) {
	case DEVICE_ORIGIN_OWN:
		return;
	case DEVICE_ORIGIN_FOREIGN:
		buf_printf(out, "the volume on this disk belongs to account %s on server %s: only there it can be opened",
			text(o, "token_account"), text(o, "token_server"));
		return;
	case DEVICE_ORIGIN_FORGOTTEN:
		buf_printf(out, "the volume on this disk was made for a device (%s) that this account does not have any more",
			text(o, "token_device"));
		return;
	case DEVICE_ORIGIN_MOVED:
		buf_printf(out, "this disk is device %s, last seen on instance %s and no longer there: copy that device's configuration"
			" to this one to open it here", text(o, "name"), text(o, "instance_name"));
		return;
	case DEVICE_ORIGIN_COPY:
		buf_printf(out, "this disk is a copy of device %s, attached also to %s%s: copy that device's configuration to this one"
			" to open it too, or detach the copy", text(o, "name"),
			json_is_true(json_object_get(o, "same_instance")) ? "this same instance, " : "instance ", text(o, "instance_name"));
		return;
	}
}
