/* what_if.c - a policy, saved or in the making, tried on the requests of the last days (POL-7): asking for it, and stopping it. */
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "console/pages.h"
#include "policy/document.h"
#include "store/policy.h"
#include "store/policy_draft.h"
#include "store/what_if.h"
#include "web/doc.h"

#define DAYS_OFFERED 30

const struct route_param what_if_fields[] = {
	{ "days", "Days", PARAM_INT, PARAM_REQUIRED, 1, WHAT_IF_DAYS_MAX, NULL },
	PARAM_END
};

/* Asking */

/* DEVICES: how many a new policy has chosen; others: -1. */
static void set_ask(struct call *c, const char *name, const char *folder, const char *id, int draft, json_int_t devices)
{
	call_set(c, "trial", json_pack("{s:s, s:b, s:i, s:b, s:I}", "name", name, "draft", draft, "most", WHAT_IF_DAYS_MAX,
		"all", devices == 0, "devices", devices > 0 ? devices : 0));
	json_object_set_new(json_object_get(c->doc, "trial"), "url", json_sprintf("%s/%s/what-if", folder, id));
	json_object_set_new(json_object_get(c->doc, "trial"), "back", json_sprintf("%s/%s%s", folder, id, draft ? "/rules" : ""));
	call_form(c, "days", json_integer(DAYS_OFFERED));
}

int what_if_policy_page(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL;
	int rc = policy_get(c->db, &id, &row);

	if (rc == 0)
		set_ask(c, doc_policy(c, doc_text(row, "name")), "/policies", doc_text(row, "id"), 0, -1);
	json_decref(row);
	return rc;
}

int what_if_draft_page(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL;
	int rc = policy_draft_get(c->db, &id, 0, &row);

	if (rc == 0)
		set_ask(c, doc_text(json_object_get(row, "document"), "name"), "/policies/drafts", doc_text(row, "id"), 1,
			json_is_null(json_object_get(row, "policy")) ? json_integer_value(json_object_get(row, "devices")) : -1);
	json_decref(row);
	return rc;
}

static int start(struct call *c, const struct uuid *policy, const struct uuid *draft, const json_t *document)
{
	char text[UUID_TEXT_SIZE];
	struct uuid id;
	int rc = what_if_start(c->db, policy, draft, document, call_int(c, "days", DAYS_OFFERED), &id);

	if (rc == ERR_TOO_MANY)
		return call_refuse(c, ERR_CONFLICT, "Several are under way already. Wait until one of them is done, or stop one.");
	if (rc < 0)
		return rc;
	uuid_text(&id, text);
	call_set(c, "run", json_string(text));
	call_redirect(c, "/what-if/%s", text);
	return 0;
}

int what_if_policy_run(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL;
	int rc = policy_get(c->db, &id, &row);

	if (rc == 0)
		rc = start(c, &id, NULL, json_object_get(row, "document"));
	json_decref(row);
	return rc;
}

/* A draft may be wrong; what is tried must be as sound as what is saved. */
static int start_draft(struct call *c, const struct uuid *draft, const json_t *row)
{
	struct policy_document parsed = { .name = NULL };
	json_t *faults = json_array(), *document;
	struct uuid policy;
	int rc = document_parse(json_object_get(row, "document"), &parsed, faults);

	json_decref(faults);
	if (rc < 0)
		return call_refuse(c, rc, "The policy has faults. Its pages show them next to the fields: mend those first.");
	document = document_json(&parsed);
	document_release(&parsed);
	rc = start(c, json_get_uuid(row, "policy", &policy) == 0 ? &policy : NULL, draft, document);
	json_decref(document);
	return rc;
}

int what_if_draft_run(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL;
	int rc = policy_draft_get(c->db, &id, 0, &row);

	if (rc == 0)
		rc = start_draft(c, &id, row);
	json_decref(row);
	return rc;
}

int what_if_stop_run(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	int rc = what_if_stop(c->db, &id);

	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, "It has ended in the meantime.");
	return rc < 0 ? rc : doc_done(c, "/what-if", &id, "Stopped. What was found until then is kept.");
}
