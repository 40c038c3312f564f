/* rewrap.h - jobs that wrap keys again (KEY-6): the root key's {rotation}, a tenant's {rotation}. Whatever they are broken off by, they go
 * on with what is left. */
#ifndef JOBS_REWRAP_H
#define JOBS_REWRAP_H

#include "jobs/work.h"

#define ROTATION_LEASE (20 * CLOCK_SECOND)       /* from chunk to chunk */

int rotation_job_root(struct work *w);
int rotation_job_tenant(struct work *w);

#endif
