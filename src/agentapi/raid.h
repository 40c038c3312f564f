/* raid.h - the keys of an array's members, released together. */
#ifndef AGENTAPI_RAID_H
#define AGENTAPI_RAID_H

#include "agentapi/service.h"
#include "store/request.h"

/* K's request is approved, its device an array: each member's key, sealed by itself to the request's one-time key, into ANSWER; all or
 * none. ERR_CONFLICT: a member is missing, or has no key. */
int agent_deliver_raid(struct agent_call *c, const struct request_case *k, struct proto_key_answer *answer);

#endif
