/* cache.c - a small table of tenant keys; what leaves it is wiped. */
#include "keys/cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static void drop(struct cache_entry *e)
{
	secret_free(e->key);
	free(e->wrapped);
	memset(e, 0, sizeof *e);
}

static int is_for(const struct cache_entry *e, const struct uuid *tenant, struct wire_view wrapped)
{
	return e->key && uuid_equal(&e->tenant, tenant) && e->wrapped_len == wrapped.len
		&& memcmp(e->wrapped, wrapped.data, wrapped.len) == 0;
}

void cache_expire(struct cache *c, clock_us now)
{
	for (size_t i = 0; i < CACHE_TENANTS; i++)
		if (c->entries[i].key && now - c->entries[i].made >= CACHE_AGE)
			drop(&c->entries[i]);
}

const struct secret *cache_find(struct cache *c, const struct uuid *tenant, struct wire_view wrapped, clock_us now)
{
	cache_expire(c, now);
	for (size_t i = 0; i < CACHE_TENANTS; i++) {
		struct cache_entry *e = &c->entries[i];

		if (is_for(e, tenant, wrapped)) {
			e->used = now;
			return e->key;
		}
	}
	return NULL;
}

/* A free entry, else the one not used for the longest time. */
static struct cache_entry *room(struct cache *c)
{
	struct cache_entry *oldest = &c->entries[0];

	for (size_t i = 0; i < CACHE_TENANTS; i++) {
		struct cache_entry *e = &c->entries[i];

		if (e->key == NULL)
			return e;
		if (e->used < oldest->used)
			oldest = e;
	}
	drop(oldest);
	return oldest;
}

void cache_add(struct cache *c, const struct uuid *tenant, struct wire_view wrapped, struct secret *key, clock_us now)
{
	struct cache_entry *e = room(c);

	e->tenant = *tenant;
	e->wrapped = mem_dup(wrapped.data, wrapped.len);
	e->wrapped_len = wrapped.len;
	e->key = key;
	e->made = e->used = now;
}

void cache_clear(struct cache *c)
{
	for (size_t i = 0; i < CACHE_TENANTS; i++)
		drop(&c->entries[i]);
}

size_t cache_count(const struct cache *c)
{
	size_t n = 0;

	for (size_t i = 0; i < CACHE_TENANTS; i++)
		n += c->entries[i].key != NULL;
	return n;
}
