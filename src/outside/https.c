/* https.c - the exchange itself, with libcurl. */
#include "outside/https.h"

#include <curl/curl.h>
#include <netdb.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/address.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"

struct exchange {
	CURL *easy;
	struct curl_slist *headers;
	struct buf answer;
	size_t most;
	char error[CURL_ERROR_SIZE];
	int local, distant, cut, enough, refused, too_large;     /* CUT: of an answer only the first MOST bytes matter; ENOUGH: they are there */
};

/* HOST and PORT of an address are the caller's, to be freed with curl_free; NULL: not asked. */
static int check_url(const char *url, int query, char **host_out, char **port_out)
{
	CURLU *u = curl_url();
	char *scheme = NULL, *host = NULL, *other = NULL;
	int ok = curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK
		&& curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK && strcmp(scheme, "https") == 0
		&& curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK
		&& curl_url_get(u, CURLUPART_USER, &other, 0) == CURLUE_NO_USER
		&& curl_url_get(u, CURLUPART_PASSWORD, &other, 0) == CURLUE_NO_PASSWORD
		&& (query || curl_url_get(u, CURLUPART_QUERY, &other, 0) == CURLUE_NO_QUERY)
		&& curl_url_get(u, CURLUPART_FRAGMENT, &other, 0) == CURLUE_NO_FRAGMENT;

	if (ok && host_out) {
		*host_out = host;
		host = NULL;
		ok = curl_url_get(u, CURLUPART_PORT, port_out, CURLU_DEFAULT_PORT) == CURLUE_OK;
	}
	curl_free(scheme);
	curl_free(host);
	curl_free(other);
	curl_url_cleanup(u);
	return ok ? 0 : err_set(ERR_INVALID, "an address begins with https:// and has no user name%s", query ? " and no #" : ", ? or #");
}

int https_check_url(const char *url)
{
	return check_url(url, 0, NULL, NULL);
}

int https_check_hook(const char *url)
{
	return check_url(url, 1, NULL, NULL);
}

int https_check_ca(const char *text)
{
	BIO *in = BIO_new_mem_buf(text, -1);
	X509 *cert;
	int count = 0;

	while ((cert = PEM_read_bio_X509(in, NULL, NULL, NULL)) != NULL) {
		X509_free(cert);
		count++;
	}
	BIO_free(in);
	return count ? 0 : err_set(ERR_INVALID, "no certificate in PEM (it begins with -----BEGIN CERTIFICATE-----)");
}

static size_t take(char *data, size_t size, size_t count, void *ctx)
{
	struct exchange *x = ctx;

	if (x->cut) {
		size_t left = x->most - x->answer.len;

		buf_add(&x->answer, data, size * count < left ? size * count : left);
		/* Who answers without end says nothing by that which matters here. */
		x->enough = size * count > left;
		return x->enough ? 0 : size * count;
	}
	if (x->answer.len + size * count > x->most) {
		x->too_large = 1;
		return 0;
	}
	buf_add(&x->answer, data, size * count);
	return size * count;
}

static int may_reach(const struct exchange *x, const struct sockaddr *a)
{
	if (address_is_near(a))
		return x->local;
	return !x->distant || !address_is_private(a);
}

/* Looked at here and not in the name: what a name means is known only now, and may differ from one time to the next. */
static curl_socket_t open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct exchange *x = ctx;

	(void)purpose;
	if (!may_reach(x, &a->addr)) {
		x->refused = 1;
		return CURL_SOCKET_BAD;
	}
	return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

static void add_header(struct exchange *x, const char *line)
{
	struct curl_slist *more = curl_slist_append(x->headers, line);

	if (more == NULL)
		fatal("out of memory");
	x->headers = more;
}

static void add_secret(struct exchange *x, const struct https_secret *secret)
{
	size_t name = strlen(secret->name), size = name + 2 + secret->value->len + 1;
	struct secret *line = secret_new(size);

	memcpy(line->data, secret->name, name);
	memcpy(line->data + name, ": ", 2);
	memcpy(line->data + name + 2, secret->value->data, secret->value->len);
	add_header(x, (const char *)line->data);
	secret_free(line);
}

static void set_options(struct exchange *x, const struct https_server *server, const char *url, int seconds)
{
	struct curl_blob ca = { .flags = CURL_BLOB_COPY };
	CURL *e = x->easy;

	curl_easy_setopt(e, CURLOPT_URL, url);
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "https");
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_PROXY, "");
	curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT, (long)HTTPS_CONNECT_SECONDS);
	curl_easy_setopt(e, CURLOPT_TIMEOUT, (long)seconds);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, x->error);
	curl_easy_setopt(e, CURLOPT_USERAGENT, "keyward");
	curl_easy_setopt(e, CURLOPT_HTTPHEADER, x->headers);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, x);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, x);
	if (server->ca_pem && *server->ca_pem) {
		ca.data = (void *)(uintptr_t)server->ca_pem;
		ca.len = strlen(server->ca_pem);
		curl_easy_setopt(e, CURLOPT_CAINFO_BLOB, &ca);
		curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
	}
}

static int transport_error(const struct exchange *x, CURLcode rc)
{
	const char *why = x->error[0] ? x->error : curl_easy_strerror(rc);

	if (x->refused)
		return err_set(ERR_FORBIDDEN, x->distant ? "the address belongs to this machine or to a private network, which is not allowed"
			: "the address belongs to the server's own machine or link, which is not allowed");
	switch (rc) {
	case CURLE_WRITE_ERROR:
		return x->too_large ? err_set(ERR_TOO_LARGE, "the answer is larger than %zu bytes", x->most)
			: err_set(ERR_IO, "%s", why);
	/* What it says of a line that is longer than it takes. */
	case CURLE_OUT_OF_MEMORY:
		return err_set(ERR_TOO_LARGE, "the head of the answer is too large");
	case CURLE_OPERATION_TIMEDOUT:
		return err_set(ERR_TIMEOUT, "no answer in time");
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CACERT_BADFILE:
		return err_set(ERR_CRYPTO, "%s", why);
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
		return err_set(ERR_UNAVAILABLE, "%s", why);
	default:
		return err_set(ERR_IO, "%s", why);
	}
}

static int status_error(long status)
{
	static const struct { long status; int code; const char *text; } known[] = {
		{ 401, ERR_UNAUTHENTICATED, "the server does not accept the secret" },
		{ 403, ERR_FORBIDDEN, "the server refuses: the account behind the secret may not do this" },
		{ 404, ERR_NOT_FOUND, "there is no such service at this address" }, { 429, ERR_TOO_MANY, "the server is asked too often" },
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (known[i].status == status)
			return err_set(known[i].code, "%s (status %ld)", known[i].text, status);
	if (status / 100 == 3)
		return err_set(ERR_FORBIDDEN, "the server sends on to another address (status %ld), which is not followed: give that one", status);
	return err_set(status >= 500 ? ERR_UNAVAILABLE : ERR_IO, "the server answers with status %ld", status);
}

static int exchange(struct exchange *x)
{
	CURLcode done = curl_easy_perform(x->easy);
	long status = 0;

	if (done != CURLE_OK)
		return transport_error(x, done);
	curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status);
	return status == 200 ? 0 : status_error(status);
}

static void end(struct exchange *x)
{
	for (struct curl_slist *h = x->headers; h; h = h->next)
		secret_wipe(h->data, strlen(h->data));
	curl_slist_free_all(x->headers);
	curl_easy_cleanup(x->easy);
	buf_free(&x->answer);
}

int https_post(const struct https_server *server, const char *path, const char *const *headers, const struct https_secret *secret,
	const json_t *body, json_t **answer)
{
	struct exchange x = { .local = server->local, .distant = server->distant, .most = HTTPS_ANSWER_MAX };
	size_t len = strlen(server->url);
	char *url, *text;
	int rc = https_check_url(server->url);

	if (rc < 0)
		return rc;
	while (len > 0 && server->url[len - 1] == '/')
		len--;
	url = mem_printf("%.*s%s", (int)len, server->url, path);
	text = json_text(body);
	x.easy = curl_easy_init();
	if (x.easy == NULL)
		fatal("libcurl cannot start");
	for (; *headers; headers++)
		add_header(&x, *headers);
	if (secret)
		add_secret(&x, secret);
	set_options(&x, server, url, HTTPS_SECONDS);
	curl_easy_setopt(x.easy, CURLOPT_POSTFIELDS, text);
	rc = exchange(&x);
	if (rc == 0 && json_parse_object(buf_str(&x.answer), x.answer.len, HTTPS_ANSWER_MAX, answer) < 0)
		rc = err_set(ERR_INVALID, "the answer is no JSON object");
	end(&x);
	free(text);
	free(url);
	return rc;
}

int https_deliver(const struct https_server *server, const char *const *headers, const char *body, struct https_reply *out)
{
	struct exchange x = { .local = server->local, .distant = server->distant, .most = HTTPS_REPLY_MAX, .cut = 1 };
	curl_off_t took = 0;
	CURLcode done;
	int rc = https_check_hook(server->url);

	*out = (struct https_reply){ .refused = rc < 0 };
	if (rc < 0)
		return rc;
	x.easy = curl_easy_init();
	if (x.easy == NULL)
		fatal("libcurl cannot start");
	for (; *headers; headers++)
		add_header(&x, *headers);
	set_options(&x, server, server->url, HTTPS_SECONDS);
	curl_easy_setopt(x.easy, CURLOPT_POSTFIELDS, body);
	done = curl_easy_perform(x.easy);
	curl_easy_getinfo(x.easy, CURLINFO_RESPONSE_CODE, &out->status);
	curl_easy_getinfo(x.easy, CURLINFO_TOTAL_TIME_T, &took);
	out->took_ms = took / 1000;
	out->text = x.answer.len ? mem_strdup(buf_str(&x.answer)) : NULL;
	out->refused = x.refused;
	if (done != CURLE_OK && !x.enough)
		rc = transport_error(&x, done);
	else if (out->status < 200 || out->status > 299)
		rc = err_set(out->status >= 500 ? ERR_UNAVAILABLE : ERR_IO, "the receiver answers with status %ld", out->status);
	end(&x);
	return rc;
}

/* Without libcurl's thread for names: where HOST is, in the form that libcurl takes for known. */
static int look_up(const char *host, const char *port, struct curl_slist **out)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
	struct buf line = BUF_INIT;
	struct addrinfo *found = NULL;
	char text[NI_MAXHOST];
	int rc = getaddrinfo(host, port, &hints, &found), count = 0;

	if (rc != 0)
		return err_set(ERR_UNAVAILABLE, "there is no address for the name %.100s (%s)", host, gai_strerror(rc));
	buf_printf(&line, "%s:%s:", host, port);
	for (const struct addrinfo *a = found; a; a = a->ai_next)
		if (getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST) == 0)
			buf_printf(&line, a->ai_family == AF_INET6 ? "%s[%s]" : "%s%s", count++ ? "," : "", text);
	freeaddrinfo(found);
	*out = curl_slist_append(NULL, buf_str(&line));
	buf_free(&line);
	return *out && count ? 0 : err_set(ERR_UNAVAILABLE, "there is no address for the name %.100s", host);
}

int https_get(const struct https_server *server, size_t max, int seconds, struct buf *out)
{
	struct exchange x = { .local = server->local, .distant = server->distant, .most = max };
	struct curl_slist *known = NULL;
	char *host = NULL, *port = NULL;
	int rc = check_url(server->url, 1, &host, &port);

	/* An address needs no looking up; in brackets it would not be understood, either. */
	if (rc == 0 && *host != '[')
		rc = look_up(host, port, &known);
	if (rc == 0) {
		x.easy = curl_easy_init();
		if (x.easy == NULL)
			fatal("libcurl cannot start");
		set_options(&x, server, server->url, seconds);
		curl_easy_setopt(x.easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
		curl_easy_setopt(x.easy, CURLOPT_RESOLVE, known);
		rc = exchange(&x);
		if (rc == 0) {
			buf_reset(out);
			buf_add(out, x.answer.data, x.answer.len);
		}
		end(&x);
	}
	curl_slist_free_all(known);
	curl_free(host);
	curl_free(port);
	return rc;
}

int https_rehearse(void)
{
	const struct https_server nobody = { .url = "https://127.0.0.1:9/" };
	struct buf out = BUF_INIT;
	int rc = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? 0 : err_set(ERR_INTERNAL, "libcurl cannot start");

	/* As far as the refused address: with that it has all that it loads. */
	if (rc == 0 && https_get(&nobody, 1, 1, &out) != ERR_FORBIDDEN)
		rc = err_set(ERR_INTERNAL, "libcurl does not ask whether it may connect");
	buf_free(&out);
	return rc;
}
