/* ioqueue.c - see ioqueue.h. */
#include "agent/volume/ioqueue.h"

#include <errno.h>
#include <libaio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"

#define MEMORY ((size_t)IOQUEUE_DEPTH * IOQUEUE_MOST)

/* A request. */
struct slot {
	struct iocb io;
	struct plain_claim claim;
	unsigned char *data;          /* IOQUEUE_MOST bytes, on a page */
	size_t len;
	void *ticket;
};

struct ioqueue {
	struct stripe *stripe;
	struct stripe_lane *lane;     /* its ciphers */
	ioqueue_done *done;
	io_context_t context;
	int event;
	unsigned char *memory;
	struct slot slots[IOQUEUE_DEPTH], *unused[IOQUEUE_DEPTH];
	size_t unused_count;
	struct iocb *taken[IOQUEUE_DEPTH];  /* not asked for yet */
	size_t taken_count;
};

static int make_memory(struct ioqueue *q)
{
	q->memory = plain_memory_new(MEMORY);
	if (q->memory == NULL)
		return ERR_IO;
	for (size_t i = 0; i < IOQUEUE_DEPTH; i++) {
		q->slots[i].data = q->memory + i * IOQUEUE_MOST;
		q->unused[q->unused_count++] = &q->slots[i];
	}
	return 0;
}

int ioqueue_new(struct stripe *stripe, ioqueue_done *done, struct ioqueue **out)
{
	struct ioqueue *q = mem_alloc(sizeof *q);
	int rc = io_queue_init(IOQUEUE_DEPTH, &q->context);

	q->stripe = stripe;
	q->done = done;
	q->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (rc < 0)
		rc = err_set(ERR_UNSUPPORTED, "asynchronous I/O: %s", strerror(-rc));
	else if (q->event < 0)
		rc = err_set(ERR_UNSUPPORTED, "eventfd: %s", strerror(errno));
	if (rc == 0)
		rc = make_memory(q);
	if (rc == 0)
		rc = stripe_lane_new(stripe, &q->lane);
	if (rc < 0) {
		ioqueue_free(q);
		return rc;
	}
	*out = q;
	return 0;
}

void ioqueue_free(struct ioqueue *q)
{
	if (q == NULL)
		return;
	if (q->context)
		io_queue_release(q->context);
	if (q->event >= 0)
		close(q->event);
	stripe_lane_free(q->lane);
	plain_memory_free(q->memory, MEMORY, MEMORY);
	free(q);
}

int ioqueue_event(const struct ioqueue *q)
{
	return q->event;
}

int ioqueue_is_full(const struct ioqueue *q)
{
	return q->unused_count == 0;
}

static struct slot *claim(struct ioqueue *q, uint64_t at, size_t len, int writing, void *ticket)
{
	struct slot *s;

	if (q->unused_count == 0 || len > IOQUEUE_MOST)
		return NULL;
	s = q->unused[q->unused_count - 1];
	if (!stripe_claim(q->stripe, at, len, writing, &s->claim))
		return NULL;
	q->unused_count--;
	s->len = len;
	s->ticket = ticket;
	return s;
}

static void finish(struct ioqueue *q, struct slot *s, int rc)
{
	plain_unclaim(&s->claim);
	q->done(s->ticket, rc, s->claim.writing ? NULL : s->data, s->len);
	q->unused[q->unused_count++] = s;
}

static void take(struct ioqueue *q, struct slot *s)
{
	io_set_eventfd(&s->io, q->event);
	q->taken[q->taken_count++] = &s->io;
}

int ioqueue_read(struct ioqueue *q, uint64_t at, size_t len, void *ticket)
{
	struct slot *s = claim(q, at, len, 0, ticket);

	if (s == NULL)
		return 0;
	io_prep_pread(&s->io, s->claim.backing->fd, s->data, len, (long long)s->claim.at);
	take(q, s);
	return 1;
}

int ioqueue_write(struct ioqueue *q, uint64_t at, const unsigned char *data, size_t len, void *ticket)
{
	struct slot *s = claim(q, at, len, 1, ticket);
	int rc;

	if (s == NULL)
		return 0;
	memcpy(s->data, data, len);
	rc = stripe_lane_cipher(q->lane, &s->claim, s->data, len);
	if (rc < 0) {
		finish(q, s, rc);
		return 1;
	}
	io_prep_pwrite(&s->io, s->claim.backing->fd, s->data, len, (long long)s->claim.at);
	take(q, s);
	return 1;
}

/* MOVED: bytes that the disk read or wrote, or less than 0. What it did not do wholly is done again by waiting, which also finds the words
 * for what fails. */
static void answer(struct ioqueue *q, struct slot *s, long moved)
{
	const struct plain_claim *c = &s->claim;
	int rc = 0;

	if (moved != (long)s->len)
		rc = c->writing ? backing_write(c->backing, s->data, s->len, c->at) : backing_read(c->backing, s->data, s->len, c->at);
	if (rc == 0 && !c->writing)
		rc = stripe_lane_cipher(q->lane, c, s->data, s->len);
	finish(q, s, rc);
}

static struct slot *slot_of(struct iocb *io)
{
	return (struct slot *)io;         /* its first member */
}

void ioqueue_submit(struct ioqueue *q)
{
	size_t count = q->taken_count, asked = 0;
	int n;

	q->taken_count = 0;
	while (asked < count) {
		n = io_submit(q->context, (long)(count - asked), q->taken + asked);
		if (n > 0)
			asked += (size_t)n;
		else if (n != -EINTR)
			answer(q, slot_of(q->taken[asked++]), -1);
	}
}

static void reap(struct ioqueue *q, long least)
{
	struct io_event events[IOQUEUE_DEPTH];
	struct timespec none = { 0, 0 };
	int n;

	do
		n = io_getevents(q->context, least, IOQUEUE_DEPTH, events, least ? NULL : &none);
	while (n == -EINTR && least);
	for (int i = 0; i < n; i++)
		answer(q, slot_of(events[i].obj), (long)events[i].res);
}

void ioqueue_reap(struct ioqueue *q)
{
	uint64_t count;

	/* What is told after this is seen now or told again. */
	if (read(q->event, &count, sizeof count) == sizeof count)
		reap(q, 0);
}

void ioqueue_drain(struct ioqueue *q)
{
	ioqueue_submit(q);
	while (q->unused_count < IOQUEUE_DEPTH)
		reap(q, 1);
}
