/* mail.h - the installation's mail server as the operator has set it, test mails, and what waits to be sent (ADM-2). */
#ifndef STORE_MAIL_H
#define STORE_MAIL_H

#include <jansson.h>

#include "base/buf.h"
#include "store/db.h"

#define MAIL_PASSWORD_SETTING "mail.password"     /* the blob, base64url */
#define MAIL_PASSWORD_PURPOSE "smtp-password"    /* of keyd's blob */

#define MAIL_LINK_PURPOSE "mail-link"            /* likewise, of the link in a mail that waits */
#define MAIL_LINK_MARK "{keyward-link}"          /* where it goes in the mail's text */

/* How the line to the server is protected. */
#define MAIL_SECURITIES(X) \
	X(TLS, "tls", "TLS from the start (port 465)") \
	X(STARTTLS, "starttls", "STARTTLS, required (port 587)") \
	X(OPPORTUNISTIC, "opportunistic", "STARTTLS where the server offers it") \
	X(NONE, "none", "None")

enum mail_security {
#define X(id, name, label) MAIL_##id,
	MAIL_SECURITIES(X)
#undef X
	MAIL_SECURITY_COUNT
};

struct mail_server {
	char *host;
	int64_t port;
	enum mail_security security;
	char *sender;                /* address */
	char *user;                  /* "" : no login */
	char *ca;                    /* PEM of the certificates trusted for it, in place of the system's; "": the system's */
};

const char *mail_security_name(enum mail_security s);
const char *mail_security_label(enum mail_security s);
int mail_security_parse(const char *name, enum mail_security *out);
void mail_server_release(struct mail_server *s);             /* frees what it points to; zeroed is fine */

/* Central and jobs; bound to no tenant. PASSWORD, keyd's blob, is empty where there is none. ERR_NOT_FOUND: no mail server is set. */
int mail_server_get(struct db *db, struct mail_server *out, struct buf *password);
/* PASSWORD NULL: as it is; empty: none any more. */
int mail_server_set(struct db *db, const struct mail_server *s, const struct buf *password);
/* Nothing is sent any more. */
int mail_server_remove(struct db *db);

/* Central: a test mail for jobd to send. ERR_CONFLICT: one is under way. */
int mail_test(struct db *db, const char *recipient);
/* {recipient, requested, requested_by, finished, error} of the newest, or null. */
int mail_test_last(struct db *db, json_t **out);
/* jobd: ERROR NULL: it was sent. */
int mail_test_done(struct db *db, const struct uuid *id, const char *error);
/* Central: {waiting, failed, oldest, last_error} of all mails. */
int mail_queue(struct db *db, json_t **out);

/* Console, central: [{recipient, at, state}] of the newest mail of the bound account (or of the installation) to each of ADDRESSES that did not reach it: "waiting" for its next
 * try, "refused" by a mail server, "failed" in the end. */
int mail_undelivered(struct db *db, const json_t *addresses, json_t **out);

/* In the transaction that causes it: one mail to one recipient, for the tenant that is bound. UNIQUE as for job_add. */
int mail_add(struct db *db, const char *to, const char *subject, const char *text, const char *unique);
/* The same with a link that nobody may read meanwhile: keyd's blob; empty: none. Root keys that are replaced and retired while it waits leave
 * it unreadable, and the mail fails. */
int mail_add_link(struct db *db, const char *to, const char *subject, const char *text, const struct buf *link);
/* Console and central: 1 or 0. */
int mail_is_set(struct db *db);

#endif
