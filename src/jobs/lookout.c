/* lookout.c - looks at the queue when it is told that something was added, when the next job is due, and once a second for what nobody tells. */
#include "jobs/lookout.h"

#include <pthread.h>
#include <time.h>

#include "base/err.h"
#include "base/log.h"

#define LOOK_MS 1000             /* also how soon an end is noticed */
#define HELD_MS 20               /* one that is due and not given is held by who adds to it, or taken by another at this moment */

static struct {
	const struct job_choice *choices;
	size_t count;
	const atomic_int *stopping;
	struct db *db;
	pthread_t thread;
	pthread_mutex_t lock;        /* of what follows */
	pthread_cond_t calls;
	struct {
		int called, asleep;
	} sleepers[LOOKOUT_SLEEPERS_MOST];
	int ended;
} self = { .lock = PTHREAD_MUTEX_INITIALIZER, .calls = PTHREAD_COND_INITIALIZER };

/* Who is at work is called as well, and looks once more when it has done: it may have looked just before. */
static void call(const int64_t ms[static LOOKOUT_SLEEPERS_MOST], int *wait_ms)
{
	pthread_mutex_lock(&self.lock);
	for (size_t i = 0; i < self.count; i++) {
		int is_due = ms[i] <= 0, soon = is_due ? HELD_MS : LOOK_MS;

		if (!is_due && ms[i] < LOOK_MS)
			soon = (int)ms[i];
		if (is_due && !self.sleepers[i].asleep)
			soon = LOOK_MS;
		self.sleepers[i].called |= is_due;
		*wait_ms = soon < *wait_ms ? soon : *wait_ms;
	}
	pthread_cond_broadcast(&self.calls);
	pthread_mutex_unlock(&self.lock);
}

static int look(int *wait_ms)
{
	int64_t ms[LOOKOUT_SLEEPERS_MOST];
	int rc = db_begin(self.db, NULL, &(struct db_actor){ .kind = DB_ACTOR_SYSTEM, .name = "jobd" });

	if (rc == 0)
		rc = job_next_each(self.db, self.choices, self.count, LOOK_MS, ms);
	rc = db_end(self.db, rc);
	*wait_ms = LOOK_MS;
	if (rc == 0)
		call(ms, wait_ms);
	return rc;
}

static void *work(void *ctx)
{
	int wait_ms = LOOK_MS;

	(void)ctx;
	db_listen(self.db, JOB_CHANNEL);
	while (!*self.stopping) {
		int rc = look(&wait_ms);

		if (rc < 0)
			log_warning("the queue cannot be read", "code", err_name(rc), NULL);
		if (db_wait(self.db, wait_ms) < 0)
			nanosleep(&(struct timespec){ 1, 0 }, NULL);
	}
	return NULL;
}

int lookout_start(const struct conf *conf, const struct job_choice *choices, size_t count, const atomic_int *stopping)
{
	if (count > LOOKOUT_SLEEPERS_MOST)
		fatal("jobs: too many threads");
	self.choices = choices;
	self.count = count;
	self.stopping = stopping;
	self.db = db_new(conf_get(conf, CONF_DATABASE_JOBS));
	return pthread_create(&self.thread, NULL, work, NULL) == 0 ? 0 : err_set(ERR_INTERNAL, "no thread to look for jobs");
}

int lookout_sleep(size_t sleeper)
{
	int is_called;

	pthread_mutex_lock(&self.lock);
	self.sleepers[sleeper].asleep = 1;
	while (!self.sleepers[sleeper].called && !self.ended)
		pthread_cond_wait(&self.calls, &self.lock);
	is_called = !self.ended;
	self.sleepers[sleeper].called = self.sleepers[sleeper].asleep = 0;
	pthread_mutex_unlock(&self.lock);
	return is_called;
}

void lookout_end(void)
{
	pthread_mutex_lock(&self.lock);
	self.ended = 1;
	pthread_cond_broadcast(&self.calls);
	pthread_mutex_unlock(&self.lock);
	pthread_join(self.thread, NULL);
	db_free(self.db);
}
