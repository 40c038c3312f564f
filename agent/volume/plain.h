/* plain.h - the plaintext of one data segment: reads, writes, flushes and discards on the device that holds the ciphertext.
 * Safe from any number of threads; each gets its own cipher context and scratch memory. Used by keyward-volume only. */
#ifndef AGENT_VOLUME_PLAIN_H
#define AGENT_VOLUME_PLAIN_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/volume/cipher.h"

#define PLAIN_MAX (1024 * 1024)   /* bytes of one read or write */

struct plain_segment {
	uint64_t offset, size;    /* bytes within the backing; SIZE is a multiple of the sector size */
	struct cipher_spec cipher;
	int read_only;
};

struct plain;

/* Takes FD (the backing) and KEY (the volume key): both are closed and wiped by plain_free. */
int plain_new(int fd, const struct plain_segment *segment, struct secret *key, struct plain **out);
/* All threads that used it but the caller's must have ended. */
void plain_free(struct plain *p);
uint64_t plain_size(const struct plain *p);
uint32_t plain_sector(const struct plain *p);

/* *DATA points into this thread's scratch memory and lasts until its next call here. Returns the bytes read, fewer than LEN
 * only at the end; ERR_IO. */
ssize_t plain_read(struct plain *p, uint64_t at, size_t len, const unsigned char **data);
/* All or ERR_IO; ERR_INVALID beyond the end, ERR_FORBIDDEN when read-only. Not durable before plain_flush. */
int plain_write(struct plain *p, uint64_t at, const unsigned char *data, size_t len);
int plain_flush(struct plain *p);
/* Afterwards the range reads as anything. ERR_UNSUPPORTED until discards are allowed. */
void plain_allow_discards(struct plain *p);
int plain_discard(struct plain *p, uint64_t at, uint64_t len);

#endif
