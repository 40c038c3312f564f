/* pool.h - devices that the provider attaches for this guest (POL-5): the one that a key answer names is brought here, and goes back when
 * its volume is closed. */
#ifndef AGENT_GUEST_POOL_H
#define AGENT_GUEST_POOL_H

#include "agent/guest/guest.h"

/* 1 when a device that is not here can be asked for, since the provider attaches what the server chooses. */
int pool_can_attach(const struct guest *g);
/* The device GIVEN ("": D itself) is here, attached where it was not: D->path says where. ERR_UNSUPPORTED where the provider cannot
 * attach, or what the plug-in says. */
int pool_place(struct guest *g, struct device *d, const char *given);
/* What was attached for D goes back; it is not open any more. A failure is logged. */
void pool_return(struct guest *g, struct device *d);
/* Some device has the one called ID in place of its own. */
int pool_is_given(const struct guest *g, const char *id);

#endif
