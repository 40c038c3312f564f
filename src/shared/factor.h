/* factor.h - secrets of second factors, opened and made: for files of this folder. */
#ifndef SHARED_FACTOR_H
#define SHARED_FACTOR_H

#include "base/secret.h"
#include "web/call.h"

/* BLOB as store/factor.h has it, of USER of the caller's site and tenant. In the open transaction. */
int factor_open(struct call *c, const struct uuid *user, const struct buf *blob, struct secret **out);
/* A new secret for USER that waits for its first code; in the open transaction. */
int factor_prepare(struct call *c, const struct uuid *user);

#endif
