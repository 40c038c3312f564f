/* array.h - RAID 0 arrays in this guest. The tokens on their members say which belong together and in which order; to the table of
 * device.h an array is one device, which has no path but members. */
#ifndef AGENT_GUEST_ARRAY_H
#define AGENT_GUEST_ARRAY_H

#include "agent/guest/guest.h"

struct array_members {
	const struct proto_device *at[VOLUME_PARTS_MAX];         /* in g->found, by their places */
	int count;                               /* of an array; 0: the device is none */
	int here;                                /* of them: all, or the array is not opened */
	int doubled;                             /* two disks claim one place: a copy of one of them */
	uint32_t chunk;
};

/* The members of the array ID as last looked at. Two disks that claim one place are a doubt: then neither of them counts. */
void array_find(const struct guest *g, const char *id, struct array_members *out);
/* After a scan: every array of which something is here has its device in g->devices, which waits until it is complete. ADOPT is
 * called for each. */
void array_enter(struct guest *g, int (*adopt)(struct guest *g, struct device *d));
/* 1 when ID is an array with a member here. */
int array_is_here(const struct guest *g, const char *id);
/* Opens D's volume, an array, with the keys of ANSWER (all of them, each for the place that its token names), sealed to D's one-time
 * key; the block device's path goes to BLOCK. */
int array_open(struct guest *g, const struct device *d, const struct proto_key_answer *answer, char block[static VOLUME_TEXT_MAX]);

#endif
