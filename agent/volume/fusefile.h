/* fusefile.h - one plaintext as one file in a FUSE file system (libfuse's low-level interface, protocol 7). */
#ifndef AGENT_VOLUME_FUSEFILE_H
#define AGENT_VOLUME_FUSEFILE_H

#include "agent/volume/stripe.h"

struct fusefile;

/* Mounts on POINT, for root alone; the file is POINT/NAME. STRIPE and NAME are borrowed until fusefile_stop. The caller unmounts. */
int fusefile_start(struct stripe *stripe, const char *name, const char *point, int threads, struct fusefile **out);
/* While on, writes are taken and thrown away: see serve.c for the one moment that needs it. */
void fusefile_drop_writes(struct fusefile *f, int on);
/* ENDED is called from a thread of ours when the kernel has let go of the file system. */
void fusefile_on_end(struct fusefile *f, void (*ended)(void));
/* Ends all threads, whatever is still going on, and breaks the connection: later requests get errors. */
void fusefile_stop(struct fusefile *f);

#endif
