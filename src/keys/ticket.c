/* ticket.c - reads and checks a proof of approval. Pure: key and time come in. */
#include "keys/ticket.h"

#include <openssl/crypto.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "proto/crypto.h"

_Static_assert(TICKET_POINT_SIZE == PROTO_POINT_SIZE, "one curve");

static void put_head(struct buf *b, uint32_t generation, clock_us expires, const uint8_t *agent_key)
{
	wire_put_u32(b, generation);
	wire_put_u64(b, (uint64_t)(expires / CLOCK_SECOND));
	wire_put_raw(b, agent_key, TICKET_POINT_SIZE);
}

static int mac_of(const uint8_t *key, uint32_t generation, clock_us expires, const uint8_t *agent_key, const struct ticket_claims *c,
	uint8_t mac[static 32])
{
	struct buf b = BUF_INIT;
	int rc;

	wire_put_raw(&b, "keyward ticket 1", 16);
	wire_put_u8(&b, (uint8_t)c->kind);
	wire_put_uuid(&b, &c->tenant);
	wire_put_uuid(&b, &c->object);
	wire_put_u32(&b, c->version);
	wire_put_uuid(&b, &c->request);
	wire_put_uuid(&b, &c->agent);
	wire_put_raw(&b, c->recipient, TICKET_POINT_SIZE);
	put_head(&b, generation, expires, agent_key);
	rc = proto_hmac(key, TICKET_KEY_SIZE, b.data, b.len, mac);
	buf_free(&b);
	return rc;
}

void ticket_export(const uint8_t export_key[static EXPORTED_KEY_SIZE], uint8_t out[static TICKET_POINT_SIZE])
{
	memset(out, 0, TICKET_POINT_SIZE);
	exported_digest(export_key, out);
}

void ticket_copy(const struct uuid *clone, uint32_t version, uint8_t out[static TICKET_POINT_SIZE])
{
	memset(out, 0, TICKET_POINT_SIZE);
	memcpy(out, clone->bytes, sizeof clone->bytes);
	for (int i = 0; i < 4; i++)
		out[sizeof clone->bytes + i] = (uint8_t)(version >> (24 - 8 * i));
}

int ticket_read(struct wire_view bytes, struct ticket *out)
{
	struct wire_reader r = wire_read(bytes.data, bytes.len);
	struct ticket t = { .generation = wire_get_u32(&r) };
	uint64_t expires = wire_get_u64(&r);
	struct wire_view agent_key = wire_get_raw(&r, TICKET_POINT_SIZE), mac = wire_get_raw(&r, sizeof t.mac);

	if (bytes.len == 0)
		return err_set(ERR_FORBIDDEN, "no proof of approval");
	if (wire_end(&r) < 0 || expires > INT64_MAX / CLOCK_SECOND)
		return err_set(ERR_FORBIDDEN, "not a proof of approval");
	t.expires = (clock_us)expires * CLOCK_SECOND;
	memcpy(t.agent_key, agent_key.data, sizeof t.agent_key);
	memcpy(t.mac, mac.data, sizeof t.mac);
	*out = t;
	return 0;
}

int ticket_check(const struct ticket *t, const uint8_t key[static TICKET_KEY_SIZE], const struct ticket_claims *claims, clock_us now)
{
	uint8_t mac[32];
	int rc = mac_of(key, t->generation, t->expires, t->agent_key, claims, mac);

	if (rc < 0)
		return rc;
	if (CRYPTO_memcmp(mac, t->mac, sizeof mac) != 0)
		return err_set(ERR_FORBIDDEN, "the proof of approval is not for this key, request, agent and recipient");
	if (t->expires < now)
		return err_set(ERR_EXPIRED, "the proof of approval has expired");
	/* A database whose clock is far ahead would give out approvals that do not end. */
	if (t->expires > now + 2 * TICKET_LIFE_S * CLOCK_SECOND)
		return err_set(ERR_FORBIDDEN, "the proof of approval is from the future: compare the clocks of database and key service");
	return 0;
}

int ticket_make(const uint8_t key[static TICKET_KEY_SIZE], uint32_t generation, const struct ticket_claims *claims, clock_us expires,
	const uint8_t agent_key[static TICKET_POINT_SIZE], uint8_t out[static TICKET_SIZE])
{
	struct buf b = BUF_INIT;
	uint8_t mac[32];
	int rc = mac_of(key, generation, expires, agent_key, claims, mac);

	put_head(&b, generation, expires, agent_key);
	wire_put_raw(&b, mac, sizeof mac);
	if (rc == 0)
		memcpy(out, b.data, TICKET_SIZE);
	buf_free(&b);
	return rc;
}
