/* plain.c - see plain.h. */
#include "agent/volume/plain.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/err.h"
#include "base/mem.h"

#define UNIT_MOST 4096            /* also what a loop device's block may be */

struct plain {
	struct plain_segment segment;
	struct backing backing;
	struct secret *key;
	uint32_t unit;
	atomic_int discards;
	/* Writes of whole units share it. A write that must read first excludes them all: it would put back old bytes. */
	pthread_rwlock_t units;
	atomic_int parts;             /* such writes, waiting or under way: claims, which never end, would keep them waiting */
};

struct plain_lane {
	struct plain *plain;
	struct cipher *cipher;
	unsigned char *memory;
};
/* A unit to put together, room, data, room. The requests that the kernel is told to send use less than the lane promises. */
#define LANE_BYTES (UNIT_MOST + PLAIN_LANE_BEFORE + PLAIN_LANE_SIZE)
#define LANE_USED (UNIT_MOST + PLAIN_LANE_BEFORE + PLAIN_MAX + 2 * UNIT_MOST)

int plain_new(const struct backing *backing, const struct plain_segment *segment, struct secret *key, struct plain **out)
{
	uint32_t sector = segment->cipher.sector_size, unit = backing->block > sector ? backing->block : sector;
	struct plain *p;

	if (segment->size % sector)
		return err_set(ERR_INVALID, "segment is not whole sectors");
	if (unit > UNIT_MOST || unit % sector || unit % backing->block || segment->offset % backing->block || segment->size < unit)
		return err_set(ERR_UNSUPPORTED, "sectors of %u bytes at %llu on a disk with blocks of %u", sector,
			(unsigned long long)segment->offset, backing->block);
	p = mem_alloc(sizeof *p);
	p->segment = *segment;
	p->segment.size -= segment->size % unit;
	p->backing = *backing;
	p->key = key;
	p->unit = unit;
	pthread_rwlock_init(&p->units, NULL);
	*out = p;
	return 0;
}

void plain_free(struct plain *p)
{
	if (p == NULL)
		return;
	pthread_rwlock_destroy(&p->units);
	secret_free(p->key);
	backing_close(&p->backing);
	free(p);
}

uint64_t plain_size(const struct plain *p)
{
	return p->segment.size;
}

uint32_t plain_unit(const struct plain *p)
{
	return p->unit;
}

int plain_is_device(const struct plain *p)
{
	return p->backing.is_device;
}

unsigned char *plain_memory_new(size_t size)
{
	/* Only what is used of it takes memory. */
	unsigned char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED) {
		err_set(ERR_IO, "memory: %s", strerror(errno));
		return NULL;
	}
	madvise(memory, size, MADV_DONTDUMP);
	return memory;
}

void plain_memory_free(unsigned char *memory, size_t size, size_t used)
{
	if (memory == NULL)
		return;
	secret_wipe(memory, used);
	munmap(memory, size);
}

int plain_lane_new(struct plain *p, struct plain_lane **out)
{
	struct plain_lane *l = mem_alloc(sizeof *l);
	int rc = cipher_new(&p->segment.cipher, p->key, &l->cipher);

	l->plain = p;
	if (rc == 0) {
		l->memory = plain_memory_new(LANE_BYTES);
		rc = l->memory ? 0 : ERR_IO;
	}
	if (rc < 0) {
		plain_lane_free(l);
		return rc;
	}
	*out = l;
	return 0;
}

void plain_lane_free(struct plain_lane *l)
{
	if (l == NULL)
		return;
	cipher_free(l->cipher);
	plain_memory_free(l->memory, LANE_BYTES, LANE_USED);
	free(l);
}

unsigned char *plain_lane_data(struct plain_lane *l)
{
	return l->memory + UNIT_MOST + PLAIN_LANE_BEFORE;
}

/* Whole units, in clear, to DATA. */
static int read_units(struct plain_lane *l, uint64_t at, unsigned char *data, size_t len)
{
	struct plain *p = l->plain;
	int rc = backing_read(&p->backing, data, len, p->segment.offset + at);

	return rc < 0 ? rc : cipher_decrypt(l->cipher, at >> 9, data, data, len);
}

ssize_t plain_read(struct plain_lane *l, uint64_t at, size_t len, const unsigned char **data)
{
	struct plain *p = l->plain;
	uint64_t unit = p->unit, first, last;
	int rc;

	if (len > PLAIN_MAX)
		return err_set(ERR_INVALID, "read of %zu bytes", len);
	if (at >= p->segment.size)
		return 0;
	if (len > p->segment.size - at)
		len = p->segment.size - at;
	first = at / unit * unit;
	last = (at + len + unit - 1) / unit * unit;
	rc = read_units(l, first, plain_lane_data(l), last - first);
	if (rc < 0)
		return rc;
	*data = plain_lane_data(l) + (at - first);
	return (ssize_t)len;
}

static int write_units(struct plain_lane *l, uint64_t at, unsigned char *data, size_t len)
{
	struct plain *p = l->plain;
	int rc = cipher_encrypt(l->cipher, at >> 9, data, data, len);

	return rc < 0 ? rc : backing_write(&p->backing, data, len, p->segment.offset + at);
}

/* One after the other, each read first unless it is written whole: a file system never asks for it, so it need not be quick. */
static int write_parts(struct plain_lane *l, uint64_t at, const unsigned char *data, size_t len)
{
	unsigned char *part = l->memory;
	uint64_t unit = l->plain->unit, within;
	size_t n;
	int rc = 0;

	for (; rc == 0 && len > 0; at += n, data += n, len -= n) {
		within = at % unit;
		n = len < unit - within ? len : unit - within;
		if (n < unit)
			rc = read_units(l, at - within, part, unit);
		memcpy(part + within, data, n);
		if (rc == 0)
			rc = write_units(l, at - within, part, unit);
	}
	return rc;
}

int plain_write(struct plain_lane *l, uint64_t at, unsigned char *data, size_t len)
{
	struct plain *p = l->plain;
	int rc, whole = at % p->unit == 0 && len % p->unit == 0;

	if (p->segment.read_only)
		return err_set(ERR_FORBIDDEN, "opened read-only");
	if (len > PLAIN_MAX || at > p->segment.size || len > p->segment.size - at)
		return err_set(ERR_INVALID, "write of %zu bytes at %llu", len, (unsigned long long)at);
	if (whole) {
		pthread_rwlock_rdlock(&p->units);
	} else {
		atomic_fetch_add(&p->parts, 1);
		pthread_rwlock_wrlock(&p->units);
	}
	rc = whole ? write_units(l, at, data, len) : write_parts(l, at, data, len);
	pthread_rwlock_unlock(&p->units);
	if (!whole)
		atomic_fetch_sub(&p->parts, 1);
	return rc;
}

int plain_claim(struct plain *p, uint64_t at, size_t len, int writing, struct plain_claim *out)
{
	if (!p->backing.is_device || at % p->unit || len % p->unit || len == 0 || at > p->segment.size || len > p->segment.size - at)
		return 0;
	if (writing && (p->segment.read_only || atomic_load(&p->parts) > 0 || pthread_rwlock_tryrdlock(&p->units) != 0))
		return 0;
	*out = (struct plain_claim){ p, &p->backing, p->segment.offset + at, at >> 9, writing, 0 };
	return 1;
}

void plain_unclaim(const struct plain_claim *c)
{
	if (c->writing)
		pthread_rwlock_unlock(&c->plain->units);
}

int plain_lane_cipher(struct plain_lane *l, const struct plain_claim *c, unsigned char *data, size_t len)
{
	return c->writing ? cipher_encrypt(l->cipher, c->sector, data, data, len) : cipher_decrypt(l->cipher, c->sector, data, data, len);
}

int plain_flush(struct plain *p)
{
	return backing_flush(&p->backing);
}

void plain_allow_discards(struct plain *p)
{
	atomic_store(&p->discards, 1);
}

int plain_discard(struct plain *p, uint64_t at, uint64_t len)
{
	uint64_t first, last, unit = p->unit;

	if (!atomic_load(&p->discards) || p->segment.read_only)
		return err_set(ERR_UNSUPPORTED, "discards are not allowed");
	if (at > p->segment.size || len > p->segment.size - at)
		return err_set(ERR_INVALID, "discard beyond the end");
	first = (at + unit - 1) / unit * unit;
	last = (at + len) / unit * unit;
	return last <= first ? 0 : backing_discard(&p->backing, p->segment.offset + first, last - first);
}
