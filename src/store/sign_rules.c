/* sign_rules.c - rules of signing in: among a tenant's own settings, or the installation's. */
#include "store/sign_rules.h"

#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "store/audit.h"
#include "store/setting.h"
#include "store/tenant.h"

void sign_rules_release(struct sign_rules *r)
{
	json_decref(r->factor);
	memset(r, 0, sizeof *r);
}

static int read_document(struct db *db, enum store_side side, json_t **out)
{
	struct db_result *r;
	int rc;

	if (side == STORE_OPERATOR) {
		rc = setting_get(db, SIGN_RULES_SETTING, out);
		if (rc != ERR_NOT_FOUND)
			return rc;
		*out = json_object();
		return 0;
	}
	rc = db_query_row(db, &r, "select coalesce(settings -> 'sign_in', '{}') from tenant where id = current_tenant()", DB_NONE);
	if (rc < 0)
		return rc;
	*out = db_json(r, 0, 0);
	db_result_free(r);
	return 0;
}

int sign_rules_get(struct db *db, enum store_side side, struct sign_rules *out)
{
	json_t *document = NULL, *roles;
	int rc = read_document(db, side, &document);

	if (rc < 0)
		return rc;
	roles = json_object_get(document, "factor");
	*out = (struct sign_rules){ .factor = json_is_array(roles) ? json_incref(roles) : json_array(),
		.idle_minutes = json_integer_value(json_object_get(document, "idle_minutes")),
		.hours = json_integer_value(json_object_get(document, "hours")) };
	json_decref(document);
	return 0;
}

int sign_rules_set(struct db *db, enum store_side side, const struct sign_rules *r)
{
	json_t *document = json_pack("{s:O}", "factor", r->factor), *patch;
	int rc;

	if (r->idle_minutes)
		json_set_int(document, "idle_minutes", r->idle_minutes);
	if (r->hours)
		json_set_int(document, "hours", r->hours);
	if (side == STORE_OPERATOR) {
		rc = setting_set(db, SIGN_RULES_SETTING, document, 0);
	} else {
		patch = json_pack("{s:O}", "sign_in", document);
		rc = tenant_change_settings(db, NULL, patch);
		json_decref(patch);
	}
	json_decref(document);
	return rc;
}

int sign_rules_factor(const struct sign_rules *r, const char *role)
{
	const json_t *name;
	size_t i;

	json_array_foreach(r->factor, i, name)
		if (strcmp(json_string_value(name) ? json_string_value(name) : "", role) == 0)
			return 1;
	return 0;
}
