/* policy_begin.c - a draft begun, of a new policy or of one that there is, and given up. */
#include "base/err.h"
#include "base/json.h"
#include "console/pages.h"
#include "console/policy_edit.h"
#include "policy/document.h"
#include "web/doc.h"

int policy_new_page(struct call *c)
{
	json_t *document = json_pack("{s:i, s:s, s:s, s:b, s:[], s:{s:s, s:s, s:i}, s:{s:i, s:[], s:i}, s:{s:b, s:s, s:i}}",
		"keyward_policy", 1, "name", "", "description", "", "pooling", 0, "rules", "action", "on_match", "approve", "on_mismatch",
		"manual", "timeout_s", 0, "approvals", "needed", 1, "of", "expires_s", DOCUMENT_EXPIRES_DEFAULT_S, "check", "scheduled", 0,
		"on_failure", "notify", "grace_s", 0);
	struct uuid id;
	char text[UUID_TEXT_SIZE];
	int rc = policy_draft_new(c->db, document, &id);

	json_decref(document);
	if (rc == ERR_TOO_MANY)
		return call_refuse(c, ERR_CONFLICT, "You have 20 unfinished policies. Finish or discard one of them first.");
	if (rc < 0)
		return rc;
	uuid_text(&id, text);
	call_redirect(c, "/policies/drafts/%s/general", text);
	return 0;
}

static const char *const step_names[] = { "general", "images", "devices", "rules", "actions", NULL };
const struct route_param policy_begin_query[] = {
	{ "step", NULL, PARAM_ENUM, 0, 0, 0, step_names },
	PARAM_END
};

int policy_edit_page(struct call *c)
{
	struct uuid policy = call_uuid(c, "id"), id;
	char text[UUID_TEXT_SIZE];
	int rc = policy_draft_open(c->db, &policy, &id);

	if (rc < 0)
		return rc;
	uuid_text(&id, text);
	call_redirect(c, "/policies/drafts/%s/%s", text, call_has(c, "step") ? call_text(c, "step") : step_names[0]);
	return 0;
}

int policy_discard_ask(struct call *c)
{
	struct policy_edit e;
	int rc = policy_edit_load(c, &e);
	const char *name;

	if (rc < 0)
		return rc;
	name = e.is_new ? doc_text(e.document, "name") : doc_text(e.draft, "name");
	doc_confirm(c, &(struct doc_confirm){ .folder = "/policies/drafts", .id = e.id_text, .act = "discard",
		.title = e.is_new ? "Discard the new policy" : "Discard your changes to", .name = *name ? doc_policy(c, name) : call_translate(c, "unnamed"),
		.icon = "trash", .colour = "red", .danger = 1, .button = "Discard", .text = call_translate(c, e.is_new ?
			"What you have entered is lost. No policy is made." : "What you have changed since is lost. The policy stays as it was last saved.") });
	json_object_set_new(json_object_get(c->doc, "confirm"), "cancel", json_sprintf("/policies/drafts/%s/general", e.id_text));
	policy_edit_release(&e);
	return 0;
}

int policy_discard_run(struct call *c)
{
	struct policy_edit e;
	struct uuid policy;
	int rc = policy_edit_load(c, &e);

	if (rc < 0)
		return rc;
	rc = policy_draft_delete(c->db, &e.id);
	if (rc == 0 && !e.is_new && uuid_parse(doc_text(e.draft, "policy"), &policy) == 0) {
		rc = doc_done(c, "/policies", &policy, "Your changes are discarded.");
	} else if (rc == 0) {
		call_notice(c, "success", "The unfinished policy is discarded.");
		call_redirect(c, "/policies");
	}
	policy_edit_release(&e);
	return rc;
}
