/* timer.h - what is to happen at a certain second: which tenants have something due now, and when to look again. jobd, bound to no
 * tenant. The times themselves stand in the rows that they are about (sql/0006); a timer is a name for one kind of them. */
#ifndef STORE_TIMER_H
#define STORE_TIMER_H

#include <jansson.h>

#include "store/db.h"

/* SQL: COLUMN, a uuid, is not in the JSON array of argument N, which may be null. */
#define TIMER_EXCEPT(column, n) "(" n "::json is null or " column " not in (select x::uuid from json_array_elements_text(" n "::json) as x))"
#define TIMER_CHANNEL "keyward_timer"    /* notified when a time was set: db_listen */

/* [{timer: "requests", "revocations", "schedule" or "checks", tenant}] */
int timer_due(struct db *db, json_t **out);
/* Milliseconds by the database's clock until the next is due, 0 when one is; at most MOST. */
int timer_wait(struct db *db, int64_t most, int64_t *ms);
/* The database's clock at the start of the transaction. */
int timer_now(struct db *db, clock_us *now);

#endif
