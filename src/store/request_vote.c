/* request_vote.c - people decide: alone, or several of them on one key request (RUN-8). */
#include "store/request.h"

#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/say.h"
#include "store/order.h"
#include "store/request_step.h"

#define OTHERS_SHOWN 20

/* An approval counts when its giver could give it now: active, of a role that may, named where the policy names people, not his own
 * request, and of the request as it is now. $2: roles. */
#define MAY "u.state = 'active' and u.role in (select jsonb_array_elements_text($2::jsonb))" \
	" and (cardinality(p.approvals_of) = 0 or u.id = any (p.approvals_of))" \
	" and u.id is distinct from r.ordered_by and u.id is distinct from r.assigned_by"
#define COUNTS "v.gist = r.gist and " MAY
#define FROM_REQUEST " from key_request r join device d on d.tenant = r.tenant and d.id = r.device" \
	" join policy p on p.tenant = d.tenant and p.id = d.policy"
#define FROM_VOTES " from key_vote v join app_user u on u.tenant = v.tenant and u.id = v.approver" \
	" where v.tenant = r.tenant and v.request = r.id"

/* What the policy asks of approvers now, and what it has. */
struct quorum {
	int64_t needed, given, expire_s;
	int is_named, is_mine, has_mine;     /* the policy names this user or nobody; whose request it is; he has approved it */
	int is_expired;                      /* the approvals were due to expire */
};

static const struct uuid *person(const struct db *db, const struct request_decision *d)
{
	return d->by ? d->by : db_user(db);
}

static const char *name_of(const struct db *db, const struct request_decision *d)
{
	return d->by ? d->by_name : db_actor(db)->name;
}

static int load_quorum(struct db *db, const struct uuid *id, const json_t *roles, const struct uuid *user, struct quorum *q)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select p.approvals_needed, (select count(*)" FROM_VOTES " and " COUNTS "), p.approvals_expire_s,"
		" cardinality(p.approvals_of) = 0 or coalesce($3 = any (p.approvals_of), false),"
		" coalesce($3 in (r.ordered_by, r.assigned_by), false),"
		" exists (select 1" FROM_VOTES " and v.approver = $3 and v.gist = r.gist), coalesce(r.votes_expire <= now(), false)"
		FROM_REQUEST " where r.id = $1", DB_ARGS(db_uuid_arg(id), db_json_arg(roles), db_uuid_arg(user)));

	if (rc < 0)
		return rc;
	*q = (struct quorum){ db_int(r, 0, 0), db_int(r, 0, 1), db_int(r, 0, 2), db_bool(r, 0, 3), db_bool(r, 0, 4), db_bool(r, 0, 5),
		db_bool(r, 0, 6) };
	db_result_free(r);
	return 0;
}

int request_drop_votes(struct db *db, const struct uuid *id)
{
	int rc = db_queue(db, "delete from key_vote where request = $1", DB_ARGS(db_uuid_arg(id)));

	return rc < 0 ? rc : db_queue(db, "update key_request set votes_expire = null where id = $1", DB_ARGS(db_uuid_arg(id)));
}

static int expire(struct db *db, const struct request_held *h)
{
	int rc = request_drop_votes(db, &h->id);

	if (rc == 0)
		rc = request_record(db, h, "votes-expired", NULL);
	return rc < 0 ? rc : request_log(db, AUDIT_KEY_VOTES_EXPIRED, h, NULL);
}

int request_void_votes(struct db *db, const struct request_case *c)
{
	const struct request_held h = { .id = c->id, .name = c->device.name };

	return expire(db, &h);
}

static int may_approve(const struct quorum *q)
{
	if (q->needed < 1)
		return err_set(ERR_CONFLICT, N_("the policy asks for no approval at all, which is a mistake: correct the policy first"));
	if (!q->is_named)
		return err_set(ERR_FORBIDDEN, N_("the policy names who approves its requests, and you are not among them"));
	if (q->needed > 1 && q->is_mine)
		return err_set(ERR_FORBIDDEN, N_("this is your own request: you had the device encrypted, or chose its policy"));
	return 0;
}

/* Keeps the approval of the acting user; who has given it already gives it once. */
static int vote(struct db *db, const struct request_held *h, const struct request_decision *d, struct quorum *q)
{
	const struct uuid *user = person(db, d);
	int rc = db_queue(db, "insert into key_vote (tenant, request, approver, approver_name, gist, comment) select tenant, id, $2, $3,"
		" gist, $4 from key_request where id = $1 on conflict (tenant, request, approver) do update set gist = excluded.gist,"
		" at = now(), comment = excluded.comment, approver_name = excluded.approver_name where key_vote.gist <> excluded.gist",
		DB_ARGS(db_uuid_arg(&h->id), db_uuid_arg(user), db_text_arg(name_of(db, d)), db_text_arg(d->comment)));

	if (rc == 0 && q->expire_s > 0)
		rc = db_queue(db, "update key_request set votes_expire = coalesce(votes_expire, now() + $2 * interval '1 second')"
			" where id = $1", DB_ARGS(db_uuid_arg(&h->id), db_int_arg(q->expire_s)));
	if (rc == 0)
		rc = request_record(db, h, "vote", d->comment);
	if (rc == 0)
		rc = load_quorum(db, &h->id, d->roles, person(db, d), q);
	return rc;
}

/* One of several. Q is afterwards as it is then. */
static int approve_among(struct db *db, const struct request_held *h, const struct request_decision *d, struct quorum *q)
{
	int fresh = !q->has_mine, rc = 0;

	if (person(db, d) == NULL)
		return err_set(ERR_FORBIDDEN, N_("the policy asks for people"));
	if (q->is_expired) {
		rc = expire(db, h);
		fresh = 1;
	}
	if (rc == 0 && fresh)
		rc = vote(db, h, d, q);
	if (rc == 0 && fresh)
		rc = request_log(db, AUDIT_KEY_VOTED, h, json_pack("{s:I,s:I,s:s*}", "given", (json_int_t)q->given, "needed",
			(json_int_t)q->needed, "comment", d->comment));
	if (rc == 0 && fresh && q->given < q->needed)
		rc = request_wake(db);
	if (rc == 0 && !fresh && q->given < q->needed)
		rc = err_set(ERR_CONFLICT, N_("you have approved this request already; it waits for others"));
	return rc;
}

/* What a decision of a person means for the row, and the agent. */
static int settle(struct db *db, struct request_held *h, const struct request_decision *d)
{
	int approve = d->event == REQUEST_EVENT_APPROVE, to = request_next(h->status, d->event);
	/* One new version of the row: each costs its place in a dozen indexes. After a denial, or when the key is asked for again, it takes all
	 * approvals anew; what they said is in the history. */
	int rc = to < 0 ? to : db_queue(db, "update key_request set status = $5, decided = now(), decided_by = $2, decided_by_name = $3,"
		" comment = $4, approve_at = null, waits = null, votes_expire = null where id = $1", DB_ARGS(db_uuid_arg(&h->id),
		db_uuid_arg(person(db, d)), db_text_arg(name_of(db, d)), db_text_arg(d->comment),
		db_text_arg(request_state_name((enum request_state)to))));

	if (rc == 0)
		rc = db_queue(db, "delete from key_vote where request = $1", DB_ARGS(db_uuid_arg(&h->id)));
	if (rc == 0)
		rc = request_stepped(db, h, d->event, approve ? AUDIT_KEY_APPROVED : AUDIT_KEY_DENIED, d->comment);
	if (rc == 0)
		rc = approve ? order_add(db, &h->agent, "request-key", &h->asked, "") : order_nudge(db, &h->agent);
	return rc;
}

static int decide(struct db *db, struct request_held *h, const struct request_decision *d, struct request_outcome *out)
{
	struct quorum q = { .needed = 0 };
	int rc = request_next(h->status, d->event);

	if (rc >= 0 && d->seen && strcmp(d->seen, h->gist) != 0)
		rc = err_set(ERR_CONFLICT, N_("the request has changed since it was shown"));
	if (rc >= 0 && h->unplaced && d->event == REQUEST_EVENT_APPROVE)
		rc = err_set(ERR_CONFLICT, "%s: it can be approved once one is given", REQUEST_NO_DEVICE);
	if (rc >= 0)
		rc = load_quorum(db, &h->id, d->roles, person(db, d), &q);
	if (rc == 0 && d->event == REQUEST_EVENT_APPROVE)
		rc = may_approve(&q);
	if (rc == 0 && d->event == REQUEST_EVENT_APPROVE && q.needed > 1)
		rc = approve_among(db, h, d, &q);
	*out = (struct request_outcome){ d->event == REQUEST_EVENT_DENY || q.needed == 1 || q.given >= q.needed, q.given, q.needed };
	return rc < 0 || !out->decided ? rc : settle(db, h, d);
}

int request_decide(struct db *db, const struct uuid *id, const struct request_decision *d, struct request_outcome *out)
{
	struct request_outcome outcome = { 0, 0, 0 };
	struct request_held h;
	int rc = request_hold_open(db, id, &h);

	if (rc < 0)
		return rc;
	if (d->event != REQUEST_EVENT_APPROVE && d->event != REQUEST_EVENT_DENY)
		rc = err_set(ERR_INVALID, "a decision is approve or deny");
	else
		rc = decide(db, &h, d, &outcome);
	request_held_release(&h);
	if (rc == 0 && out)
		*out = outcome;
	return rc;
}

int request_order(struct db *db, const struct uuid *id)
{
	struct request_held h;
	int rc = request_hold_open(db, id, &h);

	if (rc < 0)
		return rc;
	if (request_rests(h.status))
		rc = order_add(db, &h.agent, "request-key", &h.asked, "");
	else
		rc = err_set(ERR_CONFLICT, "the agent does not wait for an order: the request is %s", request_state_name(h.status));
	request_held_release(&h);
	return rc;
}

/* For pages */

static int list_votes(struct db *db, const struct uuid *id, const json_t *roles, json_t **out)
{
	return db_get_rows(db, out, "select v.approver, v.approver_name as name, v.at, v.comment, " COUNTS " as counts" FROM_REQUEST
		" join key_vote v on v.tenant = r.tenant and v.request = r.id join app_user u on u.tenant = v.tenant and u.id = v.approver"
		" where r.id = $1 order by v.at, v.approver", DB_ARGS(db_uuid_arg(id), db_json_arg(roles)));
}

static int list_others(struct db *db, const struct uuid *id, const json_t *roles, json_t **out)
{
	return db_get_rows(db, out, "select u.id, u.name" FROM_REQUEST " join app_user u on u.tenant = r.tenant where r.id = $1 and " MAY
		" and not exists (select 1 from key_vote v where v.tenant = r.tenant and v.request = r.id and v.approver = u.id"
		" and v.gist = r.gist) order by u.name, u.id limit $3", DB_ARGS(db_uuid_arg(id), db_json_arg(roles), db_int_arg(OTHERS_SHOWN)));
}

int request_approvals(struct db *db, const struct uuid *id, const json_t *roles, json_t **out)
{
	json_t *votes = NULL, *others = NULL, *all = NULL;
	struct quorum q;
	int rc = load_quorum(db, id, roles, db_user(db), &q), may;

	if (rc == 0)
		rc = db_get_row(db, &all, "select r.votes_expire as expires, cardinality(p.approvals_of) > 0 as named" FROM_REQUEST
			" where r.id = $1", DB_ARGS(db_uuid_arg(id)));
	if (rc == 0)
		rc = list_votes(db, id, roles, &votes);
	if (rc == 0)
		rc = list_others(db, id, roles, &others);
	if (rc == 0) {
		may = may_approve(&q) == 0;
		json_set_int(all, "needed", q.needed);
		json_set_int(all, "given", q.given);
		json_set_bool(all, "voted", q.has_mine);
		json_set_bool(all, "may", may);
		json_set_string(all, "why_not", may ? NULL : err_text());
		json_object_set(all, "votes", votes);
		json_object_set(all, "others", others);
		*out = json_incref(all);
	}
	json_decref(votes);
	json_decref(others);
	json_decref(all);
	return rc;
}
