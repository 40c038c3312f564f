/* https.h - HTTPS to servers that a tenant or the operator names in a setting. It blocks: for jobs, and for processes of one question (ssod).
 *
 * The address is somebody else's choice, so: https only, certificate always checked, no redirects, no proxy from the environment,
 * and no connection to this machine itself or its link (loopback, link-local, unspecified, multicast) unless LOCAL. */
#ifndef OUTSIDE_HTTPS_H
#define OUTSIDE_HTTPS_H

#include <jansson.h>

#include "base/buf.h"
#include "base/secret.h"

#define HTTPS_ANSWER_MAX (4 * 1024 * 1024)       /* bytes of an answer */
#define HTTPS_CONNECT_SECONDS 10
#define HTTPS_SECONDS 30                         /* for the whole exchange */

struct https_server {
	const char *url;             /* "https://host:port/path", without user, query and fragment */
	const char *ca_pem;          /* only what these certificates vouch for is believed; NULL: the system's authorities */
	int local;                   /* 1: addresses of this machine are fine */
	int distant;                 /* 1: addresses of private networks are not, either */
};

/* A header whose value is a secret: wiped when the exchange is over. */
struct https_secret {
	const char *name;
	const struct secret *value;
};

/* 0, or ERR_INVALID with what is wrong with the address. */
int https_check_url(const char *url);
/* What is at the server's URL, which may have a query, into OUT: at most MAX bytes, within SECONDS; errors as of https_post. For a process that
 * cannot make threads: the name is looked up here, and https_rehearse was called before. */
int https_get(const struct https_server *server, size_t max, int seconds, struct buf *out);
/* Has libcurl load what it needs, once, before a process is locked in. */
int https_rehearse(void);
/* 0, or ERR_INVALID: TEXT is not one or several certificates in PEM. */
int https_check_ca(const char *text);
/* Posts BODY to the server's URL followed by PATH. HEADERS ("name: value") ends with NULL. *ANSWER is the caller's, from a 200 alone.
 * ERR_UNAVAILABLE (no connection, 5xx), ERR_TIMEOUT, ERR_CRYPTO (certificate or TLS), ERR_UNAUTHENTICATED (401), ERR_FORBIDDEN (403;
 * an address that is refused), ERR_NOT_FOUND (404), ERR_TOO_MANY (429), ERR_TOO_LARGE, ERR_INVALID (no JSON object), ERR_IO. */
int https_post(const struct https_server *server, const char *path, const char *const *headers, const struct https_secret *secret,
	const json_t *body, json_t **answer);

/* A receiver of webhooks: as https_check_url, but it may have a query. */
int https_check_hook(const char *url);
/* What a receiver has answered. */
struct https_reply {
	long status;                 /* 0: nothing */
	int64_t took_ms;
	char *text;                  /* the beginning of its body, the caller's; NULL: none */
	int refused;                 /* 1: its address is none that may be connected to */
};
#define HTTPS_REPLY_MAX 500      /* bytes of TEXT */
/* Posts BODY as it is to the server's URL. 0 for any answer of the 200s; else an error as of https_post. *OUT is filled in any case. */
int https_deliver(const struct https_server *server, const char *const *headers, const char *body, struct https_reply *out);

#endif
