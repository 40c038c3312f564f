/* trouble.h - jobd looks at the parts of the server that people rely on: the key service, mail, backups. */
#ifndef JOBS_TROUBLE_H
#define JOBS_TROUBLE_H

#include "base/clock.h"
#include "base/conf.h"
#include "store/db.h"

void trouble_start(const struct conf *conf);
void trouble_stop(void);
/* A task, bound to none. */
int trouble_look(struct db *db, clock_us now);

#endif
