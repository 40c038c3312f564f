/* inspect.c - what is on a device, and whether it may be overwritten. */
#include "agent/volume/volume.h"

#include <blkid.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/volume/header.h"
#include "agent/volume/use.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/word.h"

#define LUKS2_COPY_MAX (4u << 20)
#define COPY_PIECE (64u << 10)

static const char *value(blkid_probe probe, const char *name)
{
	const char *text = NULL;

	return blkid_probe_lookup_value(probe, name, &text, NULL) == 0 ? text : NULL;
}

static void describe(blkid_probe probe, int result, struct volume_report *out)
{
	const char *type = value(probe, "TYPE"), *table = value(probe, "PTTYPE"), *label = value(probe, "LABEL");

	if (result == -2) {
		out->content = VOLUME_SIGNATURE;
		snprintf(out->content_text, VOLUME_TEXT_MAX, "several signatures that contradict each other");
	} else if (type) {
		out->content = VOLUME_SIGNATURE;
		snprintf(out->content_text, VOLUME_TEXT_MAX, label ? "%.60s \"%.120s\"" : "%.60s", type, label);
	} else if (table) {
		out->content = VOLUME_TABLE;
		snprintf(out->content_text, VOLUME_TEXT_MAX, "partition table (%.60s)", table);
	} else {
		out->content = VOLUME_SIGNATURE;
		snprintf(out->content_text, VOLUME_TEXT_MAX, "an unknown signature");
	}
}

static int probe_signatures(int fd, struct volume_report *out)
{
	blkid_probe probe = blkid_new_probe();
	int rc = ERR_IO;

	if (probe && blkid_probe_set_device(probe, fd, 0, 0) == 0) {
		blkid_probe_enable_superblocks(probe, 1);
		blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_LABEL | BLKID_SUBLKS_MAGIC);
		blkid_probe_enable_partitions(probe, 1);
		rc = blkid_do_safeprobe(probe);
		if (rc == 0 || rc == -2)
			describe(probe, rc, out);
		/* 1: nothing. Very small devices give -1 as well, without any signature. */
		rc = rc == -1 ? ERR_IO : 0;
	}
	blkid_free_probe(probe);
	return rc < 0 ? err_set(rc, "looking for signatures failed") : 0;
}

/* How many bytes hold both copies of a LUKS2 header, by the first copy; all that they may have where that one is broken. */
static size_t header_length(int fd)
{
	unsigned char first[16];
	uint64_t one = 0;

	if (pread(fd, first, sizeof first, 0) != sizeof first || memcmp(first, "LUKS\xba\xbe\0\2", 8) != 0)
		return 2 * LUKS2_COPY_MAX;
	for (int i = 8; i < 16; i++)
		one = one << 8 | first[i];
	return one == 0 || one > LUKS2_COPY_MAX ? 2 * LUKS2_COPY_MAX : 2 * (size_t)one;
}

/* An image of the device with nothing in it but the header. */
static int copy_header(int fd, uint64_t size, int memory)
{
	unsigned char *piece = mem_alloc(COPY_PIECE);
	size_t left = header_length(fd);
	off_t at = 0;
	ssize_t n = ftruncate(memory, (off_t)size) < 0 ? -1 : 1;

	for (; n > 0 && left > 0; left -= n > 0 ? (size_t)n : 0) {
		n = pread(fd, piece, left < COPY_PIECE ? left : COPY_PIECE, at);
		if (n > 0 && pwrite(memory, piece, (size_t)n, at) != n)
			n = -1;
		at += n;
	}
	free(piece);
	return n < 0 ? err_set(ERR_IO, "reading the header: %s", strerror(errno)) : 0;
}

/* libcryptsetup mends a header of which one copy is older or damaged. Who only looks must not: the device may be somebody else's, and another
 * machine that has it too may be writing just then. So what is looked at is a copy. */
static int load_copy(int fd, uint64_t size, struct crypt_device **out)
{
	int memory = memfd_create("keyward-look", MFD_CLOEXEC);
	char path[32];
	int rc = memory < 0 ? err_set(ERR_IO, "header: %s", strerror(errno)) : copy_header(fd, size, memory);

	snprintf(path, sizeof path, "/proc/self/fd/%d", memory);
	if (rc == 0)
		rc = header_load(path, out);
	if (memory >= 0)
		close(memory);
	return rc;
}

static int look_for_luks(int fd, struct volume_report *out)
{
	struct crypt_device *cd = NULL;
	int id, rc = load_copy(fd, out->size, &cd);

	if (rc == ERR_NOT_FOUND) {
		snprintf(out->content_text, VOLUME_TEXT_MAX, "crypto_LUKS of version 1");
		return 0;
	}
	if (rc < 0)
		return rc;
	if (header_token_get(cd, &out->token, &id) == 0) {
		out->content = VOLUME_OURS;
		snprintf(out->content_text, VOLUME_TEXT_MAX, "Keyward volume%s", out->token.provisioning ? ", not yet ready" : "");
	} else {
		out->content = VOLUME_LUKS_FOREIGN;
		snprintf(out->content_text, VOLUME_TEXT_MAX, "LUKS2 volume of somebody else");
	}
	crypt_free(cd);
	return 0;
}

static int measure(int fd, struct volume_report *out)
{
	struct stat st;
	int sector = 512, fixed = 0;

	if (fstat(fd, &st) < 0)
		return err_set(ERR_IO, "stat: %s", strerror(errno));
	out->size = (uint64_t)st.st_size;
	if (S_ISBLK(st.st_mode)) {
		if (ioctl(fd, BLKGETSIZE64, &out->size) < 0 || ioctl(fd, BLKSSZGET, &sector) < 0 || ioctl(fd, BLKROGET, &fixed) < 0)
			return err_set(ERR_IO, "size: %s", strerror(errno));
	} else if (!S_ISREG(st.st_mode)) {
		return err_set(ERR_INVALID, "neither a block device nor a file");
	}
	out->logical_sector = (uint32_t)sector;
	out->read_only = fixed != 0;
	return 0;
}

static int inspect(const char *path, enum use_claim claimed, struct volume_report *out)
{
	struct volume_report found = { .content = VOLUME_NOTHING };
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int rc;

	if (fd < 0)
		return err_set(errno == ENOENT || errno == ENXIO ? ERR_NOT_FOUND : ERR_IO, "%s: %s", path, strerror(errno));
	rc = measure(fd, &found);
	if (rc == 0 && found.size > 0)
		rc = probe_signatures(fd, &found);
	if (rc == 0 && found.content == VOLUME_SIGNATURE && strncmp(found.content_text, "crypto_LUKS", 11) == 0)
		rc = look_for_luks(fd, &found);
	close(fd);
	if (rc == 0)
		rc = use_find(path, claimed, &found.use, found.use_text);
	/* Labels, and names of mount points, are whatever somebody has written. */
	word_readable(found.content_text);
	word_readable(found.use_text);
	if (rc < 0)
		return err_wrap(rc, "%s", path);
	*out = found;
	return 0;
}

int volume_inspect(const char *path, struct volume_report *out)
{
	return inspect(path, USE_CLAIMED_BY_OTHERS, out);
}

int volume_inspect_claimed(const char *path, struct volume_report *out)
{
	return inspect(path, USE_CLAIMED_BY_US, out);
}

int volume_may_overwrite(const struct volume_report *found, const struct uuid *device, int named)
{
	if (found->use != VOLUME_FREE)
		return err_set(ERR_BUSY, "%s", found->use_text);
	if (found->read_only)
		return err_set(ERR_BUSY, "it can only be read");
	if (found->content == VOLUME_NOTHING || named)
		return 0;
	if (found->content == VOLUME_OURS && found->token.provisioning && uuid_equal(&found->token.device, device))
		return 0;
	return err_set(ERR_CONFLICT, "it holds: %s", found->content_text);
}
