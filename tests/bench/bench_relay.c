/* bench_relay.c - how long the key service's answer to its smallest question takes: at its own socket, and at a keyward-relay's.
 *
 *     bench_relay SECONDS CLIENTS SOCKET...
 *
 * Prints [{"rate", "median", "late"}] with a member for each SOCKET: answers a second of all CLIENTS together, and the microseconds that half of them and
 * 99 of a hundred took at most. Each client asks once in PACE, as a user may ask the key service so many questions a second and no more. The sockets take
 * turns of a fifth of a second, SECONDS each in all, so that other work on the machine meets all of
 * them. Connections are kept, as web workers keep them. Run as a user whom the sockets let in. */
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "keys/client.h"

#define CLIENTS_MAX 32
#define SOCKETS_MAX 4
#define ANSWERS_MAX (1 << 20)    /* of one client; what comes after them is not counted */
#define TURN (CLOCK_SECOND / 5)
#define PACE (CLOCK_SECOND / 1000)
#define PATIENCE_MS 10000
#define FIXED_ARGUMENTS 3

struct asker {
	pthread_t thread;
	struct keys_client client;
	uint32_t *took;              /* microseconds of each answer */
	size_t count;
};

static struct asker askers[SOCKETS_MAX][CLIENTS_MAX];

static void wait_for(clock_us at)
{
	clock_us left = at - clock_ticks();

	if (left > 0)
		nanosleep(&(struct timespec){ 0, left * 1000 }, NULL);
}

static void *ask(void *arg)
{
	struct asker *a = arg;
	clock_us until = clock_ticks() + TURN, began = 0;
	struct keys_status s;

	while ((began = clock_ticks()) < until && a->count < ANSWERS_MAX) {
		if (keys_status(&a->client, &s) < 0)
			fatal("%s", err_text());
		a->took[a->count++] = (uint32_t)(clock_ticks() - began);
		wait_for(began + PACE);
	}
	return NULL;
}

static void take_turn(struct asker *list, int clients)
{
	for (int i = 0; i < clients; i++)
		pthread_create(&list[i].thread, NULL, ask, &list[i]);
	for (int i = 0; i < clients; i++)
		pthread_join(list[i].thread, NULL);
}

static int by_size(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static json_t *result_of(const struct asker *list, int clients, double seconds)
{
	size_t count = 0, n = 0;
	uint32_t *all;
	json_t *out;

	for (int i = 0; i < clients; i++)
		count += list[i].count;
	if (count == 0)
		fatal("no answer in the whole time");
	all = mem_alloc(count * sizeof *all);
	for (int i = 0; i < clients; i++)
		for (size_t k = 0; k < list[i].count; k++)
			all[n++] = list[i].took[k];
	qsort(all, count, sizeof *all, by_size);
	out = json_pack("{s:f, s:I, s:I}", "rate", (double)count / seconds, "median", (json_int_t)all[count / 2], "late", (json_int_t)all[count * 99 / 100]);
	free(all);
	return out;
}

int main(int argc, char **argv)
{
	int clients = argc > FIXED_ARGUMENTS ? atoi(argv[2]) : 0, sockets = argc - FIXED_ARGUMENTS, turns = argc > 1 ? (int)(atof(argv[1]) * CLOCK_SECOND / TURN) : 0;
	json_t *out = json_array();

	if (clients < 1 || clients > CLIENTS_MAX || sockets > SOCKETS_MAX || turns < 1)
		fatal("usage: bench_relay SECONDS CLIENTS SOCKET..., at most %d clients and %d sockets", CLIENTS_MAX, SOCKETS_MAX);
	for (int s = 0; s < sockets; s++)
		for (int i = 0; i < clients; i++) {
			keys_client_init(&askers[s][i].client, argv[FIXED_ARGUMENTS + s], PATIENCE_MS);
			askers[s][i].took = mem_alloc(ANSWERS_MAX * sizeof(uint32_t));
		}
	/* The first turn makes the connections. */
	for (int turn = 0; turn <= turns; turn++)
		for (int s = 0; s < sockets; s++) {
			take_turn(askers[s], clients);
			for (int i = 0; turn == 0 && i < clients; i++)
				askers[s][i].count = 0;
		}
	for (int s = 0; s < sockets; s++)
		json_array_append_new(out, result_of(askers[s], clients, (double)(turns * TURN) / CLOCK_SECOND));
	json_dumpf(out, stdout, 0);
	json_decref(out);
	return 0;
}
