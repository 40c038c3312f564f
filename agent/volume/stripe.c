/* stripe.c - see stripe.h. Chunk N of the whole is chunk N / COUNT of part N % COUNT. */
#include "agent/volume/stripe.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/err.h"
#include "base/mem.h"

struct stripe {
	struct plain *parts[VOLUME_PARTS_MAX];
	size_t count;
	uint32_t chunk, sector;
	uint64_t size;
	pthread_key_t joined_key;     /* where a thread puts together what lies on several parts */
};

/* What of a range lies in one chunk. */
struct piece {
	struct plain *part;
	uint64_t at;                  /* within the part */
	size_t len;
};

static void free_joined(void *data)
{
	secret_wipe(data, PLAIN_MAX);
	munmap(data, PLAIN_MAX);
}

static unsigned char *get_joined(struct stripe *s)
{
	unsigned char *data = pthread_getspecific(s->joined_key);

	if (data)
		return data;
	data = mmap(NULL, PLAIN_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (data == MAP_FAILED)
		return NULL;
	madvise(data, PLAIN_MAX, MADV_DONTDUMP);
	pthread_setspecific(s->joined_key, data);
	return data;
}

static struct piece first_piece(const struct stripe *s, uint64_t at, uint64_t len)
{
	uint64_t chunk = at / s->chunk, within = at % s->chunk, left = s->chunk - within;

	return (struct piece){ s->parts[chunk % s->count], chunk / s->count * s->chunk + within, len < left ? len : left };
}

static void measure(struct stripe *s)
{
	uint64_t least = UINT64_MAX;

	for (size_t i = 0; i < s->count; i++) {
		if (plain_size(s->parts[i]) < least)
			least = plain_size(s->parts[i]);
		if (plain_sector(s->parts[i]) > s->sector)
			s->sector = plain_sector(s->parts[i]);
	}
	/* One part alone has no chunks: all of it is one. */
	s->size = s->count == 1 ? least : least / s->chunk * s->chunk * s->count;
}

int stripe_new(struct plain **parts, size_t count, uint32_t chunk, struct stripe **out)
{
	struct stripe *s = mem_alloc(sizeof *s);

	s->count = count;
	s->chunk = chunk;
	memcpy(s->parts, parts, count * sizeof *parts);
	if (pthread_key_create(&s->joined_key, free_joined) != 0)
		fatal("no thread key");
	if (count > 1 && chunk == 0) {
		stripe_free(s);
		return err_set(ERR_INVALID, "an array without chunks");
	}
	measure(s);
	if (s->size == 0 || (count > 1 && chunk % s->sector)) {
		stripe_free(s);
		return err_set(ERR_INVALID, "chunks of %u bytes do not fit the array", chunk);
	}
	*out = s;
	return 0;
}

void stripe_free(struct stripe *s)
{
	void *mine;

	if (s == NULL)
		return;
	mine = pthread_getspecific(s->joined_key);
	if (mine)
		free_joined(mine);
	pthread_key_delete(s->joined_key);
	for (size_t i = 0; i < s->count; i++)
		plain_free(s->parts[i]);
	free(s);
}

uint64_t stripe_size(const struct stripe *s)
{
	return s->size;
}

uint32_t stripe_sector(const struct stripe *s)
{
	return s->sector;
}

/* All of it is there: the range is within the size. */
static int read_pieces(struct stripe *s, uint64_t at, size_t len, unsigned char *to)
{
	const unsigned char *data;

	while (len > 0) {
		struct piece p = first_piece(s, at, len);
		ssize_t n = plain_read(p.part, p.at, p.len, &data);

		if (n != (ssize_t)p.len)
			return n < 0 ? (int)n : err_set(ERR_IO, "a member of the array is too short");
		memcpy(to, data, p.len);
		to += p.len;
		at += p.len;
		len -= p.len;
	}
	return 0;
}

ssize_t stripe_read(struct stripe *s, uint64_t at, size_t len, const unsigned char **data)
{
	unsigned char *joined;
	struct piece p;
	int rc;

	if (s->count == 1)
		return plain_read(s->parts[0], at, len, data);
	if (len > PLAIN_MAX)
		return err_set(ERR_INVALID, "read of %zu bytes", len);
	if (at >= s->size)
		return 0;
	if (len > s->size - at)
		len = s->size - at;
	p = first_piece(s, at, len);
	if (p.len == len)
		return plain_read(p.part, p.at, p.len, data);
	joined = get_joined(s);
	if (joined == NULL)
		return err_set(ERR_IO, "no memory");
	rc = read_pieces(s, at, len, joined);
	*data = joined;
	return rc < 0 ? rc : (ssize_t)len;
}

int stripe_write(struct stripe *s, uint64_t at, const unsigned char *data, size_t len)
{
	int rc = 0;

	if (s->count == 1)
		return plain_write(s->parts[0], at, data, len);
	if (len > PLAIN_MAX || at > s->size || len > s->size - at)
		return err_set(ERR_INVALID, "write of %zu bytes at %llu", len, (unsigned long long)at);
	while (rc == 0 && len > 0) {
		struct piece p = first_piece(s, at, len);

		rc = plain_write(p.part, p.at, data, p.len);
		data += p.len;
		at += p.len;
		len -= p.len;
	}
	return rc;
}

/* All are tried, whatever becomes of one: less is lost. */
int stripe_flush(struct stripe *s)
{
	int rc = 0;

	for (size_t i = 0; i < s->count; i++) {
		int one = plain_flush(s->parts[i]);

		rc = rc < 0 ? rc : one;
	}
	return rc;
}

void stripe_allow_discards(struct stripe *s)
{
	for (size_t i = 0; i < s->count; i++)
		plain_allow_discards(s->parts[i]);
}

int stripe_discard(struct stripe *s, uint64_t at, uint64_t len)
{
	int rc = 0;

	if (s->count == 1)
		return plain_discard(s->parts[0], at, len);
	if (at > s->size || len > s->size - at)
		return err_set(ERR_INVALID, "discard beyond the end");
	while (rc == 0 && len > 0) {
		struct piece p = first_piece(s, at, len);

		rc = plain_discard(p.part, p.at, p.len);
		at += p.len;
		len -= p.len;
	}
	return rc;
}
