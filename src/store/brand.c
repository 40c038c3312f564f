/* brand.c - the operator's name, colour and logo. */
#include "store/brand.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/err.h"
#include "base/json.h"
#include "store/audit.h"
#include "store/setting.h"

#define SETTING "public.brand"
#define LOGO_SETTING "public.brand-logo" /* { hash: the bytes, base64url } */

/* What does not fit was not written by us. */
static void take(const json_t *value, const char *name, char *out, size_t size)
{
	const char *text = json_string_value(json_object_get(value, name));

	if (text && *text && strlen(text) < size)
		snprintf(out, size, "%s", text);
}

static void read_from(const json_t *value, struct brand *out)
{
	*out = (struct brand){ .name = BRAND_USUAL };
	take(value, "name", out->name, sizeof out->name);
	take(value, "support", out->support, sizeof out->support);
	take(value, "agent_package", out->package, sizeof out->package);
	take(value, "colour", out->colour, sizeof out->colour);
	take(value, "logo", out->logo, sizeof out->logo);
}

int brand_get(struct db *db, struct brand *out)
{
	json_t *value = NULL;
	int rc = setting_get_public(db, SETTING, &value);

	if (rc < 0 && rc != ERR_NOT_FOUND)
		return rc;
	read_from(value, out);
	json_decref(value);
	return 0;
}

int brand_hold(struct db *db, struct brand *out)
{
	int rc = db_queue(db, "select pg_advisory_xact_lock(hashtextextended('brand', 0))", DB_NONE);

	return rc < 0 ? rc : brand_get(db, out);
}

int brand_logo(struct db *db, const char *logo, struct buf *out)
{
	json_t *value = NULL;
	int rc = setting_get_public(db, LOGO_SETTING, &value);
	const char *text = json_string_value(json_object_get(value, logo));

	buf_reset(out);
	if (rc == 0)
		rc = text ? decode_base64url(text, out) : err_set(ERR_NOT_FOUND, "there is no such logo");
	json_decref(value);
	return rc;
}

static void put(json_t *o, const char *name, const char *text)
{
	json_object_set_new(o, name, *text ? json_string(text) : json_null());
}

/* The same members always: what is not set any more is a change, too. */
static json_t *value_of(const struct brand *b)
{
	json_t *out = json_object();

	put(out, "name", b->name);
	put(out, "support", b->support);
	put(out, "agent_package", b->package);
	put(out, "colour", b->colour);
	put(out, "logo", b->logo);
	return out;
}

static int keep(struct db *db, const char *name, const json_t *value)
{
	int rc = setting_put(db, name, value);

	return rc == ERR_NOT_FOUND && value == NULL ? 0 : rc;
}

static int keep_logo(struct db *db, const struct brand *b, const struct buf *png)
{
	char *text;
	json_t *value;
	int rc;

	if (*b->logo && png == NULL)
		return 0;
	text = *b->logo ? encode_base64url(png->data, png->len) : NULL;
	value = text ? json_pack("{s:s}", b->logo, text) : NULL;
	rc = keep(db, LOGO_SETTING, value);
	json_decref(value);
	free(text);
	return rc;
}

/* Nothing is logged where nothing changes. VALUE: to be kept; NULL: none. */
static int change(struct db *db, const struct brand *to, const json_t *value, const struct buf *png)
{
	struct brand from = { .name = BRAND_USUAL };
	json_t *before, *after = value_of(to), *detail;
	int rc = brand_hold(db, &from);

	before = value_of(&from);
	detail = rc == 0 ? audit_changes(before, after) : NULL;
	if (rc == 0 && (detail || value == NULL))
		rc = keep(db, SETTING, value);
	if (rc == 0 && detail)
		rc = keep_logo(db, to, png);
	if (rc == 0 && detail)
		rc = audit_log(db, AUDIT_BRAND_CHANGED, &(struct audit_object){ "setting", NULL, to->name }, json_incref(detail));
	json_decref(detail);
	json_decref(before);
	json_decref(after);
	return rc;
}

int brand_set(struct db *db, const struct brand *b, const struct buf *png)
{
	json_t *value = value_of(b);
	int rc = change(db, b, value, png);

	json_decref(value);
	return rc;
}

int brand_reset(struct db *db)
{
	return change(db, &(struct brand){ .name = BRAND_USUAL }, NULL, NULL);
}

int brand_last(struct db *db, json_t **out)
{
	int rc = db_get_row(db, out, "select changed, changed_by from setting where name = '" SETTING "'", DB_NONE);

	if (rc == ERR_NOT_FOUND)
		*out = json_null();
	return rc == ERR_NOT_FOUND ? 0 : rc;
}
