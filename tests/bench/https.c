/* https.c - HTTP/1.1 (RFC 9112) as far as our own server speaks it: answers with a length, kept-alive connections. */
#include "https.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"

#define CHUNK 16384

static int connect_to(int port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
		fatal("nobody answers at port %d", port);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	return fd;
}

void https_open(struct https *h, SSL_CTX *ctx, const char *name, int port)
{
	*h = (struct https){ .ssl = SSL_new(ctx), .sent = BUF_INIT, .got = BUF_INIT };
	snprintf(h->host, sizeof h->host, "%s:%d", name, port);
	if (h->ssl == NULL || SSL_set_tlsext_host_name(h->ssl, name) != 1 || SSL_set1_host(h->ssl, name) != 1 ||
		SSL_set_fd(h->ssl, connect_to(port)) != 1 || SSL_connect(h->ssl) != 1)
		fatal("no TLS connection to %s", h->host);
}

void https_close(struct https *h)
{
	int fd = SSL_get_fd(h->ssl);

	SSL_shutdown(h->ssl);
	SSL_free(h->ssl);
	close(fd);
	buf_free(&h->sent);
	buf_free(&h->got);
}

static int receive(struct https *h)
{
	char chunk[CHUNK];
	int n = SSL_read(h->ssl, chunk, sizeof chunk);

	if (n <= 0)
		return err_set(ERR_UNAVAILABLE, "the server ended the connection");
	buf_add(&h->got, chunk, (size_t)n);
	return 0;
}

/* The answer's head is complete: *BODY is where its body begins, *LEN how long that is. */
static int read_head(struct https *h, size_t *body, size_t *len)
{
	const char *text, *end, *length;
	int rc = 0;

	while ((end = strstr(text = buf_str(&h->got), "\r\n\r\n")) == NULL)
		if ((rc = receive(h)) < 0)
			return rc;
	length = strcasestr(text, "\r\ncontent-length:");
	*body = (size_t)(end - text) + 4;
	*len = length && length < end ? strtoul(length + strlen("\r\ncontent-length:"), NULL, 10) : 0;
	return 0;
}

int https_ask(struct https *h, const char *path, const char *type, const struct buf *body, struct buf *out)
{
	size_t at = 0, len = 0;
	int rc;

	buf_reset(&h->sent);
	buf_reset(&h->got);
	buf_printf(&h->sent, "%s %s HTTP/1.1\r\nHost: %s\r\n", body ? "POST" : "GET", path, h->host);
	if (body) {
		buf_printf(&h->sent, "Content-Type: %s\r\nContent-Length: %zu\r\n\r\n", type, body->len);
		buf_add(&h->sent, body->data, body->len);
	} else {
		buf_puts(&h->sent, "\r\n");
	}
	if (SSL_write(h->ssl, h->sent.data, (int)h->sent.len) != (int)h->sent.len)
		return err_set(ERR_UNAVAILABLE, "the server takes no request");
	rc = read_head(h, &at, &len);
	while (rc == 0 && h->got.len < at + len)
		rc = receive(h);
	if (rc < 0)
		return rc;
	buf_reset(out);
	buf_add(out, h->got.data + at, len);
	return atoi(h->got.data + strlen("HTTP/1.1 "));
}
