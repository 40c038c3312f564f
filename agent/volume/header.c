/* header.c - see header.h. */
#include "agent/volume/header.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/volume/cryptsetup.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"

#define TOKEN_TYPE "keyward"
#define TOKEN_JSON_MAX 4096
#define SEGMENTS_JSON_MAX (4 * 1024 * 1024)
#define SECTOR 512
#define SLOTS_MAX 32
/* The least that libcryptsetup accepts. Stretching protects guessable passphrases; a device key is 256 random bits, so more
 * rounds would only delay every boot. */
#define PBKDF_ROUNDS 1000

static int start(const char *path, struct crypt_device **out)
{
	int rc;

	/* What it says of no context in particular, libdevmapper's retries among it, is not for standard error either. */
	cryptsetup_listen(NULL);
	/* Loaded token plug-ins are code that we did not choose; ours is only data. */
	crypt_token_external_disable();
	rc = crypt_init(out, path);
	if (rc < 0)
		return cryptsetup_error(rc, path);
	cryptsetup_listen(*out);
	crypt_set_rng_type(*out, CRYPT_RNG_URANDOM);
	return 0;
}

int header_load(const char *path, struct crypt_device **out)
{
	struct crypt_device *cd = NULL;
	int rc = start(path, &cd);

	if (rc < 0)
		return rc;
	rc = crypt_load(cd, CRYPT_LUKS2, NULL);
	if (rc < 0) {
		crypt_free(cd);
		return rc == -EINVAL ? err_set(ERR_NOT_FOUND, "%s: no LUKS2 header", path) : cryptsetup_error(rc, path);
	}
	*out = cd;
	return 0;
}

/* A number as libcryptsetup writes it, or -1 where the token names none. */
static int parse_slot(const json_t *o, int *out)
{
	json_t *slots;
	const char *text;
	char *end;
	long slot;
	int rc = json_get_array(o, "keyslots", SLOTS_MAX, &slots);

	if (rc < 0)
		return rc;
	*out = -1;
	if (json_array_size(slots) == 0)
		return 0;
	text = json_string_value(json_array_get(slots, 0));
	slot = text && *text >= '0' && *text <= '9' ? strtol(text, &end, 10) : -1;
	if (slot < 0 || slot >= SLOTS_MAX || *end)
		return err_set(ERR_INVALID, "keyslots");
	*out = (int)slot;
	return 0;
}

/* A volume of an array says so; what cannot be an array makes the whole token a broken one. */
static int parse_place(const json_t *o, struct volume_place *out)
{
	int64_t index, count, chunk;
	const char *array;
	json_t *place;
	int rc;

	if (json_object_get(o, "array") == NULL)
		return 0;
	rc = json_get_object(o, "array", &place);
	if (rc == 0)
		rc = json_get_string(place, "id", VOLUME_ARRAY_MAX - 1, &array);
	if (rc == 0)
		rc = json_get_int(place, "count", 2, VOLUME_PARTS_MAX, &count);
	if (rc == 0)
		rc = json_get_int(place, "index", 0, count - 1, &index);
	if (rc == 0)
		rc = json_get_int(place, "chunk", 4096, 1 << 30, &chunk);
	if (rc == 0 && (array[0] == '\0' || chunk % 4096))
		rc = err_set(ERR_INVALID, "array");
	if (rc < 0)
		return rc;
	snprintf(out->array, sizeof out->array, "%s", array);
	out->index = (uint32_t)index;
	out->count = (uint32_t)count;
	out->chunk = (uint32_t)chunk;
	return 0;
}

static int parse_token(const char *text, struct volume_token *out)
{
	struct volume_token t = { .keyslot = -1 };
	const char *server = NULL;
	int64_t version = 0, wiped = 0;
	json_t *o = NULL;
	int rc = json_parse_object(text, strlen(text), TOKEN_JSON_MAX, &o);

	if (rc < 0)
		return rc;
	if ((rc = json_get_string(o, "server", VOLUME_SERVER_MAX - 1, &server)) == 0
	    && (rc = json_get_uuid(o, "account", &t.account)) == 0
	    && (rc = json_get_uuid(o, "device", &t.device)) == 0
	    && (rc = json_get_int(o, "key_version", 0, UINT32_MAX, &version)) == 0
	    && (rc = json_get_int_opt(o, "wiped", 0, INT64_MAX, &wiped)) == 0
	    && (rc = json_get_bool(o, "provisioning", &t.provisioning)) == 0
	    && (rc = parse_place(o, &t.place)) == 0
	    && (rc = parse_slot(o, &t.keyslot)) == 0) {
		snprintf(t.server, sizeof t.server, "%s", server);
		t.key_version = (uint32_t)version;
		t.wiped = (uint64_t)wiped;
		*out = t;
	}
	json_decref(o);
	return rc;
}

static char *print_token(const struct volume_token *t)
{
	json_t *o = json_object(), *slots = json_array();
	char slot[12];
	char *text;

	json_set_string(o, "type", TOKEN_TYPE);
	json_set_string(o, "server", t->server);
	json_set_uuid(o, "account", &t->account);
	json_set_uuid(o, "device", &t->device);
	json_set_int(o, "key_version", t->key_version);
	json_set_bool(o, "provisioning", t->provisioning);
	if (t->place.array[0])
		json_object_set_new(o, "array", json_pack("{s:s, s:I, s:I, s:I}", "id", t->place.array, "index", (json_int_t)t->place.index,
			"count", (json_int_t)t->place.count, "chunk", (json_int_t)t->place.chunk));
	if (t->provisioning)
		json_set_int(o, "wiped", (int64_t)t->wiped);
	snprintf(slot, sizeof slot, "%d", t->keyslot);
	if (t->keyslot >= 0)
		json_array_append_new(slots, json_string(slot));
	json_object_set_new(o, "keyslots", slots);
	text = json_text(o);
	json_decref(o);
	return text;
}

int header_token_get(struct crypt_device *cd, struct volume_token *out, int *id)
{
	const char *type, *text;
	crypt_token_info info;
	int rc;

	for (int i = 0; i < crypt_token_max(CRYPT_LUKS2); i++) {
		info = crypt_token_status(cd, i, &type);
		if (info < CRYPT_TOKEN_INTERNAL || strcmp(type, TOKEN_TYPE) != 0)
			continue;
		if (crypt_token_json_get(cd, i, &text) < 0)
			return err_set(ERR_INVALID, "token %d cannot be read", i);
		rc = parse_token(text, out);
		if (rc < 0)
			return err_wrap(ERR_INVALID, "token %d", i);
		*id = i;
		return 0;
	}
	return err_set(ERR_NOT_FOUND, "no token of ours");
}

int header_token_set(struct crypt_device *cd, int id, const struct volume_token *token)
{
	char *text = print_token(token);
	int rc = crypt_token_json_set(cd, id, text);

	free(text);
	return rc < 0 ? cryptsetup_error(rc, "token") : 0;
}

int header_disown(struct crypt_device *cd)
{
	const char *subsystem = crypt_get_subsystem(cd), *label = crypt_get_label(cd);
	char kept[64];
	int rc = 0;

	/* A copy: libcryptsetup would copy the label onto itself. */
	snprintf(kept, sizeof kept, "%s", label ? label : "");
	if (subsystem && strcmp(subsystem, TOKEN_TYPE) == 0)
		rc = crypt_set_label(cd, kept, NULL);
	return rc < 0 ? cryptsetup_error(rc, "label") : 0;
}

int header_set_pbkdf(struct crypt_device *cd, const char *hash)
{
	struct crypt_pbkdf_type pbkdf = { .type = CRYPT_KDF_PBKDF2, .hash = hash ? hash : "sha256", .iterations = PBKDF_ROUNDS, .time_ms = 1,
		.flags = CRYPT_PBKDF_NO_BENCHMARK };
	int rc = crypt_set_pbkdf_type(cd, &pbkdf);

	return rc < 0 ? cryptsetup_error(rc, "key slot parameters") : 0;
}

static int check_params(const struct volume_params *p)
{
	static const char *const hashes[] = { "sha256", "sha384", "sha512" };
	int known = p->hash == NULL;

	for (size_t i = 0; i < ARRAY_LEN(hashes); i++)
		known |= p->hash && strcmp(p->hash, hashes[i]) == 0;
	if (!known)
		return err_set(ERR_INVALID, "hash %s", p->hash);
	if (p->key_bits != 128 && p->key_bits != 256 && (p->key_bits != 192 || p->cipher == VOLUME_XTS))
		return err_set(ERR_INVALID, "AES of %u bits in this mode", p->key_bits);
	if (p->sector_size != 0 && p->sector_size != 512 && p->sector_size != 4096)
		return err_set(ERR_INVALID, "sectors of %u bytes", p->sector_size);
	return 0;
}

static int format(struct crypt_device *cd, uint64_t size, const struct volume_params *p, const struct volume_token *token,
	const struct secret *key)
{
	struct crypt_params_luks2 luks = { .subsystem = TOKEN_TYPE };
	struct volume_token t = *token;
	int xts = p->cipher == VOLUME_XTS;
	int rc = header_set_pbkdf(cd, p->hash);

	if (rc < 0)
		return rc;
	/* luks.pbkdf stays NULL: so that the one just set is taken. Given its own, libcryptsetup loses the rounds in copying, and measures. */
	luks.sector_size = p->sector_size ? p->sector_size : size % 4096 ? 512 : 4096;
	rc = crypt_format(cd, CRYPT_LUKS2, "aes", xts ? "xts-plain64" : "cbc-essiv:sha256", NULL, NULL,
		p->key_bits / 8 * (xts ? 2 : 1), &luks);
	if (rc < 0)
		return cryptsetup_error(rc, "format");
	/* libcryptsetup only warns of a device that ends before its data begins. */
	if (crypt_get_data_offset(cd) * SECTOR + luks.sector_size > size)
		return err_set(ERR_INVALID, "%llu bytes are too few for a volume", (unsigned long long)size);
	t.keyslot = crypt_keyslot_add_by_volume_key(cd, CRYPT_ANY_SLOT, NULL, 0, (const char *)key->data, key->len);
	if (t.keyslot < 0)
		return cryptsetup_error(t.keyslot, "key slot");
	return header_token_set(cd, CRYPT_ANY_TOKEN, &t);
}

static int write_at(int fd, const unsigned char *data, size_t len, uint64_t at)
{
	ssize_t n;

	for (; len > 0; data += n, at += (size_t)n, len -= (size_t)n) {
		n = pwrite(fd, data, len, (off_t)at);
		if (n <= 0)
			return err_set(ERR_IO, "write header: %s", strerror(errno));
	}
	return 0;
}

static int sync_to_disk(int fd)
{
	return fsync(fd) < 0 ? err_set(ERR_IO, "sync header: %s", strerror(errno)) : 0;
}

/* A first sector, with its magic bytes, makes a copy of the header exist; a sector is written whole or not at all. So they
 * go last, the second copy before the first. */
static int copy_header(int fd, const unsigned char *image, size_t len, size_t second)
{
	static const unsigned char zero[SECTOR];
	int rc = write_at(fd, zero, SECTOR, 0);

	if (rc == 0)
		rc = sync_to_disk(fd);
	for (size_t at = 0x4000; rc == 0 && at <= 0x400000 && at < len; at *= 2)   /* where a second copy may lie */
		rc = write_at(fd, zero, SECTOR, at);
	if (rc == 0)
		rc = sync_to_disk(fd);
	if (rc == 0)
		rc = write_at(fd, image + SECTOR, second - SECTOR, SECTOR);
	if (rc == 0)
		rc = write_at(fd, image + second + SECTOR, len - second - SECTOR, second + SECTOR);
	if (rc == 0)
		rc = sync_to_disk(fd);
	if (rc == 0)
		rc = write_at(fd, image + second, SECTOR, second);
	if (rc == 0)
		rc = sync_to_disk(fd);
	if (rc == 0)
		rc = write_at(fd, image, SECTOR, 0);
	return rc == 0 ? sync_to_disk(fd) : rc;
}

static int copy_from(int memory, int fd, struct crypt_device *cd)
{
	size_t len = crypt_get_data_offset(cd) * SECTOR;
	uint64_t second = 0;
	unsigned char *image;
	int rc = crypt_get_metadata_size(cd, &second, NULL);

	if (rc < 0)
		return cryptsetup_error(rc, "metadata size");
	image = mmap(NULL, len, PROT_READ, MAP_SHARED, memory, 0);
	if (image == MAP_FAILED)
		return err_set(ERR_IO, "map header: %s", strerror(errno));
	rc = copy_header(fd, image, len, second);
	munmap(image, len);
	return rc;
}

/* libcryptsetup writes header, key slot and token one after the other; so it does that in memory, on a sparse image as
 * large as the device. */
int header_write(int fd, uint64_t size, const struct volume_params *params, const struct volume_token *token,
	const struct secret *device_key)
{
	struct crypt_device *cd = NULL;
	char path[64];
	int memory, rc = check_params(params);

	if (rc < 0)
		return rc;
	memory = memfd_create("keyward-header", MFD_CLOEXEC);
	if (memory < 0 || ftruncate(memory, (off_t)size) < 0) {
		rc = err_set(ERR_IO, "header image: %s", strerror(errno));
	} else {
		snprintf(path, sizeof path, "/proc/self/fd/%d", memory);
		rc = start(path, &cd);
	}
	if (rc == 0)
		rc = format(cd, size, params, token, device_key);
	if (rc == 0)
		rc = copy_from(memory, fd, cd);
	crypt_free(cd);
	if (memory >= 0)
		close(memory);
	return rc;
}

static int activate(struct crypt_device *cd, int slot, const struct secret *secret)
{
	int rc = crypt_activate_by_passphrase(cd, NULL, slot, (const char *)secret->data, secret->len, 0);

	if (rc == -ENOMEM)
		return err_set(ERR_IO, "there is too little memory for the passphrase's stretching");
	if (rc == -EPERM || rc == -ENOENT)
		return slot < 0 ? err_set(ERR_FORBIDDEN, "the key does not open the volume")
			: err_set(ERR_FORBIDDEN, "key slot %d: another key opens it", slot);
	return rc < 0 ? cryptsetup_error(rc, "unlock") : rc;
}

/* A try of SECRET on one slot: its number, ERR_FORBIDDEN where it does not open it or may not be tried on it. */
static int try_slot(struct crypt_device *cd, const struct limits *l, int slot, const struct secret *secret, enum limits_secret kind)
{
	crypt_keyslot_info info = crypt_keyslot_status(cd, slot);
	int rc;

	if (info != CRYPT_SLOT_ACTIVE && info != CRYPT_SLOT_ACTIVE_LAST)
		return err_set(ERR_FORBIDDEN, "key slot %d is none of the volume's", slot);
	rc = limits_slot(l, slot, kind);
	if (rc < 0)
		return ERR_FORBIDDEN;
	return activate(cd, slot, secret);
}

static int tokens_slot(struct crypt_device *cd)
{
	struct volume_token token;
	int id;

	return header_token_get(cd, &token, &id) == 0 ? token.keyslot : -1;
}

/* While it is encrypted anew two slots together are what opens it, and libcryptsetup finds them by itself. */
static int find_both(struct crypt_device *cd, const struct limits *l, const struct secret *secret)
{
	int rc = limits_all(l);

	return rc < 0 ? rc : activate(cd, CRYPT_ANY_SLOT, secret);
}

/* The token's slot first: with the right key it is the only one that is tried. Why that one does not open is what is told. */
static int find_slot(struct crypt_device *cd, const struct limits *l, const struct secret *secret, enum limits_secret kind)
{
	int first = tokens_slot(cd), rc = first < 0 ? ERR_FORBIDDEN : try_slot(cd, l, first, secret, kind);
	char why[VOLUME_TEXT_MAX];

	snprintf(why, sizeof why, "%s", first < 0 ? "" : err_text());
	for (int i = 0; rc == ERR_FORBIDDEN && i < SLOTS_MAX; i++)
		if (i != first)
			rc = try_slot(cd, l, i, secret, kind);
	return rc == ERR_FORBIDDEN ? err_set(rc, why[0] ? "%s (%s)" : "%s", "the key does not open the volume", why) : rc;
}

/* SLOT: this one, or CRYPT_ANY_SLOT. */
static int find(struct crypt_device *cd, int slot, const struct secret *secret, enum limits_secret kind)
{
	struct limits *l = NULL;
	int rc = limits_read(cd, &l);

	if (rc == 0 && crypt_reencrypt_status(cd, NULL) > CRYPT_REENCRYPT_NONE)
		rc = find_both(cd, l, secret);
	else if (rc == 0)
		rc = slot == CRYPT_ANY_SLOT ? find_slot(cd, l, secret, kind) : try_slot(cd, l, slot, secret, kind);
	limits_free(l);
	return rc;
}

int header_find_slot(struct crypt_device *cd, const struct secret *secret, enum limits_secret kind)
{
	return find(cd, CRYPT_ANY_SLOT, secret, kind);
}

int header_prove(const char *path, const struct secret *secret, enum limits_secret kind, int slot)
{
	struct crypt_device *cd = NULL;
	int rc = header_load(path, &cd);

	if (rc == 0)
		rc = find(cd, slot, secret, kind);
	crypt_free(cd);
	return rc;
}

int header_may_try_all(struct crypt_device *cd)
{
	struct limits *l = NULL;
	int rc = limits_read(cd, &l);

	if (rc == 0)
		rc = limits_all(l);
	limits_free(l);
	return rc;
}

unsigned header_key_bits(struct crypt_device *cd)
{
	unsigned bits = (unsigned)crypt_get_volume_key_size(cd) * 8;

	return strncmp(crypt_get_cipher_mode(cd), "xts", 3) == 0 ? bits / 2 : bits;
}

int header_expect(struct crypt_device *cd, const struct volume_encryption *expected)
{
	unsigned bits = header_key_bits(cd);
	char name[128];

	if (expected->name == NULL || expected->name[0] == '\0')
		return 0;
	snprintf(name, sizeof name, "%s-%s", crypt_get_cipher(cd), crypt_get_cipher_mode(cd));
	if (strcmp(name, expected->name) == 0 && (bits == expected->key_bits || bits == 0))
		return 0;
	return err_set(ERR_UNSUPPORTED, "the header says that the volume is encrypted with %s, %u bits; the server knows it with %s, %u bits",
		name, bits, expected->name, expected->key_bits);
}

static int volume_key_of(struct crypt_device *cd, int slot, const struct secret *secret, size_t len, struct secret **out)
{
	struct secret *vk = secret_new(len);
	int rc = crypt_volume_key_get(cd, slot, (char *)vk->data, &len, (const char *)secret->data, secret->len);

	if (rc < 0 || len != vk->len) {
		secret_free(vk);
		return cryptsetup_error(rc < 0 ? rc : -EINVAL, "volume key");
	}
	*out = vk;
	return 0;
}

int header_add_slot(struct crypt_device *cd, const struct secret *old, enum limits_secret kind, const struct secret *new)
{
	struct secret *vk = NULL;
	int slot, rc = header_find_slot(cd, old, kind);

	if (rc >= 0)
		rc = volume_key_of(cd, rc, old, (size_t)crypt_get_volume_key_size(cd), &vk);
	if (rc < 0)
		return rc;
	slot = crypt_keyslot_add_by_volume_key(cd, CRYPT_ANY_SLOT, (const char *)vk->data, vk->len, (const char *)new->data, new->len);
	secret_free(vk);
	return slot < 0 ? cryptsetup_error(slot, "new key slot") : slot;
}

/* One plain data segment: no half-done re-encryption, no authenticated mode. *SIZE becomes its bytes; 0 means to the end. */
static int check_segments(struct crypt_device *cd, uint64_t *size)
{
	const char *text, *bytes, *type;
	json_t *whole = NULL, *segments, *one, *unused;
	int rc = crypt_dump_json(cd, &text, 0);

	if (rc < 0)
		return cryptsetup_error(rc, "metadata");
	rc = json_parse_object(text, strlen(text), SEGMENTS_JSON_MAX, &whole);
	if (rc == 0)
		rc = json_get_object(whole, "segments", &segments);
	if (rc == 0 && json_object_size(segments) != 1)
		rc = err_set(ERR_UNSUPPORTED, "the volume has several segments (an unfinished re-encryption)");
	if (rc == 0)
		rc = json_get_object(segments, "0", &one);
	if (rc == 0 && json_get_object(one, "integrity", &unused) == 0)
		rc = err_set(ERR_UNSUPPORTED, "volumes with integrity tags");
	if (rc == 0 && (rc = json_get_string(one, "type", 16, &type)) == 0 && strcmp(type, "crypt") != 0)
		rc = err_set(ERR_UNSUPPORTED, "segment of type %s", type);
	if (rc == 0 && (rc = json_get_string(one, "size", 24, &bytes)) == 0)
		*size = strcmp(bytes, "dynamic") == 0 ? 0 : strtoull(bytes, NULL, 10);
	json_decref(whole);
	return rc;
}

static int measure(struct crypt_device *cd, uint64_t size, struct plain_segment *out)
{
	uint32_t sector = (uint32_t)crypt_get_sector_size(cd);
	uint64_t fixed = 0, offset = crypt_get_data_offset(cd) * SECTOR;
	int rc = check_segments(cd, &fixed);

	if (rc < 0)
		return rc;
	if (offset >= size || fixed > size - offset)
		return err_set(ERR_TRUNCATED, "the device is smaller than the volume on it");
	out->offset = offset;
	out->size = (fixed ? fixed : size - offset) / sector * sector;
	return 0;
}

static int describe(struct crypt_device *cd, uint64_t size, struct plain_segment *out)
{
	int rc = measure(cd, size, out);

	return rc < 0 ? rc : cipher_spec_parse(crypt_get_cipher(cd), crypt_get_cipher_mode(cd), (size_t)crypt_get_volume_key_size(cd),
		(uint32_t)crypt_get_sector_size(cd), crypt_get_iv_offset(cd), &out->cipher);
}

int header_check(struct crypt_device *cd, uint64_t size, struct plain_segment *segment)
{
	struct plain_segment unused;

	return segment ? describe(cd, size, segment) : measure(cd, size, &unused);
}

int header_unlock(struct crypt_device *cd, uint64_t size, const struct secret *key, struct plain_segment *segment,
	struct secret **volume_key)
{
	int rc = describe(cd, size, segment);

	if (rc == 0)
		rc = header_find_slot(cd, key, LIMITS_DEVICE_KEY);
	return rc < 0 ? rc : volume_key_of(cd, rc, key, segment->cipher.key_len, volume_key);
}
