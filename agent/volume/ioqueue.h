/* ioqueue.h - several small requests under way at a disk at once, for one thread: asked for together, taken back as the disk answers (the
 * kernel's asynchronous I/O by libaio). A disk works best on many requests, and a thread for each costs more than the request. Of one thread at
 * a time. Used by keyward-volume only. */
#ifndef AGENT_VOLUME_IOQUEUE_H
#define AGENT_VOLUME_IOQUEUE_H

#include "agent/volume/stripe.h"

#define IOQUEUE_DEPTH 32          /* requests under way */
#define IOQUEUE_MOST (32 * 1024)  /* bytes of one */

struct ioqueue;
/* RC: 0 or an error of stripe_read or stripe_write, its text set. DATA: what was read, LEN bytes, until this returns;
 * NULL of a write. */
typedef void ioqueue_done(void *ticket, int rc, const unsigned char *data, size_t len);

/* STRIPE is borrowed. ERR_UNSUPPORTED: the kernel does not have it, or no more of it. */
int ioqueue_new(struct stripe *stripe, ioqueue_done *done, struct ioqueue **out);
/* Nothing is under way any more. NULL is fine. */
void ioqueue_free(struct ioqueue *q);
/* Readable when the disk has answered. */
int ioqueue_event(const struct ioqueue *q);
int ioqueue_is_full(const struct ioqueue *q);
/* 1: taken, TICKET will be done. 0: to be done by waiting, as it is not such a request or there is no room. DATA of a write is copied. */
int ioqueue_read(struct ioqueue *q, uint64_t at, size_t len, void *ticket);
int ioqueue_write(struct ioqueue *q, uint64_t at, const unsigned char *data, size_t len, void *ticket);
/* Asks the disk for all that was taken. */
void ioqueue_submit(struct ioqueue *q);
/* What the disk has answered is done. */
void ioqueue_reap(struct ioqueue *q);
/* Submits, and waits until nothing is under way. */
void ioqueue_drain(struct ioqueue *q);

#endif
