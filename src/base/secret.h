/* secret.h - a secret is a type with an owner.
 *
 * Memory from libsodium's guarded heap: locked against swap, left out of core dumps, between guard pages, wiped when freed. A few
 * small pieces of each thread stay for its next secrets.
 * A secret is never printed, never copied into other memory by this module, and compared only in constant time.
 * Whoever holds the pointer owns it and calls secret_free; passing `const struct secret *` lends it for the call. */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stddef.h>

struct secret {
	unsigned char *data;
	size_t len;
	size_t size;                 /* of the memory: an owner may shorten LEN */
};

struct secret *secret_new(size_t len);                       /* zeroed */
struct secret *secret_random(size_t len);                    /* from the kernel's generator */
struct secret *secret_take(void *data, size_t len);          /* copies, then wipes DATA at its old place */
int secret_equal(const struct secret *a, const struct secret *b);   /* 1 or 0; constant time for equal lengths */
void secret_free(struct secret *s);                          /* NULL is fine */
/* Wipes LEN bytes that are not in a struct secret; never optimised away. */
void secret_wipe(void *data, size_t len);
/* Call once at the start of each process; ends it when libsodium cannot start. */
void secret_init(void);

#endif
