/* decrypt.c - decrypting a volume in place. The data lie behind the header, by an offset; each piece is read, decrypted and written that
 * offset further ahead, from the beginning on. So a piece is overwritten only by one that is a whole offset behind it, and a note
 * of how far it has come, made before that, is all that is needed to go on after a crash: what comes after the note is still
 * there as it was. libcryptsetup 2.6 can do this too, but killed near its end it loses the key slots (docs/agent.md). */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/volume/cipher.h"
#include "agent/volume/cryptsetup.h"
#include "agent/volume/custody.h"
#include "agent/volume/header.h"
#include "agent/volume/use.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"

#define NOTE_MAX 32
#define ZEROS 65536
#define PIECE ((size_t)256 * 1024)

int custody_decrypt_begun(const char *header)
{
	return access(header, F_OK) == 0;
}

static int sync_path(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = fd < 0 ? -1 : fsync(fd);

	if (fd >= 0)
		close(fd);
	return rc < 0 ? err_set(ERR_IO, "%s: %s", path, strerror(errno)) : 0;
}

static int sync_folder(const char *path)
{
	char *copy = mem_strdup(path);
	int rc = sync_path(dirname(copy));

	free(copy);
	return rc;
}

/* The header as a file, there as a whole or not at all: its being there says that the decryption has begun. */
static int keep_header(const char *path, const char *header, const char *note)
{
	struct crypt_device *cd = NULL;
	char *part = mem_printf("%s.part", header);
	int rc = header_load(path, &cd);

	unlink(part);
	/* Of a former decryption that ended: it must not be taken for this one's. */
	if (rc == 0 && unlink(note) < 0 && errno != ENOENT)
		rc = err_set(ERR_IO, "%s: %s", note, strerror(errno));
	if (rc == 0) {
		rc = crypt_header_backup(cd, CRYPT_LUKS2, part);
		rc = rc < 0 ? cryptsetup_error(rc, "keeping the header") : 0;
	}
	crypt_free(cd);
	if (rc == 0 && chmod(part, 0600) < 0)
		rc = err_set(ERR_IO, "%s: %s", part, strerror(errno));
	if (rc == 0)
		rc = sync_path(part);
	if (rc == 0 && rename(part, header) < 0)
		rc = err_set(ERR_IO, "%s: %s", header, strerror(errno));
	if (rc == 0)
		rc = sync_folder(header);
	free(part);
	return rc;
}

struct job {
	int fd;                  /* the device */
	const char *note;        /* the file that says how far it has come */
	struct cipher *cipher;
	unsigned char *piece;    /* PIECE bytes; wiped when freed */
	uint64_t shift, size;    /* bytes: of the header, of the data */
	uint64_t at, noted;      /* decrypted, and noted as that */
	volume_progress progress;
	void *ctx;
};

static int read_note(struct job *j)
{
	struct buf text = BUF_INIT;
	int rc = file_read(j->note, NOTE_MAX, &text);
	char *end;

	j->noted = 0;
	if (rc == 0) {
		j->noted = strtoull(buf_str(&text), &end, 10);
		if (text.len == 0 || *end || j->noted > j->size)
			rc = err_set(ERR_INVALID, "%s does not say how far the decryption has come", j->note);
	}
	buf_free(&text);
	j->at = j->noted;
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* Data first, then the note. */
static int write_note(struct job *j)
{
	char text[NOTE_MAX];
	int rc = 0;

	if (fdatasync(j->fd) < 0)
		return err_set(ERR_IO, "decrypting: %s", strerror(errno));
	snprintf(text, sizeof text, "%llu", (unsigned long long)j->at);
	rc = file_write(j->note, text, strlen(text), 0600);
	if (rc == 0)
		j->noted = j->at;
	return rc;
}

static int read_at(int fd, unsigned char *data, size_t len, uint64_t at)
{
	ssize_t n;

	for (; len > 0; data += n, at += (size_t)n, len -= (size_t)n) {
		n = pread(fd, data, len, (off_t)at);
		if (n <= 0)
			return err_set(ERR_IO, "decrypting: %s", n < 0 ? strerror(errno) : "the device ends too early");
	}
	return 0;
}

static int write_at(int fd, const unsigned char *data, size_t len, uint64_t at)
{
	ssize_t n;

	for (; len > 0; data += n, at += (size_t)n, len -= (size_t)n) {
		n = pwrite(fd, data, len, (off_t)at);
		if (n <= 0)
			return err_set(ERR_IO, "decrypting: %s", strerror(errno));
	}
	return 0;
}

/* What is written must not reach what is not noted as decrypted. */
static int step(struct job *j)
{
	size_t len = j->shift < PIECE ? (size_t)j->shift : PIECE;
	int rc = 0;

	if (len > j->size - j->at)
		len = (size_t)(j->size - j->at);
	if (j->at + len > j->noted + j->shift)
		rc = write_note(j);
	if (rc < 0)
		return rc;
	rc = read_at(j->fd, j->piece, len, j->shift + j->at);
	if (rc == 0)
		rc = cipher_decrypt(j->cipher, j->at / 512, j->piece, j->piece, len);
	if (rc == 0)
		rc = write_at(j->fd, j->piece, len, j->at);
	j->at += rc == 0 ? len : 0;
	return rc;
}

/* Where the last of the data were, and what is left of key slots in a small volume. */
static int wipe_rest(const struct job *j)
{
	static const unsigned char zeros[ZEROS];
	int rc = 0;

	for (uint64_t at = j->size; rc == 0 && at < j->size + j->shift; at += ZEROS)
		rc = write_at(j->fd, zeros, j->size + j->shift - at < ZEROS ? (size_t)(j->size + j->shift - at) : ZEROS, at);
	return rc;
}

static int run(struct job *j)
{
	int rc = read_note(j);

	while (rc == 0 && j->at < j->size) {
		if (j->progress && j->progress(j->ctx, "decrypt", (int)(j->at * 100 / j->size)))
			return err_set(ERR_CONFLICT, "interrupted: it goes on where it was when it is called again");
		rc = step(j);
	}
	if (rc == 0)
		rc = write_note(j);
	if (rc == 0)
		rc = wipe_rest(j);
	if (rc == 0 && fsync(j->fd) < 0)
		rc = err_set(ERR_IO, "decrypting: %s", strerror(errno));
	return rc;
}

static int open_header(const char *path, const char *header, struct crypt_device **out)
{
	struct crypt_device *cd = NULL;
	int rc;

	crypt_token_external_disable();
	rc = crypt_init_data_device(&cd, header, path);
	if (rc == 0)
		cryptsetup_listen(cd);
	if (rc == 0)
		rc = crypt_load(cd, CRYPT_LUKS2, NULL);
	if (rc < 0) {
		crypt_free(cd);
		return cryptsetup_error(rc, header);
	}
	*out = cd;
	return 0;
}

static int decrypt(const char *path, const char *header, const struct secret *key, int fd, struct job *j)
{
	struct plain_segment segment = { .read_only = 1 };
	struct crypt_device *cd = NULL;
	struct secret *volume_key = NULL, *piece;
	off_t end = lseek(fd, 0, SEEK_END);
	int rc = end < 0 ? err_set(ERR_IO, "%s: %s", path, strerror(errno)) : open_header(path, header, &cd);

	if (rc == 0)
		rc = header_unlock(cd, (uint64_t)end, key, &segment, &volume_key);
	crypt_free(cd);
	if (rc == 0)
		rc = cipher_new(&segment.cipher, volume_key, &j->cipher);
	secret_free(volume_key);
	if (rc < 0)
		return rc;
	piece = secret_new(PIECE);
	j->piece = piece->data;
	j->fd = fd;
	j->shift = segment.offset;
	j->size = segment.size;
	rc = run(j);
	secret_free(piece);
	cipher_free(j->cipher);
	return rc;
}

/* Nobody else has it as long as this takes. */
static int begin(const char *path, int *fd)
{
	struct stat st;
	char text[VOLUME_TEXT_MAX];
	enum volume_use use;
	int rc = use_find(path, USE_CLAIMED_BY_OTHERS, &use, text);

	if (rc == 0 && use != VOLUME_FREE)
		rc = err_set(ERR_BUSY, "%s: %s", path, text);
	if (rc < 0)
		return rc;
	if (stat(path, &st) < 0 || (*fd = S_ISBLK(st.st_mode) ? use_open_alone(path, O_RDWR) : open(path, O_RDWR | O_CLOEXEC)) < 0)
		return err_set(errno == EBUSY ? ERR_BUSY : ERR_IO, "%s: %s", path, strerror(errno));
	return S_ISREG(st.st_mode) ? use_claim_file(*fd, 1) : 0;
}

/* The key is tried before anything is written. */
static int check_key(const char *path, const struct secret *key)
{
	struct crypt_device *cd = NULL;
	int rc = header_load(path, &cd);

	if (rc == 0)
		rc = header_find_slot(cd, key, LIMITS_DEVICE_KEY);
	crypt_free(cd);
	return rc < 0 ? rc : 0;
}

/* The header first: without it the note says nothing. */
static int end(const char *header, const char *note)
{
	if (unlink(header) < 0 || sync_folder(header) < 0)
		return err_set(ERR_IO, "%s: %s", header, strerror(errno));
	unlink(note);
	return 0;
}

void custody_decrypt_tidy(const char *header)
{
	static const char *const names[] = { "note", "part" };

	for (size_t i = 0; i < sizeof names / sizeof names[0] && !custody_decrypt_begun(header); i++) {
		char *left = mem_printf("%s.%s", header, names[i]);

		unlink(left);
		free(left);
	}
}

int custody_decrypt(const char *path, const char *header, const struct secret *key, volume_progress progress, void *ctx)
{
	char *note = mem_printf("%s.note", header);
	struct job j = { .note = note, .progress = progress, .ctx = ctx };
	int fd = -1, rc = begin(path, &fd);

	if (rc == 0 && !custody_decrypt_begun(header)) {
		rc = check_key(path, key);
		if (rc == 0)
			rc = keep_header(path, header, note);
	}
	if (rc == 0)
		rc = decrypt(path, header, key, fd, &j);
	if (rc == 0)
		rc = end(header, note);
	if (fd >= 0)
		close(fd);
	free(note);
	return rc;
}
