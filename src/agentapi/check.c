/* check.c - an agent's report is an integrity check: the facts are held against the policy of every key that its machine was given, and
 * what follows is done (INT-2 to INT-4). */
#include "agentapi/service.h"
#include "base/err.h"
#include "base/json.h"
#include "store/check.h"
#include "store/facts.h"
#include "store/request.h"

struct counts {
	int requests, judged, failed;
};

static int check_case(struct agent_call *c, const struct request_case *k, const json_t *agent_facts, struct counts *n)
{
	struct facts_question q = { .instance = &k->instance, .device = &k->device.id, .agent = agent_facts,
		.address = c->frame->request->address, .at = c->frame->now };
	struct verdict verdict;
	json_t *facts = NULL;
	int rc = facts_document(c->db, &q, &facts);

	if (rc < 0)
		return rc;
	request_evaluate(k, facts, c->frame->now, &verdict);
	rc = request_checked(c->db, &k->id, &verdict, facts, c->frame->now);
	n->requests++;
	n->judged += verdict.integrity != INTEGRITY_UNKNOWN;
	n->failed += verdict.integrity == INTEGRITY_BAD || verdict.integrity == INTEGRITY_FAILED;
	verdict_release(&verdict);
	json_decref(facts);
	return rc;
}

static int check_request(struct agent_call *c, const char *text, const json_t *facts, struct counts *n)
{
	struct request_case k = { 0 };
	struct uuid id;
	int rc = uuid_parse(text, &id);

	if (rc == 0)
		rc = request_load_locked(c->db, &id, &k);
	if (rc == 0)
		rc = check_case(c, &k, facts, n);
	request_case_release(&k);
	/* It has ended in between. */
	return rc == ERR_CONFLICT || rc == ERR_NOT_FOUND ? 0 : rc;
}

int agent_check(struct agent_call *c, const struct uuid *instance, int reason, const json_t *facts)
{
	enum check_reason why = reason == PROTO_REASON_BOOT ? CHECK_BY_BOOT : reason == PROTO_REASON_SCHEDULE ? CHECK_BY_SCHEDULE
		: CHECK_BY_ORDER;
	struct counts n = { 0, 0, 0 };
	json_t *open = NULL;
	const json_t *id;
	size_t i;
	int rc = request_handed_out(c->db, instance, &open);

	json_array_foreach(open, i, id)
		if (rc == 0)
			rc = check_request(c, json_string_value(id), facts, &n);
	json_decref(open);
	return rc < 0 ? rc : check_answer(c->db, instance, why, n.requests, n.judged, n.failed);
}
