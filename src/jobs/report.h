/* report.h - the job that makes a report (RPT-1). */
#ifndef JOBS_REPORT_H
#define JOBS_REPORT_H

#include "jobs/work.h"

#define REPORT_ATTEMPTS 5

int report_job(struct work *w);

#endif
