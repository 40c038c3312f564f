/* bench_backend.c - what one connection of PostgreSQL does for key releases, by the calls that the agent service makes for each.
 *
 *     bench_backend SUPERUSER-CONNINFO AGENT-CONNINFO KEYD-SOCKET ACCOUNT COUNT
 *
 * Prints {"pid": of the backend that released COUNT keys, "us": its processor time for each, the first quarter left out}. The sealing is
 * left out: it is keyd's. Under callgrind the difference of two runs is what a release costs in instructions (tools/bench backend). */
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/json.h"
#include "fleet.h"
#include "store/request.h"

#define KEYD_MS 10000

static void release(struct db *db, const struct fleet_agent *a, const struct uuid *id)
{
	const struct db_actor actor = { .kind = DB_ACTOR_AGENT, .id = a->id, .address = "127.0.0.1", .request = "bench" };
	struct request_case k = { 0 };
	struct key_pair keys = { 0 };
	int rc = db_begin(db, &a->account, &actor);

	if (rc == 0)
		rc = request_load_poll(db, id, &k, &keys);
	if (rc == 0)
		rc = device_key_check(&keys);
	if (rc == 0 && keys.ticket.len == 0)
		rc = err_set(ERR_FORBIDDEN, "no ticket");
	if (rc == 0)
		rc = request_deliver_case(db, &k, keys.version);
	if (rc == 0)
		rc = db_commit(db);
	if (rc < 0)
		fatal("%s", err_text());
	request_case_release(&k);
	device_key_pair_free(&keys);
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
	const char *account = argc == 6 ? argv[4] : NULL;
	struct keys_client keys;
	struct fleet fleet;
	struct db *super, *db;
	double began = 0;
	int count, pid;

	if (account == NULL || (count = atoi(argv[5])) < 4)
		fatal("usage: bench_backend SUPERUSER-CONNINFO AGENT-CONNINFO KEYD-SOCKET ACCOUNT COUNT");
	secret_init();
	super = db_new(argv[1]);
	db = db_new(argv[2]);
	db_limits(super, 0, 0);
	db_limits(db, 0, 0);
	keys_client_init(&keys, argv[3], KEYD_MS);
	fleet_make(&fleet, super, &keys, &account, 1, 1, count);
	fleet_approve(&fleet, super, &keys);
	pid = backend_pid(db, &fleet.agents[0].account);
	for (int i = 0; i < count; i++) {
		if (i == count / 4)
			began = used(pid);
		release(db, &fleet.agents[0], &fleet.agents[0].devices[i].request);
	}
	printf("{\"pid\": %d, \"us\": %.1f}\n", pid, (used(pid) - began) / (count - count / 4));
	if (fleet_delivered(&fleet, super) != count)
		fatal("not all are in database and log");
	keys_client_close(&keys);
	db_free(db);
	db_free(super);
	return 0;
}
