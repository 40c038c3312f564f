/* server.c - how keyward-config gets at the server, and at the agent that runs on this machine. */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/tool/tool.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"

enum tool_exit tool_link(struct tool *t)
{
	int rc;

	if (!t->g.registered)
		return tool_complain(t, TOOL_FAILURE, "this machine is %s. Use --register with --url, --guid and a passphrase.",
			t->g.copied ? "a copy of a registered one, or its id has changed" : "not registered");
	if (t->g.link)
		return TOOL_OK;
	rc = guest_link(&t->g);
	if (rc < 0)
		return tool_failed(t, rc, "the registration cannot be used");
	link_set_limit(t->g.link, LINK_SECONDS, 1);
	return TOOL_OK;
}

int tool_agent_runs(const struct guest *g)
{
	return guest_is_locked(g, "agent");
}

void tool_wake_agent(const struct guest *g)
{
	char *path = mem_printf("%s/agent.lock", g->env.run_dir);
	struct buf text = BUF_INIT;
	long pid;

	if (tool_agent_runs(g) && file_read(path, 32, &text) == 0) {
		pid = strtol(buf_str(&text), NULL, 10);
		if (pid > 1)
			kill((pid_t)pid, SIGHUP);
	}
	buf_free(&text);
	free(path);
}
