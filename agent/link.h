/* link.h - HTTPS to the agent service: the transport under the agent protocol (libcurl), with texts that a person can
 * act on.
 *
 * One request at a time; the connection is kept. A proxy comes from the environment (https_proxy, no_proxy). */
#ifndef AGENT_LINK_H
#define AGENT_LINK_H

#include "proto/client.h"

#define LINK_SECONDS 30          /* for one request and its answer */

struct link_settings {
	const char *url;             /* Web Service URL, https:// only */
	const char *ca_file;         /* "" or NULL: the system's certificates */
	int ignore_ssl_errors;
	int wake;                    /* descriptor that ends a wait when it can be read; -1 for none */
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
/* 1 when the last request failed on the way (no name, no connection, no trust, no answer), 0 when an answer came. */
int link_is_down(const struct link *l);
/* What a person can do about the last failure where its text does not say so already; NULL otherwise. Until the next request. */
const char *link_advice(const struct link *l);
/* 1 when the last request ended because of the descriptor or the note. */
int link_was_woken(const struct link *l);

#endif
