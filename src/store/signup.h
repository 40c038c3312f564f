/* signup.h - accounts that register themselves (TEN-5, SaaS): an address is proven before there is anything. Role console. HASH: of the link's token. */
#ifndef STORE_SIGNUP_H
#define STORE_SIGNUP_H

#include <jansson.h>

#include "store/quota.h"

/* Keeps it and queues MAIL {to, subject, text}; bound to none. 0 too where there were too many from that address: then neither. */
int signup_ask(struct db *db, const uint8_t hash[static 32], const char *email, const char *name, const char *company, clock_us expires,
	const json_t *mail);
/* {email, name, company}; ERR_NOT_FOUND: used, expired, or never there. */
int signup_find(struct db *db, const uint8_t hash[static 32], json_t **out);
/* Makes the account with QUOTA and the invitation of its first administrator; bound to ACCOUNT, which is not there yet. ERR_CONFLICT: SLUG is taken; ERR_INVALID: it
 * is no name for an address; ERR_NOT_FOUND. */
int signup_use(struct db *db, const uint8_t hash[static 32], const struct uuid *account, const char *slug, struct wire_view wrapped,
	const uint8_t invitation[static 32], clock_us expires, const struct quota *quota);

#endif
