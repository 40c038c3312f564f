/* bulk.h - the job that decides many key requests (RUN-9). */
#ifndef JOBS_BULK_H
#define JOBS_BULK_H

#include "jobs/work.h"

int bulk_job(struct work *w);

#endif
