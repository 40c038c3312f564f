/* rekey.c - another device key for a volume (KEY-6): a key slot comes, a key slot goes; what is encrypted stays as it is. */
#include "agent/volume/volume.h"

#include <stdio.h>

#include "agent/volume/cryptsetup.h"
#include "agent/volume/header.h"
#include "base/err.h"

static int add_slot(struct crypt_device *cd, const struct volume_rekey *r)
{
	int rc = header_set_pbkdf(cd, NULL);

	return rc < 0 ? rc : header_add_slot(cd, r->old, LIMITS_DEVICE_KEY, r->new);
}

static int name_slot(struct crypt_device *cd, int slot, const struct volume_rekey *r)
{
	struct volume_token token;
	int id, rc = header_token_get(cd, &token, &id);

	/* A volume that was adopted without a token is rekeyed all the same. */
	if (rc == ERR_NOT_FOUND)
		return 0;
	if (rc < 0)
		return rc;
	if (token.keyslot == slot && token.key_version == r->version && (uuid_is_nil(&r->device) || uuid_equal(&token.device, &r->device)))
		return 0;
	token.keyslot = slot;
	token.key_version = r->version;
	if (!uuid_is_nil(&r->device))
		token.device = r->device;
	return header_token_set(cd, id, &token);
}

int volume_rekey_add(const char *path, const struct volume_rekey *r)
{
	struct crypt_device *cd = NULL;
	int slot, rc = secret_equal(r->old, r->new) ? err_set(ERR_INVALID, "the new key is the old one") : header_load(path, &cd);

	if (rc < 0)
		return rc;
	slot = header_find_slot(cd, r->new, LIMITS_DEVICE_KEY);
	if (slot == ERR_FORBIDDEN)
		slot = add_slot(cd, r);
	rc = slot < 0 ? slot : header_prove(path, r->new, LIMITS_DEVICE_KEY, slot);
	if (rc >= 0)
		rc = name_slot(cd, slot, r);
	crypt_free(cd);
	return rc < 0 ? err_wrap(rc, "%s", path) : 0;
}

/* All slots that the old key opens: an interrupted run may have left more than one. */
static int drop_slots(struct crypt_device *cd, const struct secret *old, int keep)
{
	int rc = 0, slot;

	while (rc == 0 && (slot = header_find_slot(cd, old, LIMITS_DEVICE_KEY)) >= 0 && slot != keep) {
		rc = crypt_keyslot_destroy(cd, slot);
		rc = rc < 0 ? cryptsetup_error(rc, "old key slot") : 0;
	}
	return rc < 0 ? rc : slot < 0 && slot != ERR_FORBIDDEN ? slot : 0;
}

int volume_rekey_drop(const char *path, const struct volume_rekey *r)
{
	struct crypt_device *cd = NULL;
	int keep = header_prove(path, r->new, LIMITS_DEVICE_KEY, CRYPT_ANY_SLOT), rc = keep < 0 ? keep : header_load(path, &cd);

	if (rc == 0)
		rc = name_slot(cd, keep, r);
	if (rc == 0)
		rc = drop_slots(cd, r->old, keep);
	crypt_free(cd);
	return rc < 0 ? err_wrap(rc, "%s", path) : 0;
}

void volume_rekey_choose(const char *path, struct secret **key, struct secret *other)
{
	struct secret *first = *key;

	if (header_prove(path, first, LIMITS_DEVICE_KEY, CRYPT_ANY_SLOT) == ERR_FORBIDDEN && header_prove(path, other, LIMITS_DEVICE_KEY, CRYPT_ANY_SLOT) >= 0) {
		*key = other;
		other = first;
	}
	secret_free(other);
}

int volume_rekey_explain(const char *path, int64_t version)
{
	struct volume_report found;
	char said[VOLUME_TEXT_MAX];

	snprintf(said, sizeof said, "%s", err_text());
	if (volume_inspect(path, &found) == 0 && found.content == VOLUME_OURS && (int64_t)found.token.key_version > version)
		return err_set(ERR_FORBIDDEN, "the volume has version %u of its key, the server only %lld: its database is from before that rotation",
			found.token.key_version, (long long)version);
	return err_set(ERR_FORBIDDEN, "%s", said);
}
