/* backing.c - see backing.h. */
#include "agent/volume/backing.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/volume/use.h"
#include "base/err.h"

/* A file is written in pieces: its file system keeps in memory what is written at once as one piece, and then looks through all of
 * that piece's blocks for each small write to it. */
#define PIECE (32 * 1024)

static int failed(const char *what)
{
	return err_set(errno == ENOSPC || errno == EDQUOT ? ERR_TOO_LARGE : ERR_IO, "%s: %s", what, strerror(errno));
}

static int measure_device(struct backing *b)
{
	int block = 0;

	if (ioctl(b->fd, BLKGETSIZE64, &b->size) < 0 || ioctl(b->fd, BLKSSZGET, &block) < 0)
		return err_set(ERR_IO, "size: %s", strerror(errno));
	b->block = (uint32_t)block;
	return 0;
}

int backing_open(const char *path, int read_only, struct backing *out)
{
	struct backing b = { .block = 1 };
	int rc, flags = read_only ? O_RDONLY : O_RDWR;
	struct stat st;

	if (stat(path, &st) < 0)
		return err_set(ERR_NOT_FOUND, "%s", strerror(errno));
	b.is_device = S_ISBLK(st.st_mode);
	b.size = (uint64_t)st.st_size;
	b.fd = b.is_device ? use_open_alone(path, flags | O_DIRECT) : open(path, flags | O_CLOEXEC);
	if (b.fd < 0)
		return err_set(errno == EBUSY ? ERR_BUSY : ERR_IO, "%s", strerror(errno));
	rc = b.is_device ? measure_device(&b) : use_claim_file(b.fd, !read_only);
	if (rc < 0) {
		close(b.fd);
		return rc;
	}
	*out = b;
	return 0;
}

void backing_close(struct backing *b)
{
	close(b->fd);
	b->fd = -1;
}

int backing_read(const struct backing *b, unsigned char *data, size_t len, uint64_t at)
{
	ssize_t n;

	for (; len > 0; data += n, at += (size_t)n, len -= (size_t)n) {
		n = pread(b->fd, data, len, (off_t)at);
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n <= 0)
			return err_set(ERR_IO, "read: %s", n < 0 ? strerror(errno) : "the disk has become shorter");
	}
	return 0;
}

int backing_write(const struct backing *b, const unsigned char *data, size_t len, uint64_t at)
{
	size_t most = b->is_device ? len : PIECE;
	ssize_t n;

	for (; len > 0; data += n, at += (size_t)n, len -= (size_t)n) {
		n = pwrite(b->fd, data, len < most ? len : most, (off_t)at);
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n < 0)
			return failed("write");
	}
	return 0;
}

int backing_flush(const struct backing *b)
{
	return fdatasync(b->fd) < 0 ? failed("sync") : 0;
}

int backing_discard(const struct backing *b, uint64_t at, uint64_t len)
{
	uint64_t range[2] = { at, len };
	int rc;

	if (b->is_device)
		rc = ioctl(b->fd, BLKDISCARD, range);
	else
		rc = fallocate(b->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at, (off_t)len);
	if (rc < 0)
		return err_set(errno == EOPNOTSUPP ? ERR_UNSUPPORTED : ERR_IO, "discard: %s", strerror(errno));
	return 0;
}
