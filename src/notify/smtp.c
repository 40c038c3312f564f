/* smtp.c - sending one text mail by SMTP. */
#include "notify/smtp.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

#define WORD_BYTES 45            /* of text in one encoded word: 75 characters with what stands around them (RFC 2047, 2) */
#define LINE_BYTES 57            /* of text in one line of 76 characters (RFC 2045, 6.8) */
#define WORDS_MAX 400

/* Headers */

static void base64(const unsigned char *data, size_t len, struct buf *out)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < len; i += 3) {
		unsigned v = (unsigned)data[i] << 16 | (i + 1 < len ? (unsigned)data[i + 1] << 8 : 0) | (i + 2 < len ? data[i + 2] : 0);

		buf_printf(out, "%c%c%c%c", digits[v >> 18], digits[v >> 12 & 63], i + 1 < len ? digits[v >> 6 & 63] : '=',
			i + 2 < len ? digits[v & 63] : '=');
	}
}

/* At most so many bytes that no character is cut: continuation bytes begin with 10. */
static size_t whole(const char *text, size_t len, size_t most)
{
	if (len <= most)
		return len;
	while (most > 1 && ((unsigned char)text[most] & 0xc0) == 0x80)
		most--;
	return most;
}

/* Every character that could end a line or a word is inside an encoded word, so what people have written is always one header. */
static void put_words(struct buf *out, const char *header, const char *text)
{
	size_t left = whole(text, strlen(text), WORDS_MAX);

	buf_printf(out, "%s:", header);
	for (int first = 1; left > 0; first = 0) {
		size_t n = whole(text, left, WORD_BYTES);

		buf_printf(out, "%s =?UTF-8?B?", first ? "" : "\r\n");
		base64((const unsigned char *)text, n, out);
		buf_printf(out, "?=");
		text += n;
		left -= n;
	}
}

/* One address and nothing else: what could end it, or begin another, is refused. */
static int check_address(const char *address)
{
	const char *at = strrchr(address, '@');

	for (const char *p = address; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 127 || strchr("<>,;:\"\\()[]", *p))
			return err_set(ERR_INVALID, "this is no e-mail address that mail can be sent to");
	return at && at != address && at[1] ? 0 : err_set(ERR_INVALID, "this is no e-mail address that mail can be sent to");
}

/* Whatever the text is, its lines are short and of plain letters. */
static void put_part(struct buf *out, const char *type, const char *text)
{
	size_t left = strlen(text);

	buf_printf(out, "Content-Type: %s; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n", type);
	while (left > 0) {
		size_t n = left < LINE_BYTES ? left : LINE_BYTES;

		base64((const unsigned char *)text, n, out);
		buf_printf(out, "\r\n");
		text += n;
		left -= n;
	}
}

/* No line of ours is like the boundary: parts are base64. */
static void put_body(struct buf *out, const struct smtp_mail *mail, const char *id)
{
	char *document;

	buf_puts(out, "MIME-Version: 1.0\r\n");
	if (mail->html == NULL) {
		put_part(out, "text/plain", mail->text);
		return;
	}
	buf_printf(out, "Content-Type: multipart/alternative; boundary=\"=_%s\"\r\n\r\n--=_%s\r\n", id, id);
	put_part(out, "text/plain", mail->text);
	buf_printf(out, "\r\n--=_%s\r\n", id);
	document = mem_printf("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"></head><body>\n%s</body></html>\n", mail->html);
	put_part(out, "text/html", document);
	buf_printf(out, "\r\n--=_%s--\r\n", id);
	secret_wipe(document, strlen(document));
	free(document);
}

/* RFC 5322; addresses are checked. */
static void compose(struct buf *out, const struct mail_server *server, const struct smtp_mail *mail)
{
	char id[UUID_TEXT_SIZE], date[64];
	time_t now = time(NULL);
	struct tm tm;

	uuid_text(&mail->id, id);
	gmtime_r(&now, &tm);
	/* The C locale is ours: names of days and months are English. */
	strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S +0000", &tm);
	buf_printf(out, "Date: %s\r\n", date);
	put_words(out, "From", mail->from);
	buf_printf(out, "\r\n <%s>\r\nTo: <%s>\r\n", server->sender, mail->to);
	put_words(out, "Subject", mail->subject);
	/* Nobody's holiday notice comes back (RFC 3834). */
	buf_printf(out, "\r\nMessage-ID: <%s@%s>\r\nAuto-Submitted: auto-generated\r\n", id, strrchr(server->sender, '@') + 1);
	put_body(out, mail, id);
}

/* The connection */

static int code_of(CURLcode rc, long answer)
{
	switch (rc) {
	case CURLE_OK:
		return 0;
	case CURLE_OPERATION_TIMEDOUT:
		return ERR_TIMEOUT;
	case CURLE_LOGIN_DENIED:
	case CURLE_AUTH_ERROR:
		return ERR_UNAUTHENTICATED;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_USE_SSL_FAILED:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_ISSUER_ERROR:
		return ERR_TAMPERED;
	default:
		/* What a server refuses for good (RFC 5321, 4.2.1); the rest may be better later. */
		return answer / 100 == 5 ? ERR_FORBIDDEN : ERR_UNAVAILABLE;
	}
}

static int say(int code, CURLcode rc, long answer, const char *detail, const struct mail_server *s)
{
	const char *words = *detail ? detail : curl_easy_strerror(rc);

	switch (code) {
	case ERR_TIMEOUT:
		return err_set(code, "no answer from %s:%lld in time%s", s->host, (long long)s->port,
			*s->user ? " (some servers keep silent after a wrong password)" : "");
	case ERR_UNAUTHENTICATED:
		return err_set(code, "the mail server refuses user and password (%ld)", answer);
	case ERR_TAMPERED:
		return err_set(code, "no safe line to %s:%lld: %s", s->host, (long long)s->port, words);
	case ERR_FORBIDDEN:
		return err_set(code, "the mail server does not take the mail (%ld): %s", answer, words);
	default:
		return answer ? err_set(code, "the mail server cannot take the mail now (%ld): %s", answer, words)
			: err_set(code, "%s:%lld: %s", s->host, (long long)s->port, words);
	}
}

static void set_line(CURL *curl, const struct mail_server *s, const struct secret *password, char *url)
{
	static const long levels[MAIL_SECURITY_COUNT] = { [MAIL_TLS] = CURLUSESSL_ALL, [MAIL_STARTTLS] = CURLUSESSL_ALL,
		[MAIL_OPPORTUNISTIC] = CURLUSESSL_TRY, [MAIL_NONE] = CURLUSESSL_NONE };
	struct curl_blob ca = { s->ca, strlen(s->ca), CURL_BLOB_COPY };

	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)SMTP_CONNECT_SECONDS);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)SMTP_SECONDS);
	curl_easy_setopt(curl, CURLOPT_SERVER_RESPONSE_TIMEOUT, (long)SMTP_CONNECT_SECONDS);
	curl_easy_setopt(curl, CURLOPT_USE_SSL, levels[s->security]);
	curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (*s->ca)
		curl_easy_setopt(curl, CURLOPT_CAINFO_BLOB, &ca);
	if (*s->user) {
		char *text = mem_printf("%.*s", password ? (int)password->len : 0, password ? (const char *)password->data : "");

		curl_easy_setopt(curl, CURLOPT_USERNAME, s->user);
		curl_easy_setopt(curl, CURLOPT_PASSWORD, text);
		secret_wipe(text, strlen(text));
		free(text);
	}
}

struct upload {
	const char *data;
	size_t left;
	const struct smtp_mail *mail;
	int stopped;
};

static size_t give(char *to, size_t size, size_t count, void *ctx)
{
	struct upload *u = ctx;
	size_t n = u->left < size * count ? u->left : size * count;

	/* The end of a mail is what makes it one. */
	if (u->left == 0 && u->mail->ending && (u->stopped = u->mail->ending(u->mail->ctx)) < 0)
		return CURL_READFUNC_ABORT;
	memcpy(to, u->data, n);
	u->data += n;
	u->left -= n;
	return n;
}

static int perform(CURL *curl, const struct mail_server *s)
{
	char detail[CURL_ERROR_SIZE] = "";
	long answer = 0;
	CURLcode rc;
	int code;

	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, detail);
	rc = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer);
	code = code_of(rc, answer);
	return code < 0 ? say(code, rc, answer, detail, s) : 0;
}

static int transfer(CURL *curl, const struct mail_server *s, const struct secret *password, const struct smtp_mail *mail)
{
	const char *v6 = strchr(s->host, ':');
	char *url = mem_printf("%s://%s%s%s:%lld", s->security == MAIL_TLS ? "smtps" : "smtp", v6 ? "[" : "", s->host, v6 ? "]" : "",
		(long long)s->port), *from = mem_printf("<%s>", s->sender), *to = mem_printf("<%s>", mail->to);
	struct curl_slist *recipients = curl_slist_append(NULL, to);
	struct buf message = BUF_INIT;
	struct upload upload;
	int rc;

	compose(&message, s, mail);
	upload = (struct upload){ message.data, message.len, mail, 0 };
	set_line(curl, s, password, url);
	curl_easy_setopt(curl, CURLOPT_MAIL_FROM, from);
	curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, recipients);
	curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(curl, CURLOPT_READFUNCTION, give);
	curl_easy_setopt(curl, CURLOPT_READDATA, &upload);
	rc = perform(curl, s);
	rc = upload.stopped < 0 ? upload.stopped : rc;
	curl_slist_free_all(recipients);
	buf_free(&message);
	free(to);
	free(from);
	free(url);
	return rc;
}

int smtp_send(const struct mail_server *server, const struct secret *password, const struct smtp_mail *mail)
{
	CURL *curl;
	int rc = check_address(mail->to);

	if (rc == 0)
		rc = check_address(server->sender);
	if (rc < 0)
		return rc;
	curl = curl_easy_init();
	if (curl == NULL)
		return err_set(ERR_INTERNAL, "libcurl gives no connection");
	rc = transfer(curl, server, password, mail);
	curl_easy_cleanup(curl);
	return rc;
}
