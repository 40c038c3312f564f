/* enrol.c - what both ends of an enrolment compute: the verifier, frames with shares, keys from them. */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/wire.h"
#include "proto/internal.h"

int proto_ephemeral_new(struct proto_ephemeral *e)
{
	struct secret *key = proto_key_new(e->point);
	int rc = key ? 0 : ERR_CRYPTO;

	if (rc == 0) {
		memcpy(e->scalar, key->data, sizeof e->scalar);
		rc = proto_random(e->nonce, sizeof e->nonce);
	}
	if (rc == 0)
		rc = proto_random(e->id.bytes, sizeof e->id.bytes);
	secret_free(key);
	return rc;
}

void proto_ephemeral_wipe(struct proto_ephemeral *e)
{
	secret_wipe(e, sizeof *e);
}

int proto_chain(const uint8_t *before, const void *a, size_t a_len, const void *b, size_t b_len,
	uint8_t out[static PROTO_DIGEST_SIZE])
{
	struct buf all = BUF_INIT;
	int rc;

	if (before)
		buf_add(&all, before, PROTO_DIGEST_SIZE);
	buf_add(&all, a, a_len);
	buf_add(&all, b, b_len);
	rc = proto_sha256(buf_str(&all), all.len, out);
	buf_free(&all);
	return rc;
}

int proto_enrol_verifier(
	const struct uuid *account, const char *passphrase, uint8_t verifier[static PROTO_VERIFIER_SIZE])
{
	static const char label[] = "keyward enrol 1";
	uint8_t salt[sizeof label - 1 + sizeof account->bytes], hash[40];
	size_t len = strlen(passphrase);
	int rc;

	if (len == 0 || len > PROTO_PASSPHRASE_MAX)
		return err_set(ERR_INVALID, "a passphrase has 1 to %d bytes", PROTO_PASSPHRASE_MAX);
	memcpy(salt, label, sizeof label - 1);
	memcpy(salt + sizeof label - 1, account->bytes, sizeof account->bytes);
	rc = proto_pbkdf2(passphrase, len, salt, sizeof salt, PROTO_PBKDF2_ROUNDS, hash, sizeof hash);
	if (rc == 0)
		rc = proto_spake2_reduce(hash, sizeof hash, verifier);
	secret_wipe(hash, sizeof hash);
	return rc;
}

int proto_enrol_start(enum proto_spake2_role role, const struct uuid *account, const struct uuid *id, const uint8_t *w,
	const struct proto_ephemeral *e, struct buf *out)
{
	struct proto_spake2 s = { .role = role, .w = w, .secret = e->scalar };
	uint8_t share[PROTO_POINT_SIZE];
	int rc = proto_spake2_share(&s, share);

	if (rc < 0)
		return rc;
	proto_frame_begin(out, role == PROTO_SPAKE2_A ? PROTO_ENROL_START : PROTO_ENROL_START_ANSWER);
	wire_put_uuid(out, role == PROTO_SPAKE2_A ? account : id);
	wire_put_raw(out, share, sizeof share);
	return 0;
}

static int derive_keys(struct proto_enrol_secrets *s)
{
	uint8_t prk[32];
	int rc = proto_hkdf_extract(s->transcript, sizeof s->transcript, s->spake2.ke, sizeof s->spake2.ke, prk);

	if (rc == 0)
		rc = proto_hkdf_expand(
			prk, sizeof prk, "keyward 1 enrol agent key", NULL, 0, s->key_agent, PROTO_KEY_SIZE);
	if (rc == 0)
		rc = proto_hkdf_expand(
			prk, sizeof prk, "keyward 1 enrol server key", NULL, 0, s->key_server, PROTO_KEY_SIZE);
	secret_wipe(prk, sizeof prk);
	return rc;
}

int proto_enrol_secrets(enum proto_spake2_role role, const struct uuid *account, const uint8_t *w,
	const uint8_t *scalar, const uint8_t *start, const uint8_t *answer, struct proto_enrol_secrets *out)
{
	char text[UUID_TEXT_SIZE], id_a[64], id_b[64];
	struct proto_spake2 s = { .role = role, .id_a = id_a, .id_b = id_b, .w = w, .secret = scalar,
		.aad = out->transcript, .aad_len = sizeof out->transcript };
	const size_t share = PROTO_HEAD_SIZE + PROTO_ID_SIZE;
	int rc;

	uuid_text(account, text);
	snprintf(id_a, sizeof id_a, "agent:%s", text);
	snprintf(id_b, sizeof id_b, "server:%s", text);
	rc = proto_chain(NULL, start, PROTO_ENROL_START_SIZE, answer, PROTO_ENROL_START_SIZE, out->transcript);
	if (rc == 0)
		rc = proto_spake2_finish(&s, start + share, answer + share, &out->spake2);
	return rc < 0 ? rc : derive_keys(out);
}

int proto_enrol_possession(const uint8_t transcript[static PROTO_DIGEST_SIZE],
	const uint8_t public_key[static PROTO_POINT_SIZE], const void *description, size_t len,
	uint8_t digest[static PROTO_DIGEST_SIZE])
{
	struct buf b = BUF_INIT;
	int rc;

	wire_put_string(&b, "keyward 1 enrol possession");
	wire_put_raw(&b, transcript, PROTO_DIGEST_SIZE);
	wire_put_raw(&b, public_key, PROTO_POINT_SIZE);
	wire_put_bytes(&b, description, len);
	rc = proto_sha256(b.data, b.len, digest);
	buf_free(&b);
	return rc;
}
