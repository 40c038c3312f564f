/* test_store_votes.c - decisions on key requests by time and by several people. */
#include "machine.h"

/* jobd at NOW, with a verdict of FAILED rules. */
static int come_due(const struct machine *m, const struct uuid *id, clock_us now, int failed)
{
	struct verdict v = { .action = failed ? POLICY_ACTION_MANUAL : POLICY_ACTION_MANUAL_TIMEOUT, .failed = failed,
		.integrity = failed ? INTEGRITY_BAD : INTEGRITY_GOOD, .rules = json_array(), .passed = !failed };
	struct request_case c = { 0 };
	struct db *db = as("keyward_jobs", &m->tenant);
	json_t *facts = json_pack("{s:s}", "os", "newest");
	int rc = request_load_locked(db, id, &c);

	CHECK_INT(rc, 0);
	rc = request_approve_due(db, &c, facts, &v, now);
	if (rc == 0)
		rc = db_commit(db);
	request_case_release(&c);
	json_decref(v.rules);
	json_decref(facts);
	db_free(db);
	return rc;
}

static size_t count_due(const struct uuid *tenant, clock_us now)
{
	struct db *db = as("keyward_jobs", tenant);
	json_t *due = NULL;
	size_t n;

	CHECK_INT(request_due(db, now, 10, NULL, &due), 0);
	n = json_array_size(due);
	json_decref(due);
	finish(db);
	return n;
}

static json_t *get(const struct uuid *tenant, const struct uuid *id)
{
	struct db *db = as("keyward_console", tenant);
	json_t *doc = NULL;

	CHECK_INT(request_get(db, id, &doc), 0);
	finish(db);
	return doc;
}

static const char *text_of(const json_t *doc, const char *name)
{
	const char *s = json_string_value(json_object_get(doc, name));

	return s ? s : "";
}

TEST(timed_approval, "POL-4")
{
	struct uuid tenant = make_tenant("timed"), device, id, same;
	struct machine m = make_machine(&tenant, "i-1", 2);
	clock_us now = clock_now();
	json_t *doc;

	settle(&m);
	device = encrypt(&m, "vol-1");
	id = ask(&m, &device, 1, 1);
	CHECK_INT(judge(&m, &id, -1, now + CLOCK_MINUTE), 0);
	CHECK_INT(come_due(&m, &id, now, 0), ERR_CONFLICT);
	CHECK_INT(count_due(&tenant, now), 0);
	/* Who asks again does not begin to wait anew. */
	same = ask(&m, &device, 2, 0);
	CHECK(uuid_equal(&id, &same));
	CHECK_INT(judge(&m, &id, -1, now + 10 * CLOCK_MINUTE), 0);
	CHECK_INT(count_due(&tenant, now + CLOCK_MINUTE), 1);
	CHECK_INT(come_due(&m, &id, now + CLOCK_MINUTE, 0), 0);
	CHECK_INT(come_due(&m, &id, now + CLOCK_MINUTE, 0), ERR_CONFLICT);
	CHECK_INT(count_due(&tenant, now + CLOCK_DAY), 0);
	CHECK_INT(logged(&tenant, "key.approved-automatically"), 1);
	doc = get(&tenant, &id);
	CHECK_STR(text_of(doc, "status"), "approved");
	CHECK_STR(text_of(json_object_get(doc, "facts"), "os"), "newest");
	json_decref(doc);
}

/* What no longer matches when the time has come stays with people, and says why. */
TEST(timed_approval_of_what_has_changed, "POL-4,SEC-7")
{
	struct uuid tenant = make_tenant("timed2"), device, id;
	struct machine m = make_machine(&tenant, "i-1", 2);
	clock_us now = clock_now();
	json_t *doc;

	settle(&m);
	device = encrypt(&m, "vol-1");
	id = ask(&m, &device, 1, 1);
	CHECK_INT(judge(&m, &id, -1, now + CLOCK_MINUTE), 0);
	CHECK_INT(come_due(&m, &id, now + CLOCK_MINUTE, 2), 0);
	doc = get(&tenant, &id);
	CHECK_STR(text_of(doc, "status"), "pending");
	CHECK_STR(text_of(doc, "integrity"), "bad");
	CHECK_STR(text_of(doc, "waits"), "several of the policy's rules are not satisfied now");
	json_decref(doc);
	CHECK_INT(count_due(&tenant, now + CLOCK_DAY), 0);
	CHECK_INT(logged(&tenant, "key.not-automatic"), 1);
	/* It begins to wait when it matches again; what a person decides, or closes, waits no more. */
	CHECK_INT(judge(&m, &id, -1, now + CLOCK_HOUR), 0);
	CHECK_INT(count_due(&tenant, now + CLOCK_HOUR), 1);
	CHECK_INT(ALONE("keyward_console", &tenant, decide(one, &id, REQUEST_EVENT_DENY, NULL)), 0);
	CHECK_INT(count_due(&tenant, now + CLOCK_HOUR), 0);
	CHECK_INT(come_due(&m, &id, now + CLOCK_HOUR, 0), ERR_CONFLICT);
}

/* Several people (RUN-8) */

static struct uuid make_user(const struct uuid *tenant, const char *name, const char *role)
{
	struct db *db = as("keyward_console", tenant);
	struct uuid id = uuid_new();

	CHECK_INT(db_run(db, "insert into app_user (tenant, id, email, name, role, password, state) values (current_tenant(), $1,"
		" $2 || '@example.com', $2, $3, 'x', 'active')", DB_ARGS(db_uuid_arg(&id), db_text_arg(name), db_text_arg(role))), 1);
	finish(db);
	return id;
}

/* A statement of the tenant's; $1 is ID. */
static void run(const struct uuid *tenant, const char *role, const char *sql, const struct uuid *id)
{
	struct db *db = as(role, tenant);

	CHECK(db_run(db, sql, DB_ARGS(db_uuid_arg(id))) >= 0);
	finish(db);
}

static json_t *roles(void)
{
	return json_pack("[s, s]", "account-administrator", "key-approver");
}

/* USER's decision; OUT may be NULL. */
static int by(const struct uuid *tenant, const struct uuid *user, const struct uuid *id, enum request_event event,
	struct request_outcome *out)
{
	struct db_actor actor = { .kind = DB_ACTOR_USER, .id = *user, .name = "somebody" };
	struct db *db = pg_db("keyward_console");
	json_t *may = roles();
	int rc = db_begin(db, tenant, &actor);

	if (rc == 0)
		rc = request_decide(db, id, &(struct request_decision){ event, "fine", may, NULL }, out);
	if (rc == 0)
		rc = db_commit(db);
	db_free(db);
	json_decref(may);
	return rc;
}

#define APPROVE REQUEST_EVENT_APPROVE

/* A pending request under a policy that wants NEEDED approvals. */
struct several {
	struct uuid tenant, policy, device, request, ann, bob, eve;
	struct machine m;
};

static struct several make_several(const char *slug, int needed)
{
	struct several s = { .tenant = make_tenant(slug) };
	struct db *db;

	s.m = make_machine(&s.tenant, "i-1", 2);
	settle(&s.m);
	s.device = encrypt(&s.m, "vol-1");
	s.policy = default_policy(&s.tenant);
	s.ann = make_user(&s.tenant, "ann", "key-approver");
	s.bob = make_user(&s.tenant, "bob", "account-administrator");
	s.eve = make_user(&s.tenant, "eve", "key-approver");
	db = as("keyward_console", &s.tenant);
	CHECK_INT(db_run(db, "update policy set approvals_needed = $1, approvals_expire_s = 60", DB_ARGS(db_int_arg(needed))), 1);
	finish(db);
	s.request = ask(&s.m, &s.device, 1, 1);
	CHECK_INT(judge(&s.m, &s.request, -1, 0), 0);
	return s;
}

static void set_needed(const struct several *s, int needed)
{
	struct db *db = as("keyward_console", &s->tenant);

	CHECK_INT(db_run(db, "update policy set approvals_needed = $1, version = version + 1", DB_ARGS(db_int_arg(needed))), 1);
	finish(db);
}

static json_t *approvals(const struct several *s, const struct uuid *user)
{
	struct db_actor actor = { .kind = DB_ACTOR_USER, .id = *user, .name = "somebody" };
	struct db *db = pg_db("keyward_console");
	json_t *may = roles(), *out = NULL;

	CHECK_INT(db_begin(db, &s->tenant, &actor), 0);
	CHECK_INT(request_approvals(db, &s->request, may, &out), 0);
	finish(db);
	json_decref(may);
	return out;
}

static void expect_status(const struct several *s, const char *status)
{
	json_t *doc = get(&s->tenant, &s->request);

	CHECK_STR(text_of(doc, "status"), status);
	json_decref(doc);
}

TEST(two_of_three, "RUN-8")
{
	struct several s = make_several("quorum", 2);
	struct request_outcome out;
	json_t *doc;

	CHECK_INT(by(&s.tenant, &s.ann, &s.request, APPROVE, &out), 0);
	CHECK(!out.decided && out.given == 1 && out.needed == 2);
	/* Nobody counts twice. */
	CHECK_INT(by(&s.tenant, &s.ann, &s.request, APPROVE, NULL), ERR_CONFLICT);
	expect_status(&s, "pending");
	doc = approvals(&s, &s.bob);
	CHECK_INT(json_integer_value(json_object_get(doc, "given")), 1);
	CHECK(json_is_true(json_object_get(doc, "may")) && json_is_false(json_object_get(doc, "voted")));
	CHECK(json_is_string(json_object_get(doc, "expires")));
	CHECK_INT(json_array_size(json_object_get(doc, "others")), 2);
	json_decref(doc);
	CHECK_INT(by(&s.tenant, &s.bob, &s.request, APPROVE, &out), 0);
	CHECK(out.decided && out.given == 2);
	expect_status(&s, "approved");
	CHECK_INT(by(&s.tenant, &s.eve, &s.request, APPROVE, NULL), ERR_CONFLICT);
	CHECK_INT(logged(&s.tenant, "key.voted"), 2);
	CHECK_INT(logged(&s.tenant, "key.approved"), 1);
	CHECK_INT(count_due(&s.tenant, clock_now() + CLOCK_DAY), 0);
}

TEST(one_denial_denies, "RUN-8")
{
	struct several s = make_several("quorum-deny", 2);
	struct request_outcome out;

	CHECK_INT(by(&s.tenant, &s.ann, &s.request, APPROVE, NULL), 0);
	CHECK_INT(by(&s.tenant, &s.bob, &s.request, REQUEST_EVENT_DENY, &out), 0);
	CHECK(out.decided);
	expect_status(&s, "denied");
	/* After that it takes two again. */
	CHECK_INT(by(&s.tenant, &s.eve, &s.request, APPROVE, &out), 0);
	CHECK(!out.decided && out.given == 1);
	expect_status(&s, "denied");
}

TEST(approvers_that_no_longer_count, "RUN-8,SEC-7")
{
	struct several s = make_several("quorum-gone", 2);
	struct request_outcome out;

	CHECK_INT(by(&s.tenant, &s.ann, &s.request, APPROVE, NULL), 0);
	run(&s.tenant, "keyward_console", "update app_user set state = 'disabled' where id = $1", &s.ann);
	CHECK_INT(by(&s.tenant, &s.bob, &s.request, APPROVE, &out), 0);
	CHECK(!out.decided && out.given == 1);
	/* Another role, that may not decide, is as good as gone; and who is deleted leaves no approval. */
	run(&s.tenant, "keyward_console", "update app_user set state = 'active', role = 'auditor' where id = $1", &s.ann);
	CHECK_INT(by(&s.tenant, &s.bob, &s.request, APPROVE, NULL), ERR_CONFLICT);
	run(&s.tenant, "keyward_console", "delete from app_user where id = $1", &s.ann);
	CHECK_INT(by(&s.tenant, &s.eve, &s.request, APPROVE, &out), 0);
	CHECK(out.decided && out.given == 2);
}

TEST(nobody_approves_his_own, "RUN-8")
{
	struct several s = make_several("quorum-own", 2);
	json_t *doc;

	run(&s.tenant, "postgres", "update key_request set assigned_by = $1", &s.ann);
	run(&s.tenant, "postgres", "update key_request set ordered_by = $1", &s.bob);
	CHECK_INT(by(&s.tenant, &s.ann, &s.request, APPROVE, NULL), ERR_FORBIDDEN);
	CHECK_INT(by(&s.tenant, &s.bob, &s.request, APPROVE, NULL), ERR_FORBIDDEN);
	doc = approvals(&s, &s.ann);
	CHECK(json_is_false(json_object_get(doc, "may")) && json_is_string(json_object_get(doc, "why_not")));
	json_decref(doc);
	/* The database itself keeps it so. */
	{
		struct db *db = as("keyward_console", &s.tenant);

		CHECK_INT(db_run(db, "insert into key_vote (tenant, request, approver, approver_name, gist) select tenant, id, $1, 'x', gist"
			" from key_request", DB_ARGS(db_uuid_arg(&s.ann))), ERR_INVALID);
		undo(db);
	}
	/* Denying is for everybody; and one who decides alone decides on what is his, too. */
	set_needed(&s, 1);
	CHECK_INT(by(&s.tenant, &s.ann, &s.request, APPROVE, NULL), 0);
}

TEST(approvers_by_name, "RUN-8,SEC-7")
{
	struct several s = make_several("quorum-named", 2);
	struct request_outcome out;

	run(&s.tenant, "keyward_console", "update policy set approvals_of = array[$1, gen_random_uuid()]", &s.ann);
	CHECK_INT(by(&s.tenant, &s.bob, &s.request, APPROVE, NULL), ERR_FORBIDDEN);
	CHECK_INT(by(&s.tenant, &s.ann, &s.request, APPROVE, NULL), 0);
	run(&s.tenant, "keyward_console", "update policy set approvals_of = array[$1, gen_random_uuid()]", &s.bob);
	/* Ann is no longer on the list: her approval does not count. */
	CHECK_INT(by(&s.tenant, &s.bob, &s.request, APPROVE, &out), 0);
	CHECK(!out.decided && out.given == 1);
	run(&s.tenant, "keyward_console", "update policy set approvals_needed = 1, approvals_of = array[$1]", &s.eve);
	CHECK_INT(by(&s.tenant, &s.bob, &s.request, APPROVE, NULL), ERR_FORBIDDEN);
	CHECK_INT(by(&s.tenant, &s.bob, &s.request, REQUEST_EVENT_DENY, NULL), 0);
}

TEST(policy_changes_in_the_middle, "RUN-8,POL-6")
{
	struct several s = make_several("quorum-change", 2);
	struct request_outcome out;

	CHECK_INT(by(&s.tenant, &s.ann, &s.request, APPROVE, NULL), 0);
	set_needed(&s, 3);
	CHECK_INT(by(&s.tenant, &s.bob, &s.request, APPROVE, &out), 0);
	CHECK(!out.decided && out.given == 2 && out.needed == 3);
	set_needed(&s, 2);
	/* Enough by now: who has approved says so once more, and it is not counted again. */
	CHECK_INT(by(&s.tenant, &s.bob, &s.request, APPROVE, &out), 0);
	CHECK(out.decided && out.given == 2);
	CHECK_INT(logged(&s.tenant, "key.voted"), 2);
}

/* An approval is for what was seen: a verdict that has changed since is another matter. */
TEST(approvals_of_what_has_changed, "RUN-8")
{
	struct several s = make_several("quorum-seen", 2);
	struct request_outcome out;
	struct request_case c = { 0 };
	json_t *doc;
	struct db *db;

	CHECK_INT(by(&s.tenant, &s.ann, &s.request, APPROVE, NULL), 0);
	db = as("keyward_agent", &s.tenant);
	CHECK_INT(db_run(db, "update key_request set verdict = '{\"rules\": [{\"status\": \"failed\"}]}', integrity = 'bad'", DB_NONE), 1);
	finish(db);
	CHECK_INT(by(&s.tenant, &s.bob, &s.request, APPROVE, &out), 0);
	CHECK(!out.decided && out.given == 1);
	doc = approvals(&s, &s.ann);
	CHECK(json_is_false(json_object_get(doc, "voted")));
	json_decref(doc);
	CHECK_INT(by(&s.tenant, &s.ann, &s.request, APPROVE, &out), 0);
	CHECK(out.decided);
	/* Who decides on what is no longer there is told so. */
	db = as("keyward_console", &s.tenant);
	CHECK_INT(request_load(db, &s.request, &c), 0);
	CHECK_INT(request_decide(db, &s.request, &(struct request_decision){ REQUEST_EVENT_DENY, NULL, NULL, "other" }, NULL), ERR_CONFLICT);
	CHECK_INT(request_decide(db, &s.request, &(struct request_decision){ REQUEST_EVENT_DENY, NULL, NULL, c.gist }, NULL), 0);
	undo(db);
	request_case_release(&c);
}

TEST(half_an_approval_expires, "RUN-8")
{
	struct several s = make_several("quorum-expiry", 2);
	struct request_outcome out;
	struct request_case c = { 0 };
	clock_us now = clock_now();
	struct db *db;

	CHECK_INT(by(&s.tenant, &s.ann, &s.request, APPROVE, NULL), 0);
	CHECK_INT(count_due(&s.tenant, now), 0);
	CHECK_INT(count_due(&s.tenant, now + 2 * CLOCK_MINUTE), 1);
	/* Late jobd or not: what has expired does not count. */
	run(&s.tenant, "postgres", "update key_request set votes_expire = now() - interval '1 second' where id <> $1", &s.ann);
	CHECK_INT(by(&s.tenant, &s.bob, &s.request, APPROVE, &out), 0);
	CHECK(!out.decided && out.given == 1);
	CHECK_INT(logged(&s.tenant, "key.votes-expired"), 1);
	db = as("keyward_jobs", &s.tenant);
	CHECK_INT(request_load_locked(db, &s.request, &c), 0);
	CHECK_INT(request_void_votes(db, &c), 0);
	request_case_release(&c);
	finish(db);
	CHECK_INT(logged(&s.tenant, "key.votes-expired"), 2);
	CHECK_INT(count_due(&s.tenant, now + CLOCK_DAY), 0);
	expect_status(&s, "pending");
	CHECK_INT(by(&s.tenant, &s.ann, &s.request, APPROVE, &out), 0);
	CHECK(!out.decided && out.given == 1);
}

static void alter(const char *sql)
{
	struct db *db = pg_db("postgres");

	CHECK_INT(db_begin(db, NULL, &jobs_actor), 0);
	CHECK(db_run(db, sql, DB_NONE) >= 0);
	finish(db);
}

/* What asks for no approval is a mistake and releases nothing, neither by a person nor by itself. */
TEST(no_approval_needed_is_doubt, "RUN-8,SEC-7")
{
	struct several s = make_several("quorum-zero", 1);
	struct request_case c = { 0 };
	struct verdict v;
	struct db *db = as("keyward_console", &s.tenant);

	CHECK_INT(db_run(db, "update policy set approvals_needed = 0", DB_NONE), ERR_INVALID);
	undo(db);
	alter("alter table policy drop constraint policy_approvals_needed_check");
	set_needed(&s, 0);
	CHECK_INT(by(&s.tenant, &s.ann, &s.request, APPROVE, NULL), ERR_CONFLICT);
	db = as("keyward_agent", &s.tenant);
	CHECK_INT(request_load(db, &s.request, &c), 0);
	c.policy.on_match = c.policy.on_mismatch = POLICY_ACTION_APPROVE;
	request_evaluate(&c, NULL, clock_now(), &v);
	CHECK_INT(v.action, POLICY_ACTION_MANUAL);
	verdict_release(&v);
	request_case_release(&c);
	undo(db);
	set_needed(&s, 1);
	alter("alter table policy add constraint policy_approvals_needed_check check (approvals_needed between 1 and 20)");
}

PG_TEST_MAIN
