/* custody.c - taking over a volume and giving it back by its key slots. */
#include "agent/volume/custody.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/volume/cryptsetup.h"
#include "agent/volume/header.h"
#include "base/err.h"
#include "base/json.h"

#define METADATA_MAX (4 * 1024 * 1024)

static int explain_missing(const char *path)
{
	struct crypt_device *cd = NULL;
	int rc = crypt_init(&cd, path);

	if (rc == 0)
		rc = crypt_load(cd, CRYPT_LUKS1, NULL);
	crypt_free(cd);
	if (rc == 0)
		return err_set(ERR_UNSUPPORTED, "it is LUKS of version 1. Close it, keep a copy of its header (cryptsetup luksHeaderBackup),"
			" and convert it: cryptsetup convert --type luks2 %s", path);
	return err_set(ERR_NOT_FOUND, "there is no LUKS header on it. A volume whose header is kept elsewhere (detached) cannot be managed");
}

/* What a half-done or future re-encryption leaves in the header. */
static int check_requirements(struct crypt_device *cd)
{
	uint32_t flags = 0;
	int rc = crypt_persistent_flags_get(cd, CRYPT_FLAGS_REQUIREMENTS, &flags);

	if (rc < 0)
		return cryptsetup_error(rc, "requirements");
	if (flags & (CRYPT_REQUIREMENT_OFFLINE_REENCRYPT | CRYPT_REQUIREMENT_ONLINE_REENCRYPT))
		return err_set(ERR_UNSUPPORTED, "it is being re-encrypted: finish that first (cryptsetup reencrypt --resume-only)");
	return flags ? err_set(ERR_UNSUPPORTED, "its header asks for what this program does not know") : 0;
}

static int read_hash(struct crypt_device *cd, char out[static 16])
{
	const char *text, *hash;
	json_t *whole = NULL, *digests, *first;
	int rc = crypt_dump_json(cd, &text, 0);

	if (rc < 0)
		return cryptsetup_error(rc, "metadata");
	rc = json_parse_object(text, strlen(text), METADATA_MAX, &whole);
	if (rc == 0)
		rc = json_get_object(whole, "digests", &digests);
	if (rc == 0)
		rc = json_get_object(digests, "0", &first);
	if (rc == 0)
		rc = json_get_string(first, "hash", 15, &hash);
	if (rc == 0)
		snprintf(out, 16, "%s", hash);
	json_decref(whole);
	return rc;
}

static int count_slots(struct crypt_device *cd)
{
	int count = 0;

	for (int i = 0; i < crypt_keyslot_max(CRYPT_LUKS2); i++)
		count += crypt_keyslot_status(cd, i) >= CRYPT_SLOT_ACTIVE;
	return count;
}

static int describe(struct crypt_device *cd, struct custody_look *out)
{
	int id, rc;

	snprintf(out->uuid, sizeof out->uuid, "%s", crypt_get_uuid(cd));
	snprintf(out->cipher, sizeof out->cipher, "%s", crypt_get_cipher(cd));
	snprintf(out->mode, sizeof out->mode, "%s", crypt_get_cipher_mode(cd));
	out->key_bits = header_key_bits(cd);
	out->sector_size = (uint32_t)crypt_get_sector_size(cd);
	out->slots = count_slots(cd);
	rc = header_token_get(cd, &out->token, &id);
	out->ours = rc == 0;
	return rc < 0 && rc != ERR_NOT_FOUND ? rc : read_hash(cd, out->hash);
}

/* The kernel knows many ciphers; the user-space engine those of DEV-8. */
static int check_engine(struct crypt_device *cd, uint64_t size, const struct volume_engine *engine)
{
	struct plain_segment segment;
	int rc = engine ? 0 : volume_engine_find(NULL, &engine);

	if (rc < 0)
		return rc;
	rc = header_check(cd, size, engine == &volume_userspace ? &segment : NULL);
	return rc == ERR_UNSUPPORTED && engine == &volume_userspace
		? err_wrap(rc, "this kernel has no dm-crypt, and the user-space engine cannot open it") : rc;
}

int custody_look(const char *path, const struct volume_engine *engine, struct custody_look *out)
{
	struct custody_look look = { .slots = 0 };
	struct volume_report found;
	struct crypt_device *cd = NULL;
	int rc = volume_inspect(path, &found);

	if (rc == 0)
		rc = header_load(path, &cd);
	if (rc == ERR_NOT_FOUND && found.size > 0)
		return explain_missing(path);
	if (rc < 0)
		return rc;
	rc = check_requirements(cd);
	if (rc == 0 && (crypt_get_data_offset(cd) == 0 || crypt_get_data_offset(cd) * 512 >= found.size))
		rc = err_set(ERR_UNSUPPORTED, "it is only a header: its data are elsewhere (detached), which cannot be managed");
	if (rc == 0)
		rc = check_engine(cd, found.size, engine);
	if (rc == 0)
		rc = describe(cd, &look);
	crypt_free(cd);
	if (rc == 0)
		*out = look;
	return rc;
}

int custody_opens(const char *path, const struct secret *secret)
{
	int rc = header_prove(path, secret, LIMITS_PASSPHRASE, CRYPT_ANY_SLOT);

	return rc < 0 ? rc : 0;
}

/* NEW in a slot of its own, opened by OLD; returns the slot. */
static int add(struct crypt_device *cd, const struct secret *old, enum limits_secret kind, const struct secret *new)
{
	int slot = header_add_slot(cd, old, kind, new);

	return slot == ERR_FORBIDDEN ? err_set(slot, "the passphrase or key file does not open the volume") : slot;
}

static int add_key(struct crypt_device *cd, const struct secret *old, const struct secret *key)
{
	int rc = header_find_slot(cd, key, LIMITS_DEVICE_KEY);

	if (rc != ERR_FORBIDDEN)
		return rc;
	if (old == NULL)
		return err_set(ERR_FORBIDDEN, "a passphrase or key file of the volume is needed");
	rc = header_set_pbkdf(cd, NULL);
	return rc < 0 ? rc : add(cd, old, LIMITS_PASSPHRASE, key);
}

/* In place of a former token of ours, if there is one. */
static int write_token(struct crypt_device *cd, const struct volume_token *token, int slot)
{
	struct volume_token t = *token, former;
	int id, rc = header_token_get(cd, &former, &id);

	t.keyslot = slot;
	t.provisioning = 0;
	return header_token_set(cd, rc == 0 ? id : CRYPT_ANY_TOKEN, &t);
}

int custody_adopt(const char *path, const struct secret *old, const struct secret *key, const struct volume_token *token)
{
	struct crypt_device *cd = NULL;
	int slot, rc = header_load(path, &cd);

	if (rc < 0)
		return rc;
	rc = slot = add_key(cd, old, key);
	if (rc >= 0)
		rc = header_prove(path, key, LIMITS_DEVICE_KEY, slot);
	if (rc >= 0)
		rc = write_token(cd, token, slot);
	crypt_free(cd);
	return rc < 0 ? err_wrap(rc, "%s", path) : 0;
}

static int drop_slot(struct crypt_device *cd, int slot)
{
	int rc = crypt_keyslot_destroy(cd, slot);

	return rc < 0 ? cryptsetup_error(rc, "removing a key slot") : 0;
}

int custody_drop_others(const char *path, const struct secret *key)
{
	struct crypt_device *cd = NULL;
	int dropped = 0, keep = header_prove(path, key, LIMITS_DEVICE_KEY, CRYPT_ANY_SLOT), rc = keep < 0 ? keep : header_load(path, &cd);

	for (int i = 0; rc == 0 && i < crypt_keyslot_max(CRYPT_LUKS2); i++) {
		if (i == keep || crypt_keyslot_status(cd, i) < CRYPT_SLOT_ACTIVE)
			continue;
		rc = drop_slot(cd, i);
		dropped += rc == 0;
	}
	crypt_free(cd);
	return rc < 0 ? err_wrap(rc, "%s", path) : dropped;
}

/* The owner's slot, made where there is none yet. */
static int add_passphrase(struct crypt_device *cd, const struct secret *key, const struct secret *passphrase)
{
	int rc = header_find_slot(cd, passphrase, LIMITS_PASSPHRASE);

	if (rc != ERR_FORBIDDEN)
		return rc;
	if (key == NULL)
		return err_set(ERR_FORBIDDEN, "this passphrase does not open the volume");
	rc = crypt_set_pbkdf_type(cd, crypt_get_pbkdf_default(CRYPT_LUKS2));
	return rc < 0 ? cryptsetup_error(rc, "key slot parameters") : add(cd, key, LIMITS_DEVICE_KEY, passphrase);
}

/* Ours go; OWN is the owner's and stays, whatever the token says. */
static int leave(struct crypt_device *cd, const struct secret *key, int own)
{
	struct volume_token token;
	int id, slot, rc = 0, found = header_token_get(cd, &token, &id);

	while (rc == 0 && key && (slot = header_find_slot(cd, key, LIMITS_DEVICE_KEY)) >= 0 && slot != own)
		rc = drop_slot(cd, slot);
	if (rc == 0 && found == 0 && token.keyslot >= 0 && token.keyslot != own
		&& crypt_keyslot_status(cd, token.keyslot) >= CRYPT_SLOT_ACTIVE)
		rc = drop_slot(cd, token.keyslot);
	if (rc == 0 && found == 0) {
		rc = crypt_token_json_set(cd, id, NULL);
		rc = rc < 0 ? cryptsetup_error(rc, "removing the token") : 0;
	}
	return rc < 0 ? rc : header_disown(cd);
}

int custody_hand_over(const char *path, const struct secret *key, const struct secret *passphrase)
{
	struct crypt_device *cd = NULL;
	int own, rc = header_load(path, &cd);

	if (rc < 0)
		return rc;
	rc = own = add_passphrase(cd, key, passphrase);
	if (rc >= 0)
		rc = header_prove(path, passphrase, LIMITS_PASSPHRASE, own);
	if (rc >= 0)
		rc = leave(cd, key, own);
	crypt_free(cd);
	return rc < 0 ? err_wrap(rc, "%s", path) : 0;
}
