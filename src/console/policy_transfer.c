/* policy_transfer.c - policies as text (POL-8): export, import with a look at what would change, and the same for programs. All of it
 * goes through the one validator. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "console/pages.h"
#include "console/policy_edit.h"
#include "policy/catalogue.h"
#include "policy/document.h"
#include "web/doc.h"

#define JSON_TEXT_MOST (4 * DOCUMENT_SIZE_MAX)       /* white space included */

static const char *const kinds[] = { [POLICY_IMAGE] = "images", [POLICY_DEVICE] = "devices" };
static const char *const goes[] = { "preview", "apply", NULL };
static const char *const kind_values[] = { "images", "devices", NULL };

const struct route_param policy_import_fields[] = {
	{ "document", "Policy", PARAM_JSON, PARAM_REQUIRED, 0, JSON_TEXT_MOST, NULL },
	{ "why", "Reason for the change", PARAM_TEXT, 0, 0, POLICY_WHY_MAX, NULL },
	{ "go", "Button", PARAM_ENUM, 0, 0, 0, goes },
	{ "version", "Version", PARAM_INT, 0, 0, INT32_MAX, NULL },
	PARAM_END
};
const struct route_param policy_members_fields[] = {
	{ "kind", "Kind", PARAM_ENUM, PARAM_REQUIRED, 0, 0, kind_values },
	{ "add", "To add", PARAM_UUIDS, 0, 0, 0, NULL },
	{ "remove", "To remove", PARAM_UUIDS, 0, 0, 0, NULL },
	PARAM_END
};

/* A document with the names of the policy's images and devices; without those of which there are too many for one, and of the default
 * policy, whose lists nobody sets. */
static int add_members(struct call *c, const struct uuid *id, const json_t *row, json_t *document)
{
	for (enum policy_member kind = POLICY_IMAGE; kind <= POLICY_DEVICE; kind++) {
		json_t *names;
		int rc;

		if (json_is_true(json_object_get(row, "is_default")))
			return 0;
		rc = policy_member_names(c->db, id, kind, DOCUMENT_LIST_MAX, &names);
		if (rc == ERR_TOO_LARGE)
			continue;
		if (rc < 0)
			return rc;
		json_object_set_new(document, kinds[kind], names);
	}
	return 0;
}

int policy_export(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	struct buf body = BUF_INIT;
	json_t *row, *document;
	char *text, *name;
	int rc = policy_get(c->db, &id, &row);

	if (rc < 0)
		return rc;
	document = json_object_get(row, "document");
	rc = add_members(c, &id, row, document);
	if (rc == 0) {
		text = json_dumps(document, JSON_INDENT(2) | JSON_SORT_KEYS);
		name = mem_printf("%s.policy.json", doc_text(row, "name"));
		buf_puts(&body, text);
		buf_putc(&body, '\n');
		call_download(c, "application/json", name, &body);
		free(text);
		free(name);
	}
	json_decref(row);
	return rc;
}

/* Checking */

static void add_fault(json_t *faults, const char *at, json_t *text)
{
	json_array_append_new(faults, json_pack("{s:s, s:o}", "at", at, "text", text));
}

/* The ids of the document's images or devices; NULL when it has none of that kind. */
static int find_members(struct call *c, const json_t *document, enum policy_member kind, int is_default, json_t *faults, json_t **ids)
{
	const json_t *names = json_object_get(document, kinds[kind]);
	json_t *unknown, *name;
	size_t i;
	int rc;

	*ids = NULL;
	if (names == NULL)
		return 0;
	if (is_default && json_array_size(names))
		add_fault(faults, kinds[kind], json_string("the default policy's lists follow from the other policies: leave them out"));
	if (is_default)
		return 0;
	rc = policy_member_find(c->db, kind, names, ids, &unknown);
	if (rc < 0)
		return rc;
	json_array_foreach(unknown, i, name)
		add_fault(faults, kinds[kind], json_sprintf("there is no %s %s here, or several are called so", kind == POLICY_IMAGE ? "image" :
			"device", json_string_value(name)));
	json_decref(unknown);
	return 0;
}

/* Of one import. */
struct import {
	struct uuid id;              /* of the policy that it goes into */
	json_t *row;                 /* that policy; NULL: it is a new one */
	json_t *document;            /* canonical; NULL with faults */
	json_t *ids[2];
	json_t *faults;
};

static void import_release(struct import *i)
{
	json_decref(i->row);
	json_decref(i->document);
	json_decref(i->ids[POLICY_IMAGE]);
	json_decref(i->ids[POLICY_DEVICE]);
	json_decref(i->faults);
}

static int import_check(struct call *c, struct import *i)
{
	const json_t *typed = call_json(c, "document");
	int is_default = json_is_true(json_object_get(i->row, "is_default"));
	int rc = policy_check_document(c, i->row ? &i->id : NULL, typed, i->faults, &i->document);

	for (enum policy_member kind = POLICY_IMAGE; rc == 0 && i->document && kind <= POLICY_DEVICE; kind++)
		rc = find_members(c, i->document, kind, is_default, i->faults, &i->ids[kind]);
	return rc;
}

static int tell_faults(struct call *c, const struct import *i)
{
	json_t *fault;
	size_t n;

	json_array_foreach(i->faults, n, fault) {
		char *at = mem_printf("document%s%s", *doc_text(fault, "at") ? "/" : "", doc_text(fault, "at"));
		char *text = policy_fault_text(c, doc_text(fault, "text"));

		call_field_error(c, at, text);
		free(at);
		free(text);
	}
	return ERR_INVALID;
}

static int import_apply(struct call *c, struct import *i)
{
	int64_t expected = call_int(c, "version", 0);
	int rc;

	if (i->row == NULL)
		i->id = uuid_new();
	rc = i->row ? policy_change(c->db, &i->id, i->document, call_text(c, "why"), expected) :
		policy_create(c->db, &i->id, i->document, call_text(c, "why"));
	for (enum policy_member kind = POLICY_IMAGE; rc == 0 && kind <= POLICY_DEVICE; kind++) {
		size_t count = json_array_size(i->ids[kind]);
		struct uuid *ids = mem_array(count + 1, sizeof *ids);

		for (size_t n = 0; n < count; n++)
			uuid_parse(json_string_value(json_array_get(i->ids[kind], n)), &ids[n]);
		if (i->ids[kind])
			rc = policy_set_members(c->db, &i->id, kind, ids, count);
		free(ids);
	}
	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, "Somebody else has changed the policy meanwhile. Look at what would change now.");
	return rc;
}

static int import_done(struct call *c, const struct import *i)
{
	call_set(c, "id", json_null());
	json_set_uuid(c->doc, "id", &i->id);
	call_set(c, "created", json_boolean(i->row == NULL));
	return doc_done(c, "/policies", &i->id, i->row ? "The policy is changed as the document says." : "The policy is made.");
}

/* Pages */

int policy_import_page(struct call *c)
{
	call_form(c, "document", json_string(""));
	call_form(c, "why", json_string(""));
	call_set(c, "preview", json_null());
	return 0;
}

/* What would change, for the page to show; nothing is written. */
static int preview(struct call *c, const struct import *i)
{
	json_t *nothing = json_object(), *before = i->row ? json_object_get(i->row, "document") : nothing, *changes;
	char *text = json_dumps(call_json(c, "document"), JSON_INDENT(2));
	int rc = i->row && (json_object_get(i->document, "images") || json_object_get(i->document, "devices")) ?
		add_members(c, &i->id, i->row, before) : 0;

	/* Lists that the document leaves out stay as they are. */
	for (enum policy_member kind = POLICY_IMAGE; kind <= POLICY_DEVICE; kind++)
		if (json_object_get(i->document, kinds[kind]) == NULL)
			json_object_del(before, kinds[kind]);
	changes = policy_changes(c, before, i->document);
	call_set(c, "preview", json_pack("{s:s, s:b, s:s, s:I, s:b, s:o}", "name", doc_text(i->document, "name"), "is_new", i->row == NULL,
		"url", "", "version", (json_int_t)json_integer_value(json_object_get(i->row, "version")), "has_changes",
		json_array_size(changes) > 0, "changes", changes));
	call_form(c, "document", json_string(text));
	call_form(c, "why", json_string(call_text(c, "why")));
	free(text);
	json_decref(nothing);
	return rc;
}

int policy_import_run(struct call *c)
{
	struct import i = { .faults = json_array() };
	const json_t *typed = call_json(c, "document");
	int rc = policy_by_name(c->db, doc_text(typed, "name"), &i.id), apply = strcmp(call_text(c, "go"), "apply") == 0;

	if (rc == 0)
		rc = policy_get(c->db, &i.id, &i.row);
	else if (rc == ERR_NOT_FOUND)
		rc = 0;
	if (rc == 0)
		rc = import_check(c, &i);
	if (rc == 0 && json_array_size(i.faults))
		rc = tell_faults(c, &i);
	else if (rc == 0)
		rc = apply ? import_apply(c, &i) : preview(c, &i);
	if (rc == 0 && apply)
		rc = import_done(c, &i);
	import_release(&i);
	return rc;
}

/* For programs */

static int put_document(struct call *c, struct import *i)
{
	int rc = import_check(c, i);

	if (rc == 0 && json_array_size(i->faults))
		rc = tell_faults(c, i);
	if (rc == 0)
		rc = import_apply(c, i);
	return rc == 0 ? import_done(c, i) : rc;
}

int policy_create_run(struct call *c)
{
	struct import i = { .faults = json_array() };
	int rc = put_document(c, &i);

	import_release(&i);
	return rc;
}

int policy_change_run(struct call *c)
{
	struct import i = { .id = call_uuid(c, "id"), .faults = json_array() };
	int rc = policy_get(c->db, &i.id, &i.row);

	if (rc == 0)
		rc = put_document(c, &i);
	import_release(&i);
	return rc;
}

static json_t *ids_json(const struct call *c, const char *name)
{
	json_t *out = json_array();
	char text[UUID_TEXT_SIZE];

	for (size_t i = 0; i < call_count(c, name); i++) {
		struct uuid id = call_uuid_at(c, name, i);

		uuid_text(&id, text);
		json_array_append_new(out, json_string(text));
	}
	return out;
}

int policy_members_run(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	enum policy_member kind = strcmp(call_text(c, "kind"), kinds[POLICY_IMAGE]) == 0 ? POLICY_IMAGE : POLICY_DEVICE;
	json_t *add = ids_json(c, "add"), *remove = ids_json(c, "remove"), *row;
	int rc = policy_get(c->db, &id, &row);

	if (rc == 0) {
		json_decref(row);
		rc = policy_move(c->db, &id, kind, add, remove);
	}
	json_decref(add);
	json_decref(remove);
	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, "The lists of the default policy follow from the other policies.");
	return rc < 0 ? rc : doc_done(c, "/policies", &id, "The changes are saved.");
}

/* Rule types, data types and operators: what a program needs that writes policies. */
int policy_catalogue(struct call *c)
{
	json_t *all = catalogue_json();

	json_object_update(c->doc, all);
	json_decref(all);
	return 0;
}
