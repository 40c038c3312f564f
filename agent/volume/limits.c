/* limits.c - reads the metadata of a LUKS2 header for what it would cost and do. */
#include "agent/volume/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/volume/cryptsetup.h"
#include "agent/volume/header.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"

#define METADATA_MAX (4 * 1024 * 1024)
#define ENTRIES_MAX 64                    /* of a kind, in one header; LUKS2 has 32 key slots */
#define KEY_BYTES_MAX 512                 /* of a volume key */
/* Each is several times what cryptsetup makes with its own settings, and bounds one try to some seconds. */
#define DIGEST_ROUNDS_MAX 10000000
#define DEVICE_KEY_ROUNDS_MAX 1000000
#define PASSPHRASE_ROUNDS_MAX 100000000
#define ARGON_THREADS_MAX 16
#define ARGON_WORK_MAX (64LL << 20)       /* passes times KiB of memory */

struct limits {
	json_t *metadata, *slots;
};

static int check_digests(const json_t *metadata)
{
	json_t *digests, *one;
	const char *number;
	int64_t rounds;
	int rc = json_get_object(metadata, "digests", &digests);

	if (rc == 0 && json_object_size(digests) > ENTRIES_MAX)
		rc = err_set(ERR_UNSUPPORTED, "the header has %zu check values", json_object_size(digests));
	if (rc < 0)
		return rc;
	json_object_foreach(digests, number, one) {
		rc = json_get_int(one, "iterations", 1, INT64_MAX, &rounds);
		if (rc == 0 && rounds > DIGEST_ROUNDS_MAX)
			rc = err_set(ERR_UNSUPPORTED, "the header's check value takes %lld rounds", (long long)rounds);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Ciphers that hide nothing, or let equal blocks be seen. */
static int hides(const char *encryption)
{
	return strstr(encryption, "null") == NULL && strstr(encryption, "ecb") == NULL;
}

static int check_segment(const json_t *one)
{
	const char *type, *encryption;
	int rc = json_get_string(one, "type", 32, &type);

	if (rc == 0 && strcmp(type, "crypt") != 0)
		rc = err_set(ERR_UNSUPPORTED, "the header says that a part of the volume is not encrypted (%s)", type);
	if (rc == 0)
		rc = json_get_string(one, "encryption", 128, &encryption);
	if (rc == 0 && !hides(encryption))
		rc = err_set(ERR_UNSUPPORTED, "the header says that the volume is encrypted with %s, which hides nothing", encryption);
	return rc;
}

static int check_segments(const json_t *metadata)
{
	json_t *segments, *one;
	const char *number;
	int rc = json_get_object(metadata, "segments", &segments);

	if (rc < 0)
		return rc;
	json_object_foreach(segments, number, one)
		if ((rc = check_segment(one)) < 0)
			return rc;
	return 0;
}

int limits_read(struct crypt_device *cd, struct limits **out)
{
	const char *text;
	int rc = crypt_dump_json(cd, &text, 0);

	return rc < 0 ? cryptsetup_error(rc, "metadata") : limits_parse(text, strlen(text), out);
}

int limits_parse(const char *text, size_t len, struct limits **out)
{
	struct limits *l = mem_alloc(sizeof *l);
	int rc = json_parse_object(text, len, METADATA_MAX, &l->metadata);

	if (rc == 0)
		rc = json_get_object(l->metadata, "keyslots", &l->slots);
	if (rc == 0)
		rc = check_segments(l->metadata);
	if (rc == 0)
		rc = check_digests(l->metadata);
	if (rc < 0) {
		limits_free(l);
		return rc;
	}
	*out = l;
	return 0;
}

void limits_free(struct limits *l)
{
	if (l)
		json_decref(l->metadata);
	free(l);
}

static int check_sizes(const json_t *slot)
{
	json_t *area;
	int64_t bytes;
	int rc = json_get_int(slot, "key_size", 1, KEY_BYTES_MAX, &bytes);

	if (rc == 0)
		rc = json_get_object(slot, "area", &area);
	return rc < 0 ? rc : json_get_int(area, "key_size", 1, KEY_BYTES_MAX, &bytes);
}

static int64_t machine_kib(void)
{
	return (int64_t)sysconf(_SC_PHYS_PAGES) * (sysconf(_SC_PAGESIZE) / 1024);
}

static int check_argon(const json_t *kdf)
{
	int64_t passes, kib, threads;
	int rc = json_get_int(kdf, "time", 1, INT32_MAX, &passes);

	if (rc == 0)
		rc = json_get_int(kdf, "memory", 1, INT32_MAX, &kib);
	if (rc == 0)
		rc = json_get_int(kdf, "cpus", 1, ARGON_THREADS_MAX, &threads);
	if (rc == 0 && kib > machine_kib() / 4 * 3)
		rc = err_set(ERR_UNSUPPORTED, "stretching its passphrase takes %lld MiB of memory, this machine has %lld", (long long)kib / 1024,
			(long long)machine_kib() / 1024);
	if (rc == 0 && passes > ARGON_WORK_MAX / kib)
		rc = err_set(ERR_UNSUPPORTED, "stretching its passphrase takes %lld passes over %lld MiB", (long long)passes, (long long)kib / 1024);
	return rc;
}

static int check_kdf(const json_t *kdf, enum limits_secret secret)
{
	const char *type;
	int64_t rounds;
	int rc = json_get_string(kdf, "type", 32, &type);

	if (rc < 0)
		return rc;
	if (strcmp(type, "pbkdf2") != 0)
		return secret == LIMITS_PASSPHRASE ? check_argon(kdf) : err_set(ERR_UNSUPPORTED, "it is stretched by %s, which no slot for a device"
			" key is", type);
	rc = json_get_int(kdf, "iterations", 1, INT64_MAX, &rounds);
	if (rc == 0 && rounds > (secret == LIMITS_PASSPHRASE ? PASSPHRASE_ROUNDS_MAX : DEVICE_KEY_ROUNDS_MAX))
		rc = err_set(ERR_UNSUPPORTED, "it takes %lld rounds of pbkdf2", (long long)rounds);
	return rc;
}

int limits_slot(const struct limits *l, int slot, enum limits_secret secret)
{
	json_t *one, *kdf;
	char number[12];
	int rc;

	snprintf(number, sizeof number, "%d", slot);
	if (json_object_get(l->slots, number) == NULL)
		return err_set(ERR_NOT_FOUND, "there is no key slot %d", slot);
	rc = json_get_object(l->slots, number, &one);
	if (rc == 0)
		rc = check_sizes(one);
	if (rc == 0)
		rc = json_get_object(one, "kdf", &kdf);
	if (rc == 0)
		rc = check_kdf(kdf, secret);
	return rc < 0 ? err_wrap(ERR_UNSUPPORTED, "key slot %d", slot) : 0;
}

int limits_all(const struct limits *l)
{
	const char *number, *type;
	json_t *one;
	int rc;

	json_object_foreach(l->slots, number, one) {
		/* Of an unfinished re-encryption: holds no key. */
		if (json_get_string(one, "type", 32, &type) == 0 && strcmp(type, "reencrypt") == 0)
			continue;
		rc = limits_slot(l, atoi(number), LIMITS_PASSPHRASE);
		if (rc < 0)
			return rc;
	}
	return 0;
}
