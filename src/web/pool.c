/* pool.c - threads, the queues before them and the list behind them. */
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
#include "base/secret.h"
#include "web/ask.h"
#include "web/guard.h"

#define ASKING_MOST 256
#define SHARED_FROM 4            /* threads: with fewer, one that is kept free for others would be missed */

struct list {
	struct pool_job *first, **end;
};

enum lane_name { LANE_PAGES, LANE_TRIES, LANES };

struct lane {
	struct list waiting;
	int count, most;                 /* of WAITING */
	int running, threads;            /* that are at one, and may be */
};

struct pool {
	const struct web *web;
	pthread_mutex_t lock;
	pthread_cond_t more;             /* waiting in a lane, or a thread is free for one */
	struct lane lanes[LANES];
	struct uuid *accounts;           /* of the pages that threads are at */
	int account_count, share;        /* SHARE: how many of them may be one account's */
	struct list done;
	uint64_t next;                   /* place */
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

/* One account */

/* Whose page it is, as its cookie says; nil: nobody's, or the operator's. Who says so of somebody else's account is turned away at once. */
static struct uuid account_of(const struct web_request *r)
{
	struct guard_cookie cookie = { .tenant = { { 0 } } };
	struct uuid account;

	guard_cookie_read(r->site, r->cookie, &cookie);
	account = cookie.tenant;
	secret_wipe(&cookie, sizeof cookie);
	return account;
}

static int is_shared(const struct pool_job *job)
{
	return job->lane == LANE_PAGES && !uuid_is_nil(&job->account);
}

static int may_begin(const struct pool *p, const struct pool_job *job)
{
	int count = 0;

	for (int i = 0; is_shared(job) && i < p->account_count; i++)
		count += uuid_equal(&p->accounts[i], &job->account);
	return count < p->share;
}

static int may_wait(const struct lane *l, const struct pool_job *job)
{
	int count = 0;

	for (const struct pool_job *other = l->waiting.first; is_shared(job) && other; other = other->next)
		count += uuid_equal(&other->account, &job->account);
	return l->count < l->most && count < (l->most + 1) / 2;
}

static void begin(struct pool *p, const struct pool_job *job)
{
	p->lanes[job->lane].running++;
	if (is_shared(job))
		p->accounts[p->account_count++] = job->account;
}

static void end(struct pool *p, int lane, const struct uuid *account)
{
	p->lanes[lane].running--;
	for (int i = 0; lane == LANE_PAGES && i < p->account_count; i++)
		if (uuid_equal(&p->accounts[i], account)) {
			p->accounts[i] = p->accounts[--p->account_count];
			break;
		}
}

/* Queues */

/* Where the lane's oldest is that may be begun; there is NULL where there is none. */
static struct pool_job **oldest_of(const struct pool *p, struct lane *l)
{
	struct pool_job **at = &l->waiting.first;

	while (*at && !may_begin(p, *at))
		at = &(*at)->next;
	return at;
}

/* The oldest of all that may be begun now, taken out; NULL. */
static struct pool_job *take_oldest(struct pool *p)
{
	struct pool_job **found = NULL, *job;
	struct lane *of = NULL;

	for (struct lane *l = p->lanes; l < p->lanes + LANES; l++) {
		struct pool_job **at = l->running < l->threads ? oldest_of(p, l) : NULL;

		if (at && *at && (found == NULL || (*at)->place < (*found)->place)) {
			found = at;
			of = l;
		}
	}
	if (found == NULL)
		return NULL;
	job = *found;
	*found = job->next;
	if (job->next == NULL)
		of->waiting.end = found;
	of->count--;
	return job;
}

static struct pool_job *next_job(struct pool *p)
{
	struct pool_job *job;

	pthread_mutex_lock(&p->lock);
	while ((job = take_oldest(p)) == NULL)
		pthread_cond_wait(&p->more, &p->lock);
	begin(p, job);
	pthread_mutex_unlock(&p->lock);
	return job;
}

/* In the lock. */
static void wait_in_lane(struct pool *p, struct pool_job *job)
{
	job->place = p->next++;
	put(&p->lanes[job->lane].waiting, job);
	p->lanes[job->lane].count++;
	pthread_cond_signal(&p->more);
}

static void end_run(struct pool *p, int lane, const struct uuid *account)
{
	pthread_mutex_lock(&p->lock);
	end(p, lane, account);
	pthread_cond_signal(&p->more);
	pthread_mutex_unlock(&p->lock);
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
	wait_in_lane(p, job);
	pthread_mutex_unlock(&p->lock);
}

static void *work(void *arg)
{
	struct pool *p = arg;
	struct web_thread t;

	web_thread_init(&t, p->web);
	for (;;) {
		struct pool_job *job = next_job(p);
		const struct uuid account = job->account;
		const int lane = job->lane;

		if (web_answer(&t, &job->request, &job->response))
			asker_add(p->asker, job);
		else
			give_back(p, job);
		end_run(p, lane, &account);
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
	p->lanes[LANE_PAGES] = (struct lane){ .most = waiting, .threads = threads };
	p->lanes[LANE_TRIES] = (struct lane){ .most = waiting, .threads = (threads + 1) / 2 };
	for (int i = 0; i < LANES; i++)
		p->lanes[i].waiting.end = &p->lanes[i].waiting.first;
	p->accounts = mem_array((size_t)threads, sizeof *p->accounts);
	p->share = threads < SHARED_FROM ? threads : threads - 1;
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
	int lane = web_is_try(request) ? LANE_TRIES : LANE_PAGES;
	struct pool_job asked = { .response = { .body = BUF_INIT }, .owner = owner, .lane = lane, .account = account_of(request) }, *job = NULL;

	pthread_mutex_lock(&p->lock);
	if (may_wait(&p->lanes[lane], &asked)) {
		asked.request = *request;
		job = mem_alloc(sizeof *job);
		*job = asked;
		wait_in_lane(p, job);
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

void pool_more(struct pool *p, struct pool_job *job)
{
	struct web_request *request = &job->request;

	free(request->resume);
	request->resume = job->response.next;
	job->response.next = NULL;
	if (request->large.bytes == 0) {
		request->large = job->response.large;
		job->response.large.bytes = 0;
	}
	request->received = clock_now();
	web_response_free(&job->response);
	job->done = 0;
	go_on(p, job);
}

void pool_job_free(struct pool_job *job)
{
	if (job == NULL)
		return;
	web_request_free(&job->request);
	web_response_free(&job->response);
	free(job);
}
