/* link.c - posting frames with libcurl. */
#include "agent/guest/link.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netdb.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "proto/frame.h"

#define CONNECT_SECONDS 10L
#define POLL_MS 1000
#define STATUS_TIMEOUT 408       /* RFC 9110, section 15.5.9 */

struct link {
	CURL *easy;
	CURLM *multi;
	char *url, *host, *port;
	char proxy[PROXY_URL_MAX + 1];   /* without its login; "": none */
	enum link_stage failed_at;
	char error[CURL_ERROR_SIZE];
	struct curl_slist *headers, *resolve;
	struct buf *answer;
	struct buf shown;                /* the certificate that was not trusted, for a person to compare */
	struct buf advice;
	int wake, use_wake, woken, down;
	int (*note)(void *ctx);
	void *note_ctx;
	clock_us note_at;
};

static size_t take_body(char *data, size_t size, size_t count, void *ctx)
{
	struct link *l = ctx;

	if (l->answer->len + size * count > PROTO_FRAME_MAX)
		return 0;
	buf_add(l->answer, data, size * count);
	return size * count;
}

static int read_url(const char *text, struct link *l)
{
	CURLU *u = curl_url();
	char *scheme = NULL, *host = NULL, *port = NULL, *user = NULL;
	size_t len = strlen(text);
	int ok = curl_url_set(u, CURLUPART_URL, text, 0) == CURLUE_OK
		&& curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK && strcmp(scheme, "https") == 0
		&& curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK
		&& curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK
		&& curl_url_get(u, CURLUPART_USER, &user, 0) == CURLUE_NO_USER;

	if (ok) {
		while (len > 0 && text[len - 1] == '/')
			len--;
		l->url = mem_printf("%.*s%s", (int)len, text, PROTO_PATH);
		l->host = mem_strdup(host);
		l->port = mem_strdup(port);
	}
	curl_free(scheme);
	curl_free(host);
	curl_free(port);
	curl_free(user);
	curl_url_cleanup(u);
	return ok ? 0 : err_set(ERR_INVALID, "\"%s\" is no Web Service URL: https://NAME[:PORT] is needed", text);
}

/* RFC 6761, section 6.3: such names are this machine, whatever a resolver or a proxy thinks. */
static int is_loopback_name(const char *host)
{
	static const char suffix[] = ".localhost";
	size_t len = strlen(host), tail = sizeof suffix - 1;

	return strcasecmp(host, "localhost") == 0 || (len > tail && strcasecmp(host + len - tail, suffix) == 0);
}

static void set_proxy(struct link *l, const struct link_settings *s)
{
	const struct proxy *p = s->proxy;

	/* Who runs a proxy is no more trusted than the network: what the server's certificate is checked against, and what the system
	 * knows besides, will do. */
	if (s->ca_file && *s->ca_file)
		curl_easy_setopt(l->easy, CURLOPT_PROXY_CAINFO, s->ca_file);
	if (s->ignore_ssl_errors) {
		curl_easy_setopt(l->easy, CURLOPT_PROXY_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(l->easy, CURLOPT_PROXY_SSL_VERIFYHOST, 0L);
	}
	if (p == NULL) {
		proxy_of_environment(l->host, l->proxy);
		return;
	}
	snprintf(l->proxy, sizeof l->proxy, "%s", p->url);
	curl_easy_setopt(l->easy, CURLOPT_PROXY, p->url);
	curl_easy_setopt(l->easy, CURLOPT_PROXYAUTH, (long)(CURLAUTH_BASIC | CURLAUTH_DIGEST));
	if (p->user[0])
		curl_easy_setopt(l->easy, CURLOPT_PROXYUSERNAME, p->user);
	if (p->user[0] && p->password)
		curl_easy_setopt(l->easy, CURLOPT_PROXYPASSWORD, (const char *)p->password->data);
}

static void set_loopback(struct link *l)
{
	char *entry = mem_printf("%s:%s:127.0.0.1,[::1]", l->host, l->port);

	l->resolve = curl_slist_append(NULL, entry);
	curl_easy_setopt(l->easy, CURLOPT_RESOLVE, l->resolve);
	curl_easy_setopt(l->easy, CURLOPT_PROXY, "");
	free(entry);
}

static struct link *verifying;   /* OpenSSL hands a verifier nothing of ours in a form that curl leaves alone */

static void add_name(struct buf *out, const char *title, X509_NAME *name)
{
	char text[512] = "";

	X509_NAME_oneline(name, text, sizeof text);
	buf_printf(out, "  %s %s\n", title, text);
}

/* Remembers the first certificate of a chain that is refused; the verdict stays OpenSSL's. */
static int note_certificate(int ok, X509_STORE_CTX *ctx)
{
	X509 *cert = X509_STORE_CTX_get0_cert(ctx);
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (ok || cert == NULL || verifying == NULL || verifying->shown.len > 0)
		return ok;
	add_name(&verifying->shown, "subject    ", X509_get_subject_name(cert));
	add_name(&verifying->shown, "signed by  ", X509_get_issuer_name(cert));
	if (X509_digest(cert, EVP_sha256(), digest, &len) == 1) {
		buf_puts(&verifying->shown, "  SHA-256     ");
		for (unsigned i = 0; i < len; i++)
			buf_printf(&verifying->shown, "%s%02X", i ? ":" : "", digest[i]);
	}
	return ok;
}

static CURLcode watch_verification(CURL *easy, void *ssl_ctx, void *ctx)
{
	SSL_CTX_set_verify(ssl_ctx, SSL_CTX_get_verify_mode(ssl_ctx), note_certificate);
	return CURLE_OK;
}

static void set_options(struct link *l, const struct link_settings *s)
{
	CURL *e = l->easy;

	l->headers = curl_slist_append(NULL, "Content-Type: " PROTO_CONTENT_TYPE);
	l->headers = curl_slist_append(l->headers, "Expect:");
	curl_easy_setopt(e, CURLOPT_URL, l->url);
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "https");
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(e, CURLOPT_HTTPHEADER, l->headers);
	curl_easy_setopt(e, CURLOPT_USERAGENT, "keyward-agent");
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, l->error);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	/* A line that waits for an order is silent: what is on the way must not forget it. */
	curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(e, CURLOPT_TCP_KEEPIDLE, 20L);
	curl_easy_setopt(e, CURLOPT_TCP_KEEPINTVL, 10L);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
	/* Each connection is to where the name leads now: a server that has moved is found at once. */
	curl_easy_setopt(e, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
	curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, l);
	curl_easy_setopt(e, CURLOPT_SSL_CTX_FUNCTION, watch_verification);
	if (s->ca_file && *s->ca_file) {
		curl_easy_setopt(e, CURLOPT_CAINFO, s->ca_file);
		curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
	}
	if (s->ignore_ssl_errors) {
		curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	if (is_loopback_name(l->host))
		set_loopback(l);
	else
		set_proxy(l, s);
}

int link_open(const struct link_settings *settings, struct link **out)
{
	static int started;
	struct link *l = mem_alloc(sizeof *l);
	int rc = 0;

	if (!started && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		fatal("libcurl cannot start");
	started = 1;
	l->wake = settings->wake;
	if (settings->ca_file && *settings->ca_file && access(settings->ca_file, R_OK) < 0)
		rc = err_set(ERR_INVALID, "the CA file %s cannot be read", settings->ca_file);
	if (rc == 0)
		rc = read_url(settings->url, l);
	if (rc < 0) {
		link_close(l);
		return rc;
	}
	l->easy = curl_easy_init();
	l->multi = curl_multi_init();
	if (l->easy == NULL || l->multi == NULL)
		fatal("libcurl cannot start");
	set_options(l, settings);
	link_set_limit(l, LINK_SECONDS, 0);
	*out = l;
	return 0;
}

void link_close(struct link *l)
{
	if (l == NULL)
		return;
	if (l->easy)
		curl_easy_cleanup(l->easy);
	if (l->multi)
		curl_multi_cleanup(l->multi);
	curl_slist_free_all(l->headers);
	curl_slist_free_all(l->resolve);
	buf_free(&l->shown);
	buf_free(&l->advice);
	free(l->url);
	free(l->host);
	free(l->port);
	free(l);
}

void link_set_limit(struct link *l, long seconds, int wake)
{
	l->use_wake = wake && l->wake >= 0;
	curl_easy_setopt(l->easy, CURLOPT_TIMEOUT, seconds);
}

void link_set_note(struct link *l, int (*note)(void *ctx), void *ctx)
{
	l->note = note;
	l->note_ctx = ctx;
}

int link_is_down(const struct link *l)
{
	return l->down;
}

int link_was_woken(const struct link *l)
{
	return l->woken;
}

/* No more often than that, however often something arrives. */
static int is_noted(struct link *l)
{
	if (l->note == NULL || clock_ticks() < l->note_at)
		return 0;
	l->note_at = clock_ticks() + POLL_MS * 1000;
	return l->note(l->note_ctx);
}

/* Runs the transfer that is in the multi handle. The result of the transfer, or CURLE_ABORTED_BY_CALLBACK when woken. */
static CURLcode run(struct link *l)
{
	struct curl_waitfd wake = { l->wake, CURL_WAIT_POLLIN, 0 };
	int running = 1, left;
	CURLMsg *message;

	while (curl_multi_perform(l->multi, &running) == CURLM_OK && running) {
		wake.revents = 0;
		if (curl_multi_poll(l->multi, l->use_wake ? &wake : NULL, l->use_wake ? 1 : 0, POLL_MS, NULL) != CURLM_OK)
			break;
		if (l->use_wake && (wake.revents || is_noted(l))) {
			l->woken = 1;
			return CURLE_ABORTED_BY_CALLBACK;
		}
	}
	message = curl_multi_info_read(l->multi, &left);
	return message && message->msg == CURLMSG_DONE ? message->data.result : CURLE_FAILED_INIT;
}

/* Why OpenSSL does not accept the certificate that was shown: X509_V_... */
static long verify_result(const struct link *l)
{
	long result = X509_V_OK;

	curl_easy_getinfo(l->easy, CURLINFO_SSL_VERIFYRESULT, &result);
	return result;
}

/* Another CA would not help: clock or name are wrong, here or there. */
static int refuse_certificate(const struct link *l, const char *more)
{
	char now[CLOCK_TEXT_SIZE];

	clock_text(clock_now(), now);
	switch (verify_result(l)) {
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return err_set(ERR_UNAVAILABLE, "the certificate of %s is not valid yet: this machine's clock says %s; set it right", l->host, now);
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return err_set(ERR_UNAVAILABLE, "the certificate of %s has expired, unless this machine's clock is wrong, which says %s: tell the"
			" operator", l->host, now);
	/* libcurl looks at the name by itself, before it takes over what OpenSSL says. */
	case X509_V_OK:
	case X509_V_ERR_UNSPECIFIED:
		return err_set(ERR_UNAVAILABLE, "the certificate that was shown is not for %s: check the URL (%s)", l->host, more);
	default:
		return err_set(ERR_UNAVAILABLE, "the certificate of %s is not trusted: give the CA that signed it (--ca-file or ca_file) (%s)",
			l->host, more);
	}
}

/* The result is the server's; of a proxy's certificate nothing is known but that it was refused. */
static int may_want_ca(const struct link *l, enum link_stage stage, CURLcode code)
{
	long result = verify_result(l);

	if (code != CURLE_PEER_FAILED_VERIFICATION)
		return code == CURLE_SSL_ISSUER_ERROR;
	return (l->proxy[0] && stage <= LINK_TUNNEL) || (result != X509_V_OK && result != X509_V_ERR_UNSPECIFIED &&
		result != X509_V_ERR_CERT_NOT_YET_VALID && result != X509_V_ERR_CERT_HAS_EXPIRED);
}

static void advise_certificate(struct link *l)
{
	buf_reset(&l->advice);
	if (l->shown.len > 0)
		buf_printf(&l->advice, "The certificate that was shown:\n%s\n", buf_str(&l->shown));
	buf_puts(&l->advice, "If your operator's server has a certificate of a CA of its own, ask for that CA's certificate, compare its"
		" fingerprint over\nanother way (openssl x509 -noout -fingerprint -sha256 -in FILE), and give it with --ca-file FILE."
		" If it is the certificate\nof a proxy that looks into TLS, its CA is the one to give. Do not go on with"
		" --ignore-ssl-error unless you know why.");
}

const char *link_advice(const struct link *l)
{
	return l->advice.len ? buf_str(&l->advice) : NULL;
}

static long status_of(const struct link *l)
{
	long status = 0;

	curl_easy_getinfo(l->easy, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

/* What the proxy said to our CONNECT; 0: nothing. */
static long proxy_status(const struct link *l)
{
	long status = 0;

	curl_easy_getinfo(l->easy, CURLINFO_HTTP_CONNECTCODE, &status);
	return status;
}

static enum link_stage stage_of(const struct link *l, CURLcode code)
{
	long said = proxy_status(l);
	double connected = 0;
	int tls_proxy = strncmp(l->proxy, "https:", 6) == 0;

	curl_easy_getinfo(l->easy, CURLINFO_CONNECT_TIME, &connected);
	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return LINK_NAME;
	case CURLE_COULDNT_CONNECT:
		return LINK_CONNECT;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_CONNECT_ERROR:
		return tls_proxy && said == 0 ? LINK_PROXY_TLS : LINK_TLS;
	default:
		if (said == 407)
			return LINK_LOGIN;
		if (l->proxy[0] && (said < 200 || said >= 300))
			return said ? LINK_TUNNEL : LINK_CONNECT;
		return connected > 0 ? LINK_SERVER : LINK_CONNECT;
	}
}

static int explain_proxy(const struct link *l, enum link_stage stage, const char *more)
{
	switch (stage) {
	case LINK_NAME:
		return err_set(ERR_UNAVAILABLE, "the name of the proxy %s cannot be found: check its URL and this machine's DNS", l->proxy);
	case LINK_CONNECT:
		return err_set(ERR_UNAVAILABLE, "nobody answers at the proxy %s: check its URL, the proxy and firewalls (%s)", l->proxy, more);
	case LINK_PROXY_TLS:
		return err_set(ERR_UNAVAILABLE, "no TLS connection to the proxy %s that can be trusted (%s)", l->proxy, more);
	case LINK_LOGIN:
		return err_set(ERR_UNAVAILABLE, "the proxy %s wants a login, or another one (407): give it with keyward-config"
			" --proxy-settings URL --proxy-user NAME", l->proxy);
	default:
		return err_set(ERR_UNAVAILABLE, "the proxy %s does not let us through to %s port %s: it must permit CONNECT to it (%s)",
			l->proxy, l->host, l->port, more);
	}
}

/* What a person can do about it. */
static int explain(struct link *l, CURLcode code)
{
	const char *more = l->error[0] ? l->error : curl_easy_strerror(code);
	enum link_stage stage = stage_of(l, code);

	l->failed_at = stage;
	if (may_want_ca(l, stage, code))
		advise_certificate(l);
	if (code == CURLE_ABORTED_BY_CALLBACK)
		return err_set(ERR_TIMEOUT, "waiting was ended");
	if (l->proxy[0] && stage <= LINK_TUNNEL && code != CURLE_COULDNT_RESOLVE_HOST)
		return explain_proxy(l, stage, more);
	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
		return err_set(ERR_UNAVAILABLE, "the name %s cannot be found: check the URL and this machine's DNS", l->host);
	case CURLE_COULDNT_CONNECT:
		return err_set(ERR_UNAVAILABLE, "nobody answers at %s port %s: check the URL, the server and firewalls (%s)",
			l->host, l->port, more);
	case CURLE_PEER_FAILED_VERIFICATION:
		return refuse_certificate(l, more);
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
		return err_set(ERR_UNAVAILABLE,
			"the certificate of %s is not trusted: give the CA that signed it (--ca-file or ca_file) (%s)",
			l->host, more);
	case CURLE_SSL_CONNECT_ERROR:
		return err_set(ERR_UNAVAILABLE, "no TLS connection to %s port %s: is that an HTTPS server? (%s)", l->host,
			l->port, more);
	case CURLE_OPERATION_TIMEDOUT:
		return err_set(ERR_TIMEOUT, "%s did not answer in time (%s)", l->host, more);
	case CURLE_WRITE_ERROR:
		return err_set(ERR_TOO_LARGE, "the answer of %s is larger than any of ours", l->host);
	default:
		return err_set(ERR_UNAVAILABLE, "no connection to %s: %s", l->host, more);
	}
}

static int is_ours(const struct link *l)
{
	return l->answer->len >= 3 && memcmp(l->answer->data, "KWD", 3) == 0;
}

static int check_answer(struct link *l)
{
	long status = status_of(l);

	if (is_ours(l))
		return 0;
	l->failed_at = LINK_SERVER;
	return err_set(ERR_UNAVAILABLE,
		"what answers at %s is no Keyward agent service (HTTP status %ld): check the URL and any proxy",
		l->url, status);
}

static CURLcode transfer(struct link *l, int fresh)
{
	CURLcode code;

	l->error[0] = '\0';
	buf_reset(&l->shown);
	buf_reset(&l->advice);
	verifying = l;
	buf_reset(l->answer);
	curl_easy_setopt(l->easy, CURLOPT_FRESH_CONNECT, (long)fresh);
	curl_multi_add_handle(l->multi, l->easy);
	code = run(l);
	curl_multi_remove_handle(l->multi, l->easy);
	return code;
}

static int post(void *ctx, const struct buf *request, struct buf *answer)
{
	struct link *l = ctx;
	CURLcode code;
	int rc;

	l->answer = answer;
	l->woken = 0;
	l->failed_at = LINK_STAGE_COUNT;
	curl_easy_setopt(l->easy, CURLOPT_POSTFIELDSIZE, (long)request->len);
	curl_easy_setopt(l->easy, CURLOPT_POSTFIELDS, request->data);
	code = transfer(l, 0);
	/* A kept connection that was idle too long is closed with this status, which then seems to answer what was just
	 * sent. */
	if (code == CURLE_OK && !is_ours(l) && status_of(l) == STATUS_TIMEOUT)
		code = transfer(l, 1);
	rc = code == CURLE_OK ? check_answer(l) : explain(l, code);
	l->down = rc < 0;
	return rc;
}

struct proto_transport link_transport(struct link *l)
{
	return (struct proto_transport){ post, l };
}

int link_try(struct link *l)
{
	/* No frame at all, which the service answers with an error frame of its own. */
	struct buf nothing = BUF_INIT, answer = BUF_INIT;
	int rc;

	buf_puts(&nothing, "?");
	rc = post(l, &nothing, &answer);
	buf_free(&nothing);
	buf_free(&answer);
	return rc;
}

enum link_stage link_failed_at(const struct link *l)
{
	return l->failed_at;
}

const char *link_proxy(const struct link *l)
{
	return l->proxy;
}
