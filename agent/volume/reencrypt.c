/* reencrypt.c - another volume key for a volume that is open (KEY-6): all of it is encrypted anew, online, by libcryptsetup's re-encryption of
 * LUKS2. Checksums of what is being moved are on the disk before it is, so a power cut at any moment loses nothing; the volume opens
 * as it is, part by the old key, part by the new one, and this goes on. */
#include "agent/volume/cryptsetup.h"
#include "agent/volume/header.h"
#include "base/err.h"

#define RESILIENCE "checksum"
#define HASH "sha256"
/* What is moved at a time: it is in memory meanwhile, whoever uses the disk just there waits for it, and it is the least that can be stopped
 * between. libcryptsetup would take up to a gibibyte. */
#define PIECE (16u << 20)

struct work {
	volume_progress progress;
	void *ctx;
	int stopped;
};

static int on_progress(uint64_t size, uint64_t offset, void *p)
{
	struct work *w = p;

	w->stopped = w->progress(w->ctx, "reencrypt", size ? (int)(offset * 100 / size) : 0);
	return w->stopped;
}

/* The new volume key in a slot that KEY opens: one that an interrupted run has made, or a new one. */
static int new_slot(struct crypt_device *cd, const struct secret *key)
{
	int slot;

	for (int i = 0; i < crypt_keyslot_max(CRYPT_LUKS2); i++)
		if (crypt_keyslot_status(cd, i) == CRYPT_SLOT_UNBOUND && crypt_activate_by_passphrase(cd, NULL, i, (const char *)key->data,
				key->len, CRYPT_ACTIVATE_ALLOW_UNBOUND_KEY) == i)
			return i;
	slot = header_set_pbkdf(cd, NULL);
	if (slot < 0)
		return slot;
	slot = crypt_keyslot_add_by_key(cd, CRYPT_ANY_SLOT, NULL, (size_t)crypt_get_volume_key_size(cd), (const char *)key->data, key->len,
		CRYPT_VOLUME_KEY_NO_SEGMENT);
	return slot < 0 ? cryptsetup_error(slot, "key slot of the new volume key") : slot;
}

/* Begins, or takes up what has begun. */
static int prepare(struct crypt_device *cd, const char *name, const struct secret *key)
{
	struct crypt_params_luks2 luks = { .sector_size = (uint32_t)crypt_get_sector_size(cd) };
	struct crypt_params_reencrypt p = { .mode = CRYPT_REENCRYPT_REENCRYPT, .direction = CRYPT_REENCRYPT_FORWARD, .resilience = RESILIENCE,
		.hash = HASH, .max_hotzone_size = PIECE / 512, .luks2 = &luks };
	int begun = crypt_reencrypt_status(cd, NULL) != CRYPT_REENCRYPT_NONE, old = CRYPT_ANY_SLOT, new = CRYPT_ANY_SLOT, rc;

	p.flags = begun ? CRYPT_REENCRYPT_RESUME_ONLY : 0;
	rc = header_may_try_all(cd);
	if (rc < 0)
		return rc;
	if (!begun) {
		old = header_find_slot(cd, key, LIMITS_DEVICE_KEY);
		new = old < 0 ? old : new_slot(cd, key);
		if (new < 0)
			return new;
	}
	rc = crypt_reencrypt_init_by_passphrase(cd, name, (const char *)key->data, key->len, old, new, begun ? NULL : crypt_get_cipher(cd),
		begun ? NULL : crypt_get_cipher_mode(cd), &p);
	return rc < 0 ? cryptsetup_error(rc, "re-encryption") : 0;
}

/* The slot that is left; others' slots, which cannot know the new volume key, are gone. */
static int name_slot(const char *path, const struct secret *key)
{
	struct crypt_device *cd = NULL;
	struct volume_token token;
	int id, slot, rc = header_load(path, &cd);

	if (rc < 0)
		return rc;
	if (crypt_reencrypt_status(cd, NULL) != CRYPT_REENCRYPT_NONE)
		rc = err_set(ERR_IO, "the re-encryption has not come to its end");
	rc = rc < 0 ? rc : header_find_slot(cd, key, LIMITS_DEVICE_KEY);
	slot = rc;
	if (rc >= 0)
		rc = header_token_get(cd, &token, &id);
	if (rc == 0 && token.keyslot != slot) {
		token.keyslot = slot;
		rc = header_token_set(cd, id, &token);
	}
	crypt_free(cd);
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

int volume_reencrypt(const char *path, const char *name, const struct secret *key, volume_progress progress, void *ctx)
{
	struct work w = { .progress = progress, .ctx = ctx };
	struct crypt_device *cd = NULL;
	int rc = header_load(path, &cd);

	if (rc < 0)
		return rc;
	rc = prepare(cd, name, key);
	if (rc == 0) {
		rc = crypt_reencrypt_run(cd, on_progress, &w);
		rc = rc < 0 ? cryptsetup_error(rc, "re-encryption") : w.stopped ? err_set(ERR_CONFLICT, "interrupted; it goes on later") : 0;
	}
	crypt_free(cd);
	if (rc == 0)
		rc = name_slot(path, key);
	return rc < 0 ? err_wrap(rc, "%s", path) : 0;
}
