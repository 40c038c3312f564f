/* notice.h - tells people by mail what happens to their keys: which events, whom, with which words, is one table. */
#ifndef JOBS_NOTICE_H
#define JOBS_NOTICE_H

#include "base/clock.h"
#include "base/conf.h"
#include "store/db.h"

/* Reads the templates; once, before any task runs. */
int notice_start(const struct conf *conf);
void notice_stop(void);
/* A task (table.h): queues mails for what the tenant's log has gained; several entries of one kind become one mail. */
int notice_tell(struct db *db, clock_us now);

#endif
