/* request.h - one HTTP request and its answer as plain owned data: what the pipeline sees of the web server.
 *
 * The server's worker copies what matters out of the connection, so that a request can be answered in another thread and
 * after the client has gone. Bytes are as they came: nothing is decoded, nothing is trusted. */
#ifndef WEB_REQUEST_H
#define WEB_REQUEST_H

#include <stddef.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/uuid.h"
#include "web/large.h"

#define WEB_ADDRESS_SIZE 46      /* of an IPv6 address as text, with the zero byte */
#define WEB_BODY_MAX (1024 * 1024)
#define WEB_HEADERS_MAX 24       /* of an answer */
#define WEB_QUERY_MAX 4096       /* bytes */
#define WEB_COOKIE_MAX 4096

enum web_site { WEB_CENTRAL, WEB_CONSOLE, WEB_AGENTS, WEB_SITES };
enum web_method { WEB_GET = 1, WEB_HEAD = 2, WEB_POST = 4, WEB_OTHER = 8 };

struct web_ask;

/* Members are NULL where the client sent none. */
struct web_request {
	enum web_site site;              /* by host name; the caller has checked it */
	enum web_method method;
	char *host;                      /* as the Host header had it, without port */
	char *path;                      /* before '?', still percent-encoded */
	char *query;                     /* after '?' */
	char *cookie, *origin, *fetch_site, *content_type, *accept, *accept_encoding, *accept_language, *if_none_match, *user_agent, *authorization;
	char *csrf;                      /* X-CSRF-Token */
	int hx;                          /* sent by htmx (HX-Request) */
	struct buf body;
	int unread;                      /* a body came that is larger than WEB_BODY_MAX and was thrown away */
	char address[WEB_ADDRESS_SIZE];  /* of the peer */
	struct uuid id;                  /* of this request, for the logs and error pages */
	clock_us received;
	struct web_ask *ask;             /* ask.h: NULL until the request has asked the sign-on service */
	char *resume;                    /* where an answer in parts goes on: a former part's `next`; NULL: from its beginning */
	struct large large;              /* what such an answer counts as, until it has ended */
};

struct web_header {
	const char *name;                /* constant */
	char *value;                     /* owned */
};

struct web_response {
	int status;
	struct web_header headers[WEB_HEADERS_MAX];
	size_t header_count;
	struct buf body;                 /* for HEAD too: the glue leaves it out */
	struct large large;              /* the room that the body takes among large answers */
	int last;                        /* the connection is closed after it */
	char *next;                      /* BODY is a part: when the client has it, the request is to be answered again with this as `resume` */
};

/* The status of an answer to what is larger than a request may be (413, 414, 431); 0: it is not. */
int web_request_over(const struct web_request *r);
void web_request_free(struct web_request *r);        /* what it owns, not itself; wipes body and cookie */
/* VALUE is copied; one with a control character inside is left out: it could end the header. Headers of one name can be
 * added several times (Set-Cookie). */
void web_response_header(struct web_response *r, const char *name, const char *value);
void web_response_free(struct web_response *r);

#endif
