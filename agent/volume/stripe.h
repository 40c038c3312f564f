/* stripe.h - one plaintext out of several: RAID 0 over the data segments of an array's members, laid out as the kernel's striped target
 * does it. Of one part it is that part itself. Safe from any number of threads. Used by keyward-volume only. */
#ifndef AGENT_VOLUME_STRIPE_H
#define AGENT_VOLUME_STRIPE_H

#include "agent/volume/plain.h"

struct stripe;
struct stripe_lane;

/* Takes the COUNT (at most VOLUME_PARTS_MAX) PARTS over, also when it fails. CHUNK: bytes, whole sectors of each part; of several
 * parts only. ERR_INVALID. */
int stripe_new(struct plain **parts, size_t count, uint32_t chunk, struct stripe **out);
/* As plain_free; NULL is fine. */
void stripe_free(struct stripe *s);
/* As the functions of plain.h. The size is that of so many of the smallest part, in whole chunks; the unit the largest of all; it is
 * a device when one part is. */
uint64_t stripe_size(const struct stripe *s);
uint32_t stripe_unit(const struct stripe *s);
int stripe_is_device(const struct stripe *s);
int stripe_lane_new(struct stripe *s, struct stripe_lane **out);
void stripe_lane_free(struct stripe_lane *l);
unsigned char *stripe_lane_data(struct stripe_lane *l);
ssize_t stripe_read(struct stripe_lane *l, uint64_t at, size_t len, const unsigned char **data);
int stripe_write(struct stripe_lane *l, uint64_t at, unsigned char *data, size_t len);
int stripe_flush(struct stripe *s);
int stripe_claim(struct stripe *s, uint64_t at, size_t len, int writing, struct plain_claim *out);
int stripe_lane_cipher(struct stripe_lane *l, const struct plain_claim *c, unsigned char *data, size_t len);
void stripe_allow_discards(struct stripe *s);
int stripe_discard(struct stripe *s, uint64_t at, uint64_t len);

#endif
