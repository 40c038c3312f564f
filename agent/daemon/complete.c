/* complete.c - when all volumes are mounted, and when that ends: the scripts of this machine's administrator, and who waits at a boot is told. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/daemon/daemon.h"
#include "agent/daemon/notify.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"

#define COMPLETE_NOTE "mount-complete"
#define READY_NOTE "ready"

/* For systemd; and, for init scripts, a file in the run folder. */
void daemon_say_ready(struct daemon *a, const char *text)
{
	char *path = mem_printf("%s/" READY_NOTE, a->g.env.run_dir);

	a->ready = 1;
	notify(text);
	if (file_write(path, "", 0, 0600) < 0)
		log_warning("cannot note that the agent is ready", "reason", err_text(), NULL);
	free(path);
}

static char *complete_path(const struct daemon *a)
{
	return mem_printf("%s/" COMPLETE_NOTE, a->g.env.run_dir);
}

void daemon_find_complete(struct daemon *a)
{
	char *path = complete_path(a);

	a->complete = access(path, F_OK) == 0;
	free(path);
}

static void set_complete(struct daemon *a, int complete)
{
	char *path = complete_path(a);

	a->complete = complete;
	if (!complete)
		unlink(path);
	else if (file_write(path, "", 0, 0600) < 0)
		log_warning("cannot note that mount_complete has run", "reason", err_text(), NULL);
	free(path);
}

void daemon_teardown(struct daemon *a, const struct device *d, int reason)
{
	const char *path = agent_conf_text(&a->g.conf, AGENT_TEARDOWN);
	struct script s = { 0 };
	char text[16];
	int status;

	set_complete(a, 0);
	if (*path == '\0')
		return;
	if (script_start(&s, path, "teardown", d ? d->id : NULL, d ? d->mount_point : NULL, proto_reason_names[reason],
			agent_conf_number(&a->g.conf, AGENT_SCRIPT_SECONDS)) < 0) {
		log_error("teardown not run", "reason", err_text(), NULL);
		return;
	}
	script_finish(&s, &status);
	snprintf(text, sizeof text, "%d", status);
	log_info("script ended", "event", "teardown", "status", text, NULL);
}

/* All volumes are mounted: 1; there are some to come: 0; there is none: -1. */
static int all_mounted(const struct daemon *a)
{
	for (int i = 0; i < a->g.devices_count; i++)
		if (a->g.devices[i].state != DEVICE_OPEN)
			return 0;
	return a->g.devices_count ? 1 : -1;
}

static void start_complete(struct daemon *a)
{
	const char *path = agent_conf_text(&a->g.conf, AGENT_MOUNT_COMPLETE);

	set_complete(a, 1);
	log_info("all volumes are mounted", NULL);
	if (*path && script_start(&a->mount_complete, path, "mount_complete", NULL, NULL, NULL,
			agent_conf_number(&a->g.conf, AGENT_SCRIPT_SECONDS)) < 0)
		log_error("mount_complete not run", "reason", err_text(), NULL);
}

void daemon_watch_complete(struct daemon *a)
{
	char text[16];
	int status;

	if (a->mount_complete.pid && script_poll(&a->mount_complete, &status)) {
		snprintf(text, sizeof text, "%d", status);
		log_info("script ended", "event", "mount_complete", "status", text, NULL);
	}
	if (!a->complete && !a->mount_complete.pid && all_mounted(a) == 1)
		start_complete(a);
	if (!a->ready && ((a->published && all_mounted(a) != 0) || clock_ticks() >= a->ready_until))
		daemon_say_ready(a, "READY=1");
}
