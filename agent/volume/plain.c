/* plain.c - see plain.h. */
#include "agent/volume/plain.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"

struct plain {
	struct plain_segment segment;
	struct secret *key;
	int fd, is_device;
	atomic_int discards;
	pthread_key_t scratch_key;
	/* Whole-sector writes share it. A write that must read first excludes them all: it would put back old bytes. */
	pthread_rwlock_t sectors;
};

struct scratch {
	struct cipher *cipher;
	unsigned char *data;      /* page-aligned: also good for direct I/O */
	size_t size;
};

static void free_scratch(void *p)
{
	struct scratch *s = p;

	cipher_free(s->cipher);
	if (s->data) {
		secret_wipe(s->data, s->size);
		munmap(s->data, s->size);
	}
	free(s);
}

static struct scratch *get_scratch(struct plain *p)
{
	struct scratch *s = pthread_getspecific(p->scratch_key);

	if (s)
		return s;
	s = mem_alloc(sizeof *s);
	s->size = PLAIN_MAX + 2 * p->segment.cipher.sector_size;
	s->data = mmap(NULL, s->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (s->data == MAP_FAILED)
		s->data = NULL;
	if (s->data == NULL || cipher_new(&p->segment.cipher, p->key, &s->cipher) < 0) {
		free_scratch(s);
		return NULL;
	}
	madvise(s->data, s->size, MADV_DONTDUMP);
	pthread_setspecific(p->scratch_key, s);
	return s;
}

int plain_new(int fd, const struct plain_segment *segment, struct secret *key, struct plain **out)
{
	struct plain *p;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_set(ERR_IO, "stat: %s", strerror(errno));
	if (segment->size % segment->cipher.sector_size)
		return err_set(ERR_INVALID, "segment is not whole sectors");
	p = mem_alloc(sizeof *p);
	p->segment = *segment;
	p->key = key;
	p->fd = fd;
	p->is_device = S_ISBLK(st.st_mode);
	pthread_rwlock_init(&p->sectors, NULL);
	if (pthread_key_create(&p->scratch_key, free_scratch) != 0)
		fatal("no thread key");
	*out = p;
	return 0;
}

void plain_free(struct plain *p)
{
	void *mine;

	if (p == NULL)
		return;
	mine = pthread_getspecific(p->scratch_key);
	if (mine)
		free_scratch(mine);
	pthread_key_delete(p->scratch_key);
	pthread_rwlock_destroy(&p->sectors);
	secret_free(p->key);
	close(p->fd);
	free(p);
}

uint64_t plain_size(const struct plain *p)
{
	return p->segment.size;
}

uint32_t plain_sector(const struct plain *p)
{
	return p->segment.cipher.sector_size;
}

static int backing_read(struct plain *p, unsigned char *data, size_t len, uint64_t at)
{
	ssize_t n;

	for (; len > 0; data += n, at += (size_t)n, len -= (size_t)n) {
		n = pread(p->fd, data, len, (off_t)(p->segment.offset + at));
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n <= 0)
			return err_set(ERR_IO, "read: %s", n < 0 ? strerror(errno) : "backing is too short");
	}
	return 0;
}

static int backing_write(struct plain *p, const unsigned char *data, size_t len, uint64_t at)
{
	ssize_t n;

	for (; len > 0; data += n, at += (size_t)n, len -= (size_t)n) {
		n = pwrite(p->fd, data, len, (off_t)(p->segment.offset + at));
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n < 0)
			return err_set(ERR_IO, "write: %s", strerror(errno));
	}
	return 0;
}

/* Whole sectors, in clear, to DATA. */
static int read_sectors(struct plain *p, struct scratch *s, uint64_t at, unsigned char *data, size_t len)
{
	int rc = backing_read(p, data, len, at);

	return rc < 0 ? rc : cipher_decrypt(s->cipher, at >> 9, data, data, len);
}

ssize_t plain_read(struct plain *p, uint64_t at, size_t len, const unsigned char **data)
{
	struct scratch *s = get_scratch(p);
	uint64_t sector = p->segment.cipher.sector_size, first, last;
	int rc;

	if (s == NULL)
		return ERR_CRYPTO;
	if (len > PLAIN_MAX)
		return err_set(ERR_INVALID, "read of %zu bytes", len);
	if (at >= p->segment.size)
		return 0;
	if (len > p->segment.size - at)
		len = p->segment.size - at;
	first = at / sector * sector;
	last = (at + len + sector - 1) / sector * sector;
	rc = read_sectors(p, s, first, s->data, last - first);
	if (rc < 0)
		return rc;
	*data = s->data + (at - first);
	return (ssize_t)len;
}

static int write_whole(struct plain *p, struct scratch *s, uint64_t at, const unsigned char *data, size_t len)
{
	int rc = cipher_encrypt(s->cipher, at >> 9, data, s->data, len);

	if (rc < 0)
		return rc;
	pthread_rwlock_rdlock(&p->sectors);
	rc = backing_write(p, s->data, len, at);
	pthread_rwlock_unlock(&p->sectors);
	return rc;
}

/* The caller holds SECTORS. */
static int write_parts(struct plain *p, struct scratch *s, uint64_t at, const unsigned char *data, size_t len)
{
	uint64_t sector = p->segment.cipher.sector_size;
	uint64_t first = at / sector * sector, last = (at + len + sector - 1) / sector * sector;
	int rc = 0;

	if (first < at)
		rc = read_sectors(p, s, first, s->data, sector);
	if (rc == 0 && last > at + len && (last - first > sector || first == at))
		rc = read_sectors(p, s, last - sector, s->data + (last - first - sector), sector);
	if (rc < 0)
		return rc;
	memcpy(s->data + (at - first), data, len);
	rc = cipher_encrypt(s->cipher, first >> 9, s->data, s->data, last - first);
	return rc < 0 ? rc : backing_write(p, s->data, last - first, first);
}

int plain_write(struct plain *p, uint64_t at, const unsigned char *data, size_t len)
{
	struct scratch *s = get_scratch(p);
	uint32_t sector = p->segment.cipher.sector_size;
	int rc;

	if (s == NULL)
		return ERR_CRYPTO;
	if (p->segment.read_only)
		return err_set(ERR_FORBIDDEN, "opened read-only");
	if (len > PLAIN_MAX || at > p->segment.size || len > p->segment.size - at)
		return err_set(ERR_INVALID, "write of %zu bytes at %llu", len, (unsigned long long)at);
	if (at % sector == 0 && len % sector == 0)
		return write_whole(p, s, at, data, len);
	pthread_rwlock_wrlock(&p->sectors);
	rc = write_parts(p, s, at, data, len);
	pthread_rwlock_unlock(&p->sectors);
	return rc;
}

int plain_flush(struct plain *p)
{
	return fdatasync(p->fd) < 0 ? err_set(ERR_IO, "sync: %s", strerror(errno)) : 0;
}

void plain_allow_discards(struct plain *p)
{
	atomic_store(&p->discards, 1);
}

int plain_discard(struct plain *p, uint64_t at, uint64_t len)
{
	uint64_t sector = p->segment.cipher.sector_size;
	uint64_t range[2];
	int rc;

	if (!atomic_load(&p->discards) || p->segment.read_only)
		return err_set(ERR_UNSUPPORTED, "discards are not allowed");
	if (at > p->segment.size || len > p->segment.size - at)
		return err_set(ERR_INVALID, "discard beyond the end");
	range[0] = (at + sector - 1) / sector * sector;
	range[1] = (at + len) / sector * sector;
	if (range[1] <= range[0])
		return 0;
	range[1] -= range[0];
	range[0] += p->segment.offset;
	if (p->is_device)
		rc = ioctl(p->fd, BLKDISCARD, range);
	else
		rc = fallocate(p->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)range[0], (off_t)range[1]);
	if (rc < 0)
		return err_set(errno == EOPNOTSUPP ? ERR_UNSUPPORTED : ERR_IO, "discard: %s", strerror(errno));
	return 0;
}
