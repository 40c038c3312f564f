/* imds.c - see imds.h. Tokens live for as long as this process might. */
#include "agent/plugin/imds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/plugin/http.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/secret.h"

#define SECONDS 5
#define TRIES 3
#define TOKEN_MAX 256
#define TOKEN_SECONDS "300"

static const char *const well_known[] = { "http://169.254.169.254", "http://[fd00:ec2::254]", NULL };

struct imds {
	struct http *http;
	char base[256];
	char token[TOKEN_MAX + 64];      /* as a header line; "" without one */
	int may_be_old;
};

static int once(struct imds *m, const char *method, const char *path, const char *header, struct http_answer *a)
{
	const char *headers[] = { header && *header ? header : NULL, NULL };
	char *url = mem_printf("%s/latest/%s", m->base, path);
	int rc = http_ask(m->http, method, url, headers, NULL, NULL, a);

	free(url);
	return rc;
}

/* It is nearby, but may be slow while many machines start. */
static int ask(struct imds *m, const char *method, const char *path, const char *header, struct http_answer *a)
{
	int rc = 0;

	for (int i = 0; i < TRIES; i++) {
		const struct timespec nap = { 0, (i + 1) * 250000000L };

		rc = once(m, method, path, header, a);
		if (rc == 0 && a->status < 500 && a->status != 429)
			return 0;
		if (rc == 0) {
			buf_free(&a->body);
			rc = err_set(ERR_UNAVAILABLE, "the metadata service answers %ld", a->status);
		}
		if (i + 1 < TRIES)
			nanosleep(&nap, NULL);
	}
	return rc;
}

static int is_token(const struct buf *b)
{
	for (size_t i = 0; i < b->len; i++)
		if (b->data[i] <= ' ' || b->data[i] > '~')
			return 0;
	return b->len > 0 && b->len <= TOKEN_MAX;
}

static int fetch_token(struct imds *m)
{
	struct http_answer a;
	int rc = ask(m, "PUT", "api/token", "X-aws-ec2-metadata-token-ttl-seconds: " TOKEN_SECONDS, &a);

	if (rc < 0)
		return rc;
	if (a.status == 200 && is_token(&a.body))
		snprintf(m->token, sizeof m->token, "X-aws-ec2-metadata-token: %s", buf_str(&a.body));
	else if (a.status == 403)
		rc = err_set(ERR_FORBIDDEN, "the metadata service is switched off for this instance");
	else if (!m->may_be_old)
		rc = err_set(ERR_UNAVAILABLE, "the metadata service gives no token (status %ld)", a.status);
	buf_free(&a.body);
	return rc;
}

int imds_open(const char *url, int may_be_old, struct imds **out)
{
	const char *const given[] = { url, NULL }, *const *bases = *url ? given : well_known;
	struct http_settings s = { NULL, NULL, SECONDS };
	struct imds *m;
	int rc = *url ? http_check_near(url) : 0;

	if (rc < 0)
		return rc;
	m = mem_alloc(sizeof *m);
	m->http = http_open(&s);
	m->may_be_old = may_be_old;
	for (int i = 0; bases[i]; i++) {
		snprintf(m->base, sizeof m->base, "%.*s", (int)sizeof m->base - 1, bases[i]);
		if (m->base[0] && m->base[strlen(m->base) - 1] == '/')
			m->base[strlen(m->base) - 1] = '\0';
		rc = fetch_token(m);
		if (rc == 0 || rc == ERR_FORBIDDEN)
			break;
	}
	if (rc == 0)
		*out = m;
	else
		imds_close(m);
	return rc;
}

void imds_close(struct imds *m)
{
	if (m == NULL)
		return;
	http_close(m->http);
	secret_wipe(m->token, sizeof m->token);
	free(m);
}

int imds_get(struct imds *m, const char *path, struct buf *out)
{
	struct http_answer a;
	int rc = ask(m, "GET", path, m->token, &a);

	if (rc < 0)
		return rc;
	if (a.status == 200)
		buf_add(out, buf_str(&a.body), a.body.len);
	else if (a.status == 404)
		rc = err_set(ERR_NOT_FOUND, "the metadata service has no %s", path);
	else
		rc = err_set(a.status == 401 || a.status == 403 ? ERR_FORBIDDEN : ERR_UNAVAILABLE, "the metadata service answers %ld to %s",
			a.status, path);
	buf_free(&a.body);
	return rc;
}

int imds_text(struct imds *m, const char *path, char *out, size_t size)
{
	struct buf text = BUF_INIT;
	int rc = imds_get(m, path, &text);

	if (rc == 0 || rc == ERR_NOT_FOUND) {
		snprintf(out, size, "%s", rc == 0 ? buf_str(&text) : "");
		out[strcspn(out, "\r\n")] = '\0';
		rc = 0;
	}
	buf_free(&text);
	return rc;
}
