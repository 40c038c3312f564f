/* test_share.c - how much of the sign-on service one tenant may have. */
#include "check.h"

#include "sso/share.h"

/* So many as all those that ask together get, each as much as may be, one after the other. */
static unsigned long waiting_of(int tenants, unsigned long each[static 512])
{
	unsigned long all = 0;

	for (int i = 0; i < tenants; i++)
		for (each[i] = 0; share_may_wait(all, each[i]); each[i]++)
			all++;
	return all;
}

TEST(one_tenant_has_so_much, "IDN-2,TEN-4")
{
	unsigned long each[512];

	CHECK_INT(waiting_of(1, each), SHARE_RUNNING + SHARE_WAITING);
	CHECK(share_may_run(SHARE_RUNNING - 1, SHARE_RUNNING - 1, 0));
	CHECK(!share_may_run(SHARE_RUNNING, SHARE_RUNNING, 0));
	CHECK(share_may_run(5, 0, 1) && !share_may_run(5, 1, 1));
}

TEST(a_few_tenants_leave_room_for_the_others, "TEN-4,SEC-5")
{
	unsigned long each[512], all;

	/* Twenty whose servers keep each question: fewer than a web worker can have on their way, and whoever comes gets one in. */
	all = waiting_of(20, each);
	CHECK(all < 256);
	CHECK(share_may_wait(all, 0) && share_may_wait(all, 1));
	/* And what comes in is begun at once, though all of theirs are. */
	all = 0;
	for (int i = 0; i < 20; i++)
		for (unsigned long own = 0; share_may_run(all, own, 0); own++)
			all++;
	CHECK(all < SHARE_RUNNING_MAX);
	CHECK(share_may_run(all, 0, 0));
}

TEST_MAIN
