/* request_act.c - what people do with a key request: decide, assign a policy first (RUN-4), evaluate again, revoke (RUN-5). */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "console/pages.h"
#include "store/policy.h"
#include "store/request.h"
#include "web/doc.h"

static const char *const decisions[] = { "approve", "deny", NULL };

/* What the page showed is sent along: nobody decides on what he has not seen. */
const struct route_param request_decision_fields[] = {
	{ "decision", "Decision", PARAM_ENUM, PARAM_REQUIRED, 0, 0, decisions },
	{ "comment", "Comment", PARAM_LINES, 0, 0, 1000, NULL },
	{ "version", NULL, PARAM_TEXT, 0, 0, 100, NULL },
	{ "unassigned", NULL, PARAM_BOOL, 0, 0, 0, NULL },
	{ "anyway", NULL, PARAM_BOOL, 0, 0, 0, NULL },           /* of the page, should it be drawn again */
	PARAM_END
};

const struct route_param request_comment[] = {
	{ "comment", "Comment", PARAM_LINES, 0, 0, 1000, NULL },
	PARAM_END
};

const struct route_param request_policy_fields[] = {
	{ "policy", "Policy", PARAM_UUID, PARAM_REQUIRED, 0, 0, NULL },
	PARAM_END
};

static const char *comment_of(const struct call *c)
{
	const char *s = call_text(c, "comment");

	return *s ? s : NULL;
}

/* "pending 5d41402abc4b2a76b9719d911017c592" */
char *request_version(const struct request_case *k)
{
	return mem_printf("%s %s", request_state_name(k->status), k->gist);
}

json_t *request_deciders(void)
{
	static const enum role roles[] = {
#define X(id, ...) ROLE_##id,
		ROLES(X)
#undef X
	};
	json_t *out = json_array();

	for (size_t i = 0; i < ARRAY_LEN(roles); i++)
		if (role_may(roles[i], PERMISSION_REQUESTS_DECIDE))
			json_array_append_new(out, json_string(role_name(roles[i])));
	return out;
}

int request_is_unassigned(const struct request_case *k)
{
	return !k->closed && k->status == REQUEST_PENDING && (!k->image_in_policy || json_array_size(k->policy_rules) == 0);
}

static int evaluate(struct call *c, const struct request_case *k)
{
	struct verdict v;
	int rc;

	request_evaluate(k, NULL, c->now, &v);
	rc = request_judge(c->db, k, &v);
	verdict_release(&v);
	return rc;
}

/* Only while there is a policy with rules to assign. */
static int must_assign(struct call *c, const struct request_case *k, int *must)
{
	json_t *policies = NULL;
	int rc = 0;

	*must = 0;
	if (request_is_unassigned(k) && !call_bool(c, "unassigned"))
		rc = request_policies(c->db, NULL, &policies);
	if (rc == 0)
		*must = json_array_size(policies) > 0;
	json_decref(policies);
	return rc;
}

static int is_seen(struct call *c, const struct request_case *k)
{
	char *version = request_version(k);
	int seen = !call_has(c, "version") || strcmp(call_text(c, "version"), version) == 0;

	free(version);
	return seen;
}

/* Which key it was, above the list: of those that still wait, where there are any. */
static int say_decided(struct call *c, const struct request_case *k, enum request_event event)
{
	const char *name = *k->device.name ? k->device.name : k->device.provider_device;
	int64_t waiting;
	int rc = request_pending(c->db, &waiting);
	json_t *said;

	if (rc < 0)
		return rc;
	said = call_say(c, event == REQUEST_EVENT_APPROVE ? "The key of %{device} is approved; its agent is told to fetch it." :
		"The key request of %{device} is denied.", CALL_VALUES({ "device", name }));
	call_notice(c, "success", json_string_value(said));
	json_decref(said);
	call_redirect(c, waiting ? "/instances?status=pending" : "/instances");
	return 0;
}

static int decide(struct call *c, const struct request_case *k, enum request_event event)
{
	struct request_decision d = { event, comment_of(c), request_deciders(), NULL };
	struct request_outcome out = { 0, 0, 0 };
	int rc = request_decide(c->db, &k->id, &d, &out);

	json_decref((json_t *)(uintptr_t)d.roles);
	if (rc == ERR_CONFLICT || rc == ERR_FORBIDDEN)
		return call_refuse(c, ERR_CONFLICT, err_text());
	if (rc < 0)
		return rc;
	call_set(c, "decided", json_boolean(out.decided));
	call_set(c, "approvals", json_pack("{s:I, s:I}", "given", (json_int_t)out.given, "needed", (json_int_t)out.needed));
	if (!out.decided)
		return doc_done(c, "/requests", &k->id, "Your approval is kept; the key waits for others.");
	return say_decided(c, k, event);
}

int request_decision(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	int approve = strcmp(call_text(c, "decision"), "approve") == 0, must = 0;
	struct request_case k = { 0 };
	int rc = request_load_locked(c->db, &id, &k);

	if (rc == 0 && !is_seen(c, &k))
		rc = call_refuse(c, ERR_CONFLICT, "The request has changed since you opened it. Check what is shown now, then decide again.");
	if (rc == 0 && approve)
		rc = must_assign(c, &k, &must);
	if (rc == 0 && must)
		rc = call_refuse(c, ERR_CONFLICT, "No policy with rules judges this request: assign one first.");
	if (rc == 0 && approve && !k.closed && k.status == REQUEST_PENDING && k.judged && k.judged_version != k.policy_version) {
		rc = evaluate(c, &k);
		if (rc == 0)
			rc = doc_done(c, "/requests", &id, "The policy has changed since: the request was evaluated again. Check the result.");
	} else if (rc == 0) {
		rc = decide(c, &k, approve ? REQUEST_EVENT_APPROVE : REQUEST_EVENT_DENY);
	}
	request_case_release(&k);
	return rc;
}

int request_assign(struct call *c)
{
	struct uuid id = call_uuid(c, "id"), policy = call_uuid(c, "policy");
	struct request_case k = { 0 };
	json_t *row = NULL;
	int rc = request_get(c->db, &id, &row);

	json_decref(row);
	if (rc == 0 && (rc = request_assign_policy(c->db, &id, &policy)) == ERR_NOT_FOUND)
		return call_field_error(c, "policy", "There is no such policy.");
	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, "The request is decided or over already.");
	if (rc == 0)
		rc = request_load_locked(c->db, &id, &k);
	if (rc == 0)
		rc = evaluate(c, &k);
	request_case_release(&k);
	return rc < 0 ? rc : doc_done(c, "/requests", &id, "The policy is assigned, and its rules are evaluated.");
}

int request_reevaluate(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	struct request_case k = { 0 };
	int rc = request_load_locked(c->db, &id, &k);

	if (rc == 0)
		rc = evaluate(c, &k);
	request_case_release(&k);
	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, "The request is decided or over already.");
	return rc < 0 ? rc : doc_done(c, "/requests", &id, "The request was evaluated again.");
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
