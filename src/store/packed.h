/* packed.h - a row that a function of the database returns as one value: array_send of its columns' own binary forms, which are bytea. Where a
 * statement is asked for often, each column by itself costs more to set up than its value does (docs/performance.md). */
#ifndef STORE_PACKED_H
#define STORE_PACKED_H

#include "base/clock.h"
#include "base/uuid.h"
#include "base/wire.h"

/* At the first column of BYTES, which are lent. None at all: every column is null. */
struct wire_reader packed_open(struct wire_view bytes);
/* The next column each. A null is nothing, zero, or the nil UUID; what is not of its type is the reader's error. */
struct wire_view packed_bytes(struct wire_reader *r);
char *packed_text(struct wire_reader *r);            /* the caller's; never NULL */
struct uuid packed_uuid(struct wire_reader *r);
int64_t packed_int(struct wire_reader *r);           /* of int4 or int8 */
int packed_bool(struct wire_reader *r);
clock_us packed_time(struct wire_reader *r);         /* of timestamptz; null: 0 */
/* 0, or ERR_DB when the columns were not these. */
int packed_end(struct wire_reader *r);

#endif
