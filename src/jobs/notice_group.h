/* notice_group.h - mails to groups of recipients (NTF-1), at once or consolidated. */
#ifndef JOBS_NOTICE_GROUP_H
#define JOBS_NOTICE_GROUP_H

#include "base/clock.h"
#include "store/db.h"

/* A task: tells each of the tenant's groups that has to be told, one mail to each recipient. */
int notice_group_tell(struct db *db, clock_us now);

#endif
