/* request.c - one key request (RUN-3): what is known, what the policy says, and the decision of a person. */
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "console/pages.h"
#include "store/policy.h"
#include "store/request.h"
#include "web/doc.h"

static const char *const decisions[] = { "approve", "deny", NULL };

/* The status that the page showed is sent along: nobody decides on what he has not seen. */
const struct route_param request_decision_fields[] = {
	{ "decision", "Decision", PARAM_ENUM, PARAM_REQUIRED, 0, 0, decisions },
	{ "comment", "Comment", PARAM_LINES, 0, 0, 1000, NULL },
	{ "version", NULL, PARAM_TEXT, 0, 0, 20, NULL },
	PARAM_END
};

const struct route_param request_comment[] = {
	{ "comment", "Comment", PARAM_LINES, 0, 0, 1000, NULL },
	PARAM_END
};

static const char *or_null(const char *s)
{
	return *s ? s : NULL;
}

static json_t *device_member(const struct call *c, const json_t *row)
{
	int xts = strncmp(doc_text(row, "mode"), "xts", 3) == 0;
	json_t *out = json_pack("{s:s, s:s, s:s?, s:s?, s:s, s:s?, s:s, s:n}", "kind", call_translate(c, "Device"), "name",
		doc_text(row, "device_name"), "description", or_null(doc_text(row, "description")), "mount",
		or_null(doc_text(row, "mount_point")), "type", doc_text(row, "kind"), "platform", or_null(doc_text(row, "os")), "access",
		call_translate(c, strcmp(doc_text(row, "access"), "read-only") == 0 ? "Read only" : "Read and write"), "members");

	json_object_set_new(out, "url", json_sprintf("/devices/%s", doc_text(row, "device")));
	json_object_set_new(out, "key_size", json_sprintf("%d %s (AES-%s)", (int)json_integer_value(json_object_get(row, "key_bits")),
		call_translate(c, "bits"), xts ? "XTS" : "CBC-ESSIV"));
	return out;
}

/* Rules as the evaluator left them in the verdict. */
static json_t *rule_row(const struct call *c, const json_t *rule)
{
	static const struct { const char *status, *kind, *label, *colour, *icon; } looks[] = {
		{ "passed", "passed", "Passed", "green", "circle-check" }, { "failed", "failed", "Failed", "red", "circle-x" },
		{ "unknown", "failed", "Unknown", "orange", "help-circle" }, { "info", "info", "Informational", "gray", "info-circle" },
	};
	size_t i = 0;

	while (i < 3 && strcmp(looks[i].status, doc_text(rule, "status")) != 0)
		i++;
	return json_pack("{s:s, s:s, s:s?, s:s?, s:o, s:s, s:n, s:n}", "kind", looks[i].kind, "name", doc_text(rule, "rule"), "condition",
		or_null(doc_text(rule, "condition")), "actual", or_null(doc_text(rule, "actual")), "status",
		doc_badge(c, looks[i].label, looks[i].colour), "icon", looks[i].icon, "source", "at");
}

static void set_rules(struct call *c, const json_t *row)
{
	json_t *rules = json_array(), *rule;
	int failed = 0, passed = 0, info = 0;
	size_t i;

	json_array_foreach(json_object_get(json_object_get(row, "verdict"), "rules"), i, rule) {
		json_t *shown = rule_row(c, rule);
		const char *kind = doc_text(shown, "kind");

		failed += strcmp(kind, "failed") == 0;
		passed += strcmp(kind, "passed") == 0;
		info += strcmp(kind, "info") == 0;
		json_array_append_new(rules, shown);
	}
	call_set(c, "counts", json_pack("{s:i, s:i, s:i, s:i}", "all", failed + passed + info, "failed", failed, "passed", passed, "info",
		info));
	call_set(c, "has_rules", json_boolean(json_array_size(rules)));
	call_set(c, "rules", rules);
}

static json_t *history_row(const struct call *c, const json_t *decision)
{
	static const struct { const char *decision, *title, *colour; } looks[] = {
		{ "approve", "Approved", "green" }, { "deny", "Denied", "red" }, { "deliver", "Key delivered", "green" },
		{ "announce", "Revocation announced", "orange" }, { "revoke", "Revocation ordered", "orange" }, { "released", "Revoked", "gray" }, { "restore", "Granted again", "green" },
	};
	const char *what = doc_text(decision, "decision"), *by = doc_text(decision, "by_name"), *title = what, *colour = "blue";

	for (size_t i = 0; i < sizeof looks / sizeof looks[0]; i++) {
		if (strcmp(looks[i].decision, what) == 0) {
			title = call_translate(c, looks[i].title);
			colour = looks[i].colour;
		}
	}
	if (*by == '\0')
		by = call_translate(c, strcmp(doc_text(decision, "by_kind"), "agent") == 0 ? "Agent" : "Policy");
	return json_pack("{s:s, s:s, s:s, s:o, s:s?, s:n}", "title", title, "colour", colour, "by", by, "at",
		doc_when(c, decision, "at"), "comment", or_null(doc_text(decision, "comment")), "detail");
}

static void set_history(struct call *c, const json_t *row)
{
	const json_t *all = json_object_get(row, "decisions");
	json_t *out = json_array();

	for (size_t i = json_array_size(all); i-- > 0;)
		json_array_append_new(out, history_row(c, json_array_get(all, i)));
	json_array_append_new(out, json_pack("{s:s, s:s, s:s, s:o, s:n, s:o}", "title", call_translate(c, "Requested"), "colour", "blue",
		"by", doc_text(row, "instance_name"), "at", doc_when(c, row, "requested"), "comment", "detail",
		json_sprintf("%s %s", call_translate(c, "From"), doc_text(row, "address"))));
	call_set(c, "history", out);
}

static int set_policy(struct call *c, const json_t *row)
{
	struct uuid id;
	json_t *policy = NULL;
	enum policy_action action = POLICY_ACTION_MANUAL;
	int rc = json_get_uuid(row, "policy", &id);

	if (rc == 0)
		rc = policy_get(c->db, &id, &policy);
	if (rc == 0 && json_array_size(json_object_get(policy, "rules")))
		policy_action_parse(doc_text(policy, "on_match"), &action);
	if (rc == 0)
		call_set(c, "policy", json_pack("{s:s, s:O, s:s}", "name", doc_text(policy, "name"), "version",
			json_object_get(policy, "version"), "action", call_translate(c, policy_action_label(action))));
	json_decref(policy);
	return rc;
}

static json_t *request_member(const struct call *c, const json_t *row, enum request_state state)
{
	json_t *out = json_pack("{s:s, s:o, s:o, s:o, s:b, s:s, s:s, s:b}", "id", doc_text(row, "id"), "status",
		request_badge(c, doc_text(row, "status")), "integrity", integrity_badge(c, doc_text(row, "integrity")), "requested",
		doc_when(c, row, "requested"), "delivered", state == REQUEST_DELIVERED && json_is_null(json_object_get(row, "closed")),
		"version", doc_text(row, "status"), "state", doc_text(row, "status"), "closed",
		!json_is_null(json_object_get(row, "closed")));

	json_object_set_new(out, "url", json_sprintf("/requests/%s", doc_text(row, "id")));
	return out;
}

int request_page(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	enum request_state state;
	json_t *row = NULL;
	int rc = request_get(c->db, &id, &row), open;

	if (rc == 0)
		rc = request_state_parse(doc_text(row, "status"), &state);
	if (rc == 0)
		rc = set_policy(c, row);
	if (rc < 0) {
		json_decref(row);
		return rc;
	}
	open = json_is_null(json_object_get(row, "closed"));
	call_set(c, "request", request_member(c, row, state));
	call_set(c, "device", device_member(c, row));
	call_set(c, "image", doc_link("/images", doc_text(row, "image"), doc_text(row, "image_name")));
	call_set(c, "instance", doc_link("/instances", doc_text(row, "instance"), doc_text(row, "instance_name")));
	call_set(c, "assign", json_null());
	call_set(c, "revocation", request_revocation(c, row));
	set_rules(c, row);
	set_history(c, row);
	call_form(c, "comment", json_string(""));
	call_set(c, "can", json_pack("{s:b, s:b, s:b}", "decide", open && call_may(c, PERMISSION_REQUESTS_DECIDE) &&
		(request_next(state, REQUEST_EVENT_APPROVE) >= 0 || request_next(state, REQUEST_EVENT_DENY) >= 0), "revoke",
		open && call_may(c, PERMISSION_KEYS_REVOKE) && request_next(state, REQUEST_EVENT_REVOKE) >= 0 &&
		json_is_null(json_object_get(row, "revoke_ordered")), "order",
		open && call_may(c, PERMISSION_REQUESTS_DECIDE) && request_rests(state)));
	json_decref(row);
	return 0;
}

static const char *comment_of(const struct call *c)
{
	return or_null(call_text(c, "comment"));
}

int request_decision(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	int approve = strcmp(call_text(c, "decision"), "approve") == 0;
	struct request_case k = { 0 };
	int rc = request_load_locked(c->db, &id, &k);

	if (rc == 0 && call_has(c, "version") && strcmp(call_text(c, "version"), request_state_name(k.status)) != 0)
		rc = ERR_CONFLICT;
	if (rc == 0)
		rc = request_decide(c->db, &id, &(struct request_decision){ approve ? REQUEST_EVENT_APPROVE : REQUEST_EVENT_DENY,
			comment_of(c), NULL, NULL }, NULL);
	request_case_release(&k);
	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, "The request has changed since you opened it. Check what is shown now, then decide again.");
	if (rc < 0)
		return rc;
	call_notice(c, "success", approve ? "The key is approved; the agent is told to fetch it." : "The key request is denied.");
	call_redirect(c, "/instances");
	return 0;
}

int request_again(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	int rc = request_order(c->db, &id);

	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, "The agent is not resting: the request has changed since you opened it.");
	if (rc < 0)
		return rc;
	return doc_done(c, "/requests", &id, "The agent is told to request the key again.");
}

int request_revoke_ask(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL;
	int rc = request_get(c->db, &id, &row);

	if (rc < 0)
		return rc;
	doc_confirm(c, &(struct doc_confirm){ .folder = "/requests", .id = doc_text(row, "id"), .act = "revoke",
		.title = "Revoke the key of", .name = doc_text(row, "device_name"), .icon = "key-off", .colour = "red", .danger = 1,
		.comment = 1, .button = "Revoke key", .warning = "Programs that write to the volume lose what they have not saved yet.",
		.text = call_translate(c, "The agent closes the volume and wipes the key with its next sign of life."),
		.points = json_pack("[s, s, s]", call_translate(c, "The agent runs its teardown script and unmounts the volume"),
			call_translate(c, "The key is wiped from the guest's memory"),
			call_translate(c, "The encrypted data stays on the device")) });
	json_decref(row);
	return 0;
}

int request_revoke_run(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	int rc = request_revoke(c->db, &id, comment_of(c));

	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, "Only a delivered key can be revoked; the request has changed in the meantime.");
	if (rc < 0)
		return rc;
	return doc_done(c, "/requests", &id, "The key is being revoked.");
}
