/* http.c - see http.h. */
#include "agent/plugin/http.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

#define CONNECT_SECONDS 10L

struct http {
	CURL *easy;
	struct http_settings s;
	char error[CURL_ERROR_SIZE];
	const char *wanted;
	struct http_answer *answer;
	int too_large;
};

struct http *http_open(const struct http_settings *s)
{
	struct http *h = mem_alloc(sizeof *h);

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || (h->easy = curl_easy_init()) == NULL)
		fatal("libcurl cannot start");
	h->s = *s;
	return h;
}

void http_close(struct http *h)
{
	if (h)
		curl_easy_cleanup(h->easy);
	free(h);
}

static size_t take_body(char *data, size_t size, size_t count, void *ctx)
{
	struct http *h = ctx;

	if (h->answer->body.len + size * count > HTTP_BODY_MAX) {
		h->too_large = 1;
		return 0;
	}
	buf_add(&h->answer->body, data, size * count);
	return size * count;
}

static size_t take_header(char *data, size_t size, size_t count, void *ctx)
{
	struct http *h = ctx;
	size_t len = size * count, name = h->wanted ? strlen(h->wanted) : 0;
	char date[64];

	while (len > 0 && (data[len - 1] == '\r' || data[len - 1] == '\n'))
		len--;
	if (len > 5 && len < sizeof date + 5 && strncasecmp(data, "date:", 5) == 0) {
		time_t at;

		memcpy(date, data + 5, len - 5);
		date[len - 5] = '\0';
		at = curl_getdate(date, NULL);
		h->answer->date = at > 0 ? at : 0;
	}
	if (name && len > name && strncasecmp(data, h->wanted, name) == 0 && data[name] == ':') {
		const char *value = data + name + 1;
		size_t n = len - name - 1;

		while (n > 0 && *value == ' ') {
			value++;
			n--;
		}
		if (n < sizeof h->answer->header) {
			memcpy(h->answer->header, value, n);
			h->answer->header[n] = '\0';
		}
	}
	return size * count;
}

static void set_options(struct http *h, const char *method, const char *url, struct curl_slist *headers, const char *body)
{
	CURL *e = h->easy;

	curl_easy_reset(e);
	curl_easy_setopt(e, CURLOPT_URL, url);
	curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(e, CURLOPT_HTTPHEADER, headers);
	if (body) {
		curl_easy_setopt(e, CURLOPT_POSTFIELDS, body);
		curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE, (long)strlen(body));
	}
	curl_easy_setopt(e, CURLOPT_USERAGENT, "keyward-agent");
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, h->error);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT, h->s.seconds < CONNECT_SECONDS ? (long)h->s.seconds : CONNECT_SECONDS);
	curl_easy_setopt(e, CURLOPT_TIMEOUT, (long)h->s.seconds);
	curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(e, CURLOPT_PROXY, h->s.proxy ? h->s.proxy : "");
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, h);
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, h);
	if (h->s.ca_file && *h->s.ca_file) {
		curl_easy_setopt(e, CURLOPT_CAINFO, h->s.ca_file);
		curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
	}
}

static int failed(const struct http *h, CURLcode code, const char *url)
{
	const char *why = h->error[0] ? h->error : curl_easy_strerror(code);
	int len = (int)strcspn(url, "?");

	if (h->too_large)
		return err_set(ERR_TOO_LARGE, "%.*s: more than %d bytes", len, url, HTTP_BODY_MAX);
	if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL)
		return err_set(ERR_INVALID, "%.*s: %s", len, url, why);
	return err_set(code == CURLE_OPERATION_TIMEDOUT ? ERR_TIMEOUT : ERR_UNAVAILABLE, "%.*s: %s", len, url, why);
}

int http_ask(struct http *h, const char *method, const char *url, const char *const *headers, const char *body, const char *wanted,
	struct http_answer *out)
{
	struct curl_slist *list = curl_slist_append(NULL, "Expect:");
	CURLcode code;

	for (int i = 0; headers && headers[i]; i++)
		list = curl_slist_append(list, headers[i]);
	memset(out, 0, sizeof *out);
	h->wanted = wanted;
	h->answer = out;
	h->too_large = 0;
	h->error[0] = '\0';
	set_options(h, method, url, list, body);
	code = curl_easy_perform(h->easy);
	curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &out->status);
	curl_slist_free_all(list);
	if (code == CURLE_OK)
		return 0;
	buf_free(&out->body);
	return failed(h, code, url);
}

void http_escape(const char *text, struct buf *out)
{
	for (; *text; text++)
		if ((*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') || (*text >= '0' && *text <= '9')
			|| strchr("-_.~", *text))
			buf_putc(out, *text);
		else
			buf_printf(out, "%%%02X", (unsigned char)*text);
}

/* Scheme and host (without brackets) of URL; 0 when it is none, or names a user. */
static int take_apart(const char *url, char scheme[static 8], char host[static 256])
{
	CURLU *u = curl_url();
	char *s = NULL, *name = NULL, *user = NULL;
	int ok = curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK && curl_url_get(u, CURLUPART_SCHEME, &s, 0) == CURLUE_OK
		&& curl_url_get(u, CURLUPART_HOST, &name, 0) == CURLUE_OK && curl_url_get(u, CURLUPART_USER, &user, 0) == CURLUE_NO_USER
		&& strlen(s) < 8 && strlen(name) < 256;

	if (ok) {
		strcpy(scheme, s);
		strcpy(host, name[0] == '[' ? name + 1 : name);
		host[strcspn(host, "]")] = '\0';
	}
	curl_free(s);
	curl_free(name);
	curl_free(user);
	curl_url_cleanup(u);
	return ok;
}

static int is_near(const char *host)
{
	struct in_addr four;
	struct in6_addr six;
	uint32_t a;

	if (inet_pton(AF_INET6, host, &six) == 1)
		return IN6_IS_ADDR_LOOPBACK(&six) || IN6_IS_ADDR_LINKLOCAL(&six) || (six.s6_addr[0] & 0xfe) == 0xfc;
	if (inet_pton(AF_INET, host, &four) != 1)
		return 0;
	a = ntohl(four.s_addr);
	return a >> 24 == 127 || a >> 16 == 0xa9fe || a >> 24 == 10 || a >> 20 == 0xac1 || a >> 16 == 0xc0a8;
}

static int is_loopback(const char *host)
{
	struct in_addr four;

	return strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0
		|| (inet_pton(AF_INET, host, &four) == 1 && ntohl(four.s_addr) >> 24 == 127);
}

int http_check_secure(const char *url)
{
	char scheme[8], host[256];

	if (!take_apart(url, scheme, host))
		return err_set(ERR_INVALID, "\"%s\" is no URL", url);
	if (strcmp(scheme, "https") == 0 || (strcmp(scheme, "http") == 0 && is_loopback(host)))
		return 0;
	return err_set(ERR_INVALID, "%s: credentials go over https only", url);
}

int http_check_near(const char *url)
{
	char scheme[8], host[256];

	if (!take_apart(url, scheme, host))
		return err_set(ERR_INVALID, "\"%s\" is no URL", url);
	if (strcmp(scheme, "https") == 0 || (strcmp(scheme, "http") == 0 && is_near(host)))
		return 0;
	return err_set(ERR_INVALID, "%s: a metadata service is asked at a link-local or private address, or over https", url);
}
