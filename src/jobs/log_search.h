/* log_search.h - texts in the log are made quick to find (LOG-1), behind those who write it. */
#ifndef JOBS_LOG_SEARCH_H
#define JOBS_LOG_SEARCH_H

#include "jobs/work.h"

#define LOG_SEARCH_JOB "log-search"

/* Task: queues the job below where there is something to do. */
int log_search_queue(struct db *db, clock_us now);
int log_search_job(struct work *w);

#endif
