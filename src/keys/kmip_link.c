/* kmip_link.c - settings as bytes, and messages over a TLS link. */
#include "keys/kmip_link.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "keys/kmip_message.h"
#include "keys/message.h"
#include "keys/ttlv.h"
#include "tls/link.h"

struct kmip_link {
	struct tls_link *tls;
};

void kmip_settings_free(struct kmip_settings *s)
{
	free(s->host);
	free(s->ca);
	free(s->certificate);
	secret_free(s->key);
	*s = (struct kmip_settings){ NULL };
}

struct secret *kmip_settings_put(const struct kmip_settings *s)
{
	struct buf b = BUF_INIT;
	struct secret *out;

	message_begin(&b);
	wire_put_string(&b, s->host);
	wire_put_u32(&b, s->port);
	wire_put_string(&b, s->ca);
	wire_put_string(&b, s->certificate);
	wire_put_bytes(&b, s->key->data, s->key->len);
	out = secret_take(b.data, b.len);
	message_wipe(&b);
	buf_free(&b);
	return out;
}

int kmip_settings_get(struct wire_view from, struct kmip_settings *out)
{
	struct wire_reader r = wire_read(from.data, from.len);
	struct wire_view key;

	out->host = wire_get_string(&r, KMIP_HOST_MAX);
	out->port = wire_get_u32(&r);
	out->ca = wire_get_string(&r, KMIP_PEM_MAX);
	out->certificate = wire_get_string(&r, KMIP_PEM_MAX);
	key = wire_get_bytes(&r, KMIP_KEY_MAX);
	if (r.error)
		return wire_end(&r);
	out->key = secret_new(key.len);
	if (key.len)
		memcpy(out->key->data, key.data, key.len);
	return wire_end(&r);
}

static struct tls_peer peer_of(const struct kmip_settings *s)
{
	return (struct tls_peer){ "the key server", s->host, s->port, s->ca, s->certificate, s->key, s->local };
}

int kmip_settings_check(const struct kmip_settings *s)
{
	struct tls_peer p = peer_of(s);

	return tls_peer_check(&p);
}

/* The outermost item says how long it is. */
static int receive_message(struct kmip_link *l, struct buf *in)
{
	const uint8_t *head = buf_extend(in, TTLV_HEAD);
	size_t len;
	int rc = tls_link_read(l->tls, in->data, TTLV_HEAD);

	if (rc < 0)
		return rc;
	len = (size_t)head[4] << 24 | (size_t)head[5] << 16 | (size_t)head[6] << 8 | head[7];
	if (head[0] != 0x42 || head[3] != TTLV_STRUCTURE)
		return err_set(ERR_INVALID, "what answers is no KMIP server");
	if (len > KMIP_MESSAGE_MAX)
		return err_set(ERR_TOO_LARGE, "the key server's answer has %zu bytes", len);
	return tls_link_read(l->tls, buf_extend(in, len), len);
}

int kmip_link_open(const struct kmip_settings *s, int limit_ms, struct kmip_link **out)
{
	struct tls_peer p = peer_of(s);
	struct tls_link *tls;
	int rc = tls_link_open(&p, limit_ms * (CLOCK_SECOND / 1000), &tls);

	if (rc < 0)
		return rc;
	*out = mem_alloc(sizeof **out);
	(*out)->tls = tls;
	return 0;
}

int kmip_link_call(struct kmip_link *l, const struct buf *out, struct buf *in, int limit_ms)
{
	int rc;

	tls_link_limit(l->tls, limit_ms * (CLOCK_SECOND / 1000));
	message_begin(in);
	rc = tls_link_write(l->tls, out->data, out->len);
	return rc == 0 ? receive_message(l, in) : rc;
}

void kmip_link_close(struct kmip_link *l)
{
	if (l == NULL)
		return;
	tls_link_close(l->tls);
	free(l);
}
