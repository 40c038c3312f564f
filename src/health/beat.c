/* beat.c - the thread that says so. */
#include "health/beat.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "health/cause.h"
#include "keys/client.h"
#include "sso/client.h"
#include "store/health.h"

#define EVERY_S 5
#define KEYD_TIMEOUT_MS 5000
#define SSO_TIMEOUT_MS 2000
#define FOLDER_MAX 4096

struct beat {
	char *kind, *sso_socket, *state;
	char host[BEAT_HOST_SIZE];
	clock_us started;
	int pid, asks_keyd, is_away;     /* its last one could not be written */
	struct db *db;
	struct keys_client keys;
	pthread_t thread;
	pthread_mutex_t lock;            /* of what follows */
	pthread_cond_t wake;
	json_t *notes;
	int stop;
};

static const struct db_actor actor = { .kind = DB_ACTOR_SYSTEM, .name = "health" };

/* The disk that PATH is on, or, where that is closed to us, the nearest folder above it that is not. */
static json_t *disk_of(const char *path)
{
	char folder[FOLDER_MAX];
	struct statvfs s;
	char *slash;

	if (strlen(path) >= sizeof folder)
		return NULL;
	strcpy(folder, path);
	while (statvfs(folder, &s) < 0) {
		if (strcmp(folder, "/") == 0 || (slash = strrchr(folder, '/')) == NULL)
			return NULL;
		*(slash == folder ? slash + 1 : slash) = '\0';
	}
	/* What only root may use is no use to us. */
	return json_pack("{s:s, s:I, s:I}", "folder", path, "total", (json_int_t)((s.f_blocks - s.f_bfree + s.f_bavail) * s.f_frsize), "free",
		(json_int_t)(s.f_bavail * s.f_frsize));
}

/* Whether the kernel's clock is kept right by somebody; null where it does not say. */
static json_t *clock_state(void)
{
	struct timex t = { .modes = 0 };
	int rc = adjtimex(&t);

	return rc < 0 ? json_null() : json_boolean(rc != TIME_ERROR && !(t.status & STA_UNSYNC));
}

/* Only where the database is on this machine. */
static void add_disks(struct beat *b, json_t *says)
{
	char folder[FOLDER_MAX] = "";
	json_t *disks = json_object(), *disk = disk_of(b->state);

	if (disk)
		json_object_set_new(disks, "state", disk);
	if (db_is_local(b->db) && health_database_folder(b->db, folder, sizeof folder) == 0 && *folder && access(folder, F_OK) == 0 && (disk = disk_of(folder)))
		json_object_set_new(disks, "database", disk);
	json_object_set_new(says, "disks", disks);
	json_object_set_new(says, "clock", clock_state());
}

static json_t *notes_of(struct beat *b)
{
	json_t *copy;

	pthread_mutex_lock(&b->lock);
	copy = json_deep_copy(b->notes);
	pthread_mutex_unlock(&b->lock);
	return copy;
}

static int say_self(struct beat *b)
{
	json_t *says = notes_of(b);
	struct health_process p = { .kind = b->kind, .host = b->host, .pid = b->pid, .started = b->started, .version = KEYWARD_VERSION, .says = says };
	/* Connected, so that it is known where the database is. */
	int rc = db_ping(b->db);

	if (rc == 0)
		rc = db_begin(b->db, NULL, &actor);
	if (rc == 0 && b->state)
		add_disks(b, says);
	if (rc == 0)
		rc = health_seen(b->db, &p, clock_now());
	rc = db_end(b->db, rc);
	json_decref(says);
	return rc;
}

/* Of a service that is asked here: RC is what asking gave. */
static int say_service(struct beat *b, int rc, struct health_process *p)
{
	char why[256];

	p->host = b->host;
	snprintf(why, sizeof why, "%s", err_text());
	/* It is for others to ask. */
	if (rc == ERR_FORBIDDEN)
		return 0;
	if (db_begin(b->db, NULL, &actor) == 0)
		rc = rc < 0 ? health_away(b->db, p->kind, b->host, why) : health_seen(b->db, p, 0);
	return db_end(b->db, rc);
}

json_t *beat_keyd_says(const struct keys_status *s)
{
	json_t *says = json_pack("{s:b, s:s, s:s, s:s, s:I, s:I}", "sealed", s->sealed, "why", s->why, "cause",
		health_cause(s->cause)->name, "provider", s->provider, "clients", (json_int_t)s->clients, "failures", (json_int_t)s->failures);

	json_set_uuid(says, "root", &s->root);
	return says;
}

static int say_keyd(struct beat *b)
{
	struct keys_status s = { .pid = 0 };
	int rc = keys_status(&b->keys, &s), said;
	json_t *says = beat_keyd_says(&s);

	said = say_service(b, rc, &(struct health_process){ .kind = "keyd", .pid = s.pid, .started = s.started, .version = s.version, .says = says });
	json_decref(says);
	return said;
}

json_t *beat_sso_says(const struct sso_status *s)
{
	return json_pack("{s:I, s:I, s:I, s:I}", "running", (json_int_t)s->running, "waiting", (json_int_t)s->waiting, "failed", (json_int_t)s->failed, "late",
		(json_int_t)s->late);
}

static int say_sso(struct beat *b)
{
	struct sso_status s = { .pid = 0 };
	int rc = sso_status(b->sso_socket, SSO_TIMEOUT_MS, &s), said;
	json_t *says = beat_sso_says(&s);

	said = say_service(b, rc, &(struct health_process){ .kind = "ssod", .pid = s.pid, .started = s.started, .version = s.version, .says = says });
	json_decref(says);
	return said;
}

/* A database that is away stays so for a while: one line in the log, not one each time. */
static void note(struct beat *b, int rc)
{
	if (rc < 0 && !b->is_away)
		log_warning("cannot say that it is here", "why", err_text(), NULL);
	b->is_away = rc < 0;
}

static int wait_turn(struct beat *b)
{
	struct timespec until;
	int stop;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += EVERY_S;
	pthread_mutex_lock(&b->lock);
	if (!b->stop)
		pthread_cond_timedwait(&b->wake, &b->lock, &until);
	stop = b->stop;
	pthread_mutex_unlock(&b->lock);
	return !stop;
}

static void *work(void *arg)
{
	struct beat *b = arg;
	int rc;

	do {
		rc = say_self(b);
		if (rc >= 0 && b->asks_keyd)
			rc = say_keyd(b);
		if (rc >= 0 && b->sso_socket)
			rc = say_sso(b);
		note(b, rc);
	} while (wait_turn(b));
	if (db_begin(b->db, NULL, &actor) == 0)
		db_end(b->db, health_gone(b->db, b->kind, b->host, b->pid));
	return NULL;
}

void beat_host(char *out)
{
	char name[BEAT_HOST_SIZE] = "";
	int rc = gethostname(name, sizeof name - 1);

	snprintf(out, BEAT_HOST_SIZE, "%s", rc < 0 || *name == '\0' ? "localhost" : name);
}

static char *optional(const char *text)
{
	return text && *text ? mem_strdup(text) : NULL;
}

struct beat *beat_start(const struct beat_how *how)
{
	struct beat *b = mem_alloc(sizeof *b);
	sigset_t all, former;

	*b = (struct beat){ .kind = mem_strdup(how->kind), .sso_socket = optional(how->sso_socket), .state = optional(how->state), .started = clock_now(),
		.pid = getpid(), .asks_keyd = how->keyd_socket && *how->keyd_socket, .db = db_new(how->conninfo), .notes = json_object() };
	snprintf(b->host, sizeof b->host, "%s", how->host);
	if (b->asks_keyd)
		keys_client_init(&b->keys, how->keyd_socket, KEYD_TIMEOUT_MS);
	/* Signals are for the thread whose wait they are to end. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &former);
	if (pthread_mutex_init(&b->lock, NULL) != 0 || pthread_cond_init(&b->wake, NULL) != 0 || pthread_create(&b->thread, NULL, work, b) != 0)
		fatal("health: no thread");
	pthread_sigmask(SIG_SETMASK, &former, NULL);
	return b;
}

void beat_note(struct beat *b, const char *name, json_t *value)
{
	pthread_mutex_lock(&b->lock);
	json_object_set_new(b->notes, name, value);
	pthread_mutex_unlock(&b->lock);
}

void beat_stop(struct beat *b)
{
	if (b == NULL)
		return;
	pthread_mutex_lock(&b->lock);
	b->stop = 1;
	pthread_cond_signal(&b->wake);
	pthread_mutex_unlock(&b->lock);
	pthread_join(b->thread, NULL);
	if (b->asks_keyd)
		keys_client_close(&b->keys);
	db_free(b->db);
	json_decref(b->notes);
	free(b->kind);
	free(b->sso_socket);
	free(b->state);
	free(b);
}
