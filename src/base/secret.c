/* secret.c - secrets in guarded, locked, wiped memory (libsodium). */
#include "base/secret.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

void secret_init(void)
{
	if (sodium_init() < 0)
		fatal("libsodium cannot start");
}

/* Guarded memory costs several calls of the kernel, and most secrets live for the time of one message: a few wiped ones of the usual
 * sizes are kept for the next. Not where a sanitizer is to see what is used after it was freed. */
#ifdef __SANITIZE_ADDRESS__
#define KEPT 0
#else
#define KEPT 4
#endif
#define KEPT_SIZE 64

static _Thread_local struct {
	size_t count;
	void *data[KEPT + 1];
} kept[KEPT_SIZE + 1];

static void *take(size_t len)
{
	if (len <= KEPT_SIZE && kept[len].count > 0)
		return kept[len].data[--kept[len].count];
	return sodium_malloc(len ? len : 1);
}

static void give(void *data, size_t len)
{
	if (len > KEPT_SIZE || kept[len].count == KEPT) {
		sodium_free(data);
		return;
	}
	sodium_memzero(data, len);
	kept[len].data[kept[len].count++] = data;
}

struct secret *secret_new(size_t len)
{
	struct secret *s = mem_alloc(sizeof *s);

	s->data = take(len);
	if (s->data == NULL)
		fatal("no locked memory left for a secret");
	s->len = s->size = len;
	sodium_memzero(s->data, len);
	return s;
}

struct secret *secret_random(size_t len)
{
	struct secret *s = secret_new(len);

	randombytes_buf(s->data, len);
	return s;
}

struct secret *secret_take(void *data, size_t len)
{
	struct secret *s = secret_new(len);

	memcpy(s->data, data, len);
	sodium_memzero(data, len);
	return s;
}

int secret_equal(const struct secret *a, const struct secret *b)
{
	return a->len == b->len && sodium_memcmp(a->data, b->data, a->len) == 0;
}

void secret_free(struct secret *s)
{
	if (s == NULL)
		return;
	give(s->data, s->size);
	s->data = NULL;
	free(s);
}

void secret_wipe(void *data, size_t len)
{
	sodium_memzero(data, len);
}
