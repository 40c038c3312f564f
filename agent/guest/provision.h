/* provision.h - carrying out what the server wants encrypted. Both programs use it; a lock in the run folder sees to it
 * that only one of them does at a time. Interrupted anywhere, the next call goes on or starts anew (VOL-4). */
#ifndef AGENT_GUEST_PROVISION_H
#define AGENT_GUEST_PROVISION_H

#include "agent/guest/guest.h"

struct provision_run {
	/* Asked and told now and then while a device is worked on; nonzero stops the work. DEVICE is its id. */
	int (*progress)(void *ctx, const char *device, const char *stage, int percent);
	/* Told of each task that is over; REASON NULL: well. NULL: nobody wants to know. */
	void (*ended)(void *ctx, const char *device, const char *reason);
	void *ctx;
	int tasks, done, failed;         /* out */
	int waiting;                     /* out: put off because the server could not be asked, or asks for patience */
	int stopped;                     /* out: progress asked for it */
};

/* Asks for tasks and works through them. Needs a recent inventory_scan; does another when it has changed a device.
 * ERR_BUSY when another program is at it; what guest_call returns when the server cannot be asked. A task that fails
 * does not fail the call: the server has been told why. */
int provision(struct guest *g, struct provision_run *run);

#endif
