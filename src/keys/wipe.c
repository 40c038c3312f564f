/* wipe.c - allocators for OpenSSL and jansson that wipe on free, and never leave a copy behind when a block moves. */
#include "keys/wipe.h"

#include <jansson.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/secret.h"

static void wipe_and_free(void *p)
{
	if (p)
		secret_wipe(p, malloc_usable_size(p));
	free(p);
}

static void *openssl_malloc(size_t size, const char *file, int line)
{
	return malloc(size);
}

static void openssl_free(void *p, const char *file, int line)
{
	wipe_and_free(p);
}

static void *openssl_realloc(void *p, size_t size, const char *file, int line)
{
	size_t had = p ? malloc_usable_size(p) : 0;
	void *moved;

	if (size == 0) {
		wipe_and_free(p);
		return NULL;
	}
	moved = malloc(size);
	if (moved == NULL)
		return NULL;
	if (p)
		memcpy(moved, p, had < size ? had : size);
	wipe_and_free(p);
	return moved;
}

static int installed;

static void install(int argc, char **argv, char **env)
{
	installed = CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free);
	json_set_alloc_funcs(malloc, wipe_and_free);
}

/* Libraries may allocate in their constructors, which run before main and before this program's own constructors. */
__attribute__((section(".preinit_array"), used)) static void (*install_first)(int, char **, char **) = install;

void wipe_check(void)
{
	if (installed != 1)
		fatal("OpenSSL has allocated memory before it could be told how");
}
