/* log_forward.h - the job that sends the log on (LOG-4). */
#ifndef JOBS_LOG_FORWARD_H
#define JOBS_LOG_FORWARD_H

#include "jobs/work.h"

int log_forward_job(struct work *w);

#endif
