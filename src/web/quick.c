/* quick.c - answers that need neither database nor time: the browser's files, and what is over a limit. */
#include <string.h>

#include "web/web.h"

#define PATH_MAX_BYTES 2048

static int over_limit(const struct web_request *r)
{
	if (strlen(r->path) > PATH_MAX_BYTES || (r->query && strlen(r->query) > WEB_QUERY_MAX))
		return 414;
	if (r->cookie && strlen(r->cookie) > WEB_COOKIE_MAX)
		return 431;
	return r->body.len > WEB_BODY_MAX ? 413 : 0;
}

int web_answer_quick(const struct web *web, const struct web_request *request, struct web_response *out)
{
	const struct buf *body = NULL;
	int status = over_limit(request);

	if (status) {
		out->status = status;
	} else if (request->site != WEB_AGENTS && strncmp(request->path, ASSET_PREFIX, strlen(ASSET_PREFIX)) == 0) {
		assets_answer(web->assets, request, out, &body);
		if (body)
			buf_add(&out->body, body->data, body->len);
	} else {
		return 0;
	}
	web_security_headers(out);
	return 1;
}
