/* mail.c - the installation's mail server (ADM-2): settings, a test mail and what came of it, what waits to be sent.
 *
 * The password is a blob of keyd before it reaches the database, and is never shown again. */
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/secret.h"
#include "central/pages.h"
#include "store/mail.h"
#include "web/doc.h"

#define STANDARD_PORT 587
#define TEST_LATE CLOCK_MINUTE   /* longer than a mail server is waited for */
#define TEST_LOOK_S 2            /* between two looks at a test mail that is being sent */

static const char *const securities[] = {
#define X(id, name, label) name,
	MAIL_SECURITIES(X)
#undef X
	NULL
};

const struct route_param mail_fields[] = {
	{ "host", "Mail server", PARAM_TEXT, PARAM_REQUIRED, 1, 253, NULL },
	{ "port", "Port", PARAM_INT, PARAM_REQUIRED, 1, 65535, NULL },
	{ "security", "Protection of the line", PARAM_ENUM, PARAM_REQUIRED, 0, 0, securities },
	{ "sender", "Sender", PARAM_EMAIL, PARAM_REQUIRED, 0, 0, NULL },
	{ "user", "User", PARAM_TEXT, 0, 0, 254, NULL },
	{ "password", "Password", PARAM_PASSWORD, 0, 0, 0, NULL },
	{ "ca", "Trusted certificates", PARAM_CERTIFICATES, 0, 0, 20000, NULL },
	PARAM_END
};

const struct route_param mail_test_fields[] = {
	{ "to", "Send a test mail to", PARAM_EMAIL, PARAM_REQUIRED, 0, 0, NULL },
	PARAM_END
};

static void show_form(struct call *c, const struct mail_server *s, int has_password)
{
	call_form(c, "host", json_string(s->host ? s->host : ""));
	call_form(c, "port", json_integer(s->port ? s->port : STANDARD_PORT));
	call_form(c, "security", json_string(mail_security_name(s->security)));
	for (int i = 0; i < MAIL_SECURITY_COUNT; i++)
		call_form_option(c, "security", mail_security_name(i), call_translate(c, mail_security_label(i)), NULL,
			i == (int)s->security);
	call_form(c, "sender", json_string(s->sender ? s->sender : ""));
	call_form(c, "user", json_string(s->user ? s->user : ""));
	call_form(c, "password", json_string(""));
	doc_form_pem(c, "ca", s->ca ? s->ca : "");
	call_form(c, "to", json_string(c->user_email ? c->user_email : ""));
	call_set(c, "mail", json_pack("{s:b, s:b}", "set", s->host != NULL, "password", has_password));
}

static int show_test(struct call *c)
{
	json_t *row = NULL, *out;
	clock_us asked = 0;
	int rc = mail_test_last(c->db, &row), done;

	if (rc < 0)
		return rc;
	if (json_is_null(row)) {
		call_set(c, "test", row);
		call_set(c, "live", json_null());
		return 0;
	}
	done = !json_is_null(json_object_get(row, "finished"));
	clock_parse(doc_text(row, "requested"), &asked);
	out = json_pack("{s:s, s:o, s:o, s:b, s:b, s:b, s:o}", "to", doc_text(row, "recipient"), "at", doc_when(c, row, "requested"), "finished",
		doc_when(c, row, "finished"), "running", !done, "late", !done && c->now - asked > TEST_LATE, "sent", done && json_is_null(json_object_get(row, "error")), "error",
		doc_reason(c, doc_text(row, "error")));
	json_decref(row);
	call_set(c, "test", out);
	call_set(c, "live", done ? json_null() : json_pack("{s:s, s:i}", "url", "/mail?fragment=1", "seconds", TEST_LOOK_S));
	return 0;
}

static int show_queue(struct call *c)
{
	json_t *row = NULL;
	int rc = mail_queue(c->db, &row);

	if (rc < 0)
		return rc;
	json_object_set_new(row, "oldest", doc_when(c, row, "oldest"));
	call_set(c, "queue", row);
	return 0;
}

int mail_page(struct call *c)
{
	struct mail_server s = { .security = MAIL_STARTTLS };
	struct buf password = BUF_INIT;
	int rc = mail_server_get(c->db, &s, &password);

	if (rc == 0 || rc == ERR_NOT_FOUND) {
		show_form(c, &s, password.len > 0);
		rc = show_test(c);
	}
	if (rc == 0)
		rc = show_queue(c);
	call_set(c, "can", json_pack("{s:b}", "edit", call_may(c, PERMISSION_SYSTEM_EDIT)));
	mail_server_release(&s);
	buf_free(&password);
	return rc;
}

/* A name or an address and nothing else: it becomes part of a URL. */
static int check_host(struct call *c, const char *host)
{
	for (const char *p = host; *p; p++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:", *p))
			return call_field_error(c, "host", "Only the server's name or address, such as mail.example.net.");
	return 0;
}

static int check(struct call *c, const struct mail_server *s, int has_password)
{
	int rc = check_host(c, s->host), safe = s->security == MAIL_TLS || s->security == MAIL_STARTTLS;

	if (*s->user && !safe)
		rc = call_field_error(c, "security", "A password is sent over TLS alone: choose TLS or required STARTTLS, or leave the user "
			"empty.");
	if (*s->user && !has_password)
		rc = call_field_error(c, "password", "A password is needed to sign in with.");
	return rc;
}

static int protect(struct call *c, const char *typed, struct buf *blob)
{
	struct secret *password = secret_new(strlen(typed));
	int rc;

	memcpy(password->data, typed, password->len);
	rc = keys_system_protect(c->keys, &c->id, MAIL_PASSWORD_PURPOSE, password, blob);
	secret_free(password);
	return rc;
}

int mail_save(struct call *c)
{
	struct mail_server former = { .port = 0 };
	/* Only read by what follows. */
	char *parts[] = { (char *)(uintptr_t)call_text(c, "host"), (char *)(uintptr_t)call_text(c, "sender"),
		(char *)(uintptr_t)call_text(c, "user"), (char *)(uintptr_t)call_text(c, "ca") };
	struct mail_server s = { .host = parts[0], .port = call_int(c, "port", 0), .sender = parts[1], .user = parts[2], .ca = parts[3] };
	struct buf kept = BUF_INIT, blob = BUF_INIT;
	const char *typed = call_text(c, "password");
	int rc = mail_server_get(c->db, &former, &kept), change = *typed || !*s.user;

	if (rc == ERR_NOT_FOUND)
		rc = 0;
	if (rc == 0)
		rc = mail_security_parse(call_text(c, "security"), &s.security);
	/* A password must not go to another server than the one that it was typed for. */
	if (rc == 0 && former.host && kept.len && !*typed && *s.user && strcmp(former.host, s.host) != 0)
		rc = call_field_error(c, "password", "The server is another one: type its password.");
	if (rc == 0)
		rc = check(c, &s, kept.len || *typed);
	if (rc == 0 && *typed && *s.user)
		rc = protect(c, typed, &blob);
	if (rc == 0)
		rc = mail_server_set(c->db, &s, change ? &blob : NULL);
	mail_server_release(&former);
	buf_free(&kept);
	buf_free(&blob);
	if (rc < 0)
		return rc;
	call_notice(c, "success", "The mail server is saved. Send a test mail to see that it works.");
	call_redirect(c, "/mail");
	return 0;
}

int mail_try(struct call *c)
{
	struct mail_server s = { .port = 0 };
	struct buf password = BUF_INIT;
	int rc = mail_server_get(c->db, &s, &password);

	mail_server_release(&s);
	buf_free(&password);
	if (rc == ERR_NOT_FOUND)
		return call_refuse(c, ERR_CONFLICT, "Save a mail server first.");
	if (rc == 0)
		rc = mail_test(c->db, call_text(c, "to"));
	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, "A test mail is being sent already.");
	if (rc < 0)
		return rc;
	call_notice(c, "info", "The test mail is being sent. Its result stands below.");
	call_redirect(c, "/mail");
	return 0;
}

int mail_remove_ask(struct call *c)
{
	struct mail_server s = { .security = MAIL_STARTTLS };
	struct buf password = BUF_INIT;
	int rc = mail_server_get(c->db, &s, &password);

	if (rc == 0)
		doc_ask_remove(c, "/mail", "Remove the mail server “%{name}”?", s.host, "No mail is sent any more, to nobody, until another is set. "
			"Settings and password are forgotten.", NULL, "Remove");
	mail_server_release(&s);
	buf_free(&password);
	return rc;
}

int mail_remove(struct call *c)
{
	int rc = mail_server_remove(c->db);

	if (rc < 0)
		return rc;
	call_notice(c, "success", "No mail is sent any more.");
	call_redirect(c, "/mail");
	return 0;
}
