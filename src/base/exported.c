/* exported.c - see exported.h. */
#include "base/exported.h"

#include <sodium.h>
#include <string.h>

#include "base/err.h"
#include "base/wire.h"

#define FORMAT 1

_Static_assert(EXPORTED_SALT_SIZE == crypto_pwhash_argon2id_SALTBYTES, "libsodium's salt");

const struct exported_name exported_names[EXPORTED_FIELD_COUNT] = {
#define X(id, element, attribute, most) [EXPORTED_##id] = { element, attribute, most },
	EXPORTED_FIELDS(X)
#undef X
};

void exported_cost_new(struct exported_cost *out)
{
	randombytes_buf(out->salt, sizeof out->salt);
	out->passes = EXPORTED_COST_PASSES;
	out->memory_kib = EXPORTED_COST_KIB;
}

int exported_derive(const struct secret *passphrase, const struct exported_cost *cost, struct secret **out)
{
	struct secret *key;

	if (cost->passes < crypto_pwhash_argon2id_OPSLIMIT_MIN || cost->passes > EXPORTED_PASSES_MAX || cost->memory_kib < 8
		|| cost->memory_kib > EXPORTED_MEMORY_KIB_MAX)
		return err_set(ERR_INVALID, "%u passes over %u KiB cannot be meant", cost->passes, cost->memory_kib);
	key = secret_new(EXPORTED_KEY_SIZE);
	if (crypto_pwhash_argon2id(key->data, key->len, (const char *)passphrase->data, passphrase->len, cost->salt, cost->passes,
			(size_t)cost->memory_kib * 1024, crypto_pwhash_argon2id_ALG_ARGON2ID13) != 0) {
		secret_free(key);
		return err_set(ERR_CRYPTO, "not enough memory for the passphrase: %u MiB are needed", cost->memory_kib >> 10);
	}
	*out = key;
	return 0;
}

void exported_digest(const uint8_t key[static EXPORTED_KEY_SIZE], uint8_t out[static EXPORTED_DIGEST_SIZE])
{
	crypto_hash_sha256(out, key, EXPORTED_KEY_SIZE);
}

void exported_info(const struct exported_label *label, struct buf *out)
{
	wire_put_raw(out, EXPORTED_DOMAIN, strlen(EXPORTED_DOMAIN));
	wire_put_u8(out, FORMAT);
	wire_put_uuid(out, &label->tenant);
	wire_put_uuid(out, &label->device);
	wire_put_u32(out, label->version);
}

/* How many bytes the character at S has that no field may hold; 0: it may. */
static size_t unfit(const unsigned char *s)
{
	if (*s < ' ' || *s == 0x7f)
		return 1;
	if (*s == 0xc2 && s[1] >= 0x80 && s[1] <= 0x9f)
		return 2;
	return *s == 0xef && s[1] == 0xbf && s[2] >= 0xbe ? 3 : 0;
}

int exported_is_plain(const char *text)
{
	for (const unsigned char *s = (const unsigned char *)text; *s; s++)
		if (unfit(s))
			return 0;
	return 1;
}

void exported_make_plain(char *text)
{
	unsigned char *to = (unsigned char *)text;

	for (const unsigned char *s = to; *s;) {
		size_t n = unfit(s);

		*to++ = n ? '?' : *s;
		s += n ? n : 1;
	}
	*to = '\0';
}

void exported_put_fields(const char *const fields[static EXPORTED_FIELD_COUNT], struct buf *out)
{
	for (int i = 0; i < EXPORTED_FIELD_COUNT; i++)
		wire_put_string(out, fields[i] ? fields[i] : "");
}
