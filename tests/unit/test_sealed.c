/* test_sealed.c - what the guest refuses to open, piece by piece. The JWEs are made here, by libjose, to be nearly right. */
#include <jose/jwe.h>
#include <stdint.h>

#include "agent/guest/sealed.h"
#include "base/encode.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"

#include "check.h"

static const char key_text[] = "a device key of 32 bytes, yes it";

struct scene {
	struct sealed *own;
	struct sealed_expected wanted;
	json_t *header, *jwe;        /* header: what will be protected */
};

static void set_party(json_t *header, const char *name, const struct uuid *id)
{
	char *text = encode_base64url(id->bytes, sizeof id->bytes);

	json_set_string(header, name, text);
	free(text);
}

static void begin(struct scene *s)
{
	secret_init();
	memset(s, 0, sizeof *s);
	CHECK_INT(sealed_new(&s->own), 0);
	s->wanted = (struct sealed_expected){ uuid_new(), uuid_new(), uuid_new(), uuid_new(), 7 };
	s->header = json_object();
	s->jwe = json_object();
	json_set_string(s->header, "alg", "ECDH-ES");
	json_set_string(s->header, "enc", "A256GCM");
	json_set_uuid(s->header, "tenant", &s->wanted.tenant);
	json_set_uuid(s->header, "device", &s->wanted.device);
	json_set_uuid(s->header, "request", &s->wanted.request);
	json_set_uuid(s->header, "agent", &s->wanted.agent);
	json_set_int(s->header, "version", 7);
	set_party(s->header, "apu", &s->wanted.request);
	set_party(s->header, "apv", &s->wanted.agent);
}

static void seal(struct scene *s, const void *plain, size_t len)
{
	uint8_t point[SEALED_POINT_SIZE];
	char *x, *y;
	json_t *jwk = json_object();

	sealed_public(s->own, point);
	x = encode_base64url(point + 1, 32);
	y = encode_base64url(point + 33, 32);
	json_set_string(jwk, "kty", "EC");
	json_set_string(jwk, "crv", "P-256");
	json_set_string(jwk, "x", x);
	json_set_string(jwk, "y", y);
	json_object_set(s->jwe, "protected", s->header);
	CHECK(jose_jwe_enc(NULL, s->jwe, NULL, jwk, plain, len));
	json_decref(jwk);
	free(x);
	free(y);
}

static int open_text(struct scene *s, const char *text, size_t len)
{
	struct secret *key = NULL;
	int rc = sealed_open(s->own, text, len, &s->wanted, &key);

	CHECK((rc == 0) == (key != NULL));
	if (key)
		CHECK(key->len == 32 && memcmp(key->data, key_text, 32) == 0);
	secret_free(key);
	return rc;
}

static int open_jwe(struct scene *s)
{
	char *text = json_text(s->jwe);
	int rc = open_text(s, text, strlen(text));

	free(text);
	return rc;
}

static void end(struct scene *s)
{
	json_decref(s->header);
	json_decref(s->jwe);
	sealed_free(s->own);
}

TEST(sealed_key_opens_as_asked_for, "KEY-4")
{
	struct scene s;

	begin(&s);
	seal(&s, key_text, 32);
	CHECK_INT(open_jwe(&s), 0);
	CHECK_INT(open_jwe(&s), 0);
	end(&s);
}

TEST(sealed_key_for_anything_else_is_refused, "KEY-1,KEY-4,SEC-7")
{
	struct scene s;
	struct sealed_expected right;

	begin(&s);
	seal(&s, key_text, 32);
	right = s.wanted;
	s.wanted.tenant = uuid_new();
	CHECK_INT(open_jwe(&s), ERR_TAMPERED);
	s.wanted = right, s.wanted.device = uuid_new();
	CHECK_INT(open_jwe(&s), ERR_TAMPERED);
	s.wanted = right, s.wanted.request = uuid_new();
	CHECK_INT(open_jwe(&s), ERR_TAMPERED);
	s.wanted = right, s.wanted.agent = uuid_new();
	CHECK_INT(open_jwe(&s), ERR_TAMPERED);
	s.wanted = right, s.wanted.version = 8;
	CHECK_INT(open_jwe(&s), ERR_TAMPERED);
	s.wanted = right;
	CHECK_INT(open_jwe(&s), 0);
	end(&s);
}

TEST(sealed_key_opens_with_its_own_one_time_key_only, "KEY-4")
{
	struct scene s, other;

	begin(&s);
	begin(&other);
	seal(&s, key_text, 32);
	other.wanted = s.wanted;
	json_decref(other.jwe);
	other.jwe = json_incref(s.jwe);
	CHECK_INT(open_jwe(&other), ERR_TAMPERED);
	end(&other);
	end(&s);
}

/* A header that says what was wanted, put in place of the one that was sealed. */
TEST(sealed_header_is_authenticated, "KEY-1,KEY-4")
{
	struct scene s;
	char *text, *encoded;

	begin(&s);
	json_set_int(s.header, "version", 6);
	seal(&s, key_text, 32);
	CHECK_INT(open_jwe(&s), ERR_TAMPERED);
	json_set_int(s.header, "version", 7);
	text = json_text(s.header);
	encoded = encode_base64url(text, strlen(text));
	json_set_string(s.jwe, "protected", encoded);
	CHECK_INT(open_jwe(&s), ERR_TAMPERED);
	free(text);
	free(encoded);
	end(&s);
}

/* Alters the protected header's member NAME before sealing: the JWE is in order, but not in our form. */
static int open_with(const char *name, json_t *value)
{
	struct scene s;
	int rc;

	begin(&s);
	json_object_set_new(s.header, name, value);
	seal(&s, key_text, 32);
	rc = open_jwe(&s);
	end(&s);
	return rc;
}

TEST(sealed_key_of_another_algorithm_is_refused, "KEY-4,SEC-6")
{
	CHECK_INT(open_with("alg", json_string("ECDH-ES+A256KW")), ERR_INVALID);
	CHECK_INT(open_with("enc", json_string("A128GCM")), ERR_INVALID);
	CHECK_INT(open_with("enc", json_string("A256CBC-HS512")), ERR_INVALID);
	CHECK_INT(open_with("zip", json_string("DEF")), ERR_INVALID);
	CHECK_INT(open_with("crit", json_array()), ERR_INVALID);
	CHECK_INT(open_with("apu", json_string("AAAA")), ERR_INVALID);
	CHECK_INT(open_with("apv", json_string("AAAA")), ERR_INVALID);
	CHECK_INT(open_with("version", json_string("7")), ERR_INVALID);
	CHECK_INT(open_with("tenant", json_string("all")), ERR_INVALID);
}

TEST(sealed_key_with_members_outside_is_refused, "KEY-4,SEC-5")
{
	static const char *const extra[] = { "unprotected", "recipients", "encrypted_key", "aad", "alg" };
	static const char *const needed[] = { "protected", "header", "iv", "ciphertext", "tag" };
	struct scene s;
	json_t *kept;

	begin(&s);
	seal(&s, key_text, 32);
	for (size_t i = 0; i < ARRAY_LEN(extra); i++) {
		json_object_set_new(s.jwe, extra[i], json_object());
		CHECK_INT(open_jwe(&s), ERR_INVALID);
		json_object_del(s.jwe, extra[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(needed); i++) {
		kept = json_incref(json_object_get(s.jwe, needed[i]));
		json_object_del(s.jwe, needed[i]);
		CHECK_INT(open_jwe(&s), ERR_INVALID);
		json_object_set_new(s.jwe, "other", json_object());
		CHECK_INT(open_jwe(&s), ERR_INVALID);
		json_object_del(s.jwe, "other");
		json_object_set_new(s.jwe, needed[i], kept);
	}
	json_set_string(json_object_get(s.jwe, "header"), "alg", "ECDH-ES");
	CHECK_INT(open_jwe(&s), ERR_INVALID);
	end(&s);
}

/* Every character changed to another of the alphabet, one after the other: nothing may open, but for bits that no byte uses. */
TEST(sealed_key_with_any_character_altered_is_refused, "KEY-1,KEY-4")
{
	struct scene s;
	char *text;
	size_t len, opened = 0;

	begin(&s);
	seal(&s, key_text, 32);
	text = json_text(s.jwe);
	len = strlen(text);
	for (size_t i = 0; i < len; i++) {
		char was = text[i];

		text[i] = was == 'Q' ? 'R' : 'Q';
		opened += open_text(&s, text, len) == 0;
		text[i] = was;
	}
	CHECK_INT(opened, 0);
	for (size_t cut = 0; cut < len; cut++)
		CHECK(open_text(&s, text, cut) < 0);
	free(text);
	end(&s);
}

TEST(sealed_key_of_no_or_too_many_bytes_is_refused, "SEC-5")
{
	static const char long_key[SEALED_KEY_MAX + 1], long_text[SEALED_JWE_MAX + 1];
	struct scene s;

	begin(&s);
	seal(&s, long_key, sizeof long_key);
	CHECK_INT(open_jwe(&s), ERR_INVALID);
	CHECK_INT(open_text(&s, long_text, sizeof long_text), ERR_TOO_LARGE);
	CHECK_INT(open_text(&s, "", 0), ERR_INVALID);
	CHECK_INT(open_text(&s, "[]", 2), ERR_INVALID);
	end(&s);
}

TEST_MAIN
