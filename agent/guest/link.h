/* link.h - HTTPS to the agent service: the transport under the agent protocol (libcurl), with texts that a person can
 * act on.
 *
 * One request at a time; the connection is kept. A proxy comes from the settings, else from the environment (https_proxy); no_proxy
 * holds for both. */
#ifndef AGENT_GUEST_LINK_H
#define AGENT_GUEST_LINK_H

#include "agent/common/proxy.h"
#include "proto/client.h"

#define LINK_SECONDS 30          /* for one request and its answer */

struct link_settings {
	const char *url;             /* Web Service URL, https:// only */
	const char *ca_file;         /* "" or NULL: the system's certificates */
	int ignore_ssl_errors;
	int wake;                    /* descriptor that ends a wait when it can be read; -1 for none */
	const struct proxy *proxy;   /* NULL: as the environment says */
};

/* What a request passes on its way, in this order; and where the last one failed. */
#define LINK_STAGES(X) \
	X(NAME, "name", "name found") \
	X(CONNECT, "connect", "connection") \
	X(PROXY_TLS, "proxy-tls", "TLS of the proxy") \
	X(LOGIN, "login", "login at the proxy") \
	X(TUNNEL, "tunnel", "way through the proxy") \
	X(TLS, "tls", "TLS of the server") \
	X(SERVER, "server", "Web Service")

enum link_stage {
#define X(id, name, text) LINK_##id,
	LINK_STAGES(X)
#undef X
	LINK_STAGE_COUNT
};

struct link;

/* ERR_INVALID for a URL or CA file that cannot be used. *OUT is the caller's; strings are copied. */
int link_open(const struct link_settings *settings, struct link **out);
void link_close(struct link *l);                 /* NULL is fine */
/* Valid as long as the link. */
struct proto_transport link_transport(struct link *l);
/* For the requests that follow: SECONDS at most; WAKE 1: give up with ERR_TIMEOUT as soon as the descriptor can be
 * read. */
void link_set_limit(struct link *l, long seconds, int wake);
/* While a request waits that may be woken: NOTE is called about once a second, and may end the wait like the descriptor by
 * returning 1. NULL: no more. */
void link_set_note(struct link *l, int (*note)(void *ctx), void *ctx);
/* Asks whoever answers at the URL for a sign that it is our agent service, without being anybody. 0, or as a request fails. */
int link_try(struct link *l);
/* Where the last request failed; LINK_STAGE_COUNT when it did not. */
enum link_stage link_failed_at(const struct link *l);
/* The proxy that requests go through, without its login; "" for none. */
const char *link_proxy(const struct link *l);
/* 1 when the last request failed on the way (no name, no connection, no trust, no answer), 0 when an answer came. */
int link_is_down(const struct link *l);
/* What a person can do about the last failure where its text does not say so already; NULL otherwise. Until the next request. */
const char *link_advice(const struct link *l);
/* 1 when the last request ended because of the descriptor or the note. */
int link_was_woken(const struct link *l);

#endif
