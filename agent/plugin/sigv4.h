/* sigv4.h - AWS Signature Version 4 of a request with its parameters in the body: pure. */
#ifndef AGENT_PLUGIN_SIGV4_H
#define AGENT_PLUGIN_SIGV4_H

#include <time.h>

#include "base/buf.h"

struct sigv4_keys {
	const char *access_key_id, *secret_access_key, *session_token;   /* token "": none */
};

struct sigv4_request {
	const char *method;
	const char *host;                /* as in the Host header, with a port that is not the scheme's own */
	const char *path;                /* begins with /, escaped */
	const char *content_type;
	const char *body;
	const char *region, *service;
	time_t at;
};

#define SIGV4_DATE_SIZE 17               /* "20261126T210000Z" */

void sigv4_date(time_t at, char out[static SIGV4_DATE_SIZE]);
/* The value of the Authorization header; the request must carry Host, Content-Type and X-Amz-Date (and X-Amz-Security-Token where there
 * is a token) as here. ERR_CRYPTO. */
int sigv4_sign(const struct sigv4_request *r, const struct sigv4_keys *keys, struct buf *authorization);

#endif
