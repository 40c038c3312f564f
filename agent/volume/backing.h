/* backing.h - the disk, or the file in its place, that holds the ciphertext: opened for this process alone, read and written as it
 * is. A disk is read and written directly, since the file system on top keeps what is worth keeping in memory; a file through
 * the page cache, which is what makes small writes to one bearable, above all over a network. Safe from any number of threads. */
#ifndef AGENT_VOLUME_BACKING_H
#define AGENT_VOLUME_BACKING_H

#include <stddef.h>
#include <stdint.h>

struct backing {
	int fd, is_device;
	uint64_t size;            /* bytes */
	uint32_t block;           /* offsets, lengths and, for a device, memory are multiples of it; 1 for a file */
};

/* ERR_NOT_FOUND; ERR_BUSY: another has it; ERR_IO. The caller closes it. */
int backing_open(const char *path, int read_only, struct backing *out);
void backing_close(struct backing *b);

/* All of it or an error. ERR_IO; writing also ERR_TOO_LARGE when the file system of a file is full. */
int backing_read(const struct backing *b, unsigned char *data, size_t len, uint64_t at);
int backing_write(const struct backing *b, const unsigned char *data, size_t len, uint64_t at);
/* What was written survives a power cut when this returns. ERR_IO, ERR_TOO_LARGE: some of it may not. */
int backing_flush(const struct backing *b);
/* Gives the space back. ERR_UNSUPPORTED, ERR_IO. */
int backing_discard(const struct backing *b, uint64_t at, uint64_t len);

#endif
