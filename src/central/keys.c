/* keys.c - the operator's view of keys for life: root keys and their providers, how far rotations are, how old the root key may become; backups
 * and what checks of them have found (ADM-2, KEY-6, KEY-8). All of it is done on the server by `keyward`; nothing of a tenant's is here but
 * that its key is being replaced. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "central/pages.h"
#include "store/backup.h"
#include "store/rewrap.h"
#include "store/setting.h"
#include "web/doc.h"

#define BACKUPS_SHOWN 10
#define TENANTS_SHOWN 50
#define BACKUP_OLD (2 * CLOCK_DAY)       /* it is made daily */
#define TRIED_OLD (90 * CLOCK_DAY)       /* a backup that nobody has decrypted for so long is a hope */
#define DAYS_MOST 36500

const struct route_param keys_fields[] = {
	{ "days", "Maximum age of the root key", PARAM_INT, 0, 0, DAYS_MOST, NULL },
	PARAM_END
};

static json_t *progress_of(const struct call *c, const json_t *row)
{
	int64_t done = json_integer_value(json_object_get(row, "done")), total = json_integer_value(json_object_get(row, "total"));

	return json_pack("{s:b, s:I, s:I, s:I, s:o, s:o, s:o}", "running", strcmp(doc_text(row, "state"), "running") == 0, "done", (json_int_t)done,
		"total", (json_int_t)total, "percent", (json_int_t)(total ? 100 * done / total : 0), "error", doc_reason(c, doc_text(row, "error")), "started",
		doc_when(c, row, "started"), "finished", doc_when(c, row, "finished"));
}

static const char *provider_said(const struct call *c, const char *provider)
{
	static const struct { const char *name, *label; } known[] = { { "file", "File" }, { "passphrase", "Passphrase" }, { "pkcs11", "Token (PKCS #11)" },
		{ "kmip", "Key server (KMIP)" } };

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strcmp(known[i].name, provider) == 0)
			return call_translate(c, known[i].label);
	return provider;
}

static json_t *root_of(const struct call *c, const struct keys_root *r)
{
	char id[UUID_TEXT_SIZE];

	uuid_text(&r->id, id);
	return json_pack("{s:s, s:s, s:s, s:b, s:o}", "id", id, "provider", r->provider, "provider_said", provider_said(c, r->provider), "active", r->active, "state",
		doc_badge(c, r->sealed ? "Sealed" : r->active ? "In use" : "Former", r->sealed ? "red" : r->active ? "green" : "gray"));
}

/* *ACTIVE: nil where the key service does not say. */
static void show_roots(struct call *c, struct uuid *active)
{
	struct keys_roots roots = { .count = 0 };
	json_t *list = json_array();
	int rc = keys_roots(c->keys, &roots);

	*active = (struct uuid){ { 0 } };
	for (size_t i = 0; rc == 0 && i < roots.count; i++) {
		json_array_append_new(list, root_of(c, &roots.roots[i]));
		if (roots.roots[i].active)
			*active = roots.roots[i].id;
	}
	call_set(c, "roots", list);
	call_set(c, "away", rc < 0 ? doc_reason(c, err_text()) : json_null());
}

static int show_rotations(struct call *c)
{
	json_t *row = NULL, *rows = NULL, *list = json_array(), *one;
	size_t i;
	int rc = root_rotation_last(c->db, &row);

	if (rc == 0)
		rc = tenant_rotations_running(c->db, TENANTS_SHOWN, &rows);
	if (rc == 0) {
		call_set(c, "rotation", json_is_null(row) ? json_null() : progress_of(c, row));
		json_array_foreach(rows, i, one) {
			json_t *shown = progress_of(c, one);

			json_set_string(shown, "name", doc_text(one, "name"));
			json_object_set_new(shown, "url", json_sprintf("/tenants/%s", doc_text(one, "tenant")));
			json_array_append_new(list, shown);
		}
		call_set(c, "any_tenants", json_boolean(json_array_size(list)));
		call_set(c, "tenants", json_incref(list));
	}
	json_decref(list);
	json_decref(rows);
	json_decref(row);
	return rc;
}

static int show_age(struct call *c, const struct uuid *root)
{
	clock_us since = 0;
	int64_t days = 0;
	int rc = root_max_days(c->db, &days);

	if (rc == 0 && !uuid_is_nil(root))
		rc = root_since(c->db, root, &since);
	if (rc < 0)
		return rc;
	call_form(c, "days", days ? json_integer(days) : json_string(""));
	call_set(c, "root", json_pack("{s:o, s:I, s:b}", "since", call_when(c, since), "max_days", (json_int_t)days, "old",
		days && since && c->now - since > days * CLOCK_DAY));
	return 0;
}

static json_t *backup_of(struct call *c, const json_t *row)
{
	int running = json_is_null(json_object_get(row, "finished")), bad = !json_is_null(json_object_get(row, "error")),
		damaged = !json_is_null(json_object_get(row, "verify_error"));
	const char *name = !json_is_null(json_object_get(row, "removed")) ? "Removed" : running ? "Under way or broken off" : bad ? "Failed" : damaged ? "Damaged" : "Whole";

	return json_pack("{s:o, s:s, s:o, s:o, s:o, s:o, s:o}", "started", doc_when(c, row, "started"), "place", doc_text(row, "place"), "size",
		bad || running ? json_null() : doc_size(c, json_integer_value(json_object_get(row, "bytes"))), "state", doc_badge(c, name,
		running || *name == 'R' ? "gray" : bad || damaged ? "red" : "green"), "verified", doc_when(c, row, "verified"), "decrypted",
		doc_when(c, row, "decrypted"), "error", doc_reason(c, doc_text(row, bad ? "error" : "verify_error")));
}

static int show_backups(struct call *c)
{
	struct backup_state s = { 0 };
	json_t *rows = NULL, *list = json_array(), *row;
	size_t i;
	int rc = backup_state(c->db, &s);

	if (rc == 0)
		rc = backup_list(c->db, BACKUPS_SHOWN, &rows);
	if (rc == 0) {
		json_array_foreach(rows, i, row)
			json_array_append_new(list, backup_of(c, row));
		call_set(c, "backups", json_incref(list));
		call_set(c, "backup", json_pack("{s:o, s:b, s:b, s:b, s:b, s:o, s:b}", "last", call_when(c, s.last), "any", json_array_size(list) > 0,
			"never", s.last == 0, "old", s.last && c->now - s.last > BACKUP_OLD, "failed", s.failed, "tried", call_when(c, s.decrypted),
			"untried", s.last && c->now - s.decrypted > TRIED_OLD));
	}
	free(s.error);
	json_decref(list);
	json_decref(rows);
	return rc;
}

int keys_page(struct call *c)
{
	struct uuid active;
	int rc;

	show_roots(c, &active);
	rc = show_rotations(c);
	if (rc == 0)
		rc = show_age(c, &active);
	if (rc == 0)
		rc = show_backups(c);
	call_set(c, "can", json_pack("{s:b}", "edit", call_may(c, PERMISSION_SYSTEM_EDIT)));
	return rc;
}

int keys_save(struct call *c)
{
	int64_t days = call_int(c, "days", 0);
	json_t *value = days ? json_integer(days) : NULL;
	int rc = setting_set(c->db, ROOT_MAX_DAYS, value, 0);

	json_decref(value);
	if (rc < 0)
		return rc;
	call_notice(c, "success", "The maximum age of the root key is saved.");
	call_redirect(c, "/keys");
	return 0;
}
