/* stripe.c - see stripe.h. Chunk N of the whole is chunk N / COUNT of part N % COUNT. */
#include "agent/volume/stripe.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

struct stripe {
	struct plain *parts[VOLUME_PARTS_MAX];
	size_t count;
	uint32_t chunk, unit;
	uint64_t size;
};

/* One of each part. What is to be written is received in the first one's memory, whichever part it goes to. */
struct stripe_lane {
	struct stripe *stripe;
	struct plain_lane *parts[VOLUME_PARTS_MAX];
	unsigned char *joined;        /* PLAIN_MAX bytes, where what lies on several parts is put together */
};

/* What of a range lies in one chunk. */
struct piece {
	size_t part;
	uint64_t at;                  /* within the part */
	size_t len;
};

static struct piece first_piece(const struct stripe *s, uint64_t at, uint64_t len)
{
	uint64_t chunk = at / s->chunk, within = at % s->chunk, left = s->chunk - within;

	return (struct piece){ chunk % s->count, chunk / s->count * s->chunk + within, len < left ? len : left };
}

static void measure(struct stripe *s)
{
	uint64_t least = UINT64_MAX;

	for (size_t i = 0; i < s->count; i++) {
		if (plain_size(s->parts[i]) < least)
			least = plain_size(s->parts[i]);
		if (plain_unit(s->parts[i]) > s->unit)
			s->unit = plain_unit(s->parts[i]);
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
	if (count > 1 && chunk == 0) {
		stripe_free(s);
		return err_set(ERR_INVALID, "an array without chunks");
	}
	measure(s);
	if (s->size == 0 || (count > 1 && chunk % s->unit)) {
		stripe_free(s);
		return err_set(ERR_INVALID, "chunks of %u bytes do not fit the array", chunk);
	}
	*out = s;
	return 0;
}

void stripe_free(struct stripe *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->count; i++)
		plain_free(s->parts[i]);
	free(s);
}

uint64_t stripe_size(const struct stripe *s)
{
	return s->size;
}

uint32_t stripe_unit(const struct stripe *s)
{
	return s->unit;
}

int stripe_is_device(const struct stripe *s)
{
	int found = 0;

	for (size_t i = 0; i < s->count; i++)
		found |= plain_is_device(s->parts[i]);
	return found;
}

int stripe_lane_new(struct stripe *s, struct stripe_lane **out)
{
	struct stripe_lane *l = mem_alloc(sizeof *l);
	int rc = 0;

	l->stripe = s;
	for (size_t i = 0; rc == 0 && i < s->count; i++)
		rc = plain_lane_new(s->parts[i], &l->parts[i]);
	if (rc == 0 && s->count > 1) {
		l->joined = plain_memory_new(PLAIN_MAX);
		rc = l->joined ? 0 : ERR_IO;
	}
	if (rc < 0)
		stripe_lane_free(l);
	else
		*out = l;
	return rc;
}

void stripe_lane_free(struct stripe_lane *l)
{
	if (l == NULL)
		return;
	for (size_t i = 0; i < l->stripe->count; i++)
		plain_lane_free(l->parts[i]);
	plain_memory_free(l->joined, PLAIN_MAX, PLAIN_MAX);
	free(l);
}

unsigned char *stripe_lane_data(struct stripe_lane *l)
{
	return plain_lane_data(l->parts[0]);
}

/* All of it is there: the range is within the size. */
static int read_pieces(struct stripe_lane *l, uint64_t at, size_t len, unsigned char *to)
{
	const unsigned char *data;

	while (len > 0) {
		struct piece p = first_piece(l->stripe, at, len);
		ssize_t n = plain_read(l->parts[p.part], p.at, p.len, &data);

		if (n != (ssize_t)p.len)
			return n < 0 ? (int)n : err_set(ERR_IO, "a member of the array is too short");
		memcpy(to, data, p.len);
		to += p.len;
		at += p.len;
		len -= p.len;
	}
	return 0;
}

ssize_t stripe_read(struct stripe_lane *l, uint64_t at, size_t len, const unsigned char **data)
{
	struct stripe *s = l->stripe;
	struct piece p;
	int rc;

	if (s->count == 1)
		return plain_read(l->parts[0], at, len, data);
	if (len > PLAIN_MAX)
		return err_set(ERR_INVALID, "read of %zu bytes", len);
	if (at >= s->size)
		return 0;
	if (len > s->size - at)
		len = s->size - at;
	p = first_piece(s, at, len);
	if (p.len == len)
		return plain_read(l->parts[p.part], p.at, p.len, data);
	rc = read_pieces(l, at, len, l->joined);
	*data = l->joined;
	return rc < 0 ? rc : (ssize_t)len;
}

int stripe_write(struct stripe_lane *l, uint64_t at, unsigned char *data, size_t len)
{
	struct stripe *s = l->stripe;
	int rc = 0;

	if (s->count == 1)
		return plain_write(l->parts[0], at, data, len);
	if (len > PLAIN_MAX || at > s->size || len > s->size - at)
		return err_set(ERR_INVALID, "write of %zu bytes at %llu", len, (unsigned long long)at);
	while (rc == 0 && len > 0) {
		struct piece p = first_piece(s, at, len);

		rc = plain_write(l->parts[p.part], p.at, data, p.len);
		data += p.len;
		at += p.len;
		len -= p.len;
	}
	return rc;
}

int stripe_claim(struct stripe *s, uint64_t at, size_t len, int writing, struct plain_claim *out)
{
	struct piece p = { 0, at, len };
	int rc;

	if (len > s->size || at > s->size - len)
		return 0;
	if (s->count > 1)
		p = first_piece(s, at, len);
	rc = p.len == len && plain_claim(s->parts[p.part], p.at, len, writing, out);
	if (rc)
		out->part = p.part;
	return rc;
}

int stripe_lane_cipher(struct stripe_lane *l, const struct plain_claim *c, unsigned char *data, size_t len)
{
	return plain_lane_cipher(l->parts[c->part], c, data, len);
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

		rc = plain_discard(s->parts[p.part], p.at, p.len);
		at += p.len;
		len -= p.len;
	}
	return rc;
}
