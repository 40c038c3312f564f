/* seen.c - a table of hashes, each in the one place that it names: a newer one pushes an older one out. */
#include "keys/seen.h"

#include <string.h>

#include "base/wire.h"

_Static_assert((SEEN_MAX & (SEEN_MAX - 1)) == 0, "a place is some bits of the hash");

static int digest_of(const struct proto_recipient *r, const uint8_t *agent_key, const uint8_t *signature,
	uint8_t digest[static PROTO_DIGEST_SIZE])
{
	struct buf b = BUF_INIT;
	int rc;

	wire_put_string(&b, "keyward verified");
	wire_put_uuid(&b, &r->account);
	wire_put_uuid(&b, &r->agent);
	wire_put_string(&b, r->device);
	wire_put_raw(&b, r->key, PROTO_POINT_SIZE);
	wire_put_raw(&b, agent_key, PROTO_POINT_SIZE);
	wire_put_raw(&b, signature, PROTO_SIGNATURE_SIZE);
	rc = proto_sha256(b.data, b.len, digest);
	buf_free(&b);
	return rc;
}

int seen_recipient(struct seen *s, const struct proto_recipient *r, const uint8_t agent_key[static PROTO_POINT_SIZE],
	const uint8_t signature[static PROTO_SIGNATURE_SIZE])
{
	uint8_t digest[PROTO_DIGEST_SIZE], *place;
	uint32_t at;
	int rc = digest_of(r, agent_key, signature, digest);

	if (rc < 0)
		return rc;
	memcpy(&at, digest, sizeof at);
	place = s->digests[at & (SEEN_MAX - 1)];
	if (memcmp(place, digest, sizeof digest) == 0)
		return 0;
	rc = proto_recipient_verify(r, agent_key, signature);
	if (rc == 0)
		memcpy(place, digest, sizeof digest);
	return rc;
}
