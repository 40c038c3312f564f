/* pool.c - threads, the queue before them and the list behind them. */
#include "web/pool.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "web/ask.h"

#define ASKING_MOST 256

struct list {
	struct pool_job *first, **end;
};

struct pool {
	const struct web *web;
	pthread_mutex_t lock;
	pthread_cond_t more;             /* in WAITING */
	struct list waiting, done;
	int count, most;                 /* of WAITING */
	int fd;
	struct asker *asker;             /* where pages are whose question is with the sign-on service */
};

static void put(struct list *l, struct pool_job *job)
{
	job->next = NULL;
	*l->end = job;
	l->end = &job->next;
}

static struct pool_job *take(struct list *l)
{
	struct pool_job *job = l->first;

	if (job == NULL)
		return NULL;
	l->first = job->next;
	if (l->first == NULL)
		l->end = &l->first;
	return job;
}

static struct pool_job *next_job(struct pool *p)
{
	struct pool_job *job;

	pthread_mutex_lock(&p->lock);
	while ((job = take(&p->waiting)) == NULL)
		pthread_cond_wait(&p->more, &p->lock);
	p->count--;
	pthread_mutex_unlock(&p->lock);
	return job;
}

static void give_back(struct pool *p, struct pool_job *job)
{
	uint64_t one = 1;

	pthread_mutex_lock(&p->lock);
	put(&p->done, job);
	pthread_mutex_unlock(&p->lock);
	if (write(p->fd, &one, sizeof one) != sizeof one && errno != EAGAIN)
		fatal("pages: cannot say that one is done: %s", strerror(errno));
}

/* They have waited once already, and are not too many now. */
static void go_on(void *ctx, struct pool_job *job)
{
	struct pool *p = ctx;

	pthread_mutex_lock(&p->lock);
	put(&p->waiting, job);
	p->count++;
	pthread_cond_signal(&p->more);
	pthread_mutex_unlock(&p->lock);
}

static void *work(void *arg)
{
	struct pool *p = arg;
	struct web_thread t;

	web_thread_init(&t, p->web);
	for (;;) {
		struct pool_job *job = next_job(p);

		if (web_answer(&t, &job->request, &job->response))
			asker_add(p->asker, job);
		else
			give_back(p, job);
	}
	return NULL;
}

/* Signals are for the thread that serves connections, whose wait they are to end. */
static void start(struct pool *p, int threads)
{
	sigset_t all, former;
	pthread_t id;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &former);
	for (int i = 0; i < threads; i++)
		if (pthread_create(&id, NULL, work, p) != 0 || pthread_detach(id) != 0)
			fatal("pages: no thread %d of %d", i + 1, threads);
	pthread_sigmask(SIG_SETMASK, &former, NULL);
}

struct pool *pool_new(const struct web *web, int threads, int waiting, int *fd)
{
	struct pool *p = mem_alloc(sizeof *p);

	p->web = web;
	p->most = waiting;
	p->waiting.end = &p->waiting.first;
	p->done.end = &p->done.first;
	p->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (p->fd < 0 || pthread_mutex_init(&p->lock, NULL) != 0 || pthread_cond_init(&p->more, NULL) != 0)
		fatal("pages: no pool: %s", strerror(errno));
	p->asker = asker_new(web_inside(web, conf_get(&web->conf, CONF_SSO_SOCKET)), ASKING_MOST, go_on, p);
	start(p, threads);
	*fd = p->fd;
	return p;
}

struct pool_job *pool_add(struct pool *p, struct web_request *request, void *owner)
{
	struct pool_job *job = NULL;

	pthread_mutex_lock(&p->lock);
	if (p->count < p->most) {
		job = mem_alloc(sizeof *job);
		*job = (struct pool_job){ .request = *request, .response = { .body = BUF_INIT }, .owner = owner };
		put(&p->waiting, job);
		p->count++;
		pthread_cond_signal(&p->more);
	}
	pthread_mutex_unlock(&p->lock);
	return job;
}

struct pool_job *pool_done(struct pool *p)
{
	struct pool_job *job;
	uint64_t count;

	/* First the bell, then the list: what comes in between rings again. */
	if (read(p->fd, &count, sizeof count) < 0 && errno != EAGAIN)
		fatal("pages: cannot hear that one is done: %s", strerror(errno));
	pthread_mutex_lock(&p->lock);
	job = take(&p->done);
	pthread_mutex_unlock(&p->lock);
	if (job)
		job->done = 1;
	return job;
}

void pool_job_free(struct pool_job *job)
{
	if (job == NULL)
		return;
	web_request_free(&job->request);
	web_response_free(&job->response);
	free(job);
}
