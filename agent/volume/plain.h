/* plain.h - the plaintext of one data segment: reads, writes, flushes and discards on the backing that holds the ciphertext.
 * Safe from any number of threads, each with a lane of its own. Used by keyward-volume only. */
#ifndef AGENT_VOLUME_PLAIN_H
#define AGENT_VOLUME_PLAIN_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/volume/backing.h"
#include "agent/volume/cipher.h"

/* Bytes of one read or write: so much stays in a core's cache on its way from the disk through the cipher, and larger requests come
 * as several at once. */
#define PLAIN_MAX (256 * 1024)

struct plain_segment {
	uint64_t offset, size;    /* bytes within the backing; SIZE is a multiple of the sector size */
	struct cipher_spec cipher;
	int read_only;
};

struct plain;
struct plain_lane;

/* Takes BACKING and KEY (the volume key): they are closed and wiped by plain_free. A segment's end that is not a whole block of
 * the backing is left out. ERR_UNSUPPORTED when its sectors and the blocks do not fit. */
int plain_new(const struct backing *backing, const struct plain_segment *segment, struct secret *key, struct plain **out);
/* All lanes must have been freed. */
void plain_free(struct plain *p);
uint64_t plain_size(const struct plain *p);
/* Bytes that are read and written as one: what is smaller takes a read, too. */
uint32_t plain_unit(const struct plain *p);
int plain_is_device(const struct plain *p);

/* Memory for plaintext: in no dump, wiped when it is freed (USED: bytes that ever held any). NULL with ERR_IO's text; freeing NULL is fine. */
unsigned char *plain_memory_new(size_t size);
void plain_memory_free(unsigned char *memory, size_t size, size_t used);

/* What one thread works with: a cipher context, and memory that is wiped when the lane is freed. ERR_CRYPTO, ERR_IO. */
int plain_lane_new(struct plain *p, struct plain_lane **out);
void plain_lane_free(struct plain_lane *l);
/* Room for the data of a write, page-aligned; PLAIN_LANE_BEFORE bytes before it and PLAIN_LANE_SIZE from it on are the lane's. */
#define PLAIN_LANE_BEFORE 4096
#define PLAIN_LANE_SIZE (1024 * 1024 + 8192)
unsigned char *plain_lane_data(struct plain_lane *l);

/* *DATA points into the lane and lasts until its next use. Returns the bytes read, fewer than LEN only at the end; ERR_IO. */
ssize_t plain_read(struct plain_lane *l, uint64_t at, size_t len, const unsigned char **data);
/* All or an error: ERR_INVALID beyond the end, ERR_FORBIDDEN when read-only, ERR_IO, ERR_TOO_LARGE as backing_write. DATA is
 * enciphered where it lies, which is fastest in the lane. Not durable before plain_flush. */
int plain_write(struct plain_lane *l, uint64_t at, unsigned char *data, size_t len);
int plain_flush(struct plain *p);

/* What may be read from or written to the disk as it is, enciphered, by somebody who does not wait for it: see ioqueue.h. */
struct plain_claim {
	struct plain *plain;
	const struct backing *backing;
	uint64_t at, sector;          /* bytes within the backing; the cipher's number */
	int writing;
	size_t part;                  /* of an array */
};
/* Whether it is: whole units of a disk, and nobody waits to write less than one. A claim to write is given back by the same thread,
 * before it waits for anything else of this plaintext. */
int plain_claim(struct plain *p, uint64_t at, size_t len, int writing, struct plain_claim *out);
void plain_unclaim(const struct plain_claim *c);
/* Enciphers what is to be written, deciphers what was read, where it lies. ERR_CRYPTO. */
int plain_lane_cipher(struct plain_lane *l, const struct plain_claim *c, unsigned char *data, size_t len);

/* Afterwards the range reads as anything. ERR_UNSUPPORTED until discards are allowed. */
void plain_allow_discards(struct plain *p);
int plain_discard(struct plain *p, uint64_t at, uint64_t len);

#endif
