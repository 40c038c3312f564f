/* test_store_checks.c - schedules, checks and what they do to keys, each step under the role that takes it. The machines are put into
 * the database as they would be; time is given, not waited for. */
#include "base/clock.h"
#include "base/json.h"
#include "pg.h"
#include "policy/check.h"
#include "store/check.h"
#include "store/heartbeat.h"
#include "store/instance.h"
#include "store/order.h"
#include "store/request.h"
#include "store/tenant.h"

static const struct db_actor person = { .kind = DB_ACTOR_USER, .id = { { 7 } }, .name = "ada@example.com" };
static const struct db_actor agent_actor = { .kind = DB_ACTOR_AGENT, .name = "web-1" };
static const struct db_actor jobs_actor = { .kind = DB_ACTOR_SYSTEM, .name = "jobd" };
static const struct db_actor operator_actor = { .kind = DB_ACTOR_OPERATOR, .name = "op@example.com" };

struct place {
	struct uuid tenant, instance, agent, device, request;
};

static struct db *as(const char *role, const struct uuid *tenant)
{
	struct db *db = pg_db(role);

	CHECK_INT(db_begin(db, tenant, strcmp(role, "keyward_console") == 0 ? &person : strcmp(role, "keyward_agent") == 0 ? &agent_actor
		: &jobs_actor), 0);
	return db;
}

#define ALONE(role, tenant, call) \
	__extension__ ({ struct db *one = as(role, tenant); int rc_ = (call); if (rc_ >= 0) rc_ = db_commit(one); db_free(one); rc_; })

/* As superuser, whom row security does not bind. */
static void put(const char *sql, struct db_arg *args, size_t count)
{
	struct db *db = pg_db("postgres");

	CHECK_INT(db_begin(db, NULL, &jobs_actor), 0);
	CHECK(db_run(db, sql, args, count) >= 0);
	CHECK_INT(db_commit(db), 0);
	db_free(db);
}

static char *text_of(const char *sql, struct db_arg *args, size_t count)
{
	struct db *db = pg_db("postgres");
	struct db_result *r;
	char *out = NULL;

	CHECK_INT(db_begin(db, NULL, &jobs_actor), 0);
	if (db_query_row(db, &r, sql, args, count) == 0) {
		out = mem_strdup(db_is_null(r, 0, 0) ? "-" : db_text(r, 0, 0));
		db_result_free(r);
	}
	db_free(db);
	return out ? out : mem_strdup("no row");
}

#define CHECK_TEXT(want, ...) do { char *got_t = text_of(__VA_ARGS__); CHECK_STR(got_t, want); free(got_t); } while (0)

/* A running instance whose agent has fetched the key of one device; the default policy: ON_FAILURE. */
static struct place make_place(const char *slug, const char *on_failure, int grace_s)
{
	struct place p = { uuid_new(), uuid_new(), uuid_new(), uuid_new(), uuid_new() };
	struct db *db = pg_db("keyward_central");
	uint8_t key[65] = { 4 }, signature[64] = { 0 };

	CHECK_INT(db_begin(db, NULL, &operator_actor), 0);
	CHECK_INT(tenant_create(db, &p.tenant, slug, slug, (struct wire_view) { (const uint8_t *)"w", 1 }), 0);
	CHECK_INT(db_commit(db), 0);
	db_free(db);
	memcpy(key + 1, &p.agent, sizeof p.agent);
	put("insert into instance (tenant, id, provider, provider_instance, host_name) values ($1, $2, 'native', 'i-1', 'db-1')",
		DB_ARGS(db_uuid_arg(&p.tenant), db_uuid_arg(&p.instance)));
	put("insert into agent (tenant, id, instance, public_key) values ($1, $2, $3, $4)", DB_ARGS(db_uuid_arg(&p.tenant),
		db_uuid_arg(&p.agent), db_uuid_arg(&p.instance), db_bytes_arg(key, sizeof key)));
	put("insert into device (tenant, id, provider, provider_device, policy, status) select $1, $2, 'native', 'vol-1', id, 'in-use'"
		" from policy where tenant = $1", DB_ARGS(db_uuid_arg(&p.tenant), db_uuid_arg(&p.device)));
	put("update policy set on_failure = $2, grace_s = $3, check_scheduled = true where tenant = $1", DB_ARGS(db_uuid_arg(&p.tenant),
		db_text_arg(on_failure), db_int_arg(grace_s)));
	put("insert into key_request (tenant, id, device, instance, agent, policy, status, integrity, access, recipient_key, signature,"
		" delivered, opened, key_version) select $1, $2, $3, $4, $5, id, 'delivered', 'good', 'read-write', $6, $7, now(), now(), 1"
		" from policy where tenant = $1", DB_ARGS(db_uuid_arg(&p.tenant), db_uuid_arg(&p.request), db_uuid_arg(&p.device),
		db_uuid_arg(&p.instance), db_uuid_arg(&p.agent), db_bytes_arg(key, sizeof key), db_bytes_arg(signature, sizeof signature)));
	return p;
}

/* The result of a check reaches the request, as the agent service brings it. */
static int checked(const struct place *p, enum integrity integrity, clock_us now)
{
	struct verdict v = { .integrity = integrity, .rules = json_array() };
	json_t *facts = json_object();
	int rc = ALONE("keyward_agent", &p->tenant, request_checked(one, &p->request, &v, facts, now));

	json_decref(v.rules);
	json_decref(facts);
	return rc;
}

static struct uuid failed_at;    /* where a timer has failed: nowhere */

static void revocations(const struct place *p, clock_us now)
{
	CHECK_INT(ALONE("keyward_jobs", &p->tenant, request_revocations_due(one, now, 100, NULL, &failed_at)), 0);
}

static void volume_closes(const struct place *p, const char *reason)
{
	CHECK_INT(ALONE("keyward_agent", &p->tenant, request_volume_closed(one, &p->instance, &p->device, reason)), 0);
}

#define STATUS(p) "select status || ' ' || integrity || case when closed is null then '' else ' closed' end from key_request" \
	" where id = $1", DB_ARGS(db_uuid_arg(&(p).request))
#define ORDERS(p, kind) "select count(*)::text from agent_order where tenant = $1 and kind = '" kind "' and finished is null", \
	DB_ARGS(db_uuid_arg(&(p).tenant))
#define LOGGED(p, event) "select count(*)::text from audit_entry where tenant = $1 and event = '" event "'", \
	DB_ARGS(db_uuid_arg(&(p).tenant))

TEST(failure_notifies, "INT-2")
{
	struct place p = make_place("notify", "notify", 0);

	CHECK_INT(checked(&p, INTEGRITY_UNKNOWN, clock_now()), 0);
	CHECK_TEXT("delivered good", STATUS(p));
	CHECK_INT(checked(&p, INTEGRITY_BAD, clock_now()), 0);
	CHECK_INT(checked(&p, INTEGRITY_BAD, clock_now()), 0);
	CHECK_TEXT("delivered failed", STATUS(p));
	CHECK_TEXT("1", LOGGED(p, "key.integrity"));
	CHECK_TEXT("0", ORDERS(p, "revoke"));
	CHECK_INT(checked(&p, INTEGRITY_GOOD, clock_now()), 0);
	CHECK_TEXT("delivered good", STATUS(p));
}

TEST(failure_revokes_at_once, "INT-2,INT-3")
{
	struct place p = make_place("at-once", "revoke", 0);
	clock_us now = clock_now();

	CHECK_INT(checked(&p, INTEGRITY_BAD, now), 0);
	CHECK_TEXT("revoking failed", STATUS(p));
	CHECK_TEXT("1", ORDERS(p, "revoke"));
	/* Once told, it goes through: a good check, another failure and a person come too late. */
	CHECK_INT(checked(&p, INTEGRITY_GOOD, now), 0);
	CHECK_INT(checked(&p, INTEGRITY_BAD, now), 0);
	CHECK_TEXT("revoking failed", STATUS(p));
	CHECK_INT(ALONE("keyward_console", &p.tenant, request_revoke(one, &p.request, NULL)), ERR_CONFLICT);
	CHECK_TEXT("1", ORDERS(p, "revoke"));
	/* No answer is logged once and changes nothing. */
	revocations(&p, now + 4 * CLOCK_MINUTE);
	CHECK_TEXT("0", LOGGED(p, "key.revoke-unanswered"));
	revocations(&p, now + 6 * CLOCK_MINUTE);
	revocations(&p, now + 7 * CLOCK_MINUTE);
	CHECK_TEXT("1", LOGGED(p, "key.revoke-unanswered"));
	CHECK_TEXT("revoking failed", STATUS(p));
	volume_closes(&p, "revoked");
	CHECK_TEXT("revoked failed", STATUS(p));
	CHECK_TEXT("1", LOGGED(p, "key.revoked"));
}

TEST(grace_period, "INT-2")
{
	struct place p = make_place("grace", "revoke-after", 600);
	clock_us now = clock_now();

	CHECK_INT(checked(&p, INTEGRITY_BAD, now), 0);
	CHECK_TEXT("revoking failed", STATUS(p));
	CHECK_TEXT("0", ORDERS(p, "revoke"));
	CHECK_TEXT("1", LOGGED(p, "key.revoke-announced"));
	/* A second failure does not put it off; the instance is asked again meanwhile. */
	CHECK_INT(checked(&p, INTEGRITY_BAD, now + 5 * CLOCK_MINUTE), 0);
	revocations(&p, now + 3 * CLOCK_MINUTE);
	CHECK_TEXT("1", ORDERS(p, "check"));
	/* A good check cancels it. */
	CHECK_INT(checked(&p, INTEGRITY_GOOD, now + 6 * CLOCK_MINUTE), 0);
	CHECK_TEXT("delivered good", STATUS(p));
	CHECK_TEXT("1", LOGGED(p, "key.restored"));
	revocations(&p, now + CLOCK_HOUR);
	CHECK_TEXT("0", ORDERS(p, "revoke"));
	/* And without one the order goes out when it is time: not before, and once. */
	CHECK_INT(checked(&p, INTEGRITY_BAD, now), 0);
	revocations(&p, now + 600 * CLOCK_SECOND - 1);
	CHECK_TEXT("0", ORDERS(p, "revoke"));
	revocations(&p, now + 600 * CLOCK_SECOND);
	CHECK_TEXT("1", ORDERS(p, "revoke"));
	revocations(&p, now + 601 * CLOCK_SECOND);
	CHECK_TEXT("1", ORDERS(p, "revoke"));
	CHECK_TEXT("1", LOGGED(p, "key.revoke"));
}

TEST(closed_while_announced_is_no_revocation, "INT-2,SEC-7")
{
	struct place p = make_place("reboot", "revoke-after", 600);

	CHECK_INT(checked(&p, INTEGRITY_BAD, clock_now()), 0);
	volume_closes(&p, "shutdown");
	CHECK_TEXT("revoking failed closed", STATUS(p));
	CHECK_TEXT("0", LOGGED(p, "key.revoked"));
	revocations(&p, clock_now() + CLOCK_HOUR);
	CHECK_TEXT("0", ORDERS(p, "revoke"));
}

TEST(person_does_not_wait, "INT-2")
{
	struct place p = make_place("person", "revoke-after", 600);
	clock_us now = clock_now();

	CHECK_INT(checked(&p, INTEGRITY_BAD, now), 0);
	CHECK_INT(ALONE("keyward_console", &p.tenant, request_revoke(one, &p.request, "now")), 0);
	CHECK_TEXT("1", ORDERS(p, "revoke"));
	volume_closes(&p, "revoked");
	/* What a person took, no check gives back; when the period is over the request ends. */
	CHECK_INT(checked(&p, INTEGRITY_GOOD, now), 0);
	CHECK_TEXT("revoked good", STATUS(p));
	revocations(&p, clock_now() + CLOCK_HOUR);
	CHECK_TEXT("0", ORDERS(p, "check"));
	CHECK_TEXT("revoked good", STATUS(p));
	revocations(&p, clock_now() + 25 * CLOCK_HOUR);
	CHECK_TEXT("revoked good closed", STATUS(p));
}

TEST(good_check_gives_back, "INT-4")
{
	struct place p = make_place("again", "revoke", 0);
	clock_us now = clock_now();

	CHECK_INT(checked(&p, INTEGRITY_BAD, now), 0);
	volume_closes(&p, "revoked");
	/* The instance is asked again, with longer and longer pauses. */
	revocations(&p, clock_now() + CLOCK_MINUTE);
	CHECK_TEXT("1", ORDERS(p, "check"));
	CHECK_INT(checked(&p, INTEGRITY_BAD, now), 0);
	CHECK_TEXT("revoked failed", STATUS(p));
	CHECK_INT(checked(&p, INTEGRITY_GOOD, now), 0);
	CHECK_TEXT("pending good", STATUS(p));
	CHECK_TEXT("1", ORDERS(p, "request-key"));
	CHECK_TEXT("-", "select coalesce(decided_by_name, delivered::text, revoke_at::text, revoke_by) from key_request where id = $1",
		DB_ARGS(db_uuid_arg(&p.request)));
	CHECK_TEXT("1", LOGGED(p, "key.granted-again"));
}

TEST(not_after_the_period, "INT-1,INT-4")
{
	struct place p = make_place("late", "revoke", 0);
	struct schedule s = { "off", 1, "02:00", 3600 };
	clock_us now = clock_now();

	CHECK_INT(ALONE("keyward_console", &p.tenant, schedule_set(one, &s)), 0);
	CHECK_INT(checked(&p, INTEGRITY_BAD, now), 0);
	volume_closes(&p, "revoked");
	CHECK_INT(checked(&p, INTEGRITY_GOOD, now + 61 * CLOCK_MINUTE), 0);
	CHECK_TEXT("revoked good", STATUS(p));
	revocations(&p, now + 62 * CLOCK_MINUTE);
	CHECK_TEXT("revoked good closed", STATUS(p));
	CHECK_INT(checked(&p, INTEGRITY_GOOD, now), ERR_CONFLICT);
}

TEST(decision_table, "INT-2,INT-4")
{
	/* status, ordered, by a person, minutes since revoked, on failure, grace: result -> act */
	static const struct { enum request_state status; int ordered, person, since, failure, grace, result; enum check_act act; } rows[] = {
		{ REQUEST_DELIVERED, 0, 0, 0, CHECK_NOTIFY, 0, INTEGRITY_BAD, CHECK_NOTHING },
		{ REQUEST_DELIVERED, 0, 0, 0, CHECK_REVOKE, 0, INTEGRITY_BAD, CHECK_ORDER },
		{ REQUEST_DELIVERED, 0, 0, 0, CHECK_REVOKE, 60, INTEGRITY_BAD, CHECK_ORDER },
		{ REQUEST_DELIVERED, 0, 0, 0, CHECK_REVOKE_AFTER, 60, INTEGRITY_FAILED, CHECK_ANNOUNCE },
		{ REQUEST_DELIVERED, 0, 0, 0, CHECK_REVOKE_AFTER, 0, INTEGRITY_BAD, CHECK_ORDER },
		{ REQUEST_DELIVERED, 0, 0, 0, CHECK_REVOKE, 0, INTEGRITY_GOOD, CHECK_NOTHING },
		{ REQUEST_DELIVERED, 0, 0, 0, CHECK_REVOKE, 0, INTEGRITY_UNKNOWN, CHECK_NOTHING },
		{ REQUEST_REVOKING, 0, 0, 0, CHECK_REVOKE_AFTER, 60, INTEGRITY_GOOD, CHECK_CANCEL },
		{ REQUEST_REVOKING, 0, 0, 0, CHECK_REVOKE_AFTER, 60, INTEGRITY_UNKNOWN, CHECK_NOTHING },
		{ REQUEST_REVOKING, 0, 0, 0, CHECK_REVOKE_AFTER, 60, INTEGRITY_BAD, CHECK_NOTHING },
		{ REQUEST_REVOKING, 1, 0, 0, CHECK_REVOKE, 0, INTEGRITY_GOOD, CHECK_NOTHING },
		{ REQUEST_REVOKING, 1, 1, 0, CHECK_REVOKE, 0, INTEGRITY_GOOD, CHECK_NOTHING },
		{ REQUEST_REVOKED, 1, 0, 59, CHECK_REVOKE, 0, INTEGRITY_GOOD, CHECK_GRANT },
		{ REQUEST_REVOKED, 1, 0, 60, CHECK_REVOKE, 0, INTEGRITY_GOOD, CHECK_NOTHING },
		{ REQUEST_REVOKED, 1, 0, 1, CHECK_REVOKE, 0, INTEGRITY_BAD, CHECK_NOTHING },
		{ REQUEST_REVOKED, 1, 0, 1, CHECK_REVOKE, 0, INTEGRITY_UNKNOWN, CHECK_NOTHING },
		{ REQUEST_REVOKED, 1, 1, 1, CHECK_REVOKE, 0, INTEGRITY_GOOD, CHECK_NOTHING },
		{ REQUEST_PENDING, 0, 0, 0, CHECK_REVOKE, 0, INTEGRITY_BAD, CHECK_NOTHING },
		{ REQUEST_DENIED, 0, 0, 0, CHECK_REVOKE, 0, INTEGRITY_GOOD, CHECK_NOTHING },
	};
	const clock_us now = 1000 * CLOCK_DAY;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct check_subject s = { .status = rows[i].status, .ordered = rows[i].ordered, .by_person = rows[i].person,
			.revoked = rows[i].status == REQUEST_REVOKED ? now - rows[i].since * CLOCK_MINUTE : 0, .regrant = CLOCK_HOUR,
			.on_failure = rows[i].failure, .grace = rows[i].grace * CLOCK_SECOND };

		CHECK_INT(check_decide(&s, rows[i].result, now), rows[i].act);
	}
	CHECK_INT(check_again_in(0), 15 * CLOCK_SECOND);
	CHECK_INT(check_again_in(8 * CLOCK_MINUTE), 2 * CLOCK_MINUTE);
	CHECK_INT(check_again_in(CLOCK_DAY), 5 * CLOCK_MINUTE);
}

TEST(next_run_by_the_tenants_clock, "INT-1")
{
	/* Europe/Berlin: on 29 March 2026 02:00 becomes 03:00, on 25 October 2026 03:00 becomes 02:00. */
	static const struct { const char *kind; int weekday; const char *at, *zone, *after, *next; } rows[] = {
		{ "daily", 1, "02:00", "UTC", "2026-11-21 01:59:59Z", "2026-11-21 02:00:00" },
		{ "daily", 1, "02:00", "UTC", "2026-11-21 02:00:00Z", "2026-11-22 02:00:00" },
		{ "daily", 1, "08:00", "Asia/Kolkata", "2026-11-21 00:00Z", "2026-11-21 02:30:00" },
		{ "daily", 1, "00:15", "Pacific/Kiritimati", "2026-11-21 11:00Z", "2026-11-22 10:15:00" },
		{ "daily", 1, "02:30", "Europe/Berlin", "2026-03-27 12:00Z", "2026-03-28 01:30:00" },
		{ "daily", 1, "02:30", "Europe/Berlin", "2026-03-28 12:00Z", "2026-03-29 01:30:00" },    /* the clock shows 03:30 */
		{ "daily", 1, "02:30", "Europe/Berlin", "2026-03-29 01:30Z", "2026-03-30 00:30:00" },
		{ "daily", 1, "02:30", "Europe/Berlin", "2026-10-24 12:00Z", "2026-10-25 01:30:00" },    /* the second 02:30 */
		{ "daily", 1, "02:30", "Europe/Berlin", "2026-10-25 01:30Z", "2026-10-26 01:30:00" },    /* and not again */
		{ "daily", 1, "02:30", "America/New_York", "2026-03-08 00:00Z", "2026-03-08 07:30:00" },
		{ "weekly", 7, "02:30", "Europe/Berlin", "2026-03-22 01:30Z", "2026-03-29 01:30:00" },
		{ "weekly", 1, "06:00", "UTC", "2026-11-21 00:00Z", "2026-11-23 06:00:00" },
		{ "weekly", 1, "06:00", "UTC", "2026-11-23 06:00Z", "2026-11-30 06:00:00" },
		{ "off", 1, "06:00", "UTC", "2026-11-23 06:00Z", "-" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		CHECK_TEXT(rows[i].next, "select to_char(integrity_next($1, $2::int, $3::text::time, $4, $5::text::timestamptz)"
			" at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS')", DB_ARGS(db_text_arg(rows[i].kind), db_int_arg(rows[i].weekday),
			db_text_arg(rows[i].at), db_text_arg(rows[i].zone), db_text_arg(rows[i].after)));
}

#define CHECKS(p) "select coalesce(string_agg(reason || ' ' || coalesce(result, 'open'), ', ' order by due, id), '') from integrity_check" \
	" where tenant = $1", DB_ARGS(db_uuid_arg(&(p).tenant))

TEST(scheduled_run_happens_once, "INT-1")
{
	struct place p = make_place("schedule", "notify", 0);
	struct db *a, *b;
	clock_us now = clock_now();
	json_t *s = NULL;

	CHECK_INT(ALONE("keyward_jobs", &p.tenant, schedule_run(one, now)), 0);
	CHECK_TEXT("", CHECKS(p));
	/* Late by days, and two at once: one run. */
	put("update integrity_schedule set due = now() - interval '3 days' where tenant = $1", DB_ARGS(db_uuid_arg(&p.tenant)));
	a = as("keyward_jobs", &p.tenant);
	b = as("keyward_jobs", &p.tenant);
	CHECK_INT(schedule_run(a, now), 1);
	CHECK_INT(schedule_run(b, now), 0);
	CHECK_INT(db_commit(a), 0);
	CHECK_INT(db_commit(b), 0);
	db_free(a);
	db_free(b);
	CHECK_INT(ALONE("keyward_jobs", &p.tenant, schedule_run(one, now)), 0);
	CHECK_TEXT("schedule open", CHECKS(p));
	CHECK_TEXT("1", LOGGED(p, "integrity.run"));
	CHECK_INT(ALONE("keyward_jobs", &p.tenant, check_send_due(one, now, 100, NULL, &failed_at)), 0);
	CHECK_INT(ALONE("keyward_jobs", &p.tenant, check_send_due(one, now, 100, NULL, &failed_at)), 0);
	CHECK_TEXT("1", ORDERS(p, "check"));
	CHECK_INT(ALONE("keyward_agent", &p.tenant, check_answer(one, &p.instance, CHECK_BY_ORDER, 1, 1, 1)), 0);
	CHECK_TEXT("schedule failed", CHECKS(p));
	a = as("keyward_console", &p.tenant);
	CHECK_INT(schedule_get(a, &s), 0);
	db_free(a);
	CHECK_INT(json_integer_value(json_object_get(s, "instances")), 1);
	CHECK_INT(json_integer_value(json_object_get(s, "failed")), 1);
	CHECK_INT(json_integer_value(json_object_get(s, "open")), 0);
	CHECK(json_is_string(json_object_get(s, "due")) && json_is_string(json_object_get(s, "last_run")));
	json_decref(s);
}

TEST(only_policies_that_want_it, "INT-1")
{
	struct place p = make_place("unscheduled", "notify", 0);

	put("update policy set check_scheduled = false where tenant = $1", DB_ARGS(db_uuid_arg(&p.tenant)));
	put("update integrity_schedule set due = now() where tenant = $1", DB_ARGS(db_uuid_arg(&p.tenant)));
	CHECK_INT(ALONE("keyward_jobs", &p.tenant, schedule_run(one, clock_now())), 0);
	CHECK_TEXT("", CHECKS(p));
}

/* Whether jobd is told that PLACE's agents were asked and have not answered. */
static int is_asked(const struct place *p)
{
	json_t *rows = NULL;
	struct uuid id;
	size_t i;
	const json_t *row;
	int found = 0;

	CHECK_INT(ALONE("keyward_jobs", NULL, check_tenants(one, &rows)), 0);
	json_array_foreach(rows, i, row)
		found += json_get_uuid(row, "id", &id) == 0 && memcmp(&id, &p->tenant, sizeof id) == 0;
	json_decref(rows);
	return found;
}

TEST(agent_that_is_away_was_not_checked, "INT-1,SEC-7")
{
	struct place p = make_place("away", "revoke", 0);
	clock_us now = clock_now();

	CHECK(!is_asked(&p));

	for (int i = 0; i < CHECK_MISSED_MOST + 1; i++) {
		CHECK_INT(ALONE("keyward_console", &p.tenant, check_order(one, &p.instance, CHECK_BY_ORDER)), 0);
		CHECK_INT(ALONE("keyward_console", &p.tenant, check_order(one, &p.instance, CHECK_BY_ORDER)), 0);
		CHECK_INT(ALONE("keyward_jobs", &p.tenant, check_expire(one, now + CLOCK_MINUTE)), 0);
		CHECK(is_asked(&p));
		CHECK_INT(ALONE("keyward_jobs", &p.tenant, check_expire(one, now + 11 * CLOCK_MINUTE)), 0);
		CHECK(!is_asked(&p));
	}
	CHECK_TEXT("order not-checked, order not-checked, order not-checked, order not-checked", CHECKS(p));
	CHECK_TEXT("delivered good", STATUS(p));
	CHECK_TEXT("1", LOGGED(p, "instance.not-checked"));
	CHECK_TEXT("1", ORDERS(p, "check"));
	/* It comes back and answers. */
	CHECK_INT(ALONE("keyward_agent", &p.tenant, check_answer(one, &p.instance, CHECK_BY_ORDER, 1, 1, 0)), 0);
	CHECK_TEXT("order not-checked, order not-checked, order not-checked, order not-checked, order good", CHECKS(p));
	/* What is old goes. */
	CHECK_INT(ALONE("keyward_jobs", &p.tenant, check_clean(one, now - CLOCK_MINUTE)), 0);
	CHECK_TEXT("order not-checked, order not-checked, order not-checked, order not-checked, order good", CHECKS(p));
	CHECK_INT(ALONE("keyward_jobs", &p.tenant, check_clean(one, now + CLOCK_HOUR)), 0);
	CHECK_TEXT("", CHECKS(p));
}

TEST(missing_while_revoking, "INT-3,RUN-7")
{
	struct place p = make_place("missing", "revoke", 0);
	json_t *page = NULL;
	struct list_query q = { .limit = 10 };
	struct db *db;

	CHECK_INT(checked(&p, INTEGRITY_BAD, clock_now()), 0);
	put("update instance set state = 'missing' where tenant = $1", DB_ARGS(db_uuid_arg(&p.tenant)));
	put("update integrity_schedule set due = now() where tenant = $1", DB_ARGS(db_uuid_arg(&p.tenant)));
	CHECK_INT(ALONE("keyward_jobs", &p.tenant, schedule_run(one, clock_now())), 0);
	CHECK_TEXT("revoking failed", STATUS(p));
	put("update key_request set closed = now(), closed_reason = 'instance missing' where tenant = $1",
		DB_ARGS(db_uuid_arg(&p.tenant)));
	put("update integrity_schedule set due = now() where tenant = $1", DB_ARGS(db_uuid_arg(&p.tenant)));
	CHECK_INT(ALONE("keyward_jobs", &p.tenant, schedule_run(one, clock_now())), 0);
	CHECK_TEXT("schedule not-checked", CHECKS(p));
	db = as("keyward_console", &p.tenant);
	CHECK_INT(check_list(db, &q, &page), 0);
	CHECK_INT(json_array_size(json_object_get(page, "rows")), 1);
	json_decref(page);
	db_free(db);
}

TEST(silence_does_not_escape_checks, "RUN-7,SEC-7,INT-2")
{
	struct place p = make_place("silent", "revoke", 0);
	json_t *open = json_pack("[{s:s,s:s}]", "device", "vol-1", "status", "open"), *waiting = json_pack("[{s:s,s:s}]", "device", "vol-1",
		"status", "waiting");
	struct heartbeat beat = { .agent = p.agent, .at = clock_now(), .volumes = open };

	CHECK_INT(ALONE("keyward_jobs", &p.tenant, instance_find_missing(one, clock_now() + CLOCK_MINUTE, 100)), 0);
	CHECK_TEXT("delivered good closed", STATUS(p));
	/* It is back and still has the volume open: the key is in use again, and checked. */
	CHECK_INT(ALONE("keyward_agent", &p.tenant, heartbeat_write(one, &beat, 1)), 0);
	CHECK_TEXT("delivered good", STATUS(p));
	CHECK_TEXT("in-use", "select status from device where id = $1", DB_ARGS(db_uuid_arg(&p.device)));
	CHECK_TEXT("1", ORDERS(p, "check"));
	CHECK_TEXT("1", LOGGED(p, "key.reopened"));
	CHECK_INT(checked(&p, INTEGRITY_BAD, clock_now()), 0);
	CHECK_TEXT("revoking failed", STATUS(p));
	/* After a reboot it has not. */
	put("update key_request set status = 'delivered', revoke_ordered = null, closed = null where tenant = $1",
		DB_ARGS(db_uuid_arg(&p.tenant)));
	CHECK_INT(ALONE("keyward_jobs", &p.tenant, instance_find_missing(one, clock_now() + CLOCK_MINUTE, 100)), 0);
	beat.volumes = waiting;
	beat.at = clock_now();
	CHECK_INT(ALONE("keyward_agent", &p.tenant, heartbeat_write(one, &beat, 1)), 0);
	CHECK_TEXT("delivered failed closed", STATUS(p));
	json_decref(open);
	json_decref(waiting);
}

/* What a machine that comes back says of a device stops nobody's heartbeats, its own or its neighbours'. */
TEST(a_machine_that_is_back_with_a_device_that_is_not_ours, "RUN-7,SEC-5")
{
	static const struct { const char *status, *luks, *device, *request; } cases[] = {
		{ "not-configured", "", "not-configured", "delivered good closed" },
		{ "configured", "", "configured", "delivered good closed" }, { "encryption-error", "l-1", "encryption-error", "delivered good closed" },
		{ "undetected", "", "undetected", "delivered good closed" }, { "undetected", "l-1", "in-use", "delivered good" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char slug[] = "back-0";
		struct place p = (slug[5] = (char)('0' + i), make_place(slug, "revoke", 0));
		json_t *open = json_pack("[{s:s,s:s}]", "device", "vol-1", "status", "open");
		struct heartbeat beat = { .agent = p.agent, .at = clock_now(), .volumes = open };

		CHECK_INT(ALONE("keyward_jobs", &p.tenant, instance_find_missing(one, clock_now() + CLOCK_MINUTE, 100)), 0);
		put("update device set status = $2, luks_uuid = $3 where id = $1", DB_ARGS(db_uuid_arg(&p.device),
			db_text_arg(cases[i].status), db_text_arg(cases[i].luks)));
		CHECK_INT(ALONE("keyward_agent", &p.tenant, heartbeat_write(one, &beat, 1)), 0);
		CHECK_TEXT("running", "select state from instance where id = $1", DB_ARGS(db_uuid_arg(&p.instance)));
		CHECK_TEXT(cases[i].device, "select status from device where id = $1", DB_ARGS(db_uuid_arg(&p.device)));
		CHECK_TEXT(cases[i].request, STATUS(p));
		json_decref(open);
	}
}

PG_TEST_MAIN
