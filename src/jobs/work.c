/* work.c - takes jobs from the queue, one per thread, and says how they went. */
#include "jobs/work.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "jobs/lookout.h"

#define PAUSE_MOST CLOCK_HOUR
#define KEYD_TIMEOUT_MS 12000     /* key servers have some seconds */

/* What each thread takes: of a lane with peers outside one leaves those that did not answer last time to the other, so that however many are
 * away, who is there is served. */
static const struct seat {
	enum work_lane lane;
	int with_away;
} seats[] = {
	{ WORK_OURS, 1 }, { WORK_OURS, 1 }, { WORK_MAIL, 1 }, { WORK_MAIL, 0 }, { WORK_WEBHOOK, 1 }, { WORK_WEBHOOK, 0 }, { WORK_LOG, 1 }, { WORK_LOG, 0 },
	{ WORK_KEY_SERVER, 1 }, { WORK_KEY_SERVER, 0 }, { WORK_DEEP_SECURITY, 1 }, { WORK_DEEP_SECURITY, 0 },
};
#define SEATS (sizeof seats / sizeof seats[0])

static pthread_t threads[SEATS];
static struct buf leaves[SEATS];
static struct job_choice choices[SEATS];
static size_t started;

struct worker {
	const struct conf *conf;
	const atomic_int *stopping;
	atomic_size_t begun;         /* threads */
};

static const struct db_actor actor = { .kind = DB_ACTOR_SYSTEM, .name = "jobd" };

int work_begin(struct work *w)
{
	return db_begin(w->db, w->job->has_tenant ? &w->job->tenant : NULL, &actor);
}

int work_again(struct work *w)
{
	int rc = work_begin(w);

	if (rc == 0)
		rc = job_add(w->db, w->job->kind, json_incref(w->job->payload), 0, NULL);
	return db_end(w->db, rc);
}

static const struct work_kind *find(const char *kind)
{
	for (const struct work_kind *k = work_kinds; k->kind; k++)
		if (strcmp(k->kind, kind) == 0)
			return k;
	return NULL;
}

/* The longest lease: which job it will be is known only once it is taken. */
static clock_us lease(void)
{
	clock_us most = 0;

	for (const struct work_kind *k = work_kinds; k->kind; k++)
		most = k->lease > most ? k->lease : most;
	return most;
}

/* Kinds of other lanes. One that no jobd has is anybody's. */
static void choose(const struct seat *seat, struct buf *leave)
{
	buf_puts(leave, "{");
	for (const struct work_kind *k = work_kinds; k->kind; k++)
		if (k->lane != seat->lane)
			buf_printf(leave, "%s%s", leave->len > 1 ? "," : "", k->kind);
	buf_puts(leave, "}");
}

static int take(struct db *db, const struct job_choice *choice, struct job *job)
{
	int rc = db_begin(db, NULL, &actor);

	if (rc == 0)
		rc = job_take(db, lease(), choice, job);
	/* Of one that dies over it, others take it up when the time of its own kind is over. */
	if (rc == 0 && find(job->kind))
		rc = job_keep(db, &job->id, find(job->kind)->lease);
	return db_end(db, rc);
}

static clock_us retry_at(const struct work_kind *k, const struct job *job, int rc, clock_us now)
{
	clock_us pause = k->pause;

	if (rc == ERR_INVALID || rc == ERR_NOT_FOUND || job->attempts >= k->attempts)
		return 0;
	for (int64_t i = 1; i < job->attempts && pause < PAUSE_MOST; i++)
		pause *= 2;
	return now + (pause < PAUSE_MOST ? pause : PAUSE_MOST);
}

static void settle(struct db *db, const struct work_kind *k, const struct job *job, int rc)
{
	char why[256];
	clock_us again = rc < 0 ? retry_at(k, job, rc, clock_now()) : 0;

	if (rc < 0) {
		snprintf(why, sizeof why, "%s", err_text());
		log_warning("job failed", "kind", k->kind, "code", err_name(rc), "why", why, "again", again ? "yes" : "no", NULL);
	}
	db_rollback(db);
	if (db_begin(db, NULL, &actor) == 0) {
		rc = db_end(db, rc < 0 ? job_fail(db, &job->id, why, again) : job_finish(db, &job->id));
	}
	/* What could not be noted is taken again when its lease ends. */
	if (rc < 0)
		log_warning("a job's end could not be noted", "kind", k->kind, "why", err_text(), NULL);
}

static void run(struct work *w, const struct job *job)
{
	static const struct work_kind none = { .kind = "unknown" };
	const struct work_kind *k = find(job->kind);
	int rc;

	w->job = job;
	w->now = clock_now();
	rc = k ? k->run(w) : err_set(ERR_INVALID, "this jobd has no such kind: %s", job->kind);
	settle(w->db, k ? k : &none, job, rc);
}

/* All that is there for it now. */
static void take_all(struct worker *self, struct work *w, const struct job_choice *choice)
{
	int rc = 0;

	while (rc == 0 && !*self->stopping) {
		struct job job = { .attempts = 0 };

		rc = take(w->db, choice, &job);
		if (rc == 0)
			run(w, &job);
		else if (rc != ERR_NOT_FOUND)
			log_warning("a job cannot be taken", "code", err_name(rc), NULL);
		job_release(&job);
	}
}

static void *work(void *ctx)
{
	struct worker *self = ctx;
	size_t seat = self->begun++;
	struct keys_client keys;
	struct work w = { .db = db_new(conf_get(self->conf, CONF_DATABASE_JOBS)), .keys = &keys, .conf = self->conf };

	db_set_log(w.db, conf_get(self->conf, CONF_DATABASE_LOG));
	keys_client_init(&keys, conf_get(self->conf, CONF_KEYD_SOCKET), KEYD_TIMEOUT_MS);
	while (lookout_sleep(seat))
		take_all(self, &w, &choices[seat]);
	keys_client_close(&keys);
	db_free(w.db);
	return NULL;
}

int work_start(const struct conf *conf, const atomic_int *stopping)
{
	static struct worker self;
	int rc;

	/* Not safe in several threads at once. */
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return err_set(ERR_INTERNAL, "libcurl cannot start");
	self.conf = conf;
	self.stopping = stopping;
	for (size_t i = 0; i < SEATS; i++) {
		choose(&seats[i], &leaves[i]);
		choices[i] = (struct job_choice){ buf_str(&leaves[i]), seats[i].with_away };
	}
	rc = lookout_start(conf, choices, SEATS, stopping);
	if (rc < 0)
		return rc;
	for (; started < SEATS; started++)
		if (pthread_create(&threads[started], NULL, work, &self) != 0)
			return err_set(ERR_INTERNAL, "no thread for jobs");
	return 0;
}

void work_join(void)
{
	lookout_end();
	while (started > 0)
		pthread_join(threads[--started], NULL);
	for (size_t i = 0; i < SEATS; i++)
		buf_free(&leaves[i]);
}
