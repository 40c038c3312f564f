/* format.c - making a volume: header with mark, wipe, file system, mark away; and changing the device key. */
#include "agent/volume/volume.h"

#include <blkid.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/volume/header.h"
#include "agent/volume/use.h"
#include "base/err.h"
#include "base/mem.h"

#define WIPE_STEP ((size_t)4 * 1024 * 1024)
#define WIPE_SAVE ((uint64_t)256 * 1024 * 1024)   /* a resumed wipe repeats at most this much */

static int tell(volume_progress progress, void *ctx, const char *stage, int percent)
{
	if (progress && progress(ctx, stage, percent))
		return err_set(ERR_CONFLICT, "interrupted while doing: %s", stage);
	return 0;
}

static int check_written(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), written = fd >= 0 && use_is_written(fd);

	if (fd >= 0)
		close(fd);
	return written ? err_set(ERR_BUSY, "in use by another process") : 0;
}

/* Open for writing, and ours alone as long as it is open. */
static int open_alone(const char *path, int *out)
{
	struct stat st;
	int rc = 0, fd;

	if (stat(path, &st) < 0)
		return err_set(ERR_NOT_FOUND, "%s: %s", path, strerror(errno));
	if (S_ISREG(st.st_mode))
		rc = check_written(path);
	if (rc < 0)
		return rc;
	fd = S_ISBLK(st.st_mode) ? use_open_alone(path, O_RDWR) : open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return err_set(errno == EBUSY ? ERR_BUSY : ERR_IO, "%s: %s", path, strerror(errno));
	if (S_ISREG(st.st_mode))
		rc = use_claim_file(fd, 1);
	if (rc < 0) {
		close(fd);
		return err_wrap(rc, "%s", path);
	}
	*out = fd;
	return 0;
}

/* All of them, wherever they lie: a second signature would make the device ambiguous for everybody. */
static int erase_signatures(int fd)
{
	blkid_probe probe = blkid_new_probe();
	int rc = 0;

	if (probe == NULL || blkid_probe_set_device(probe, fd, 0, 0) != 0) {
		blkid_free_probe(probe);
		return err_set(ERR_IO, "looking for signatures failed");
	}
	blkid_probe_enable_superblocks(probe, 1);
	blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_MAGIC | BLKID_SUBLKS_BADCSUM);
	blkid_probe_enable_partitions(probe, 1);
	blkid_probe_set_partitions_flags(probe, BLKID_PARTS_MAGIC);
	while (rc == 0 && blkid_do_probe(probe) == 0)
		rc = blkid_do_wipe(probe, 0) < 0 ? err_set(ERR_IO, "erasing a signature failed") : 0;
	blkid_free_probe(probe);
	return rc;
}

struct wipe {
	int fd;
	uint64_t start, size;     /* of the data segment, bytes */
	EVP_CIPHER_CTX *stream;
	unsigned char *zero, *noise;
};

/* Random bytes as the AES-256-CTR stream of a key that is thrown away: as fast as the disk. */
static int wipe_begin(struct wipe *w)
{
	struct secret *key = secret_random(32 + 16);
	int ok;

	w->zero = mem_alloc(WIPE_STEP);
	w->noise = mem_alloc(WIPE_STEP);
	w->stream = EVP_CIPHER_CTX_new();
	ok = w->stream && EVP_EncryptInit_ex(w->stream, EVP_aes_256_ctr(), NULL, key->data, key->data + 32) == 1;
	secret_free(key);
	return ok ? 0 : err_set(ERR_CRYPTO, "random stream");
}

static void wipe_end(struct wipe *w)
{
	EVP_CIPHER_CTX_free(w->stream);
	free(w->zero);
	free(w->noise);
}

static int wipe_step(struct wipe *w, uint64_t at)
{
	size_t len = w->size - at < WIPE_STEP ? (size_t)(w->size - at) : WIPE_STEP;
	int n;

	if (EVP_EncryptUpdate(w->stream, w->noise, &n, w->zero, (int)len) != 1)
		return err_set(ERR_CRYPTO, "random stream");
	if (pwrite(w->fd, w->noise, len, (off_t)(w->start + at)) != (ssize_t)len)
		return err_set(ERR_IO, "wipe: %s", strerror(errno));
	return 0;
}

static int save_wiped(struct wipe *w, struct crypt_device *cd, int id, struct volume_token *token, uint64_t at)
{
	if (fdatasync(w->fd) < 0)
		return err_set(ERR_IO, "wipe: %s", strerror(errno));
	token->wiped = at;
	return header_token_set(cd, id, token);
}

static int wipe_all(struct wipe *w, struct crypt_device *cd, int id, struct volume_token *token, volume_progress progress,
	void *ctx)
{
	uint64_t at = token->wiped < w->size ? token->wiped : w->size;
	int rc = wipe_begin(w);

	while (rc == 0 && at < w->size) {
		rc = tell(progress, ctx, "wipe", (int)(at * 100 / w->size));
		if (rc == 0)
			rc = wipe_step(w, at);
		if (rc == 0)
			at = w->size - at > WIPE_STEP ? at + WIPE_STEP : w->size;
		if (rc == 0 && (at % WIPE_SAVE == 0 || at == w->size))
			rc = save_wiped(w, cd, id, token, at);
	}
	wipe_end(w);
	return rc;
}

static int wipe(int fd, const char *path, uint64_t size, volume_progress progress, void *ctx)
{
	struct crypt_device *cd = NULL;
	struct volume_token token;
	struct wipe w = { .fd = fd };
	int id, rc = header_load(path, &cd);

	if (rc < 0)
		return rc;
	rc = header_token_get(cd, &token, &id);
	w.start = crypt_get_data_offset(cd) * 512;
	w.size = size - w.start;
	if (rc == 0)
		rc = wipe_all(&w, cd, id, &token, progress, ctx);
	crypt_free(cd);
	return rc;
}

/* The mark, and how far an earlier run that was interrupted came with wiping. */
static struct volume_token first_token(const struct volume_params *params, const struct volume_report *found)
{
	struct volume_token token = params->token;

	token.provisioning = 1;
	token.wiped = 0;
	if (found->content == VOLUME_OURS && found->token.provisioning && uuid_equal(&found->token.device, &token.device))
		token.wiped = found->token.wiped;
	return token;
}

/* Nothing can come upon the device between the look and the first write: it is claimed before it is looked at. Where that fails,
 * the look says why. */
static int claim(const char *path, const struct uuid *device, int named, struct volume_report *found, int *fd)
{
	int rc = open_alone(path, fd);

	if (rc < 0) {
		int looked = volume_inspect(path, found), may = looked < 0 ? looked : volume_may_overwrite(found, device, named);

		return may < 0 ? may : open_alone(path, fd);
	}
	rc = volume_inspect_claimed(path, found);
	if (rc == 0)
		rc = volume_may_overwrite(found, device, named);
	if (rc < 0) {
		close(*fd);
		*fd = -1;
	}
	return rc;
}

static int write_volume(int fd, const char *path, const struct volume_params *params, const struct volume_report *found,
	const struct secret *device_key, volume_progress progress, void *ctx)
{
	struct volume_token token = first_token(params, found);
	int rc = 0;

	if (found->content != VOLUME_NOTHING && found->content != VOLUME_OURS)
		rc = erase_signatures(fd);
	if (rc == 0)
		rc = header_write(fd, found->size, params, &token, device_key);
	if (rc == 0)
		rc = tell(progress, ctx, "header", 100);
	if (rc == 0 && params->wipe)
		rc = wipe(fd, path, found->size, progress, ctx);
	return rc;
}

int volume_format(const char *path, const struct volume_params *params, const struct secret *device_key, int named,
	volume_progress progress, void *ctx)
{
	struct volume_report found;
	int fd = -1, rc = claim(path, &params->token.device, named, &found, &fd);

	if (rc == 0)
		rc = tell(progress, ctx, "header", 0);
	if (rc == 0)
		rc = write_volume(fd, path, params, &found, device_key, progress, ctx);
	if (fd >= 0)
		close(fd);
	return rc < 0 ? err_wrap(rc, "%s", path) : 0;
}

int volume_ready(const char *path)
{
	struct crypt_device *cd = NULL;
	struct volume_token token;
	int id, rc = header_load(path, &cd);

	if (rc < 0)
		return rc;
	rc = header_token_get(cd, &token, &id);
	if (rc == 0 && token.provisioning) {
		token.provisioning = 0;
		rc = header_token_set(cd, id, &token);
	}
	crypt_free(cd);
	return rc < 0 ? err_wrap(rc, "%s", path) : 0;
}

int volume_make_fs(const struct volume_env *env, const struct volume_engine *engine, const struct volume_open_params *p,
	const struct secret *device_key, const char *fstype, const char *label)
{
	char device[VOLUME_TEXT_MAX];
	int closed, rc = volume_open(env, engine, p, device_key, device);

	if (rc < 0)
		return rc;
	rc = volume_mkfs(device, fstype, label);
	closed = volume_close(env, p->name, rc < 0);
	return rc < 0 ? rc : closed;
}

int volume_provision(const struct volume_env *env, const char *path, const char *name, const struct volume_params *params,
	const struct secret *device_key, const char *fstype, const char *label, int named, volume_progress progress, void *ctx)
{
	struct volume_open_params p = { .path = path, .name = name };
	int rc = volume_format(path, params, device_key, named, progress, ctx);

	if (rc == 0)
		rc = tell(progress, ctx, "mkfs", 0);
	if (rc == 0)
		rc = volume_make_fs(env, NULL, &p, device_key, fstype, label);
	if (rc == 0)
		rc = tell(progress, ctx, "mkfs", 100);
	if (rc == 0)
		rc = volume_ready(path);
	/* From here on it is a volume, whatever the listener says. */
	if (rc == 0)
		tell(progress, ctx, "ready", 100);
	return rc;
}
