/* close.h - jobs of accounts that end (TEN-7): destroying, and exporting an account's data. */
#ifndef JOBS_CLOSE_H
#define JOBS_CLOSE_H

#include "jobs/work.h"

int close_job(struct work *w);
int close_job_export(struct work *w);

#endif
