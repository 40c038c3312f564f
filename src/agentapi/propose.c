/* propose.c - what a guest would have done to a device of its own (CFG-2): configured and encrypted at once, or kept for a person. */
#include <stdio.h>

#include "agentapi/service.h"
#include "base/err.h"
#include "store/proposal.h"

static const int outcomes[] = {
	[PROPOSAL_APPLIED] = PROTO_PROPOSAL_APPLIED,
	[PROPOSAL_UNCHANGED] = PROTO_PROPOSAL_UNCHANGED,
	[PROPOSAL_WAITING] = PROTO_PROPOSAL_WAITING,
};

int message_propose(struct agent_call *c)
{
	const struct proto_proposal *m = c->message;
	struct proto_proposal_answer *answer = c->answer;
	struct proposal p = { .name = m->label, .os = m->os, .filesystem = m->filesystem, .mount_point = m->mount_point,
		.access = m->access == PROTO_ACCESS_UNKNOWN ? "" : proto_access_names[m->access], .mode = m->mode, .key_bits = m->key_bits,
		.overwrite = m->overwrite };
	enum proposal_outcome outcome = PROPOSAL_WAITING;
	struct device device;
	struct agent agent;
	int rc = agent_and_device(c, m->device, &agent, &device);

	if (rc == 0 && m->access == PROTO_ACCESS_UNKNOWN)
		rc = err_set(ERR_INVALID, "access is read-only or read-write");
	if (rc == 0)
		rc = proposal_make(c->db, &agent.instance, &device, &p, &outcome);
	if (rc == 0) {
		answer->outcome = outcomes[outcome];
		snprintf(answer->status, sizeof answer->status, "%s",
			outcome == PROPOSAL_APPLIED ? device_state_name(DEVICE_PENDING) : device_state_name(device.status));
	}
	device_release(&device);
	return rc;
}
