/* report.c - what agents report of their machine, and what they are asked to look at for it. */
#include <stdio.h>

#include "agentapi/service.h"
#include "base/err.h"
#include "store/facts.h"
#include "store/order.h"

/* It is what was ordered: the heartbeat that would say so comes later, and a check that is asked for in between must be ordered again. */
static int answers(struct agent_call *c, const struct uuid *order)
{
	int rc = uuid_is_nil(order) ? 0 : order_finish(c->db, &c->agent, order, 1, "");

	return rc == ERR_NOT_FOUND ? 0 : rc;
}

int message_report(struct agent_call *c)
{
	const struct proto_report *m = c->message;
	struct agent agent;
	int rc = agent_active(c, &agent);

	if (rc == 0)
		rc = facts_report(c->db, &agent.instance, m->facts, c->frame->request->address, c->frame->now);
	if (rc == 0)
		rc = answers(c, &m->order);
	if (rc == 0)
		rc = agent_check(c, &agent.instance, m->reason, m->facts);
	return rc;
}

int agent_watch(struct agent_call *c, struct proto_watch *files, int *count)
{
	json_t *paths = NULL, *path;
	size_t i;
	int rc = facts_watched(c->db, &c->agent, PROTO_PATH_MAX, PROTO_WATCH_MAX, &paths);

	if (rc < 0)
		return rc;
	json_array_foreach(paths, i, path)
		snprintf(files[i].path, sizeof files[i].path, "%s", json_string_value(path));
	*count = (int)json_array_size(paths);
	json_decref(paths);
	return 0;
}
