/* test_policy.c - the state tables in full, and the rule that doubt never releases. */
#include "check.h"

#include "base/err.h"
#include "policy/device_state.h"
#include "policy/evaluate.h"
#include "policy/request_state.h"

/* Every legal step, written out a second time: a change of the table must be a decision. */
TEST(request_transitions_in_full, "RUN-2,RUN-5,INT-4")
{
	static const char *const legal[] = { "pending approve approved", "pending deny denied", "approved deny denied",
		"approved deliver delivered", "delivered announce revoking", "delivered revoke revoking", "denied approve approved",
		"revoking revoke revoking", "revoking released revoked", "revoking restore delivered", "revoked restore pending" };

	for (int s = 0; s < REQUEST_STATE_COUNT; s++) {
		for (int e = 0; e < REQUEST_EVENT_COUNT; e++) {
			char line[64];
			int to = request_next(s, e), want = 0;

			for (size_t i = 0; i < sizeof legal / sizeof legal[0]; i++) {
				snprintf(line, sizeof line, "%s %s %s", request_state_name(s), request_event_name(e),
					to >= 0 ? request_state_name(to) : "-");
				want |= strcmp(line, legal[i]) == 0;
				if (to < 0)
					CHECK(strncmp(line, legal[i], strlen(line) - 1) != 0);
			}
			CHECK_INT(to >= 0 ? 1 : 0, want);
			if (to < 0)
				CHECK_INT(to, ERR_CONFLICT);
		}
	}
}

/* One thing otherwise, and somebody is asked again. */
TEST(a_decision_holds_only_for_the_same_question, "RUN-2,KEY-4")
{
	const struct request_again approved = { REQUEST_APPROVED, 1, 0, 1, 0, 0 };
	const struct request_again denied = { REQUEST_DENIED, 1, 0, 1, 1, REQUEST_DENIAL_HOLDS - 1 };
	struct request_again a;

	CHECK(request_holds(&approved) && request_holds(&denied));
	for (int s = 0; s < REQUEST_STATE_COUNT; s++) {
		a = denied;
		a.status = s;
		CHECK_INT(request_holds(&a), s == REQUEST_APPROVED || s == REQUEST_DENIED);
		CHECK_INT(request_rests(s), s == REQUEST_DENIED || s == REQUEST_REVOKED);
	}
	a = approved, a.by_person = 0;
	CHECK(!request_holds(&a));
	a = approved, a.delivered = 1;
	CHECK(!request_holds(&a));
	a = approved, a.unchanged = 0;
	CHECK(!request_holds(&a));
	a = denied, a.by_person = 0;
	CHECK(!request_holds(&a));
	a = denied, a.unchanged = 0;
	CHECK(!request_holds(&a));
	a = denied, a.by_itself = 0;
	CHECK(!request_holds(&a));
	a = denied, a.age = REQUEST_DENIAL_HOLDS;
	CHECK(!request_holds(&a));
}

TEST(device_transitions_in_full, "DEV-2,DEV-3,DEV-4,DEV-5,DEV-6,DEV-7,RAID-1,VOL-7,KEY-7")
{
	static const char *const legal[] = { "not-configured configure configured", "configured configure configured",
		"encryption-error configure configured", "configured unconfigure not-configured", "encrypted unconfigure not-configured",
		"encryption-error unconfigure not-configured", "configured encrypt encryption-pending",
		"encryption-error encrypt encryption-pending", "encrypted be reassigned encrypted",
		"not-configured take another device's configuration encrypted", "configured take another device's configuration encrypted",
		"encryption-error take another device's configuration encrypted", "encryption-pending cancel configured",
		"encryption-pending start encrypting", "encrypting start encrypting", "encrypting finish encrypted",
		"encryption-pending fail encryption-error", "encrypting fail encryption-error", "encrypted open in-use",
		"in-use open in-use", "in-use close encrypted",
		"not-configured adopt encrypting", "configured adopt encrypting", "encryption-error adopt encrypting",
		"encrypting adopt encrypting", "encrypted decrypt decrypting", "decrypting decrypt decrypting",
		"encrypted release not-configured", "in-use release not-configured", "decrypting release not-configured", "not-configured lose undetected", "configured lose undetected",
		"encryption-pending lose undetected", "encrypted lose undetected", "encryption-error lose undetected",
		"undetected find-bare not-configured", "undetected find-configured configured", "undetected find-encrypted encrypted",
		"configured lose-member device-missing", "encryption-pending lose-member device-missing",
		"encrypted lose-member device-missing", "encryption-error lose-member device-missing",
		"encrypted lose its keys not-configured", "in-use lose its keys not-configured",
		"undetected lose its keys undetected", "device-missing lose its keys not-configured", "device-missing find-configured configured", "device-missing find-encrypted encrypted" };
	size_t found = 0;

	for (int s = 0; s < DEVICE_STATE_COUNT; s++) {
		for (int e = 0; e < DEVICE_EVENT_COUNT; e++) {
			char line[128];
			int to = device_next(s, e), want = 0;

			CHECK_INT(device_can(s, e), to >= 0);
			if (to < 0) {
				CHECK_INT(to, ERR_CONFLICT);
				continue;
			}
			snprintf(line, sizeof line, "%s %s %s", device_state_name(s), device_event_name(e), device_state_name(to));
			for (size_t i = 0; i < sizeof legal / sizeof legal[0]; i++)
				want |= strcmp(line, legal[i]) == 0;
			CHECK(want);
			found++;
		}
		CHECK_INT(device_can_delete(s), s == DEVICE_UNDETECTED);
		CHECK_INT(device_can_delete_raid(s), s == DEVICE_NOT_CONFIGURED || s == DEVICE_MEMBER_MISSING);
	}
	CHECK_INT(found, sizeof legal / sizeof legal[0]);
}

TEST(state_names_round_trip, "RUN-2,DEV-2")
{
	enum request_state r;
	enum device_state d;
	enum integrity g;

	for (int i = 0; i < REQUEST_STATE_COUNT; i++)
		CHECK(request_state_parse(request_state_name(i), &r) == 0 && (int)r == i);
	for (int i = 0; i < DEVICE_STATE_COUNT; i++)
		CHECK(device_state_parse(device_state_name(i), &d) == 0 && (int)d == i);
	for (int i = 0; i < INTEGRITY_COUNT; i++)
		CHECK(integrity_parse(integrity_name(i), &g) == 0 && (int)g == i);
	CHECK_INT(request_state_parse("Pending", &r), ERR_INVALID);
	CHECK_INT(device_state_parse("", &d), ERR_INVALID);
}

TEST(without_rules_always_manual, "POL-1,POL-4")
{
	json_t *rules = json_array();
	struct policy p = { .on_match = POLICY_ACTION_APPROVE, .on_mismatch = POLICY_ACTION_APPROVE, .rules = rules };
	struct facts nothing = { .sound = 0 };
	struct verdict v;

	policy_evaluate(&p, &nothing, 0, &v);
	CHECK_INT(v.action, POLICY_ACTION_MANUAL);
	CHECK_INT(v.integrity, INTEGRITY_UNKNOWN);
	verdict_release(&v);
	json_decref(rules);
}

TEST(what_cannot_be_evaluated_never_releases, "RUL-24,SEC-7")
{
	json_t *rules = json_pack("[{s:s}]", "type", "from-the-future");
	struct policy p = { .on_match = POLICY_ACTION_APPROVE, .on_mismatch = POLICY_ACTION_APPROVE, .rules = rules };
	struct facts nothing = { .sound = 0 };
	struct verdict v;

	policy_evaluate(&p, &nothing, 0, &v);
	CHECK(v.action != POLICY_ACTION_APPROVE);
	CHECK_INT(v.failed, 1);
	CHECK_STR(json_string_value(json_object_get(json_array_get(v.rules, 0), "status")), "unknown");
	verdict_release(&v);
	json_decref(rules);
}

TEST_MAIN
