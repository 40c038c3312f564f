/* exported.h - an exported device key (KEY-5) as keyd, the console and keyward-keytool agree on it: the fields of its XML file, how a
 * passphrase becomes a key, and what the encryption is bound to. docs/keys.md has every byte and a vector. No files and no ciphers here.
 *
 *     export key  = argon2id(passphrase, salt, passes, memory), 32 bytes: once for all files of an export
 *     file key    = HKDF-SHA256(export key, salt: file salt, info: exported_info)
 *     sealed      = file salt (32), nonce (12), AES-256-GCM(file key, nonce, device key, associated: exported_info, fields), tag (16) */
#ifndef BASE_EXPORTED_H
#define BASE_EXPORTED_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/secret.h"
#include "base/uuid.h"

#define EXPORTED_ROOT "keyward-device-key"
#define EXPORTED_FORMAT "1"
#define EXPORTED_DOMAIN "keyward export"
#define EXPORTED_ARGON2ID "argon2id"
#define EXPORTED_DIGEST_SIZE 32
#define EXPORTED_KEY_SIZE 32
#define EXPORTED_SALT_SIZE 16
#define EXPORTED_FILE_SALT_SIZE 32
#define EXPORTED_NONCE_SIZE 12
#define EXPORTED_TAG_SIZE 16
#define EXPORTED_OVERHEAD (EXPORTED_FILE_SALT_SIZE + EXPORTED_NONCE_SIZE + EXPORTED_TAG_SIZE)
#define EXPORTED_FIELDS_MAX 16384        /* bytes of all fields together, with their lengths */
#define EXPORTED_FILE_MAX 32768          /* of one XML file */
#define EXPORTED_FILES_MAX 1000          /* in one zip */
#define EXPORTED_PASSPHRASE_LEAST 12     /* characters */
#define EXPORTED_PASSPHRASE_MOST 128

/* What new exports cost; a file says what it took. More than the limits is a file that would only keep the machine busy. */
#define EXPORTED_COST_PASSES 3
#define EXPORTED_COST_KIB (128u * 1024)
#define EXPORTED_PASSES_MAX 64
#define EXPORTED_MEMORY_KIB_MAX (1024u * 1024)

/* Elements below the root and their attributes, in the order of the file; id, element, attribute, most bytes. All are there, empty where
 * there is nothing to say, and all are authenticated: a mount point that was changed is noticed as a changed key is. */
#define EXPORTED_FIELDS(X) \
	X(ACCOUNT, "account", "id", 36) \
	X(ACCOUNT_NAME, "account", "name", 256) \
	X(DEVICE, "device", "id", 36) \
	X(DEVICE_NAME, "device", "name", 1024) \
	X(PROVIDER, "device", "provider", 64) \
	X(PROVIDER_DEVICE, "device", "provider-id", 1024) \
	X(SIZE, "device", "size", 20) \
	X(VERSION, "key", "version", 10)        /* of the device's key */ \
	X(MADE_FOR, "key", "made-for", 36)      /* a copied key (DEV-5): the device and version that the token on the volume may name */ \
	X(MADE_VERSION, "key", "made-version", 10) \
	X(LUKS_UUID, "volume", "luks-uuid", 64) \
	X(FILESYSTEM, "volume", "filesystem", 32) \
	X(MOUNT_POINT, "volume", "mount-point", 4096) \
	X(ACCESS, "volume", "access", 16) \
	X(RAID, "raid", "id", 36)               /* of the array that the device is a member of */ \
	X(RAID_NAME, "raid", "name", 64)        /* as tokens name it */ \
	X(RAID_INDEX, "raid", "index", 4)       /* from 0 */ \
	X(RAID_MEMBERS, "raid", "members", 4) \
	X(EXPORT, "export", "id", 36) \
	X(EXPORTED_AT, "export", "at", 32) \
	X(EXPORTED_BY, "export", "by", 256) \
	X(FUNCTION, "derivation", "function", 16) \
	X(SALT, "derivation", "salt", 32)       /* hexadecimal */ \
	X(PASSES, "derivation", "passes", 10) \
	X(MEMORY, "derivation", "memory-kib", 10)

enum exported_field {
#define X(id, element, attribute, most) EXPORTED_##id,
	EXPORTED_FIELDS(X)
#undef X
	EXPORTED_FIELD_COUNT
};

struct exported_name {
	const char *element, *attribute;
	size_t most;                     /* bytes */
};
extern const struct exported_name exported_names[EXPORTED_FIELD_COUNT];

struct exported_cost {
	uint8_t salt[EXPORTED_SALT_SIZE];
	uint32_t passes, memory_kib;
};

struct exported_label {
	struct uuid tenant, device;
	uint32_t version;
};

/* A new salt, and what new exports cost. */
void exported_cost_new(struct exported_cost *out);
/* The export key, the caller's. Takes about a third of a second and all that memory: outside of transactions and locks. ERR_INVALID: costs
 * beyond the limits; ERR_CRYPTO: not enough memory. */
int exported_derive(const struct secret *passphrase, const struct exported_cost *cost, struct secret **out);
/* SHA-256 of an export key: says which one it is and nothing about it, as it has 256 bits that nobody can guess. */
void exported_digest(const uint8_t key[static EXPORTED_KEY_SIZE], uint8_t out[static EXPORTED_DIGEST_SIZE]);
/* Appends what a file key and its ciphertext are bound to: "keyward export", u8 format, tenant, device, u32 version of the key. */
void exported_info(const struct exported_label *label, struct buf *out);
/* 1 when TEXT, UTF-8, may be a field: no control characters (C1 either: terminals obey them), nothing that XML does not have. */
int exported_is_plain(const char *text);
/* Puts '?' in the place of whatever it may not hold. */
void exported_make_plain(char *text);
/* Appends all fields in order, each as u32 length and bytes. NULL is an empty one. */
void exported_put_fields(const char *const fields[static EXPORTED_FIELD_COUNT], struct buf *out);

#endif
