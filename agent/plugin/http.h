/* http.h - one HTTP request and its answer, within limits; for plug-ins that ask a provider over the network. libcurl inside. */
#ifndef AGENT_PLUGIN_HTTP_H
#define AGENT_PLUGIN_HTTP_H

#include <time.h>

#include "base/buf.h"

#define HTTP_BODY_MAX (1 << 20)
#define HTTP_HEADERS_MAX 16

struct http;             /* connections are kept between requests */

struct http_settings {
	const char *ca_file;             /* "" or NULL: the system's */
	const char *proxy;               /* "" or NULL: none, whatever the environment says */
	int seconds;                     /* for one request, connecting included */
};

struct http_answer {
	long status;
	time_t date;                     /* of the Date header; 0: none */
	struct buf body;
	char header[1024];               /* value of the header asked for; "" when it is not there */
};

/* Ends the process when libcurl cannot start. */
struct http *http_open(const struct http_settings *s);
void http_close(struct http *h);
/* METHOD to URL; HEADERS (NULL-terminated, may be NULL) as "Name: value"; BODY NULL: none; WANTED: a header of the answer to keep, or
 * NULL. No redirects. Any status is an answer. ERR_UNAVAILABLE (no connection, bad certificate), ERR_TIMEOUT, ERR_TOO_LARGE, ERR_INVALID
 * (bad URL). The caller frees OUT->body. */
int http_ask(struct http *h, const char *method, const char *url, const char *const *headers, const char *body, const char *wanted,
	struct http_answer *out);
/* TEXT with what is not unreserved (RFC 3986) as %XX. */
void http_escape(const char *text, struct buf *out);
/* URL may carry what nobody else shall see: https, or http to this very machine. ERR_INVALID with a text. */
int http_check_secure(const char *url);
/* The host is an address that is only reachable nearby: link-local, loopback, private. For metadata services over http. ERR_INVALID. */
int http_check_near(const char *url);

#endif
