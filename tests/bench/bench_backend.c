/* bench_backend.c - what one connection of PostgreSQL does for key releases, by the calls that the agent service makes for each.
 *
 *     bench_backend SUPERUSER-CONNINFO AGENT-CONNINFO KEYD-SOCKET COUNT TOGETHER ACCOUNT...
 *
 * Prints {"pid": of the backend that released COUNT keys of each account, "us": its processor time for each, the first quarter left out}; TOGETHER of
 * them, of one account after the other, in one transaction, as the server does; 1: as it does with one that is alone. The sealing is
 * left out: it is keyd's. Under callgrind the difference of two runs is what a release costs in instructions (tools/bench backend). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "fleet.h"
#include "store/request.h"

#define KEYD_MS 10000
#define FIXED_ARGUMENTS 6

static void check(const struct key_pair *keys)
{
	if (device_key_check(keys) < 0 || keys->ticket.len == 0)
		fatal("no key: %s", err_text());
}

static int by_account(const void *a, const void *b)
{
	return memcmp(a, b, 2 * sizeof(struct uuid));
}

/* The COUNT next ones of a list that goes through all accounts again and again. */
static void release(struct db *db, const struct fleet *f, int at, int count)
{
	const struct db_actor actor = { .kind = DB_ACTOR_SYSTEM };
	struct request_poll polls[REQUEST_POLLS_MAX] = { 0 };
	int rc = db_begin(db, NULL, &actor);

	for (int i = 0; i < count; i++, at++) {
		const struct fleet_agent *a = &f->agents[at % f->count];

		polls[i] = (struct request_poll){ .account = a->account, .request = a->devices[at / f->count].request, .agent = a->id,
			.address = "127.0.0.1", .web_request = "bench", .deliver = 1 };
	}
	qsort(polls, (size_t)count, sizeof *polls, by_account);
	if (rc == 0)
		rc = request_load_polls(db, polls, (size_t)count);
	for (int i = 0; rc == 0 && i < count; i++)
		check(&polls[i].keys);
	if (rc == 0)
		rc = request_deliver_polls(db, polls, (size_t)count);
	if (rc == 0)
		rc = db_commit(db);
	if (rc < 0)
		fatal("%s", err_text());
	for (int i = 0; i < count; i++)
		request_poll_release(&polls[i]);
}

static int backend_pid(struct db *db, const struct uuid *account)
{
	struct db_result *r;
	int pid;

	if (db_begin(db, account, NULL) < 0 || db_query_row(db, &r, "select pg_backend_pid()", DB_NONE) < 0)
		fatal("%s", err_text());
	pid = (int)db_int(r, 0, 0);
	db_result_free(r);
	db_rollback(db);
	return pid;
}

/* Microseconds. */
static double used(int pid)
{
	unsigned long long ns = 0;
	char path[64];
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/schedstat", pid);
	f = fopen(path, "re");
	if (f == NULL || fscanf(f, "%llu", &ns) != 1)
		fatal("%s cannot be read", path);
	fclose(f);
	return (double)ns / 1e3;
}

int main(int argc, char **argv)
{
	int count = argc > FIXED_ARGUMENTS ? atoi(argv[4]) : 0, together = count ? atoi(argv[5]) : 0, total, pid;
	struct keys_client keys;
	struct fleet fleet;
	struct db *super, *db;
	double began = 0;

	if (count < 4 || together < 1 || together > REQUEST_POLLS_MAX)
		fatal("usage: bench_backend SUPERUSER-CONNINFO AGENT-CONNINFO KEYD-SOCKET COUNT TOGETHER ACCOUNT...");
	secret_init();
	super = db_new(argv[1]);
	db = db_new(argv[2]);
	db_limits(super, 0, 0);
	db_limits(db, 0, 0);
	keys_client_init(&keys, argv[3], KEYD_MS);
	fleet_make(&fleet, super, &keys, (const char *const *)argv + FIXED_ARGUMENTS, argc - FIXED_ARGUMENTS, 1, count);
	fleet_approve(&fleet, super, &keys);
	pid = backend_pid(db, &fleet.agents[0].account);
	total = count * fleet.count;
	for (int at = 0, n; at < total; at += n) {
		n = at + together > total ? total - at : together;
		if (began == 0 && at >= total / 4)
			began = used(pid);
		release(db, &fleet, at, n);
	}
	printf("{\"pid\": %d, \"us\": %.1f}\n", pid, (used(pid) - began) / (total - total / 4));
	if (fleet_delivered(&fleet, super) != total)
		fatal("not all are in database and log");
	keys_client_close(&keys);
	db_free(db);
	db_free(super);
	return 0;
}
