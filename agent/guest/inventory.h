/* inventory.h - looking at this machine: what the provider lists plus what is on each device, and which devices are
 * ours. */
#ifndef AGENT_GUEST_INVENTORY_H
#define AGENT_GUEST_INVENTORY_H

#include "agent/guest/guest.h"

/* Fills g->found and enters every finished volume of this account into g->devices (waiting, or open where it is open).
 * Devices that have gone away and are not open leave the list. ERR_ of the provider. */
int inventory_scan(struct guest *g);
/* A digest of what inventory_scan found, to tell whether it has changed. */
uint64_t inventory_digest(const struct guest *g);
/* Sends g->found. */
int inventory_publish(struct guest *g);
/* UUID in a LUKS header; "" when there is none. */
void inventory_luks_uuid(const char *path, char out[static 37]);

#endif
