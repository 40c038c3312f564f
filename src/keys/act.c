/* act.c - what the fields of messages have in common. */
#include "keys/act.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

int act_put(struct act *a, const struct buf *b)
{
	wire_put_bytes(a->out, b->data, b->len);
	return 0;
}

struct secret *act_lend(struct wire_view v)
{
	struct secret *s = secret_new(v.len);

	if (v.len)
		memcpy(s->data, v.data, v.len);
	return s;
}

struct hierarchy_tenant act_tenant(struct act *a)
{
	struct hierarchy_tenant t;

	t.id = a->tenant = wire_get_uuid(&a->in);
	t.wrapped = wire_get_bytes(&a->in, KEYS_BLOB_MAX);
	return t;
}

struct blob_label act_device(struct act *a, struct hierarchy_tenant *tenant)
{
	struct blob_label label = { .purpose = HIERARCHY_DEVICE_KEY };

	*tenant = act_tenant(a);
	label.object = a->object = wire_get_uuid(&a->in);
	label.version = wire_get_u32(&a->in);
	return label;
}

void act_purpose(struct act *a, const char *prefix, char out[static ACT_PURPOSE_SIZE])
{
	char *name = wire_get_string(&a->in, KEYS_PURPOSE_MAX);

	if (name && (*name == '\0' || name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-")]))
		a->in.error = ERR_INVALID;
	snprintf(out, ACT_PURPOSE_SIZE, "%s/%s", prefix, name ? name : "");
	free(name);
}

void act_object(struct act *a, struct hierarchy_tenant *tenant, struct blob_label *label,
	char purpose[static ACT_PURPOSE_SIZE])
{
	*tenant = act_tenant(a);
	act_purpose(a, "data", purpose);
	*label = (struct blob_label){ .purpose = purpose };
	label->object = a->object = wire_get_uuid(&a->in);
}

int act_need_root(const struct act *a)
{
	return a->peer->uid == 0 ? 0 : err_set(ERR_FORBIDDEN, "only root may do this");
}

int act_need_signer(const struct act *a)
{
	return a->service->signer ? 0 : err_set(ERR_SEALED, "no root key");
}
