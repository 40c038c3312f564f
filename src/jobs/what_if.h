/* what_if.h - the job that tries a policy on former requests (POL-7). */
#ifndef JOBS_WHAT_IF_H
#define JOBS_WHAT_IF_H

#include "jobs/work.h"

int what_if_job(struct work *w);

#endif
