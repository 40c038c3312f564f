/* test_agent_device.c - the table of a device's life in the guest: every state with every event. */
#include "check.h"

#include "agent/guest/device.h"
#include "base/err.h"

#define NO ERR_CONFLICT
#define W DEVICE_WAITING
#define R DEVICE_REQUESTING
#define P DEVICE_PENDING
#define X DEVICE_DENIED
#define G DEVICE_OPENING
#define O DEVICE_OPEN
#define F DEVICE_FAILED
#define C DEVICE_CLOSING
#define D DEVICE_CLOSED
#define V DEVICE_PROVISIONING

/* Columns: ask pend key opened found deny fail close gone retry provision provisioned */
static const int want[DEVICE_STATE_COUNT][DEVICE_EVENT_COUNT] = {
	[W] = { R, NO, NO, NO, O, NO, F, D, NO, W, V, NO },
	[R] = { NO, P, G, NO, NO, X, W, D, NO, NO, NO, NO },
	[P] = { NO, P, G, NO, O, X, W, D, NO, W, NO, NO },
	[X] = { R, P, G, NO, O, X, W, D, NO, W, V, NO },
	[G] = { NO, NO, NO, O, NO, NO, F, NO, NO, NO, NO, NO },
	[O] = { NO, NO, NO, NO, O, NO, F, C, NO, NO, NO, NO },
	[F] = { NO, NO, NO, NO, O, NO, NO, D, NO, W, V, NO },
	[C] = { NO, NO, NO, NO, NO, NO, NO, C, D, NO, NO, NO },
	[D] = { NO, NO, NO, NO, O, NO, NO, D, NO, W, V, NO },
	[V] = { NO, NO, NO, NO, NO, NO, F, NO, NO, NO, NO, W },
};

TEST(every_transition_is_as_designed, "AGT-1,AGT-5,INT-3")
{
	for (int s = 0; s < DEVICE_STATE_COUNT; s++)
		for (int e = 0; e < DEVICE_EVENT_COUNT; e++) {
			int got = device_next((enum device_state)s, (enum device_event)e);

			if (got != want[s][e])
				printf("    %s, %s\n", device_state_name((enum device_state)s),
					device_event_name((enum device_event)e));
			CHECK_INT(got, want[s][e]);
		}
}

TEST(an_open_volume_leaves_that_state_only_closed_or_failed, "AGT-5")
{
	int ways = 0;

	for (int e = 0; e < DEVICE_EVENT_COUNT; e++) {
		int to = device_next(DEVICE_OPEN, (enum device_event)e);

		if (to >= 0 && to != DEVICE_OPEN) {
			CHECK(to == DEVICE_CLOSING || to == DEVICE_FAILED);
			ways++;
		}
	}
	CHECK_INT(ways, 2);
}

TEST(illegal_events_change_nothing, "AGT-1")
{
	struct device d = { .state = DEVICE_OPEN };

	CHECK_INT(device_move(&d, DEVICE_EVENT_KEY), ERR_CONFLICT);
	CHECK_INT((int)d.state, DEVICE_OPEN);
	CHECK_INT(device_move(&d, DEVICE_EVENT_CLOSE), 0);
	CHECK_INT((int)d.state, DEVICE_CLOSING);
	CHECK_INT(device_status(&d), PROTO_VOLUME_OPEN);
}

TEST(volume_names_depend_on_the_device_alone, "AGT-5")
{
	char a[DEVICE_NAME_SIZE], b[DEVICE_NAME_SIZE], c[DEVICE_NAME_SIZE];

	device_name("serial:1", a);
	device_name("serial:1", b);
	device_name("serial:2", c);
	CHECK_STR(a, b);
	CHECK(strcmp(a, c) != 0);
	CHECK(strspn(a, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(a));
}

TEST(waits_differ_but_not_by_much, "AGT-5")
{
	clock_us first = device_jitter(100);
	int differ = 0;

	for (int i = 0; i < 100; i++) {
		clock_us wait = device_jitter(100);

		CHECK(wait >= 90 * CLOCK_SECOND && wait <= 110 * CLOCK_SECOND);
		differ |= wait != first;
	}
	CHECK(differ);
}

/* What is asked about when a line is held, and what is waited for by the clock, because nobody will say anything. */
TEST(only_what_somebody_decides_is_told, "AGT-5")
{
	for (int s = 0; s < DEVICE_STATE_COUNT; s++)
		for (int bits = 0; bits < 8; bits++) {
			struct device d = { .state = (enum device_state)s, .undecided = bits & 1, .locked = bits & 2, .held = bits & 4 };

			CHECK_INT(device_is_told(&d), s == DEVICE_PENDING && bits == 1);
		}
}

TEST_MAIN
