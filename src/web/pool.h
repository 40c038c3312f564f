/* pool.h - the threads that answer pages, so that a slow one never holds up whoever serves connections: one queue, from which the
 * next free thread takes the oldest job. All calls from the one thread that made the pool. */
#ifndef WEB_POOL_H
#define WEB_POOL_H

#include "web/web.h"

/* Belongs to the pool from pool_add until pool_done has given it back; the pool does not look at OWNER. */
struct pool_job {
	struct web_request request;
	struct web_response response;
	void *owner;
	int done;                        /* given back */
	struct pool_job *next;
};

struct pool;

/* THREADS threads, each with a struct web_thread of its own, and at most WAITING jobs that none of them has begun. *FD can be read
 * while jobs are done. Ends the process where threads cannot be made. */
struct pool *pool_new(const struct web *web, int threads, int waiting, int *fd);
/* Takes REQUEST over. The job, or NULL when too many wait: then REQUEST stays the caller's. */
struct pool_job *pool_add(struct pool *p, struct web_request *request, void *owner);
/* One that is done, or NULL when there is no other: FD cannot be read then until one more is. */
struct pool_job *pool_done(struct pool *p);
void pool_job_free(struct pool_job *job);        /* one that was given back; NULL is fine */

#endif
