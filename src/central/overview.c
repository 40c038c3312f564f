/* overview.c - what an operator sees first: how many tenants, and whether the processes are well. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "central/pages.h"
#include "store/backup.h"
#include "store/rewrap.h"
#include "store/tenant.h"
#include "web/doc.h"
#include "web/invite.h"

#define NEWEST 5

static int add_process(json_t *list, const struct call *c, const char *name, const char *detail, int well)
{
	json_array_append_new(list, json_pack("{s:s, s:s, s:{s:s, s:s}, s:n}", "name", call_translate(c, name), "detail", detail,
		"status", "name", call_translate(c, well ? "Running" : "Not available"), "colour", well ? "green" : "red", "since"));
	return well;
}

/* Old is more than two days: it is made daily. */
static void add_backup(json_t *list, struct call *c)
{
	struct backup_state s;
	clock_us age;
	char detail[160];

	if (backup_state(c->db, &s) < 0)
		return;
	age = (clock_now() - s.last) / CLOCK_HOUR;
	if (s.error)
		snprintf(detail, sizeof detail, "the newest has failed: %.100s", s.error);
	else if (s.last)
		snprintf(detail, sizeof detail, "%lld hours old", (long long)age);
	else
		snprintf(detail, sizeof detail, "never made: keyward backup on the server");
	json_array_append_new(list, json_pack("{s:s, s:s, s:{s:s, s:s}, s:n}", "name", call_translate(c, "Last backup"), "detail", detail, "status",
		"name", call_translate(c, s.error || !s.last ? "Missing" : age > 48 ? "Old" : "Well"), "colour", s.error || !s.last || age > 48 ? "orange" : "green", "since"));
	free(s.error);
}

static int is_root_old(struct call *c, const struct uuid *root)
{
	clock_us since = 0;
	int64_t days = 0;

	return root_max_days(c->db, &days) == 0 && days && root_since(c->db, root, &since) == 0 && since && c->now - since > days * CLOCK_DAY;
}

static void set_processes(struct call *c)
{
	json_t *list = json_array();
	struct keys_status status;
	char detail[160];
	int well, rc = keys_status(c->keys, &status);

	if (rc < 0)
		snprintf(detail, sizeof detail, "%s", err_text());
	else
		snprintf(detail, sizeof detail, !status.sealed ? "root key from %s, tenant keys in use: %u" : strcmp(status.provider, "file") == 0 ?
			"sealed: no root key" : "sealed: waits for its passphrase or PIN (keyward unseal on the server), or for its token", status.provider, status.tenants);
	well = add_process(list, c, "Key service", detail, rc == 0 && !status.sealed);
	if (rc == 0 && !status.sealed && is_root_old(c, &status.root))
		well &= add_process(list, c, "Root key", "older than it may be: keyward rotate root on the server", 0);
	well &= add_process(list, c, "Web server", "answers this page", 1);
	well &= add_process(list, c, "Database", "answers this page", 1);
	add_backup(list, c);
	call_set(c, "processes", list);
	call_set(c, "health", json_pack("{s:s, s:s}", "name", call_translate(c, well ? "All running" : "Needs attention"), "colour",
		well ? "green" : "red"));
}

static int set_newest(struct call *c)
{
	struct list_query q = { .limit = NEWEST, .sort = "created", .order = -1 };
	json_t *page, *row, *list = json_array();
	size_t i;
	int rc = tenant_list(c->db, &q, &page);

	if (rc < 0) {
		json_decref(list);
		return rc;
	}
	json_array_foreach(json_object_get(page, "rows"), i, row) {
		json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:o, s:o}", "id", doc_text(row, "id"), "name",
			doc_text(row, "name"), "url", json_sprintf("/tenants/%s", doc_text(row, "id")), "state",
			tenant_state_badge(c, doc_text(row, "state")), "created", doc_when(c, row, "created")));
	}
	json_decref(page);
	call_set(c, "has_tenants", json_boolean(json_array_size(list)));
	call_set(c, "tenants", list);
	return 0;
}

int overview_page(struct call *c)
{
	json_t *totals = NULL;
	int rc = tenant_totals(c->db, &totals);

	if (rc < 0)
		return rc;
	call_set(c, "totals", totals);
	call_set(c, "can", json_pack("{s:b}", "create_tenant", call_may(c, PERMISSION_TENANTS_EDIT)));
	set_processes(c);
	return set_newest(c);
}

int operator_invitation(struct call *c)
{
	return invite_accept(c, NULL);
}
