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

struct secret *secret_new(size_t len)
{
	struct secret *s = mem_alloc(sizeof *s);

	s->data = sodium_malloc(len ? len : 1);
	if (s->data == NULL)
		fatal("no locked memory left for a secret");
	s->len = len;
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
	sodium_free(s->data);
	s->data = NULL;
	free(s);
}

void secret_wipe(void *data, size_t len)
{
	sodium_memzero(data, len);
}
