/* credential.c - credentials of images. A removed set leaves its version behind, so that none is ever used twice. */
#include "store/credential.h"

#include <stdio.h>

#include "base/err.h"
#include "base/json.h"
#include "store/audit.h"
#include "store/order.h"

#define ORDER "credentials"

int credential_find(struct db *db, const struct uuid *instance, struct credential *out)
{
	struct db_result *r;
	struct wire_view secret;
	int rc = db_query_row(db, &r, "select i.image, coalesce(c.version, 0), coalesce(c.provider, ''), coalesce(c.label, ''), c.secret, c.instance"
		" from instance i left join image_credential c on c.tenant = i.tenant and c.image = i.image where i.id = $1"
		" and i.image is not null", DB_ARGS(db_uuid_arg(instance)));

	if (rc < 0)
		return rc == ERR_NOT_FOUND ? err_set(rc, "this instance has no image") : rc;
	*out = (struct credential) { .image = db_uuid(r, 0, 0), .version = db_int(r, 0, 1), .instance = db_uuid(r, 0, 5) };
	snprintf(out->provider, sizeof out->provider, "%s", db_text(r, 0, 2));
	snprintf(out->label, sizeof out->label, "%s", db_text(r, 0, 3));
	secret = db_bytes(r, 0, 4);
	buf_add(&out->secret, secret.data, secret.len);
	db_result_free(r);
	return 0;
}

void credential_release(struct credential *c)
{
	buf_free(&c->secret);
}

int credential_ticket(struct db *db, const struct credential *c, const struct uuid *work, const uint8_t recipient[static KEY_POINT_SIZE],
	struct buf *out)
{
	struct db_result *r;
	struct wire_view ticket;
	int rc = db_query_row(db, &r, "select credential_ticket($1, $2, $3, $4, $5)", DB_ARGS(db_uuid_arg(&db_actor(db)->id),
		db_uuid_arg(&c->image), db_int_arg(c->version), db_uuid_arg(work), db_bytes_arg(recipient, KEY_POINT_SIZE)));

	if (rc < 0)
		return rc;
	ticket = db_bytes(r, 0, 0);
	buf_reset(out);
	buf_add(out, ticket.data, ticket.len);
	db_result_free(r);
	return 0;
}

/* One order to each active agent of the image. */
static int tell_agents(struct db *db, const struct uuid *image)
{
	struct db_result *r;
	int rc = db_query(db, &r, "select a.id from agent a join instance i on i.tenant = a.tenant and i.id = a.instance"
		" where i.image = $1 and a.state = 'active'", DB_ARGS(db_uuid_arg(image)));

	if (rc < 0)
		return rc;
	for (size_t i = 0; rc >= 0 && i < db_rows(r); i++) {
		struct uuid agent = db_uuid(r, i, 0);

		rc = order_add(db, &agent, ORDER, NULL, "");
	}
	db_result_free(r);
	return rc < 0 ? rc : 0;
}

static int log_change(struct db *db, enum audit_event event, const struct uuid *image, const char *provider, const char *label,
	int64_t version)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select coalesce(nullif(name, ''), provider_image) from image where id = $1",
		DB_ARGS(db_uuid_arg(image)));

	if (rc < 0)
		return rc;
	rc = audit_log(db, event, &(struct audit_object) { "image", image, db_text(r, 0, 0) }, json_pack("{s:s,s:s,s:I}", "provider",
		provider, "credentials", label, "version", (json_int_t)version));
	db_result_free(r);
	return rc;
}

int credential_set(struct db *db, const struct credential *c, const struct uuid *instance, int64_t replaces)
{
	int64_t version = replaces + 1;
	int rc = db_run(db, "insert into image_credential as c (tenant, image, provider, version, label, secret, instance, host_name)"
		" select current_tenant(), $1, $2, $3, $4, $5, i.id, i.host_name from instance i where i.id = $6 and i.image = $1"
		" on conflict (tenant, image) do update set provider = excluded.provider, version = excluded.version, label = excluded.label,"
		" secret = excluded.secret, instance = excluded.instance, host_name = excluded.host_name, changed = now()"
		" where c.version = $7", DB_ARGS(db_uuid_arg(&c->image), db_text_arg(c->provider), db_int_arg(version), db_text_arg(c->label),
		db_bytes_arg(c->secret.data, c->secret.len), db_uuid_arg(instance), db_int_arg(replaces)));

	if (rc == 0)
		return err_set(ERR_CONFLICT, "the credentials of this image have been changed in the meantime");
	if (rc > 0)
		rc = log_change(db, replaces ? AUDIT_CREDENTIALS_REPLACED : AUDIT_CREDENTIALS_SET, &c->image, c->provider, c->label, version);
	return rc < 0 ? rc : tell_agents(db, &c->image);
}

int credential_get(struct db *db, const struct uuid *image, json_t **out)
{
	int rc = db_get_row(db, out, "select provider, version, label, instance, host_name, changed from image_credential where image = $1"
		" and label <> ''", DB_ARGS(db_uuid_arg(image)));

	if (rc == ERR_NOT_FOUND) {
		*out = NULL;
		rc = 0;
	}
	return rc;
}

int credential_remove(struct db *db, const struct uuid *image)
{
	json_t *before;
	int rc = credential_get(db, image, &before);

	if (rc == 0 && before == NULL)
		rc = err_set(ERR_NOT_FOUND, "this image has no credentials");
	if (rc < 0)
		return rc;
	rc = db_run_one(db, "update image_credential set secret = null, label = '', version = version + 1, changed = now() where image = $1"
		" and version = $2", DB_ARGS(db_uuid_arg(image), db_int_arg(json_integer_value(json_object_get(before, "version")))));
	if (rc >= 0)
		rc = log_change(db, AUDIT_CREDENTIALS_REMOVED, image, json_string_value(json_object_get(before, "provider")),
			json_string_value(json_object_get(before, "label")), json_integer_value(json_object_get(before, "version")));
	json_decref(before);
	return rc < 0 ? rc : tell_agents(db, image);
}
