/* due.h - what jobd does to the second, whatever number of jobd run: one row per timer of store/timer.h. */
#ifndef JOBS_DUE_H
#define JOBS_DUE_H

#include "store/db.h"

/* Runs what is due now, of all tenants. How much was done, or ERR_; what another jobd is at is not ours. */
int due_run(struct db *db);

#endif
