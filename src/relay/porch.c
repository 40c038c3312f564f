/* porch.c - a table of strangers by address, and one of addresses that are known: how many of each stand here. */
#include "relay/porch.h"

#include <netinet/in.h>
#include <pthread.h>
#include <string.h>

#include "base/mem.h"

#define KNOWN_MOST 64                /* of names there are as many (tls/door.c) */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
struct place {
	struct in6_addr from;
	int count;
};
static struct place strangers[PORCH_MOST], known[KNOWN_MOST];
static size_t known_count, known_next;
static int all;

static struct in6_addr address_of(const struct sockaddr_storage *from)
{
	struct in6_addr a = { .s6_addr = { [10] = 0xff, [11] = 0xff } };

	if (from->ss_family == AF_INET) {
		memcpy(a.s6_addr + 12, &((const struct sockaddr_in *)from)->sin_addr, 4);
	} else {
		a = ((const struct sockaddr_in6 *)from)->sin6_addr;
		if (!IN6_IS_ADDR_V4MAPPED(&a))
			memset(a.s6_addr + 8, 0, 8);
	}
	return a;
}

static int same(const struct in6_addr *a, const struct in6_addr *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}

/* NULL: not known. */
static struct place *known_place(const struct in6_addr *a)
{
	for (size_t i = 0; i < known_count; i++)
		if (same(&known[i].from, a))
			return &known[i];
	return NULL;
}

/* In the place of the one that came first of those of whom nobody stands here. */
static void get_to_know(const struct in6_addr *a)
{
	for (size_t tries = 0; tries < KNOWN_MOST; tries++) {
		struct place *p = &known[known_next];

		known_next = (known_next + 1) % KNOWN_MOST;
		if (p->count == 0) {
			p->from = *a;
			known_count += known_count < KNOWN_MOST;
			return;
		}
	}
}

/* The address' place, or a free one; there is one while not all are taken. */
static size_t place_of(const struct in6_addr *a)
{
	size_t place = PORCH_MOST;

	for (size_t i = 0; i < PORCH_MOST; i++) {
		if (strangers[i].count && same(&strangers[i].from, a))
			return i;
		if (strangers[i].count == 0 && place == PORCH_MOST)
			place = i;
	}
	return place;
}

static enum porch enter_known(struct place *p)
{
	if (p->count >= PORCH_EACH)
		return PORCH_FULL;
	p->count++;
	return PORCH_KNOWN;
}

static enum porch enter_stranger(const struct in6_addr *a)
{
	size_t place = place_of(a);

	if (all >= PORCH_MOST || strangers[place].count >= PORCH_EACH)
		return PORCH_FULL;
	strangers[place].from = *a;
	strangers[place].count++;
	all++;
	return PORCH_STRANGER;
}

enum porch porch_enter(const struct sockaddr_storage *from)
{
	struct in6_addr a = address_of(from);
	struct place *p;
	enum porch where;

	pthread_mutex_lock(&lock);
	p = known_place(&a);
	where = p ? enter_known(p) : enter_stranger(&a);
	pthread_mutex_unlock(&lock);
	return where;
}

void porch_leave(const struct sockaddr_storage *from, enum porch where, int is_good)
{
	struct in6_addr a = address_of(from);

	pthread_mutex_lock(&lock);
	if (where == PORCH_KNOWN) {
		known_place(&a)->count--;
	} else {
		strangers[place_of(&a)].count--;
		all--;
		if (is_good && known_place(&a) == NULL)
			get_to_know(&a);
	}
	pthread_mutex_unlock(&lock);
}
