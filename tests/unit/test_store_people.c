/* test_store_people.c - accounts, users, sessions, links, settings, set-up, lists and jobs, each under the role that uses them. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "pg.h"
#include "store/audit.h"
#include "store/invitation.h"
#include "store/job.h"
#include "store/session.h"
#include "store/setting.h"
#include "store/tenant.h"

#define PASSWORD "$argon2id$not-a-real-one"

static const struct db_actor operator_actor = { .kind = DB_ACTOR_OPERATOR, .name = "op@example.com", .address = "192.0.2.1" };
static const struct db_actor user_actor = { .kind = DB_ACTOR_USER, .name = "admin@example.com", .address = "192.0.2.2" };
static const struct db_actor jobs_actor = { .kind = DB_ACTOR_SYSTEM, .name = "jobd" };

static void fill(uint8_t *hash, int with)
{
	memset(hash, with, 32);
}

static struct uuid make_tenant(const char *slug)
{
	struct db *db = pg_db("keyward_central");
	struct uuid id = uuid_new();

	CHECK_INT(db_begin(db, NULL, &operator_actor), 0);
	CHECK_INT(tenant_create(db, &id, slug, slug, (struct wire_view) { (const uint8_t *)"wrapped", 7 }), 0);
	CHECK_INT(db_commit(db), 0);
	db_free(db);
	return id;
}

/* A transaction of a tenant's console. */
static struct db *console(const struct uuid *tenant)
{
	struct db *db = pg_db("keyward_console");

	CHECK_INT(db_begin(db, tenant, &user_actor), 0);
	return db;
}

static void finish(struct db *db)
{
	CHECK_INT(db_commit(db), 0);
	db_free(db);
}

static struct uuid make_user(const struct uuid *tenant, const char *email, const char *role)
{
	struct db *db = console(tenant);
	struct uuid id = uuid_new();

	CHECK_INT(user_create(db, STORE_TENANT, &id, email, email, role, PASSWORD), 0);
	finish(db);
	return id;
}

/* How many entries of EVENT the tenant's log has; the chain must be whole. */
static int64_t logged(const struct uuid *tenant, const char *event)
{
	struct db *db = pg_db(tenant ? "keyward_console" : "keyward_central");
	struct db_result *r;
	int64_t count = -1, checked;

	CHECK_INT(db_begin(db, tenant, tenant ? &user_actor : &operator_actor), 0);
	if (db_query_row(db, &r, "select count(*) from audit_entry where event = $1", DB_ARGS(db_text_arg(event))) == 0) {
		count = db_int(r, 0, 0);
		db_result_free(r);
	}
	CHECK_INT(audit_check(db, &checked), 0);
	CHECK(checked > 0);
	finish(db);
	return count;
}

TEST(tenant_life, "TEN-1,TEN-7,LOG-2,LOG-3")
{
	struct db *db = pg_db("keyward_central");
	struct uuid id = make_tenant("life"), other = uuid_new(), found;
	json_t *doc = NULL;
	struct buf wrapped = BUF_INIT;

	CHECK_INT(db_begin(db, NULL, &operator_actor), 0);
	CHECK_INT(tenant_create(db, &other, "life", "again", (struct wire_view) { (const uint8_t *)"x", 1 }), ERR_CONFLICT);
	db_rollback(db);
	CHECK_INT(db_begin(db, NULL, &operator_actor), 0);
	CHECK_INT(tenant_create(db, &other, "Not A Name", "x", (struct wire_view) { (const uint8_t *)"x", 1 }), ERR_INVALID);
	db_rollback(db);
	CHECK_INT(db_begin(db, NULL, &operator_actor), 0);
	CHECK_INT(tenant_set_state(db, &id, "closed", NULL), ERR_CONFLICT);
	db_rollback(db);
	CHECK_INT(db_begin(db, NULL, &operator_actor), 0);
	CHECK_INT(tenant_set_state(db, &id, "suspended", "unpaid"), 0);
	CHECK_INT(db_commit(db), 0);
	CHECK_INT(logged(NULL, "tenant.suspended"), 1);
	CHECK_INT(logged(&id, "tenant.suspended"), 1);
	/* The tenant reads its own log; the operator cannot, whatever it binds to. */
	CHECK_INT(db_begin(db, &id, &operator_actor), 0);
	CHECK_INT(db_run(db, "select 1 from audit_entry where tenant = $1", DB_ARGS(db_uuid_arg(&id))), 0);
	CHECK_INT(db_run(db, "select 1 from audit_head where tenant = $1", DB_ARGS(db_uuid_arg(&id))), 0);
	CHECK_INT(db_commit(db), 0);
	db_free(db);

	db = console(&id);
	CHECK_INT(tenant_key(db, &wrapped), ERR_SUSPENDED);
	CHECK_INT(tenant_self(db, &doc), 0);
	CHECK_STR(json_string_value(json_object_get(doc, "name")), "life");
	CHECK_STR(json_string_value(json_object_get(doc, "state_reason")), "unpaid");
	json_decref(doc);
	doc = json_pack("{s:i}", "page_size", 50);
	CHECK_INT(tenant_change_settings(db, "Europe/Berlin", doc), 0);
	json_decref(doc);
	finish(db);
	CHECK_INT(logged(&id, "account.changed"), 1);

	db = pg_db("keyward_console");
	CHECK_INT(db_begin(db, NULL, &user_actor), 0);
	CHECK_INT(tenant_by_slug(db, "life", &found, NULL), 0);
	CHECK(uuid_equal(&found, &id));
	CHECK_INT(tenant_by_slug(db, "lif", &found, NULL), ERR_NOT_FOUND);
	finish(db);
	buf_free(&wrapped);
}

TEST(first_administrator, "TEN-3,IDN-1")
{
	struct db *db = pg_db("keyward_central");
	struct uuid tenant = make_tenant("first"), a = uuid_new(), b = uuid_new(), who;
	clock_us later = clock_now() + CLOCK_DAY;
	uint8_t one[32], two[32];
	json_t *doc = NULL;

	fill(one, 1);
	fill(two, 2);
	CHECK_INT(db_begin(db, NULL, &operator_actor), 0);
	CHECK_INT(tenant_invite_admin(db, &tenant, &a, "a@example.com", "A", one, later), 0);
	CHECK_INT(db_commit(db), 0);
	CHECK_INT(db_begin(db, NULL, &operator_actor), 0);
	CHECK_INT(tenant_invite_admin(db, &tenant, &b, "b@example.com", "B", two, later), 0);
	CHECK_INT(db_commit(db), 0);
	db_free(db);
	/* The second invitation has replaced the first. */
	db = console(&tenant);
	CHECK_INT(invitation_find(db, STORE_TENANT, one, &doc), ERR_NOT_FOUND);
	CHECK_INT(invitation_find(db, STORE_TENANT, two, &doc), 0);
	CHECK_STR(json_string_value(json_object_get(doc, "kind")), "invite");
	CHECK_STR(json_string_value(json_object_get(doc, "email")), "b@example.com");
	json_decref(doc);
	CHECK_INT(invitation_use(db, STORE_TENANT, two, PASSWORD, NULL, &who), 0);
	CHECK(uuid_equal(&who, &b));
	finish(db);
	db = console(&tenant);
	CHECK_INT(invitation_use(db, STORE_TENANT, two, PASSWORD, NULL, NULL), ERR_NOT_FOUND);
	finish(db);
	/* And the operator is out. */
	db = pg_db("keyward_central");
	CHECK_INT(db_begin(db, NULL, &operator_actor), 0);
	CHECK_INT(tenant_invite_admin(db, &tenant, &a, "a@example.com", "A", one, later), ERR_FORBIDDEN);
	db_rollback(db);
	db_free(db);
	CHECK_INT(logged(&tenant, "user.accepted"), 1);
}

TEST(users, "IDN-1,LOG-2")
{
	struct uuid tenant = make_tenant("users"), admin = make_user(&tenant, "Admin@Example.com", "account-administrator");
	struct uuid other = uuid_new(), third = uuid_new();
	struct user u = { 0 };
	uint8_t token[32];
	json_t *doc = NULL;
	struct db *db = console(&tenant);

	fill(token, 3);
	CHECK_INT(user_by_email(db, STORE_TENANT, "admin@EXAMPLE.com", &u), 0);
	CHECK(uuid_equal(&u.id, &admin));
	CHECK_STR(u.password, PASSWORD);
	user_release(&u);
	CHECK_INT(user_by_email(db, STORE_TENANT, "nobody@example.com", &u), ERR_NOT_FOUND);
	CHECK_INT(user_invite(db, STORE_TENANT, &other, "auditor@example.com", "Au", "auditor", token, clock_now() + CLOCK_DAY), 0);
	CHECK_INT(user_invite(db, STORE_TENANT, &third, "ADMIN@example.com", "X", "auditor", token, clock_now()), ERR_CONFLICT);
	db_rollback(db);
	CHECK_INT(db_begin(db, &tenant, &user_actor), 0);
	CHECK_INT(user_invite(db, STORE_TENANT, &other, "auditor@example.com", "Au", "auditor", token, clock_now() + CLOCK_DAY), 0);
	CHECK_INT(user_change(db, STORE_TENANT, &other, NULL, NULL, "active"), ERR_CONFLICT);
	CHECK_INT(user_change(db, STORE_TENANT, &other, "Audrey", "key-approver", NULL), 0);
	CHECK_INT(user_change(db, STORE_TENANT, &other, "Audrey", NULL, NULL), 0);
	/* The last administrator stays. */
	CHECK_INT(user_change(db, STORE_TENANT, &admin, NULL, NULL, "disabled"), ERR_CONFLICT);
	CHECK_INT(user_change(db, STORE_TENANT, &admin, NULL, "auditor", NULL), ERR_CONFLICT);
	CHECK_INT(user_delete(db, STORE_TENANT, &admin), ERR_CONFLICT);
	CHECK_INT(user_counts(db, STORE_TENANT, &doc), 0);
	CHECK_INT(json_integer_value(json_object_get(doc, "key-approver")), 1);
	json_decref(doc);
	CHECK_INT(user_delete(db, STORE_TENANT, &other), 0);
	CHECK_INT(user_delete(db, STORE_TENANT, &other), ERR_NOT_FOUND);
	finish(db);
	CHECK_INT(logged(&tenant, "user.changed"), 1);
	CHECK_INT(logged(&tenant, "user.deleted"), 1);
}

/* The lock on the chain is taken last and held for the commit alone: who has logged something and thinks on holds nobody up. */
TEST(logging_does_not_wait, "LOG-3,PERF-1")
{
	struct uuid tenant = make_tenant("waits"), a = make_user(&tenant, "a@example.com", "account-administrator");
	struct uuid b = make_user(&tenant, "b@example.com", "auditor");
	struct db *slow = console(&tenant), *quick = pg_db("keyward_console");

	CHECK_INT(user_change(slow, STORE_TENANT, &b, "Bee", NULL, NULL), 0);
	CHECK_INT(db_run(slow, "select 1", DB_NONE), 1);
	db_limits(quick, 1000, 100);
	CHECK_INT(db_begin(quick, &tenant, &user_actor), 0);
	CHECK_INT(user_change(quick, STORE_TENANT, &a, "Aye", NULL, NULL), 0);
	finish(quick);
	finish(slow);
	CHECK_INT(logged(&tenant, "user.changed"), 2);
}

TEST(failed_sign_ins_lock, "IDN-1")
{
	struct uuid tenant = make_tenant("locks"), id = make_user(&tenant, "lock@example.com", "account-administrator");
	struct user u = { 0 };
	clock_us until = 0, first = 0;
	struct db *db;

	for (int i = 1; i <= USER_LOCK_AFTER + 2; i++) {
		db = console(&tenant);
		CHECK_INT(user_by_id(db, STORE_TENANT, &id, &u), 0);
		CHECK_INT(user_sign_in_failed(db, STORE_TENANT, &u, "lock@example.com", NULL, &until), 0);
		user_release(&u);
		finish(db);
		CHECK((until > clock_now()) == (i >= USER_LOCK_AFTER));
		if (i == USER_LOCK_AFTER)
			first = until - clock_now();
	}
	CHECK(first > 10 * CLOCK_SECOND && first <= 30 * CLOCK_SECOND);
	CHECK(until - clock_now() > 3 * first);
	db = console(&tenant);
	CHECK_INT(user_sign_in_failed(db, STORE_TENANT, NULL, "nobody@example.com", NULL, &until), 0);
	CHECK_INT(until, 0);
	CHECK_INT(user_by_id(db, STORE_TENANT, &id, &u), 0);
	CHECK_INT(u.failures, USER_LOCK_AFTER + 2);
	CHECK_INT(user_signed_in(db, STORE_TENANT, &u, "password"), 0);
	user_release(&u);
	CHECK_INT(user_by_id(db, STORE_TENANT, &id, &u), 0);
	CHECK(u.failures == 0 && u.locked_until == 0);
	user_release(&u);
	finish(db);
	CHECK_INT(logged(&tenant, "user.sign-in-failed"), USER_LOCK_AFTER + 3);
	CHECK_INT(logged(&tenant, "user.locked"), 3);
}

static int start_session(struct db *db, enum store_side side, const uint8_t token[static USER_TOKEN_HASH], const struct uuid *id,
	const struct uuid *user, const char *csrf, clock_us expires)
{
	return session_create(db, side, &(struct session_start){ .token = token, .id = id, .user = user, .csrf = csrf, .step = "",
		.expires = expires, .address = "192.0.2.9", .agent = "Browser" });
}

static void check_sessions(enum store_side side, const struct uuid *tenant, const struct uuid *user)
{
	const char *role = side == STORE_TENANT ? "keyward_console" : "keyward_central";
	const struct db_actor *actor = side == STORE_TENANT ? &user_actor : &operator_actor;
	struct uuid a = uuid_new(), b = uuid_new(), c = uuid_new();
	struct session s = { 0 };
	uint8_t one[32], two[32], three[32];
	json_t *list = NULL;
	struct db *db = pg_db(role);
	clock_us later = clock_now() + CLOCK_HOUR;

	fill(one, 11);
	fill(two, 12);
	fill(three, 13);
	CHECK_INT(db_begin(db, tenant, actor), 0);
	CHECK_INT(start_session(db, side, one, &a, user, "csrf-a", later), 0);
	CHECK_INT(start_session(db, side, two, &b, user, "csrf-b", later), 0);
	CHECK_INT(start_session(db, side, three, &c, user, "csrf-c", clock_now() - CLOCK_SECOND), 0);
	CHECK_INT(session_find(db, side, one, CLOCK_MINUTE, &s), 0);
	CHECK_STR(s.csrf, "csrf-a");
	CHECK(uuid_equal(&s.user, user) && uuid_equal(&s.id, &a));
	session_release(&s);
	/* Past its absolute end; idle for too long. */
	CHECK_INT(session_find(db, side, three, CLOCK_HOUR, &s), ERR_NOT_FOUND);
	CHECK_INT(session_find(db, side, one, 0, &s), ERR_NOT_FOUND);
	CHECK_INT(session_rotate(db, side, &a, three, "csrf-n"), ERR_CONFLICT);
	db_rollback(db);
	CHECK_INT(db_begin(db, tenant, actor), 0);
	CHECK_INT(start_session(db, side, one, &a, user, "csrf-a", later), 0);
	CHECK_INT(start_session(db, side, two, &b, user, "csrf-b", later), 0);
	CHECK_INT(session_rotate(db, side, &a, three, "csrf-n"), 0);
	CHECK_INT(session_find(db, side, one, CLOCK_MINUTE, &s), ERR_NOT_FOUND);
	CHECK_INT(session_find(db, side, three, CLOCK_MINUTE, &s), 0);
	CHECK_STR(s.csrf, "csrf-n");
	session_release(&s);
	CHECK_INT(session_list(db, side, user, &list), 0);
	CHECK_INT(json_array_size(list), 2);
	json_decref(list);
	CHECK_INT(session_revoke(db, side, &a, &b), ERR_NOT_FOUND);
	CHECK_INT(session_revoke_others(db, side, user, &a), 0);
	CHECK_INT(session_find(db, side, two, CLOCK_MINUTE, &s), ERR_NOT_FOUND);
	CHECK_INT(session_end(db, side, &a), 0);
	CHECK_INT(session_find(db, side, three, CLOCK_MINUTE, &s), ERR_NOT_FOUND);
	/* A new password ends all sessions. */
	CHECK_INT(start_session(db, side, one, &a, user, "csrf-a", later), 0);
	CHECK_INT(user_set_password(db, side, user, PASSWORD "2", NULL, NULL), 0);
	CHECK_INT(session_find(db, side, one, CLOCK_MINUTE, &s), ERR_NOT_FOUND);
	finish(db);
}

TEST(sessions_of_a_tenant, "IDN-6")
{
	struct uuid tenant = make_tenant("sessions"), user = make_user(&tenant, "s@example.com", "account-administrator");

	check_sessions(STORE_TENANT, &tenant, &user);
	CHECK_INT(logged(&tenant, "session.revoked"), 1);
	CHECK_INT(logged(&tenant, "user.signed-out"), 1);
	CHECK_INT(logged(&tenant, "password.changed"), 1);
}

TEST(setup_and_sessions_of_the_operator, "ADM-3,IDN-6")
{
	struct db *db = pg_db("keyward_central");
	struct uuid id = uuid_new();
	uint8_t right[32], wrong[32];

	fill(right, 21);
	fill(wrong, 22);
	CHECK_INT(db_begin(db, NULL, &operator_actor), 0);
	CHECK_INT(setup_needed(db), 1);
	CHECK_INT(setup_code_set(db, wrong, clock_now() + CLOCK_HOUR), 0);
	CHECK_INT(setup_code_set(db, right, clock_now() + CLOCK_HOUR), 0);
	CHECK_INT(setup_code_use(db, wrong), ERR_FORBIDDEN);
	CHECK_INT(setup_code_use(db, right), 0);
	CHECK_INT(setup_code_use(db, right), ERR_FORBIDDEN);
	CHECK_INT(user_create(db, STORE_OPERATOR, &id, "op@example.com", "Op", "msp-administrator", PASSWORD), 0);
	CHECK_INT(setup_needed(db), 0);
	CHECK_INT(setup_code_use(db, right), ERR_CONFLICT);
	CHECK_INT(setup_code_set(db, right, clock_now() + CLOCK_HOUR), ERR_CONFLICT);
	finish(db);
	CHECK_INT(logged(NULL, "setup.done"), 1);
	check_sessions(STORE_OPERATOR, NULL, &id);
}

TEST(password_links, "IDN-1")
{
	struct uuid tenant = make_tenant("links"), id = make_user(&tenant, "l@example.com", "account-administrator");
	uint8_t one[32], two[32];
	json_t *doc = NULL;
	struct user u = { 0 };
	struct db *db = console(&tenant);

	fill(one, 31);
	fill(two, 32);
	CHECK_INT(invitation_create(db, STORE_TENANT, &id, one, clock_now() + CLOCK_HOUR), 0);
	CHECK_INT(invitation_create(db, STORE_TENANT, &id, two, clock_now() + CLOCK_HOUR), 0);
	CHECK_INT(invitation_use(db, STORE_TENANT, one, PASSWORD, NULL, NULL), ERR_NOT_FOUND);
	CHECK_INT(invitation_find(db, STORE_TENANT, two, &doc), 0);
	CHECK_STR(json_string_value(json_object_get(doc, "kind")), "reset");
	json_decref(doc);
	CHECK_INT(invitation_use(db, STORE_TENANT, two, "new-hash", NULL, NULL), 0);
	CHECK_INT(user_by_id(db, STORE_TENANT, &id, &u), 0);
	CHECK_STR(u.password, "new-hash");
	user_release(&u);
	CHECK_INT(invitation_use(db, STORE_TENANT, two, PASSWORD, NULL, NULL), ERR_NOT_FOUND);
	CHECK_INT(invitation_create(db, STORE_TENANT, &id, one, clock_now() - CLOCK_SECOND), 0);
	CHECK_INT(invitation_use(db, STORE_TENANT, one, PASSWORD, NULL, NULL), ERR_NOT_FOUND);
	finish(db);
}

TEST(provisioning_secret, "TEN-1")
{
	struct uuid tenant = make_tenant("secret");
	struct wire_view pass = { (const uint8_t *)"\0blob1", 6 }, verifier = { (const uint8_t *)"blob2", 5 };
	struct buf blob = BUF_INIT;
	clock_us changed = 0;
	struct db *db = console(&tenant);

	CHECK_INT(provisioning_passphrase(db, &blob, &changed), ERR_NOT_FOUND);
	CHECK_INT(provisioning_set(db, pass, verifier), 0);
	CHECK_INT(provisioning_set(db, pass, verifier), 0);
	CHECK_INT(provisioning_passphrase(db, &blob, &changed), 0);
	CHECK(blob.len == 6 && memcmp(blob.data, "\0blob1", 6) == 0 && changed > 0);
	finish(db);
	/* The agent service verifies with it and cannot read it. */
	db = pg_db("keyward_agent");
	CHECK_INT(db_begin(db, &tenant, NULL), 0);
	CHECK_INT(provisioning_verifier(db, &blob), 0);
	CHECK_STR(buf_str(&blob), "blob2");
	CHECK_INT(provisioning_passphrase(db, &blob, &changed), ERR_FORBIDDEN);
	db_rollback(db);
	db_free(db);
	buf_free(&blob);
	CHECK_INT(logged(&tenant, "passphrase.set"), 2);
	CHECK_INT(logged(&tenant, "passphrase.shown"), 1);
}

TEST(settings, "LOG-2")
{
	struct db *db = pg_db("keyward_central");
	json_t *value = json_pack("{s:s}", "host", "mail.example.com"), *secret = json_string("00ff"), *got = NULL;

	CHECK_INT(db_begin(db, NULL, &operator_actor), 0);
	CHECK_INT(setting_get(db, "smtp", &got), ERR_NOT_FOUND);
	CHECK_INT(setting_set(db, "smtp", value, 0), 0);
	CHECK_INT(setting_set(db, "smtp", value, 0), 0);
	CHECK_INT(setting_set(db, "smtp.password", secret, 1), 0);
	CHECK_INT(setting_set(db, "public.agent_url", secret, 0), 0);
	CHECK_INT(setting_get(db, "smtp", &got), 0);
	CHECK(json_equal(got, value));
	json_decref(got);
	finish(db);
	CHECK_INT(logged(NULL, "setting.changed"), 3);
	db = pg_db("keyward_console");
	CHECK_INT(db_begin(db, NULL, &user_actor), 0);
	CHECK_INT(setting_get_public(db, "public.agent_url", &got), 0);
	json_decref(got);
	CHECK_INT(setting_get_public(db, "smtp.password", &got), ERR_NOT_FOUND);
	finish(db);
	json_decref(value);
	json_decref(secret);
}

static int check_order(const json_t *page, int descending, char *last, size_t size)
{
	json_t *row;
	size_t i;

	json_array_foreach(json_object_get(page, "rows"), i, row) {
		const char *name = json_string_value(json_object_get(row, "name"));

		CHECK(*last == '\0' || (descending ? strcmp(name, last) < 0 : strcmp(name, last) > 0));
		snprintf(last, size, "%s", name);
	}
	return (int)i;
}

/* Takes the page's cursor WHICH; NULL when there is none. */
static char *take_cursor(json_t *page, const char *which)
{
	return mem_strdup(json_string_value(json_object_get(page, which)));
}

/* Walks all pages forward, then back; checks order and that each name comes once. */
static void walk(struct db *db, struct list_query *q, int expected)
{
	json_t *page = NULL;
	char last[64] = "", *next = NULL, *previous = NULL;
	int seen = 0, pages = 0;

	do {
		q->cursor = next;
		CHECK_INT(user_list(db, STORE_TENANT, q, &page), 0);
		seen += check_order(page, q->order < 0, last, sizeof last);
		free(next);
		free(previous);
		next = take_cursor(page, "next");
		previous = take_cursor(page, "previous");
		CHECK((previous == NULL) == (pages == 0));
		pages++;
		json_decref(page);
	} while (next);
	CHECK_INT(seen, expected);
	for (; pages > 1; pages--) {
		q->cursor = previous;
		CHECK_INT(user_list(db, STORE_TENANT, q, &page), 0);
		CHECK_INT(json_array_size(json_object_get(page, "rows")), q->limit);
		CHECK(json_is_string(json_object_get(page, "next")));
		free(previous);
		previous = take_cursor(page, "previous");
		CHECK((previous == NULL) == (pages == 2));
		json_decref(page);
	}
	free(previous);
	q->cursor = NULL;
}

TEST(lists, "RUN-1,PERF-2")
{
	struct uuid tenant = make_tenant("lists"), id;
	struct list_query q = { .limit = 4 };
	json_t *page = NULL, *no = NULL;
	struct db *db = console(&tenant);

	for (int i = 0; i < 23; i++) {
		char *email = mem_printf("user%02d@example.com", i), *name = mem_printf("n%02d%s", i, i == 7 ? " 50%_x" : "");

		id = uuid_new();
		CHECK_INT(user_create(db, STORE_TENANT, &id, email, name, i % 2 ? "auditor" : "key-approver", PASSWORD), 0);
		free(email);
		free(name);
	}
	walk(db, &q, 23);
	q.order = -1;
	walk(db, &q, 23);
	q.search = "USER1";
	walk(db, &q, 10);
	q.search = "50%_X";
	walk(db, &q, 1);
	q.search = "5%";
	walk(db, &q, 0);
	q.search = NULL;
	q.filters[0].name = "role";
	q.filters[0].value = "auditor";
	walk(db, &q, 11);
	/* All have the same role: the order is total by the id then. */
	q.filters[0].value = "";
	q.sort = "state";
	q.limit = 10;
	CHECK_INT(user_list(db, STORE_TENANT, &q, &page), 0);
	q.cursor = json_string_value(json_object_get(page, "next"));
	q.sort = "name";
	CHECK_INT(user_list(db, STORE_TENANT, &q, &no), ERR_INVALID);
	json_decref(page);
	q.cursor = "bm9uc2Vuc2U";
	CHECK_INT(user_list(db, STORE_TENANT, &q, &no), ERR_INVALID);
	q.cursor = NULL;
	q.sort = "password";
	CHECK_INT(user_list(db, STORE_TENANT, &q, &no), ERR_INVALID);
	q.sort = NULL;
	q.filters[0].name = "password";
	q.filters[0].value = "x";
	CHECK_INT(user_list(db, STORE_TENANT, &q, &no), ERR_INVALID);
	finish(db);
}

/* One that waits and stands for another is not taken before who wanted the other has written what it is to find. */
static void check_standing_in(const struct uuid *tenant)
{
	const struct job_choice any = { NULL, 1 };
	struct db *wants = console(tenant), *takes = pg_db("keyward_jobs");
	struct job j = { 0 };

	CHECK_INT(job_add(wants, "mail", NULL, 0, "same"), 0);
	CHECK_INT(db_has(wants, "select true", DB_NONE), 1);
	CHECK_INT(db_begin(takes, NULL, &jobs_actor), 0);
	CHECK_INT(job_take(takes, CLOCK_MINUTE, &any, &j), ERR_NOT_FOUND);
	finish(wants);
	CHECK_INT(job_take(takes, CLOCK_MINUTE, &any, &j), 0);
	CHECK_STR(json_string_value(json_object_get(j.payload, "to")), "x");
	job_release(&j);
	db_rollback(takes);
	db_free(takes);
}

TEST(jobs, "")
{
	struct uuid tenant = make_tenant("jobs");
	const struct job_choice any = { NULL, 1 }, no_mail = { "{mail}", 1 }, no_later = { "{later}", 1 };
	int64_t ms[3];
	struct job j = { 0 }, none = { 0 };
	struct db *db = console(&tenant), *two;

	CHECK_INT(job_add(db, "mail", json_pack("{s:s}", "to", "x"), 0, "same"), 0);
	CHECK_INT(job_add(db, "mail", NULL, 0, "same"), 0);
	CHECK_INT(job_add(db, "later", NULL, clock_now() + CLOCK_HOUR, NULL), 0);
	finish(db);
	check_standing_in(&tenant);
	db = pg_db("keyward_jobs");
	two = pg_db("keyward_jobs");
	CHECK_INT(db_begin(db, NULL, &jobs_actor), 0);
	CHECK_INT(job_take(db, CLOCK_MINUTE, &no_mail, &j), ERR_NOT_FOUND);
	CHECK_INT(job_take(db, CLOCK_MINUTE, &any, &j), 0);
	CHECK_STR(j.kind, "mail");
	CHECK_STR(json_string_value(json_object_get(j.payload, "to")), "x");
	CHECK(j.has_tenant && uuid_equal(&j.tenant, &tenant));
	/* Another one does not wait for it and does not get it. */
	CHECK_INT(db_begin(two, NULL, &jobs_actor), 0);
	CHECK_INT(job_take(two, CLOCK_MINUTE, &any, &none), ERR_NOT_FOUND);
	CHECK_INT(db_commit(two), 0);
	CHECK_INT(db_commit(db), 0);
	CHECK_INT(db_begin(two, NULL, &jobs_actor), 0);
	CHECK_INT(job_take(two, CLOCK_MINUTE, &any, &none), ERR_NOT_FOUND);
	CHECK_INT(job_fail(two, &j.id, "no answer", clock_now() - CLOCK_SECOND), 0);
	CHECK_INT(job_take(two, CLOCK_MINUTE, &any, &none), 0);
	CHECK_INT(none.attempts, 2);
	job_release(&none);
	CHECK_INT(job_finish(two, &j.id), 0);
	CHECK_INT(job_finish(two, &j.id), ERR_NOT_FOUND);
	/* Of several choices at once: none of the second; what is due shows in those alone that take it. */
	CHECK_INT(job_next_each(two, (struct job_choice[]){ any, no_later }, 2, 2 * 60 * 60 * 1000, ms), 0);
	CHECK(ms[0] > 50 * 60 * 1000 && ms[0] <= 60 * 60 * 1000);
	CHECK_INT(ms[1], 2 * 60 * 60 * 1000);
	CHECK_INT(job_add(two, "mail", NULL, 0, NULL), 0);
	CHECK_INT(job_next_each(two, (struct job_choice[]){ any, no_mail, no_later }, 3, 1000, ms), 0);
	CHECK(ms[0] <= 0 && ms[1] == 1000 && ms[2] <= 0);
	CHECK_INT(db_commit(two), 0);
	job_release(&j);
	db_free(db);
	db_free(two);
	/* A tenant's process cannot queue for the installation or for another. */
	db = pg_db("keyward_console");
	CHECK_INT(db_begin(db, NULL, &user_actor), 0);
	CHECK_INT(job_add(db, "mail", NULL, 0, NULL), 0);
	CHECK_INT(db_commit(db), ERR_FORBIDDEN);
	db_free(db);
}

PG_TEST_MAIN
