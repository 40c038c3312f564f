/* proxy.c - reading, keeping and naming the proxy. */
#include "agent/common/proxy.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/common/private.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

#define FILE_MAX 4096

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* LEN bytes of IN to OUT, percent-decoded; ERR_INVALID for what is no text or does not fit into SIZE. */
static int decode(const char *in, size_t len, char *out, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; i < len; i++) {
		int c = (unsigned char)in[i];

		if (c == '%' && i + 2 < len && hex(in[i + 1]) >= 0 && hex(in[i + 2]) >= 0) {
			c = hex(in[i + 1]) * 16 + hex(in[i + 2]);
			i += 2;
		}
		if (c < ' ' || c == 0x7f || used + 1 >= size)
			return err_set(ERR_INVALID, "the proxy's login is too long or holds control characters");
		out[used++] = (char)c;
	}
	out[used] = '\0';
	return 0;
}

/* USER[:PASSWORD], LEN bytes. */
static int read_login(const char *text, size_t len, struct proxy *p)
{
	const char *colon = memchr(text, ':', len);
	size_t user = colon ? (size_t)(colon - text) : len;
	int rc = decode(text, user, p->user, sizeof p->user);

	if (rc == 0 && p->user[0] == '\0')
		rc = err_set(ERR_INVALID, "the proxy's login has no name");
	if (rc == 0 && colon) {
		p->password = secret_new(len - user);
		rc = decode(colon + 1, len - user - 1, (char *)p->password->data, p->password->len);
	}
	return rc;
}

static int check_url(const char *text)
{
	CURLU *u = curl_url();
	char *scheme = NULL, *host = NULL, *path = NULL, *query = NULL;
	int ok = curl_url_set(u, CURLUPART_URL, text, 0) == CURLUE_OK
		&& curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK
		&& (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0)
		&& curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK
		&& curl_url_get(u, CURLUPART_PATH, &path, 0) == CURLUE_OK && strcmp(path, "/") == 0
		&& curl_url_get(u, CURLUPART_QUERY, &query, 0) != CURLUE_OK;

	curl_free(scheme);
	curl_free(host);
	curl_free(path);
	curl_free(query);
	curl_url_cleanup(u);
	return ok ? 0
		: err_set(ERR_INVALID, "that is no proxy: http://[USER[:PASSWORD]@]HOST:PORT is needed, or https:// in front");
}

/* The port that the scheme has by itself is not the one that proxies use: libcurl then takes 1080, which nobody means. */
static const char *default_port(const char *scheme, const char *host)
{
	const char *last = strrchr(host, ']');

	if (strchr(last ? last : host, ':'))
		return "";
	return strcmp(scheme, "https") == 0 ? ":443" : ":3128";
}

int proxy_parse(const char *text, struct proxy *out)
{
	struct proxy p = { .password = NULL };
	const char *mark = strstr(text, "://"), *rest = mark ? mark + 3 : text, *at = strrchr(rest, '@');
	const char *host = at ? at + 1 : rest;
	char scheme[8];
	size_t len = strlen(host);
	int rc = 0;

	snprintf(scheme, sizeof scheme, "%.*s", mark ? (int)(mark - text) : 4, mark ? text : "http");
	while (len > 0 && host[len - 1] == '/')
		len--;
	if (at)
		rc = read_login(rest, (size_t)(at - rest), &p);
	if (rc == 0 && len > PROXY_URL_MAX - 16)
		rc = err_set(ERR_INVALID, "the proxy's URL is too long");
	if (rc == 0) {
		snprintf(p.url, sizeof p.url, "%s://%.*s", scheme, (int)len, host);
		rc = check_url(p.url);
	}
	if (rc < 0) {
		proxy_clear(&p);
		return rc;
	}
	strcat(p.url, default_port(scheme, p.url + strlen(scheme) + 3));
	*out = p;
	return 0;
}

void proxy_clear(struct proxy *p)
{
	secret_free(p->password);
	memset(p, 0, sizeof *p);
}

static char *path_of(const char *dir, const char *name)
{
	return mem_printf("%s/%s", dir, name);
}

static int read_members(const json_t *o, struct proxy *p)
{
	const char *url, *user = "";
	int rc = json_get_string(o, "url", PROXY_URL_MAX, &url);

	if (rc == 0)
		rc = json_get_string_opt(o, "user", PROXY_USER_MAX, &user);
	if (rc == 0)
		rc = check_url(url);
	if (rc == 0) {
		snprintf(p->url, sizeof p->url, "%s", url);
		snprintf(p->user, sizeof p->user, "%s", user);
	}
	return rc;
}

int proxy_load(const char *dir, struct proxy *out)
{
	char *file = path_of(dir, "proxy.json"), *password = path_of(dir, "proxy-password");
	struct proxy p = { .password = NULL };
	struct buf text = BUF_INIT;
	json_t *o = NULL;
	int rc = file_read(file, FILE_MAX, &text);

	if (rc == 0)
		rc = json_parse_object(buf_str(&text), text.len, FILE_MAX, &o);
	if (rc == 0)
		rc = read_members(o, &p);
	if (rc == 0 && p.user[0]) {
		rc = private_read(password, PRIVATE_LINE_MAX, &p.password);
		rc = rc == ERR_NOT_FOUND ? 0 : rc;
	}
	if (rc < 0 && rc != ERR_NOT_FOUND)
		err_wrap(rc, "the proxy's settings (keyward-config --proxy-settings)");
	json_decref(o);
	buf_free(&text);
	free(password);
	free(file);
	if (rc == 0)
		*out = p;
	else
		proxy_clear(&p);
	return rc;
}

/* The password first: what names the login is there only when that is. */
int proxy_save(const char *dir, const struct proxy *p)
{
	char *file = path_of(dir, "proxy.json"), *password = path_of(dir, "proxy-password"), *text;
	json_t *o = json_object();
	int rc = 0;

	json_set_string(o, "url", p->url);
	json_set_string(o, "user", p->user);
	text = json_text(o);
	if (p->password && p->password->data[0])
		rc = file_write(password, p->password->data, strlen((const char *)p->password->data), 0600);
	else
		unlink(password);
	if (rc == 0)
		rc = file_write(file, text, strlen(text), 0600);
	json_decref(o);
	free(text);
	free(password);
	free(file);
	return rc;
}

int proxy_remove(const char *dir)
{
	char *file = path_of(dir, "proxy.json"), *password = path_of(dir, "proxy-password");
	int there = unlink(file) == 0;

	unlink(password);
	free(password);
	free(file);
	return there;
}

uint64_t proxy_stamp(const char *dir)
{
	char *path = path_of(dir, "proxy.json");
	uint64_t stamp = file_stamp(path);

	free(path);
	return stamp;
}

/* NAMES as in no_proxy: divided by commas or spaces, each a name with all below it; * for all. */
static int is_excepted(const char *names, const char *host)
{
	size_t length = strlen(host);

	while (*names) {
		size_t len = strcspn(names, ", ");
		const char *name = names + (len > 0 && *names == '.');
		size_t n = len - (size_t)(name - names);

		if (n == 1 && *name == '*')
			return 1;
		if (n > 0 && length >= n && strncasecmp(host + length - n, name, n) == 0
			&& (length == n || host[length - n - 1] == '.'))
			return 1;
		names += len;
		names += strspn(names, ", ");
	}
	return 0;
}

static const char *first_set(const char *const names[])
{
	for (; *names; names++) {
		const char *value = getenv(*names);

		if (value && *value)
			return value;
	}
	return NULL;
}

void proxy_of_environment(const char *host, char *out)
{
	static const char *const proxies[] = { "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", NULL };
	static const char *const exceptions[] = { "no_proxy", "NO_PROXY", NULL };
	const char *value = first_set(proxies), *except = first_set(exceptions);
	struct proxy p = { .password = NULL };

	out[0] = '\0';
	if (value == NULL || (except && is_excepted(except, host)))
		return;
	snprintf(out, PROXY_URL_MAX + 1, "%s", proxy_parse(value, &p) == 0 ? p.url : "https_proxy");
	proxy_clear(&p);
}
