/* quick.c - answers that need neither database nor time: the browser's files, and what is over a limit where nobody
 * would read a page about it. */
#include <string.h>

#include "web/web.h"

int web_answer_quick(const struct web *web, const struct web_request *request, struct web_response *out)
{
	const struct buf *body = NULL;
	int over = web_request_over(request), is_asset = request->site != WEB_AGENTS && strncmp(request->path, ASSET_PREFIX, strlen(ASSET_PREFIX)) == 0;

	if (over && (request->site == WEB_AGENTS || is_asset)) {
		out->status = over;
	} else if (is_asset) {
		assets_answer(web->assets, request, out, &body);
		if (body)
			buf_add(&out->body, body->data, body->len);
	} else {
		return 0;
	}
	web_security_headers(out);
	return 1;
}
