/* rate.c - buckets per address in shared memory. */
#include "web/rate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <string.h>
#include <sys/mman.h>

#include "base/err.h"

#define SLOTS 4096
#define WAYS 8           /* slots that an address may be in */

struct slot {
	uint64_t who;            /* keyed hash of the address; 0: unused */
	clock_us empty;          /* when the bucket was, or will be, down to nothing used: later than now means used */
};

struct rate {
	pthread_mutex_t lock;
	unsigned char key[crypto_shorthash_KEYBYTES];
	struct slot slots[SLOTS];
};

struct rate *rate_new(void)
{
	struct rate *r = mmap(NULL, sizeof *r, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutexattr_t shared;

	if (r == MAP_FAILED)
		fatal("no shared memory: %s", strerror(errno));
	/* Robust: a worker that dies inside must not stop the others. */
	pthread_mutexattr_init(&shared);
	pthread_mutexattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&shared, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&r->lock, &shared);
	pthread_mutexattr_destroy(&shared);
	randombytes_buf(r->key, sizeof r->key);
	return r;
}

void rate_free(struct rate *r)
{
	munmap(r, sizeof *r);
}

/* Who has one IPv6 address has its whole /64. */
static uint64_t identify(const struct rate *r, const char *address)
{
	unsigned char hash[crypto_shorthash_BYTES], v6[16];
	uint64_t who;

	if (inet_pton(AF_INET6, address, v6) == 1)
		crypto_shorthash(hash, v6, 8, r->key);
	else
		crypto_shorthash(hash, (const unsigned char *)address, strlen(address), r->key);
	memcpy(&who, hash, sizeof who);
	return who ? who : 1;
}

static struct slot *find(struct rate *r, uint64_t who)
{
	struct slot *set = &r->slots[who % (SLOTS / WAYS) * WAYS], *oldest = set;

	for (struct slot *s = set; s < set + WAYS; s++) {
		if (s->who == who)
			return s;
		if (s->empty < oldest->empty)
			oldest = s;
	}
	*oldest = (struct slot){ who, 0 };
	return oldest;
}

static void enter(struct rate *r)
{
	if (pthread_mutex_lock(&r->lock) == EOWNERDEAD)
		pthread_mutex_consistent(&r->lock);
}

/* One of what comes back every REFILL; MOST: how much of it may be used up before. */
static int take(struct rate *r, uint64_t who, clock_us refill, clock_us most, clock_us now)
{
	struct slot *s;
	int rc = 0;

	enter(r);
	s = find(r, who);
	if (s->empty < now)
		s->empty = now;
	if (s->empty - now > most)
		rc = ERR_TOO_MANY;
	else
		s->empty += refill;
	pthread_mutex_unlock(&r->lock);
	return rc;
}

int rate_take(struct rate *r, const char *address, clock_us now)
{
	return take(r, identify(r, address), RATE_REFILL, (RATE_BURST - 1) * RATE_REFILL, now) < 0 ?
		err_set(ERR_TOO_MANY, "too many tries from %s", address) : 0;
}

int rate_ask(struct rate *r, const char *address, clock_us now)
{
	return take(r, identify(r, address), RATE_ASKED_REFILL, (RATE_ASKED - 1) * RATE_ASKED_REFILL, now) < 0 ?
		err_set(ERR_TOO_MANY, "too many requests from %s", address) : 0;
}

void rate_give(struct rate *r, const char *address, clock_us now)
{
	struct slot *s;

	enter(r);
	s = find(r, identify(r, address));
	if (s->empty > now)
		s->empty -= RATE_REFILL;
	pthread_mutex_unlock(&r->lock);
}

int rate_account(struct rate *r, const struct uuid *account, int64_t per_second, clock_us now)
{
	const clock_us refill = CLOCK_SECOND / per_second;
	unsigned char hash[crypto_shorthash_BYTES];
	uint64_t who;

	crypto_shorthash(hash, account->bytes, sizeof account->bytes, r->key);
	memcpy(&who, hash, sizeof who);
	return take(r, who ? who : 1, refill ? refill : 1, CLOCK_SECOND, now) < 0 ?
		err_set(ERR_TOO_MANY, "the account's quota of %lld requests a second is used up", (long long)per_second) : 0;
}
