/* jobd.c - main of keyward-jobd: runs the tasks of table.c when they are due, for each tenant in turn, and the timers of due.c to the
 * second.
 *
 * It keeps no state: any number may run, and one that is killed leaves nothing half done. A database that is away is waited for. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/conf.h"
#include "base/daemon.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/secret.h"
#include "health/beat.h"
#include "health/certificates.h"
#include "jobs/due.h"
#include "jobs/log_keep.h"
#include "jobs/notice.h"
#include "jobs/scratch.h"
#include "jobs/table.h"
#include "jobs/work.h"
#include "store/audit.h"
#include "store/tenant.h"
#include "store/timer.h"

#define TASKS_MOST 64
#define TICK_MS 1000             /* a signal is heeded that soon, and a timer that nobody told of */
#define PAUSE_MS 50

static atomic_int stopping;
static const struct timespec pause_time = { 0, PAUSE_MS * 1000000L };

static void stop(int signal_number)
{
	(void)signal_number;
	stopping = 1;
}

static int list_tenants(struct db *db, const struct task *task, json_t **out)
{
	int rc = db_begin(db, NULL, &(struct db_actor){ .kind = DB_ACTOR_SYSTEM, .name = "jobd" });

	if (rc == 0)
		rc = task->tenants ? task->tenants(db, out) : tenant_all(db, out);
	db_rollback(db);
	return rc;
}

static void run_for_all(struct db *db, const struct task *task, clock_us now)
{
	json_t *tenants = NULL;
	const json_t *row;
	size_t i;

	if (list_tenants(db, task, &tenants) < 0)
		log_warning("no list of tenants", "why", err_text(), NULL);
	json_array_foreach(tenants, i, row) {
		struct uuid tenant;

		int done = TASK_CHUNK;

		/* One tenant's trouble is not the others'; a database that is away is everybody's. */
		while (done == TASK_CHUNK && !stopping && json_get_uuid(row, "id", &tenant) == 0)
			done = task_run(db, task, &tenant, now);
		if (done == ERR_UNAVAILABLE)
			break;
	}
	json_decref(tenants);
}

/* Once a second is enough at any pace. */
static clock_us period(const struct task *task, long pace)
{
	clock_us every = task->every / pace;

	return every < CLOCK_SECOND ? CLOCK_SECOND : every;
}

static void run_due(struct db *db, clock_us due[static TASKS_MOST], long pace)
{
	clock_us now = clock_now(), ticks = clock_ticks();

	for (int i = 0; tasks[i].name && !stopping; i++) {
		if (due[i] > ticks)
			continue;
		due[i] = ticks + period(&tasks[i], pace);
		if (tasks[i].per_tenant)
			run_for_all(db, &tasks[i], now);
		else
			task_run(db, &tasks[i], NULL, now);
	}
}

/* Milliseconds until the next timer; never more than a signal may wait. */
static int next_timer(struct db *db, int64_t *ms)
{
	int rc = db_begin(db, NULL, &(struct db_actor){ .kind = DB_ACTOR_SYSTEM, .name = "jobd" });

	if (rc == 0)
		rc = timer_wait(db, TICK_MS, ms);
	return db_end(db, rc);
}

/* What is due; else it waits for that, or until somebody sets one. */
static void run_timers(struct db *db)
{
	int64_t ms = TICK_MS;
	int is_well = next_timer(db, &ms) == 0;

	/* What is due but was not done is in another jobd's hands, or failed. */
	if (is_well)
		is_well = ms > 0 ? db_wait(db, (int)ms) >= 0 : due_run(db) > 0;
	if (!is_well)
		nanosleep(&pause_time, NULL);
}

static void note(struct db *db, int started)
{
	char host[256] = "";

	gethostname(host, sizeof host - 1);
	if (audit_server(db, "keyward-jobd", host, started) < 0)
		log_warning("start or stop could not be logged", "why", err_text(), NULL);
}

static void work(struct db *db, long pace)
{
	clock_us due[TASKS_MOST] = { 0 };

	log_info("started", NULL);
	/* Whoever started it may rely on "ready": the database answers. */
	db_listen(db, TIMER_CHANNEL);
	while (!stopping && db_ping(db) < 0)
		nanosleep(&pause_time, NULL);
	log_info("ready", NULL);
	note(db, 1);
	while (!stopping) {
		run_due(db, due, pace);
		if (!stopping)
			run_timers(db);
	}
	note(db, 0);
	log_info("stopped", NULL);
}

static int usage(int status)
{
	fprintf(status ? stderr : stdout, "usage: keyward-jobd --config FILE [--user NAME]\n"
		"  -c --config FILE   the server's configuration\n"
		"  -u --user NAME     run as this user (started as root)\n");
	return status;
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "config", required_argument, NULL, 'c' }, { "user", required_argument, NULL, 'u' },
		{ "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 } };
	const char *conf_path = NULL, *user = NULL;
	struct conf conf;
	char host[BEAT_HOST_SIZE];
	struct beat *beat;
	struct db *db;
	long pace;
	int option;

	while ((option = getopt_long(argc, argv, "c:u:h", options, NULL)) != -1) {
		if (option == 'c')
			conf_path = optarg;
		else if (option == 'u')
			user = optarg;
		else
			return usage(option == 'h' ? 0 : 2);
	}
	if (conf_path == NULL || optind < argc)
		return usage(2);
	secret_init();
	log_open("jobd", LOG_LEVEL_INFO);
	if (conf_load(conf_path, &conf) < 0)
		fatal("%s", err_text());
	/* Of a peer that has gone the call itself tells. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, stop);
	signal(SIGINT, stop);
	daemon_become(user);
	scratch_clean();
	db = db_new(conf_get(&conf, CONF_DATABASE_JOBS));
	db_set_log(db, conf_get(&conf, CONF_DATABASE_LOG));
	if (conf_int(&conf, CONF_JOBS_PACE, 1, 60, &pace) < 0 || log_keep_start(&conf) < 0 || notice_start(&conf) < 0)
		fatal("%s", err_text());
	if (work_start(&conf, &stopping) < 0)
		fatal("%s", err_text());
	beat_host(host);
	beat = beat_start(&(struct beat_how){ .kind = "jobd", .host = host, .conninfo = conf_get(&conf, CONF_DATABASE_JOBS), .keyd_socket = conf_get(&conf, CONF_KEYD_SOCKET),
		.state = conf_get(&conf, CONF_STATE) });
	beat_note(beat, "certificates", health_certificate_files(&conf));
	work(db, pace);
	work_join();
	beat_stop(beat);
	notice_stop();
	db_free(db);
	conf_free(&conf);
	return 0;
}
