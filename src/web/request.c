/* request.c - requests and answers as data. */
#include "web/request.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/secret.h"
#include "web/ask.h"

#define PATH_MAX_BYTES 2048

static void wipe_text(char *text)
{
	if (text)
		secret_wipe(text, strlen(text));
	free(text);
}

int web_request_over(const struct web_request *r)
{
	if (strlen(r->path) > PATH_MAX_BYTES || (r->query && strlen(r->query) > WEB_QUERY_MAX))
		return 414;
	if (r->cookie && strlen(r->cookie) > WEB_COOKIE_MAX)
		return 431;
	return r->unread || r->body.len > WEB_BODY_MAX ? 413 : 0;
}

void web_request_free(struct web_request *r)
{
	wipe_text(r->cookie);
	wipe_text(r->csrf);
	wipe_text(r->authorization);
	free(r->host);
	free(r->path);
	free(r->query);
	free(r->origin);
	free(r->fetch_site);
	free(r->content_type);
	free(r->accept);
	free(r->accept_encoding);
	free(r->accept_language);
	free(r->if_none_match);
	free(r->user_agent);
	web_ask_free(r->ask);
	free(r->resume);
	large_give(&r->large);
	if (r->body.data)
		secret_wipe(r->body.data, r->body.len);
	buf_free(&r->body);
	*r = (struct web_request){ .body = BUF_INIT };
}

void web_response_header(struct web_response *r, const char *name, const char *value)
{
	for (const char *c = value; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return;
	if (r->header_count < WEB_HEADERS_MAX)
		r->headers[r->header_count++] = (struct web_header){ name, mem_strdup(value) };
}

void web_response_free(struct web_response *r)
{
	for (size_t i = 0; i < r->header_count; i++)
		free(r->headers[i].value);
	buf_free(&r->body);
	large_give(&r->large);
	free(r->next);
	*r = (struct web_response){ .body = BUF_INIT };
}
