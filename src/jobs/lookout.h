/* lookout.h - one thread looks at the queue for all that take jobs from it (work.c); they sleep until it calls them. */
#ifndef JOBS_LOOKOUT_H
#define JOBS_LOOKOUT_H

#include <stdatomic.h>

#include "base/conf.h"
#include "store/job.h"

#define LOOKOUT_SLEEPERS_MOST 32

/* For COUNT sleepers, each of whom takes what its own of CHOICES says; they outlive it. It ends soon after *STOPPING is set. */
int lookout_start(const struct conf *conf, const struct job_choice *choices, size_t count, const atomic_int *stopping);
/* Sleeps until there may be something for SLEEPER: 1, and it is to take until nothing is left; 0 at the end. */
int lookout_sleep(size_t sleeper);
/* Wakes all for good. */
void lookout_end(void);

#endif
