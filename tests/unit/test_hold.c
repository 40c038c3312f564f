/* test_hold.c - held heartbeats at the end of a worker; all else about them is tried against a running server (web/held_heartbeats). */
#include "check.h"

#include "agentapi/agentapi.h"
#include "agentapi/hold.h"
#include "base/err.h"
#include "base/mem.h"

static void never(void *owner)
{
	(void)owner;
	fatal("somebody was woken");
}

static void watch(int fd)
{
	(void)fd;
	fatal("a connection was made");
}

/* What still comes in while a worker's last answers go out finds its listening connection gone: it is answered at once. */
TEST(a_worker_that_has_ended_holds_nothing, "AGT-5,OPS-3")
{
	static const struct agentapi_hooks hooks = { never, watch };
	struct web web = { .threads = 1 };
	struct web_thread t;

	web.conf.values[CONF_DATABASE_AGENT] = mem_strdup("host=/nowhere dbname=none user=none");
	web.conf.values[CONF_WEB_CHROOT] = mem_strdup("");
	web_thread_init(&t, &web);
	agentapi_start(&t, &hooks);
	agentapi_stop(&t);
	for (int i = 0; i < 3; i++)
		CHECK_INT(hold_ready(&t), HOLD_DEAF);
	web_thread_free(&t);
	conf_free(&web.conf);
}

TEST_MAIN
