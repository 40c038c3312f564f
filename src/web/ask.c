/* ask.c - a page's question to the sign-on service, and the thread that carries all of a worker's. */
#include "web/ask.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/err.h"
#include "base/ipc.h"
#include "base/mem.h"
#include "sso/client.h"
#include "web/pool.h"
#include "web/state.h"

/* The page's side */

int call_ask(struct call *c, struct buf *question)
{
	struct web_ask *a = mem_alloc(sizeof *a);

	a->question = *question;
	*question = (struct buf)BUF_INIT;
	web_ask_free(c->state->ask);
	c->state->ask = a;
	return err_set(ERR_BUSY, "the sign-on service is asked");
}

int call_has_answer(const struct call *c)
{
	return c->request->ask != NULL;
}

int call_answer(const struct call *c, json_t **out)
{
	const struct web_ask *a = c->request->ask;

	return a->code < 0 ? err_set(a->code, "%s", a->why) : sso_result_json(&a->question, &a->answer, out);
}

int call_is_redrawn(const struct call *c)
{
	return c->state->redrawn;
}

void web_ask_free(struct web_ask *a)
{
	if (a == NULL)
		return;
	sso_wipe(&a->question);
	sso_wipe(&a->answer);
	free(a->why);
	free(a);
}

/* The thread */

struct asked {
	struct pool_job *job;
	int fd;
	clock_us until;
};

struct asker {
	char *socket;
	int most, bell;
	void (*done)(void *ctx, struct pool_job *job);
	void *ctx;
	pthread_mutex_t lock;
	struct pool_job *fresh;              /* by their NEXT */
	struct asked *asked;                 /* this and what follows: the thread's alone */
	struct pollfd *fds;
	int count;
};

static void give_back(struct asker *a, struct pool_job *job, int rc)
{
	struct web_ask *ask = job->request.ask;

	ask->code = rc;
	ask->why = rc < 0 ? mem_strdup(err_text()) : NULL;
	a->done(a->ctx, job);
}

static void put_question(struct asker *a, struct pool_job *job)
{
	const struct buf *question = &job->request.ask->question;
	int fd = -1, rc = 0;

	if (*a->socket == '\0')
		rc = err_set(ERR_UNAVAILABLE, "there is no sign-on service (setting sso.socket)");
	else if (a->count == a->most)
		rc = err_set(ERR_BUSY, "%d questions are with the sign-on service already", a->most);
	if (rc == 0)
		rc = ipc_dial(a->socket, &fd);
	if (rc == 0)
		rc = ipc_send_most(fd, question, SSO_MESSAGE_MAX);
	if (rc < 0) {
		if (fd >= 0)
			close(fd);
		give_back(a, job, rc);
		return;
	}
	a->asked[a->count++] = (struct asked){ job, fd, clock_ticks() + sso_patience(question) * (CLOCK_SECOND / 1000) };
}

static void take_answer(struct asker *a, int i, int late)
{
	struct asked one = a->asked[i];
	struct buf *answer = &one.job->request.ask->answer;
	int rc = late ? err_set(ERR_TIMEOUT, "the sign-on service has not answered") : ipc_receive_most(one.fd, answer, SSO_MESSAGE_MAX);

	if (rc == 0 && answer->len == 0)
		rc = err_set(ERR_UNAVAILABLE, "the sign-on service ended while it was asked");
	close(one.fd);
	a->asked[i] = a->asked[--a->count];
	give_back(a, one.job, rc);
}

static void take_fresh(struct asker *a)
{
	struct pool_job *list, *next;
	uint64_t count;

	/* First the bell, then the list: what comes in between rings again. */
	if (read(a->bell, &count, sizeof count) < 0 && errno != EAGAIN)
		fatal("sign-on: %s", strerror(errno));
	pthread_mutex_lock(&a->lock);
	list = a->fresh;
	a->fresh = NULL;
	pthread_mutex_unlock(&a->lock);
	for (; list; list = next) {
		next = list->next;
		put_question(a, list);
	}
}

static int wait_ms(const struct asker *a, clock_us now)
{
	clock_us first = now + CLOCK_MINUTE;

	for (int i = 0; i < a->count; i++)
		if (a->asked[i].until < first)
			first = a->asked[i].until;
	return first <= now ? 0 : (int)((first - now) / (CLOCK_SECOND / 1000)) + 1;
}

static void *carry(void *arg)
{
	struct asker *a = arg;

	for (;;) {
		int n;

		a->fds[0] = (struct pollfd){ .fd = a->bell, .events = POLLIN };
		for (int i = 0; i < a->count; i++)
			a->fds[1 + i] = (struct pollfd){ .fd = a->asked[i].fd, .events = POLLIN };
		n = poll(a->fds, (nfds_t)a->count + 1, wait_ms(a, clock_ticks()));
		if (n < 0 && errno != EINTR)
			fatal("sign-on: %s", strerror(errno));
		/* From the end: the last takes the place of one that goes. */
		for (int i = a->count; i-- > 0;)
			if ((n > 0 && a->fds[1 + i].revents) || a->asked[i].until <= clock_ticks())
				take_answer(a, i, !(n > 0 && a->fds[1 + i].revents));
		if (n > 0 && a->fds[0].revents)
			take_fresh(a);
	}
	return NULL;
}

struct asker *asker_new(const char *socket, int most, void (*done)(void *ctx, struct pool_job *job), void *ctx)
{
	struct asker *a = mem_alloc(sizeof *a);
	sigset_t all, former;
	pthread_t id;

	*a = (struct asker){ .socket = mem_strdup(socket), .most = most, .bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), .done = done, .ctx = ctx };
	a->asked = mem_array((size_t)most, sizeof *a->asked);
	a->fds = mem_array((size_t)most + 1, sizeof *a->fds);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &former);
	if (a->bell < 0 || pthread_mutex_init(&a->lock, NULL) != 0 || pthread_create(&id, NULL, carry, a) != 0 || pthread_detach(id) != 0)
		fatal("sign-on: no thread: %s", strerror(errno));
	pthread_sigmask(SIG_SETMASK, &former, NULL);
	return a;
}

void asker_add(struct asker *a, struct pool_job *job)
{
	uint64_t one = 1;

	pthread_mutex_lock(&a->lock);
	job->next = a->fresh;
	a->fresh = job;
	pthread_mutex_unlock(&a->lock);
	if (write(a->bell, &one, sizeof one) != sizeof one && errno != EAGAIN)
		fatal("sign-on: %s", strerror(errno));
}
