/* cache.h - tenant keys that were unwrapped not long ago, so that a seal does not cost an unwrap by the provider. */
#ifndef KEYS_CACHE_H
#define KEYS_CACHE_H

#include <stddef.h>

#include "base/clock.h"
#include "base/secret.h"
#include "base/uuid.h"
#include "base/wire.h"

#define CACHE_TENANTS 64
#define CACHE_AGE (10 * CLOCK_MINUTE)   /* after this a tenant key is unwrapped afresh */

struct cache_entry {
	struct uuid tenant;
	void *wrapped;               /* the very blob that gave the key: another blob is another question */
	size_t wrapped_len;
	struct secret *key;          /* NULL: free entry */
	clock_us made, used;         /* clock_ticks */
};

struct cache {
	struct cache_entry entries[CACHE_TENANTS];
};

/* Borrowed until the next call of a cache function; NULL when not there. */
const struct secret *cache_find(struct cache *c, const struct uuid *tenant, struct wire_view wrapped, clock_us now);
/* KEY becomes the cache's; the least recently used entry gives way. */
void cache_add(struct cache *c, const struct uuid *tenant, struct wire_view wrapped, struct secret *key, clock_us now);
void cache_expire(struct cache *c, clock_us now);
void cache_clear(struct cache *c);
size_t cache_count(const struct cache *c);

#endif
