/* webhook.h - tells other systems of events (NTF-3): a task that makes deliveries of notices, and the job that carries one out. */
#ifndef JOBS_WEBHOOK_H
#define JOBS_WEBHOOK_H

#include "jobs/work.h"

/* A task: deliveries for what the tenant's webhooks have yet to be told, in the transaction in which that counts as told. */
int webhook_tell(struct db *db, clock_us now);
/* The job: the same body and id at each attempt, a new signature. */
int webhook_job(struct work *w);

#endif
