/* evidence.c - the agent's signature over the recipient of a device key. */
#include "proto/evidence.h"

#include <string.h>

#include "base/err.h"
#include "base/wire.h"

static int digest_of(const struct proto_recipient *r, uint8_t digest[static PROTO_DIGEST_SIZE])
{
	struct buf b = BUF_INIT;
	int rc = proto_point_check(r->key);

	if (rc < 0)
		return rc;
	wire_put_string(&b, "keyward 1 recipient");
	wire_put_uuid(&b, &r->account);
	wire_put_uuid(&b, &r->agent);
	wire_put_string(&b, r->device);
	wire_put_raw(&b, r->key, PROTO_POINT_SIZE);
	rc = proto_sha256(b.data, b.len, digest);
	buf_free(&b);
	return rc;
}

int proto_recipient_sign(const struct proto_recipient *r, const struct proto_signer *signer,
	uint8_t signature[static PROTO_SIGNATURE_SIZE])
{
	uint8_t digest[PROTO_DIGEST_SIZE];
	int rc = digest_of(r, digest);

	return rc < 0 ? rc : signer->sign(signer->ctx, digest, signature);
}

int proto_recipient_verify(const struct proto_recipient *r, const uint8_t agent_key[static PROTO_POINT_SIZE],
	const uint8_t signature[static PROTO_SIGNATURE_SIZE])
{
	uint8_t digest[PROTO_DIGEST_SIZE];
	int rc = digest_of(r, digest);

	return rc < 0 ? rc : proto_verify(agent_key, digest, signature);
}
