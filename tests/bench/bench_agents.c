/* bench_agents.c - the load of many agents on a running installation, each with a session of its own over TLS.
 *
 *     bench_agents SUPERUSER-CONNINFO KEYD-SOCKET CA PORT AGENTS DEVICES ACCOUNT...
 *
 * Makes AGENTS agents with DEVICES devices for each ACCOUNT, then takes commands from standard input, one per line, and answers
 * each with one line of JSON:
 *
 *     approve                        every device has a freshly approved request again
 *     releases|heartbeats|page|nothing CLIENTS MILLISECONDS [PAUSE_US]
 *
 * "releases" is over when all is delivered, too. Rates are per second, times in microseconds. "page" gets /healthz, "nothing" an
 * address that the server refuses before it does anything. PAUSE_US: each client rests so long after an answer. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "fleet.h"
#include "https.h"
#include "proto/frame.h"

#define SITE "agents.localhost"
#define CLIENTS_MAX 256
#define SAMPLES_MAX 262144
#define FIXED_ARGUMENTS 7
#define KEYD_MS 10000

struct client {
	pthread_t thread;
	struct https https;
	const struct work *work;
	int number, step;                        /* takes the agents NUMBER, NUMBER + STEP, ... */
	struct proto_client *sessions;           /* of those agents, in order */
	clock_us until, pause;
	unsigned done, failed;
	uint32_t *times;
	char why[128];
};

struct work {
	const char *name;
	void (*run)(struct client *c);
	int sessions;                            /* 1: it speaks as agents */
};

static struct fleet fleet;
static struct proto_enrolled server;
static SSL_CTX *tls;
static int port;
static pthread_barrier_t ready;

static int post(void *ctx, const struct buf *request, struct buf *answer)
{
	int rc = https_ask(ctx, PROTO_PATH, PROTO_CONTENT_TYPE, request, answer);

	return rc < 0 ? rc : 0;
}

/* One measured call has ended. */
static void note(struct client *c, clock_us began, int rc)
{
	clock_us took = clock_ticks() - began;

	if (rc < 0 && c->failed++ == 0)
		snprintf(c->why, sizeof c->why, "%s", err_text());
	else if (rc >= 0 && c->done < SAMPLES_MAX)
		c->times[c->done++] = (uint32_t)took;
	if (c->pause)
		usleep((useconds_t)c->pause);
}

static int over(const struct client *c)
{
	return clock_ticks() >= c->until || c->failed > 10;
}

/* Releases */

static int open_key(const struct fleet_agent *a, const struct fleet_device *d, const struct proto_key_answer *answer)
{
	struct sealed_expected e = { .tenant = a->account, .device = d->id, .request = d->request, .agent = a->id, .version = 1 };
	struct secret *key = NULL;
	int rc = sealed_open(a->one_time, answer->sealed, strlen(answer->sealed), &e, &key);

	if (rc == 0 && key->len != KEYS_DEVICE_KEY_SIZE)
		rc = err_set(ERR_INVALID, "a key of %zu bytes", key->len);
	secret_free(key);
	return rc;
}

static int fetch(struct proto_client *session, const struct fleet_device *d, struct proto_key_answer *answer)
{
	struct proto_key_poll poll = { .request = d->request };
	int rc = proto_call(session, PROTO_KEY_POLL, &poll, answer);

	if (rc == 0 && answer->status != PROTO_KEY_DELIVERED)
		rc = err_set(ERR_CONFLICT, "not delivered: %s", answer->reason);
	return rc;
}

/* The last key of each agent is opened, outside the measured time: what is counted are answers that an agent can use. */
static void run_releases(struct client *c)
{
	struct proto_key_answer *answer = proto_answer_new(PROTO_KEY_POLL);

	for (int i = 0; c->number + i * c->step < fleet.count && !over(c); i++) {
		const struct fleet_agent *a = &fleet.agents[c->number + i * c->step];
		int rc = 0, n;

		for (n = 0; n < a->device_count && !over(c); n++) {
			clock_us began = clock_ticks();

			rc = fetch(&c->sessions[i], &a->devices[n], answer);
			note(c, began, rc);
		}
		if (n && rc == 0 && open_key(a, &a->devices[n - 1], answer) < 0)
			fatal("a delivered key does not open: %s", err_text());
	}
	proto_answer_free(PROTO_KEY_POLL, answer);
}

static void run_heartbeats(struct client *c)
{
	struct proto_heartbeat *beat = proto_request_new(PROTO_HEARTBEAT);
	struct proto_heartbeat_answer *answer = proto_answer_new(PROTO_HEARTBEAT);

	snprintf(beat->log_level, sizeof beat->log_level, "info");
	snprintf(beat->agent_version, sizeof beat->agent_version, "bench");
	while (!over(c)) {
		clock_us began = clock_ticks();

		beat->uptime_s = (int64_t)(began / CLOCK_SECOND);
		note(c, began, proto_call(&c->sessions[0], PROTO_HEARTBEAT, beat, answer));
	}
	proto_request_free(PROTO_HEARTBEAT, beat);
	proto_answer_free(PROTO_HEARTBEAT, answer);
}

/* Plain addresses */

static void get(struct client *c, const char *path, int expected)
{
	struct buf body = BUF_INIT;

	while (!over(c)) {
		clock_us began = clock_ticks();
		int status = https_ask(&c->https, path, NULL, NULL, &body);

		note(c, began, status == expected ? 0 : err_set(ERR_CONFLICT, "%s answers %d", path, status));
	}
	buf_free(&body);
}

static void run_page(struct client *c)
{
	get(c, "/healthz", 200);
}

static void run_nothing(struct client *c)
{
	get(c, "/none", 404);
}

static const struct work works[] = {
	{ "releases", run_releases, 1 }, { "heartbeats", run_heartbeats, 1 }, { "page", run_page, 0 }, { "nothing", run_nothing, 0 },
};

/* Clients */

static void open_sessions(struct client *c)
{
	struct proto_transport transport = { post, &c->https };
	int count = (fleet.count - c->number + c->step - 1) / c->step;

	c->sessions = mem_array((size_t)count, sizeof *c->sessions);
	for (int i = 0; i < count; i++) {
		const struct fleet_agent *a = &fleet.agents[c->number + i * c->step];
		struct proto_enrolled enrolled = { .agent = a->id };
		struct proto_signer signer = proto_signer_of(a->key);

		memcpy(enrolled.server_key, server.server_key, sizeof enrolled.server_key);
		proto_client_init(&c->sessions[i], &transport, &a->account, &enrolled, a->public_key, &signer);
		if (proto_connect(&c->sessions[i]) < 0)
			fatal("no session: %s", err_text());
	}
}

static void close_sessions(struct client *c)
{
	int count = (fleet.count - c->number + c->step - 1) / c->step;

	for (int i = 0; i < count; i++)
		proto_disconnect(&c->sessions[i]);
	free(c->sessions);
}

static void *live(void *arg)
{
	struct client *c = arg;
	clock_us given = c->until;

	https_open(&c->https, tls, SITE, port);
	if (c->work->sessions)
		open_sessions(c);
	pthread_barrier_wait(&ready);
	c->until = clock_ticks() + given;
	c->work->run(c);
	pthread_barrier_wait(&ready);
	if (c->work->sessions)
		close_sessions(c);
	https_close(&c->https);
	return NULL;
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* All clients' times as one sorted list. */
static json_t *summary(struct client *clients, int count, clock_us took)
{
	size_t total = 0, failed = 0, at = 0;
	const char *why = "";
	uint32_t *all;
	json_t *out;

	for (int i = 0; i < count; i++) {
		total += clients[i].done;
		failed += clients[i].failed;
		why = clients[i].failed ? clients[i].why : why;
	}
	all = mem_array(total + 1, sizeof *all);
	for (int i = 0; i < count; at += clients[i++].done)
		memcpy(all + at, clients[i].times, clients[i].done * sizeof *all);
	qsort(all, total, sizeof *all, by_value);
	out = json_pack("{s:I,s:I,s:f,s:i,s:i,s:s}", "done", (json_int_t)total, "failed", (json_int_t)failed, "rate",
		(double)total * CLOCK_SECOND / (double)took, "median", (int)all[total / 2], "p99", (int)all[total * 99 / 100], "why", why);
	free(all);
	return out;
}

static json_t *measure(const struct work *work, int count, clock_us duration, clock_us pause)
{
	static struct client clients[CLIENTS_MAX];
	clock_us began, took;
	json_t *out;

	pthread_barrier_init(&ready, NULL, (unsigned)count + 1);
	for (int i = 0; i < count; i++) {
		clients[i] = (struct client){ .work = work, .number = i, .step = count, .until = duration, .pause = pause,
			.times = mem_array(SAMPLES_MAX, sizeof(uint32_t)) };
		pthread_create(&clients[i].thread, NULL, live, &clients[i]);
	}
	pthread_barrier_wait(&ready);
	began = clock_ticks();
	pthread_barrier_wait(&ready);
	took = clock_ticks() - began;
	for (int i = 0; i < count; i++)
		pthread_join(clients[i].thread, NULL);
	out = summary(clients, count, took);
	for (int i = 0; i < count; i++)
		free(clients[i].times);
	pthread_barrier_destroy(&ready);
	return out;
}

/* Commands */

static void say(json_t *o)
{
	char *text = json_text(o);

	puts(text);
	fflush(stdout);
	free(text);
	json_decref(o);
}

static void command(const char *line, struct db *db, struct keys_client *keys)
{
	char name[32];
	int count = 0;
	long duration = 0, pause = 0;

	if (sscanf(line, "%31s %d %ld %ld", name, &count, &duration, &pause) < 1)
		return;
	if (strcmp(name, "approve") == 0) {
		fleet_approve(&fleet, db, keys);
		say(json_object());
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(works); i++) {
		json_t *o;

		if (strcmp(name, works[i].name) != 0 || count < 1 || count > CLIENTS_MAX || count > fleet.count)
			continue;
		o = measure(&works[i], count, duration * 1000, pause);
		if (works[i].run == run_releases)
			json_set_int(o, "delivered", fleet_delivered(&fleet, db));
		say(o);
		return;
	}
	fatal("what is \"%s\"?", line);
}

int main(int argc, char **argv)
{
	struct keys_client keys;
	struct db *db;
	char line[256];

	if (argc <= FIXED_ARGUMENTS)
		fatal("usage: bench_agents CONNINFO KEYD CA PORT AGENTS DEVICES ACCOUNT...");
	secret_init();
	db = db_new(argv[1]);
	db_limits(db, 0, 0);
	keys_client_init(&keys, argv[2], KEYD_MS);
	tls = SSL_CTX_new(TLS_client_method());
	port = atoi(argv[4]);
	if (tls == NULL || SSL_CTX_load_verify_locations(tls, argv[3], NULL) != 1)
		fatal("cannot read %s", argv[3]);
	SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
	if (keys_identity_public(&keys, server.server_key) < 0)
		fatal("%s", err_text());
	fleet_make(&fleet, db, &keys, (const char *const *)argv + FIXED_ARGUMENTS, argc - FIXED_ARGUMENTS, atoi(argv[5]), atoi(argv[6]));
	say(json_pack("{s:i}", "agents", fleet.count));
	while (fgets(line, sizeof line, stdin))
		command(line, db, &keys);
	keys_client_close(&keys);
	db_free(db);
	SSL_CTX_free(tls);
	return 0;
}
