/* pool.h - the threads that answer pages, so that a slow one never holds up whoever serves connections: the next free thread takes the oldest
 * job. Tries to sign in hash a password, or are refused no sooner than at their time, and anybody can send many: they wait in a queue of their own
 * and have half of the threads at most, so that who is signed in goes on. Nor does one account hold up the others: it has half of the places that wait,
 * and all threads but one. All calls from the one thread that made the pool. */
#ifndef WEB_POOL_H
#define WEB_POOL_H

#include <stdint.h>

#include "web/web.h"

/* Belongs to the pool from pool_add until pool_done has given it back; the pool does not look at OWNER. */
struct pool_job {
	struct web_request request;
	struct web_response response;
	void *owner;
	int done;                        /* given back */
	int lane;                        /* the pool's: which queue it waits in */
	struct uuid account;             /* the pool's: whose page it is; nil: not an account's */
	uint64_t place;                  /* the pool's: by which the oldest is known */
	struct pool_job *next;
};

struct pool;

/* THREADS threads, each with a struct web_thread of its own, and at most WAITING jobs of each queue that none of them has begun. *FD can be read
 * while jobs are done. Ends the process where threads cannot be made. */
struct pool *pool_new(const struct web *web, int threads, int waiting, int *fd);
/* Takes REQUEST over. The job, or NULL when too many wait: then REQUEST stays the caller's. */
struct pool_job *pool_add(struct pool *p, struct web_request *request, void *owner);
/* One that is done, or NULL when there is no other: FD cannot be read then until one more is. */
struct pool_job *pool_done(struct pool *p);
/* JOB, which was given back with a part of its answer, goes on to the next one, behind all that wait. */
void pool_more(struct pool *p, struct pool_job *job);
void pool_job_free(struct pool_job *job);        /* one that was given back; NULL is fine */

#endif
