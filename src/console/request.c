/* request.c - one key request (RUN-3): what is known, what the policy says, who has approved. What people do is in request_act.c. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/say.h"
#include "console/pages.h"
#include "store/policy.h"
#include "store/raid.h"
#include "store/request.h"
#include "web/doc.h"

#define REFRESH_S 5

const struct route_param request_query[] = {
	{ "show", "Show", PARAM_ENUM, 0, 0, 0, request_shows },
	{ "search", "Search", PARAM_TEXT, 0, 0, 200, NULL },
	{ "anyway", NULL, PARAM_BOOL, 0, 0, 0, NULL },
	PARAM_END
};

/* "vdb, vdc": the devices of an array; null. */
static json_t *names_of(const json_t *members)
{
	const json_t *row;
	char *out = NULL, *longer;
	json_t *text;
	size_t i;

	json_array_foreach(members, i, row) {
		longer = mem_printf("%s%s%s", out ? out : "", out ? ", " : "", doc_text(row, "name"));
		free(out);
		out = longer;
	}
	text = out ? json_string(out) : json_null();
	free(out);
	return text;
}

static const char *type_of(const struct call *c, const char *kind)
{
	static const struct { const char *kind, *label; } types[] = { { DEVICE_KIND_RAID, "RAID 0" }, { "disk", N_("Disk") }, { "partition", N_("Partition") },
		{ "raid", "RAID" }, { "logical", N_("Logical volume") }, { "file", N_("File") } };

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (strcmp(types[i].kind, kind) == 0)
			return call_translate(c, types[i].label);
	return kind;
}

static json_t *device_member(const struct call *c, const json_t *row, const json_t *members)
{
	int xts = strncmp(doc_text(row, "mode"), "xts", 3) == 0, raid = strcmp(doc_text(row, "kind"), DEVICE_KIND_RAID) == 0;
	json_t *out = json_pack("{s:s, s:s, s:s?, s:s?, s:s, s:s?, s:s}", "kind", call_translate(c, raid ? "RAID 0" : "Device"), "name",
		doc_text(row, "device_name"), "description", doc_optional(row, "description"), "mount",
		doc_optional(row, "mount_point"), "type", type_of(c, doc_text(row, "kind")), "platform", device_word(doc_text(row, "os")), "access",
		call_translate(c, strcmp(doc_text(row, "access"), "read-only") == 0 ? "Read only" : "Read and write"));

	json_object_set_new(out, "members", names_of(members));
	/* A pool gave another than the one asked for (POL-5). */
	json_object_set_new(out, "asked", *doc_text(row, "asked_device") ? json_pack("{s:s, s:o}", "name", doc_text(row, "asked_name"), "url",
		json_sprintf("/devices/%s", doc_text(row, "asked_device"))) : json_null());
	json_object_set_new(out, "url", json_sprintf("/devices/%s", doc_text(row, "device")));
	json_object_set_new(out, "key_size", json_sprintf("%d %s (AES-%s)", (int)json_integer_value(json_object_get(row, "key_bits")),
		call_translate(c, "bits"), xts ? "XTS" : "CBC-ESSIV"));
	return out;
}

static json_t *history_row(const struct call *c, const json_t *decision)
{
	static const struct { const char *decision, *title, *colour; } looks[] = {
		{ "approve", "Approved", "green" }, { "deny", "Denied", "red" }, { "deliver", "Key delivered", "green" },
		{ "vote", "Approved by one of several", "green" }, { "votes-expired", "Approvals expired", "orange" },
		{ "assign", "Policy assigned", "blue" }, { "announce", "Revocation announced", "orange" },
		{ "revoke", "Revocation ordered", "orange" }, { "released", "Revoked", "gray" }, { "restore", "Granted again", "green" },
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
	return json_pack("{s:s, s:s, s:s, s:o, s:o, s:n}", "title", title, "colour", colour, "by", by, "at",
		doc_when(c, decision, "at"), "comment", doc_reason(c, doc_text(decision, "comment")), "detail");
}

static void set_history(struct call *c, const json_t *row)
{
	const json_t *all = json_object_get(row, "decisions");
	json_t *out = json_array();

	for (size_t i = json_array_size(all); i-- > 0;)
		json_array_append_new(out, history_row(c, json_array_get(all, i)));
	json_array_append_new(out, json_pack("{s:s, s:s, s:s, s:o, s:n, s:o}", "title", call_translate(c, "Requested"), "colour", "blue",
		"by", doc_text(row, "instance_name"), "at", doc_when(c, row, "requested"), "comment", "detail",
		*doc_text(row, "address") ? json_sprintf("%s %s", call_translate(c, "From"), doc_text(row, "address")) : json_null()));
	call_set(c, "history", out);
}

/* What the policy says of a request as this one is; after its rules are shown. Null where it has not been held against them. */
static json_t *action_text(const struct call *c, const struct request_case *k)
{
	int matches = json_integer_value(json_object_get(json_object_get(c->doc, "counts"), "unmatched")) == 0;

	if (json_array_size(k->policy_rules) == 0)
		return json_string(call_translate(c, policy_action_label(POLICY_ACTION_MANUAL)));
	if (!json_is_true(json_object_get(c->doc, "has_rules")))
		return json_null();
	return json_sprintf("%s: %s", call_translate(c, matches ? "If all rules match" : "If a rule does not match"),
		call_translate(c, policy_action_label(matches ? k->policy.on_match : k->policy.on_mismatch)));
}

static void set_policy(struct call *c, const struct request_case *k)
{
	int stale = !k->closed && k->status == REQUEST_PENDING && k->judged && k->judged_version != k->policy_version;
	json_t *policy = json_pack("{s:s, s:I, s:o, s:b, s:b, s:n}", "name", doc_policy(c, k->policy_name), "version",
		(json_int_t)(k->judged_version ? k->judged_version : k->policy_version), "action",
		action_text(c, k), "stale", stale, "has_rules", json_array_size(k->policy_rules) > 0, "url");
	char id[UUID_TEXT_SIZE];

	uuid_text(&k->device.policy, id);
	json_object_set_new(policy, "url", json_sprintf("/policies/%s", id));
	call_set(c, "policy", policy);
}


static json_t *request_member(const struct call *c, const json_t *row, const struct request_case *k)
{
	char *version = request_version(k);
	json_t *out = json_pack("{s:s, s:o, s:o, s:o, s:b, s:s, s:s, s:b, s:o, s:o, s:o}", "id", doc_text(row, "id"), "status",
		request_badge(c, doc_text(row, "status")), "integrity", integrity_badge(c, doc_text(row, "integrity")), "requested",
		doc_when(c, row, "requested"), "delivered", k->status == REQUEST_DELIVERED && !k->closed, "version", version, "state",
		doc_text(row, "status"), "closed", k->closed, "closed_reason", doc_reason(c, doc_text(row, "closed_reason")), "waits",
		doc_reason(c, doc_text(row, "waits")), "approve_at", doc_when(c, row, "approve_at"));

	free(version);
	json_object_set_new(out, "url", json_sprintf("/requests/%s", doc_text(row, "id")));
	json_object_set(out, "insecure", json_object_get(row, "insecure_tls"));
	return out;
}

/* "Network services, Host name · 3 devices"; the caller's. */
static json_t *policy_hint(const struct call *c, const json_t *policy)
{
	json_t *labels = json_array(), *devices = call_counted(c, json_integer_value(json_object_get(policy, "devices")), "%{n} device", "%{n} devices");
	json_t *said, *out;
	const json_t *rule;
	size_t i;

	json_array_foreach(json_object_get(policy, "rules"), i, rule)
		json_array_append_new(labels, rule_label(rule));
	said = call_phrase(c, labels);
	out = json_sprintf("%s · %s", json_is_string(said) ? json_string_value(said) : "", json_string_value(devices));
	json_decref(labels);
	json_decref(devices);
	json_decref(said);
	return out;
}

/* RUN-4: which policy, before anybody decides. */
static int set_assign(struct call *c, const struct request_case *k, int *decidable)
{
	json_t *policies = NULL, *all = NULL, *row;
	const char *search = call_text(c, "search");
	int unassigned = request_is_unassigned(k), rc = unassigned ? request_policies(c->db, search, &policies) : 0;
	size_t i;

	call_set(c, "assign", json_null());
	call_form(c, "policy", json_null());
	if (rc == 0 && unassigned)
		rc = request_policies(c->db, NULL, &all);
	if (rc == 0 && json_array_size(all)) {
		json_array_foreach(policies, i, row) {
			json_t *hint = policy_hint(c, row);

			call_form_option(c, "policy", doc_text(row, "id"), doc_policy(c, doc_text(row, "name")), json_string_value(hint), 0);
			json_decref(hint);
		}
		call_set(c, "assign", json_pack("{s:s, s:b, s:s, s:b, s:b}", "reason", call_translate(c, json_array_size(k->policy_rules) ?
			"The device is in a policy that does not have the image of this instance, so nobody can say which rules hold." :
			"The device is in no policy that has rules, so nothing can be evaluated."), "may", call_may(c, PERMISSION_POLICIES_EDIT),
			"search", search, "has_policies", json_array_size(policies) > 0, "anyway", call_bool(c, "anyway")));
		*decidable = call_bool(c, "anyway");
	}
	json_decref(policies);
	json_decref(all);
	return rc;
}

/* In a sentence, why nobody but a person gives this key; null where it does not wait, or a policy comes first. */
static void set_why(struct call *c, const struct request_case *k)
{
	const json_t *counts = json_object_get(c->doc, "counts");
	const char *why = "All rules match, but the policy leaves the decision to a person in any case.";

	if (k->closed || k->status != REQUEST_PENDING || !json_is_null(json_object_get(c->doc, "assign"))) {
		call_set(c, "why", json_null());
		return;
	}
	if (json_array_size(k->policy_rules) == 0)
		why = "The policy has no rules. Without rules a person decides on every key.";
	else if (!json_is_true(json_object_get(c->doc, "has_rules")))
		why = "It has not been held against the rules of its policy yet: evaluate it first, then decide.";
	else if (json_is_true(json_object_get(json_object_get(c->doc, "policy"), "stale")))
		why = "The policy has changed since this request was evaluated: evaluate it again, then decide. Below stands what the policy said before.";
	else if (json_integer_value(json_object_get(counts, "unknown")) > 0 && json_integer_value(json_object_get(counts, "failed")) == 0)
		why = "Something that the policy asks for is not known of this machine, and what is not known never matches. What it is, and what to do, stands first below.";
	else if (json_integer_value(json_object_get(counts, "unmatched")) > 0)
		why = "Not all rules of the policy match, and for that case it asks a person. What does not match stands first below.";
	call_set(c, "why", json_string(call_translate(c, why)));
}

static json_t *vote_rows(const struct call *c, const json_t *votes)
{
	json_t *out = json_array(), *row;
	size_t i;

	json_array_foreach(votes, i, row) {
		json_t *shown = json_pack("{s:s, s:o, s:s?}", "name", doc_text(row, "name"), "at", doc_when(c, row, "at"), "comment",
			doc_optional(row, "comment"));

		json_object_set(shown, "counts", json_object_get(row, "counts"));
		json_array_append_new(out, shown);
	}
	return out;
}

/* RUN-8: who has approved, who can still, until when; null where one person decides. *MAY: the user may approve. */
static int set_approvals(struct call *c, const struct request_case *k, int *may)
{
	json_t *roles = request_deciders(), *a = NULL, *shown = json_null();
	int several = k->approvals_needed != 1, rc = request_approvals(c->db, &k->id, roles, &a);

	json_decref(roles);
	if (rc < 0)
		return rc;
	*may = json_is_true(json_object_get(a, "may"));
	if (several && !k->closed && (k->status == REQUEST_PENDING || k->status == REQUEST_DENIED)) {
		shown = json_pack("{s:O, s:O, s:o, s:o, s:b, s:O, s:b}", "given", json_object_get(a, "given"), "needed",
			json_object_get(a, "needed"), "expires", doc_when(c, a, "expires"), "votes", vote_rows(c, json_object_get(a, "votes")),
			"has_votes", json_array_size(json_object_get(a, "votes")) > 0, "others", json_object_get(a, "others"), "has_others",
			json_array_size(json_object_get(a, "others")) > 0);
		json_object_set(shown, "voted", json_object_get(a, "voted"));
	}
	call_set(c, "approvals", shown);
	call_set(c, "why_not", *may ? json_null() : json_string(call_translate(c, doc_text(a, "why_not"))));
	json_decref(a);
	return 0;
}

/* The rest of the address says what is shown of it. One that is over may be opened again when its agent is back. */
static void set_live(struct call *c, const json_t *row)
{
	const char *query = c->request->query ? c->request->query : call_bool(c, "anyway") ? "anyway=1" : "";

	call_set(c, "live", json_pack("{s:o, s:i}", "url", json_sprintf("/requests/%s%s%s", doc_text(row, "id"), *query ? "?" : "", query),
		"seconds", REFRESH_S));
}

static int show(struct call *c, const json_t *row, const json_t *members, const struct request_case *k)
{
	int open = !k->closed, decidable = 1, may = 0, rc = set_assign(c, k, &decidable);

	if (rc == 0)
		rc = set_approvals(c, k, &may);
	if (rc < 0)
		return rc;
	call_set(c, "request", request_member(c, row, k));
	call_set(c, "device", device_member(c, row, members));
	call_set(c, "image", doc_link("/images", doc_text(row, "image"), doc_text(row, "image_name")));
	call_set(c, "instance", doc_link("/instances", doc_text(row, "instance"), doc_text(row, "instance_name")));
	call_set(c, "revocation", request_revocation(c, row));
	set_live(c, row);
	request_set_rules(c, k, json_object_get(row, "verdict"));
	set_policy(c, k);
	set_why(c, k);
	set_history(c, row);
	call_form(c, "comment", json_string(""));
	decidable = decidable && open && call_may(c, PERMISSION_REQUESTS_DECIDE);
	call_set(c, "can", json_pack("{s:b, s:b, s:b, s:b, s:b, s:b}", "decide", decidable &&
		(request_next(k->status, REQUEST_EVENT_APPROVE) >= 0 || request_next(k->status, REQUEST_EVENT_DENY) >= 0), "approve",
		decidable && may && request_next(k->status, REQUEST_EVENT_APPROVE) >= 0, "deny",
		decidable && request_next(k->status, REQUEST_EVENT_DENY) >= 0, "revoke",
		open && call_may(c, PERMISSION_KEYS_REVOKE) && request_next(k->status, REQUEST_EVENT_REVOKE) >= 0 &&
		json_is_null(json_object_get(row, "revoke_ordered")), "order",
		open && call_may(c, PERMISSION_REQUESTS_DECIDE) && request_rests(k->status), "evaluate",
		open && k->status == REQUEST_PENDING && call_may(c, PERMISSION_REQUESTS_DECIDE)));
	return 0;
}

int request_page(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	struct request_case k = { 0 };
	json_t *row = NULL, *members = NULL;
	int rc = request_get(c->db, &id, &row);

	if (rc == 0)
		rc = request_load(c->db, &id, &k);
	if (rc == 0 && k.device.is_raid)
		rc = raid_members(c->db, &k.device.id, &members);
	if (rc == 0)
		rc = show(c, row, members, &k);
	request_case_release(&k);
	json_decref(members);
	json_decref(row);
	return rc;
}
