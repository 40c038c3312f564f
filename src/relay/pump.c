/* pump.c - messages from a Unix socket into a TLS connection, and back. */
#include <arpa/inet.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/ipc.h"
#include "base/secret.h"
#include "base/wire.h"
#include "relay/relay.h"
#include "tls/link.h"

#define LIMIT (30 * CLOCK_SECOND)    /* one message, either way */

/* Also secrets pass: a passphrase on its way to keyd. */
static void wipe(struct buf *b)
{
	if (b->data)
		secret_wipe(b->data, b->cap);
	buf_reset(b);
}

/* 1: carried; 0: the other end has closed. Length and message in one piece, which is one packet mostly. */
static int take_from_socket(int fd, struct tls_link *l, struct buf *b, struct buf *piece)
{
	int rc = ipc_receive(fd, b);

	if (rc == 0 && b->len == 0)
		return 0;
	wire_put_bytes(piece, b->data, b->len);
	tls_link_limit(l, LIMIT);
	if (rc == 0)
		rc = tls_link_write(l, piece->data, piece->len);
	return rc < 0 ? rc : 1;
}

static int take_from_link(int fd, struct tls_link *l, struct buf *b)
{
	uint32_t len;
	int rc;

	tls_link_limit(l, LIMIT);
	rc = tls_link_read(l, &len, sizeof len);
	if (rc == ERR_UNAVAILABLE)
		return 0;
	len = rc == 0 ? ntohl(len) : 0;
	if (rc == 0 && (len == 0 || len > IPC_MESSAGE_MAX))
		rc = err_set(ERR_INVALID, "a message of %u bytes", len);
	buf_reset(b);
	if (rc == 0)
		rc = tls_link_read(l, buf_extend(b, len), len);
	if (rc == 0)
		rc = ipc_send(fd, b);
	return rc < 0 ? rc : 1;
}

int pump(int fd, struct tls_link *l)
{
	struct buf b = BUF_INIT, piece = BUF_INIT;
	int rc;

	/* What grows leaves its old place as it was: they are as large as they get from the start. */
	buf_extend(&b, IPC_MESSAGE_MAX);
	buf_extend(&piece, IPC_MESSAGE_MAX + 4);
	wipe(&b);
	wipe(&piece);
	do {
		rc = tls_link_wait(l, fd);
		if (rc > 0)
			rc = rc == 1 ? take_from_link(fd, l, &b) : take_from_socket(fd, l, &b, &piece);
		wipe(&b);
		wipe(&piece);
	} while (rc > 0);
	buf_free(&b);
	buf_free(&piece);
	return rc;
}
