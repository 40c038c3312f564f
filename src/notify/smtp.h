/* smtp.h - sending one mail by SMTP (RFC 5321, 8314): libcurl speaks, this file says what.
 *
 * Blocks, at most SMTP_SECONDS. What stands in a mail may come from anybody: no text can add a header or a recipient. */
#ifndef NOTIFY_SMTP_H
#define NOTIFY_SMTP_H

#include "base/secret.h"
#include "base/uuid.h"
#include "store/mail.h"

#define SMTP_CONNECT_SECONDS 10
#define SMTP_SECONDS 30

/* Strings are borrowed. */
struct smtp_mail {
	struct uuid id;              /* becomes the Message-ID: the same mail sent twice is known as one */
	const char *from;            /* who sends it, to people: UTF-8, one line */
	const char *to;              /* one address */
	const char *subject;         /* UTF-8, one line */
	const char *text;            /* UTF-8 */
	const char *html;            /* the same as the body of an HTML document; NULL: only the text is sent */
	int (*ending)(void *ctx);    /* called before the last of the mail is handed over; an error ends it there. NULL: nothing is */
	void *ctx;
};

/* curl_global_init has been called. PASSWORD may be NULL. 0 once the server has taken the mail, else what to tell people in err_text:
 *   ERR_UNAVAILABLE  no connection, or it broke; the server says "later"      ERR_TIMEOUT  no answer in time
 *   ERR_UNAUTHENTICATED  user or password refused                            ERR_TAMPERED its certificate or TLS is not right
 *   ERR_FORBIDDEN  the server does not take this sender, recipient or mail   ERR_INVALID  the mail itself cannot be sent */
int smtp_send(const struct mail_server *server, const struct secret *password, const struct smtp_mail *mail);

#endif
