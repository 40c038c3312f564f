/* handshake.c - what both ends of a session handshake compute: keys, and the block in which a side proves itself. */
#include <openssl/crypto.h>
#include <string.h>

#include "base/err.h"
#include "base/wire.h"
#include "proto/internal.h"

const struct proto_side proto_side_agent = {
	.key_label = "keyward 1 agent key",
	.mac_label = "keyward 1 agent mac",
	.signature_label = "keyward 1 agent signature",
	.identity_label = "keyward 1 agent identity",
	.direction = PROTO_AGENT_TO_SERVER,
};
const struct proto_side proto_side_server = {
	.key_label = "keyward 1 server key",
	.mac_label = "keyward 1 server mac",
	.signature_label = "keyward 1 server signature",
	.identity_label = "keyward 1 server identity",
	.direction = PROTO_SERVER_TO_AGENT,
};

void proto_party_server(struct proto_party *p, const uint8_t public_key[static PROTO_POINT_SIZE])
{
	proto_key_id(public_key, p->who);
	memcpy(p->identity, public_key, PROTO_POINT_SIZE);
	p->identity_len = PROTO_POINT_SIZE;
	p->public_key = public_key;
}

void proto_party_agent(struct proto_party *p, const struct uuid *account, const struct uuid *agent,
	const uint8_t public_key[static PROTO_POINT_SIZE])
{
	memcpy(p->who, agent->bytes, 16);
	memcpy(p->identity, account->bytes, 16);
	memcpy(p->identity + 16, agent->bytes, 16);
	memcpy(p->identity + 32, public_key, PROTO_POINT_SIZE);
	p->identity_len = 32 + PROTO_POINT_SIZE;
	p->public_key = public_key;
}

int proto_master(const uint8_t *nonce_agent, const uint8_t *nonce_server, const uint8_t *scalar, const uint8_t *peer,
	uint8_t master[static PROTO_KEY_SIZE])
{
	uint8_t salt[2 * PROTO_NONCE_SIZE], shared[32];
	int rc = proto_ecdh(scalar, peer, shared);

	memcpy(salt, nonce_agent, PROTO_NONCE_SIZE);
	memcpy(salt + PROTO_NONCE_SIZE, nonce_server, PROTO_NONCE_SIZE);
	if (rc == 0)
		rc = proto_hkdf_extract(salt, sizeof salt, shared, sizeof shared, master);
	secret_wipe(shared, sizeof shared);
	return rc;
}

static int expand(
	const uint8_t *master, const char *label, const uint8_t *transcript, uint8_t key[static PROTO_KEY_SIZE])
{
	return proto_hkdf_expand(master, PROTO_KEY_SIZE, label, transcript, PROTO_DIGEST_SIZE, key, PROTO_KEY_SIZE);
}

int proto_finish_key(const uint8_t *master, const uint8_t *transcript, uint8_t key[static PROTO_KEY_SIZE])
{
	return expand(master, "keyward 1 finish key", transcript, key);
}

int proto_record_keys_from(const uint8_t *master, const uint8_t *transcript, struct proto_record_keys *out)
{
	int rc = expand(master, "keyward 1 record agent key", transcript, out->key_agent);

	if (rc == 0)
		rc = expand(master, "keyward 1 record server key", transcript, out->key_server);
	out->epoch = 0;
	return rc;
}

/* What a side signs: its label, all that was said so far, and who it is. */
static int signed_digest(const struct proto_side *side, const uint8_t *transcript, const struct proto_party *p,
	uint8_t digest[static PROTO_DIGEST_SIZE])
{
	struct buf b = BUF_INIT;
	int rc;

	wire_put_string(&b, side->signature_label);
	wire_put_raw(&b, transcript, PROTO_DIGEST_SIZE);
	wire_put_bytes(&b, p->identity, p->identity_len);
	rc = proto_sha256(b.data, b.len, digest);
	buf_free(&b);
	return rc;
}

/* SIGMA's MAC over the identity: who signed also knows this session's secret. */
static int identity_mac(const struct proto_side *side, const uint8_t *master, const uint8_t *transcript,
	const struct proto_party *p, uint8_t mac[static 32])
{
	struct buf b = BUF_INIT;
	uint8_t key[PROTO_KEY_SIZE];
	int rc = expand(master, side->mac_label, transcript, key);

	wire_put_string(&b, side->identity_label);
	wire_put_bytes(&b, p->identity, p->identity_len);
	if (rc == 0)
		rc = proto_hmac(key, sizeof key, b.data, b.len, mac);
	secret_wipe(key, sizeof key);
	buf_free(&b);
	return rc;
}

int proto_auth_seal(const struct proto_side *side, const uint8_t *master, const uint8_t *transcript,
	const struct proto_party *p, const struct proto_signer *signer, struct buf *frame)
{
	uint8_t auth[PROTO_AUTH_SIZE], key[PROTO_KEY_SIZE], digest[PROTO_DIGEST_SIZE];
	size_t clear = frame->len;
	int rc = signed_digest(side, transcript, p, digest);

	memcpy(auth, p->who, sizeof p->who);
	if (rc == 0)
		rc = signer->sign(signer->ctx, digest, auth + 16);
	if (rc == 0)
		rc = identity_mac(side, master, transcript, p, auth + 16 + PROTO_SIGNATURE_SIZE);
	if (rc == 0)
		rc = expand(master, side->key_label, transcript, key);
	if (rc == 0) {
		buf_extend(frame, PROTO_AUTH_SEALED_SIZE);
		rc = proto_aead_seal(
			key, side->direction, 0, frame->data, clear, auth, sizeof auth, (uint8_t *)frame->data + clear);
	}
	secret_wipe(key, sizeof key);
	return rc;
}

int proto_auth_open(const struct proto_side *side, const uint8_t *master, const uint8_t *transcript,
	const uint8_t *frame, size_t clear, uint8_t auth[static PROTO_AUTH_SIZE])
{
	uint8_t key[PROTO_KEY_SIZE];
	int rc = expand(master, side->key_label, transcript, key);

	if (rc == 0)
		rc = proto_aead_open(
			key, side->direction, 0, frame, clear, frame + clear, PROTO_AUTH_SEALED_SIZE, auth);
	secret_wipe(key, sizeof key);
	return rc;
}

int proto_auth_check(const struct proto_side *side, const uint8_t *master, const uint8_t *transcript,
	const struct proto_party *p, const uint8_t auth[static PROTO_AUTH_SIZE])
{
	uint8_t digest[PROTO_DIGEST_SIZE], mac[32];
	int rc = signed_digest(side, transcript, p, digest);

	if (rc == 0)
		rc = identity_mac(side, master, transcript, p, mac);
	if (rc < 0)
		return rc;
	if (memcmp(auth, p->who, sizeof p->who) != 0)
		return err_set(ERR_UNAUTHENTICATED, "the peer is somebody else");
	if (proto_verify(p->public_key, digest, auth + 16) < 0)
		return err_set(ERR_UNAUTHENTICATED, "the peer's signature does not verify");
	if (CRYPTO_memcmp(mac, auth + 16 + PROTO_SIGNATURE_SIZE, sizeof mac) != 0)
		return err_set(ERR_UNAUTHENTICATED, "the peer's identity is not bound to this session");
	return 0;
}
