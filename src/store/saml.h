/* saml.h - single sign-on by SAML (IDN-3): what was agreed with the identity provider, requests that wait for their answer, sessions
 * that it knows. The same functions serve a tenant and the operator; SIDE says which. */
#ifndef STORE_SAML_H
#define STORE_SAML_H

#include "store/user.h"

#define SAML_KEY_PURPOSE "saml-key"              /* for keyd */
#define SAML_KEY_SETTING "saml.key"              /* of the operator's */
#define SAML_REQUEST_LIFE (10 * CLOCK_MINUTE)
#define SAML_TOLD_LIFE (30 * CLOCK_MINUTE)       /* by far longer than a message is good, with all that clocks may differ (saml/logout.c) */

/* {mode, certificate, idp, proposed, source, proposed_source, settings, break_glass, test, tested}; "off" and nulls where nothing was set. A SOURCE is
 * {url, ca, fetched}: where metadata were fetched, whom that server's certificate is of ("": anybody whom all believe), when; null: a file. */
int saml_get(struct db *db, enum store_side side, json_t **out);
/* The blob of the private key. ERR_NOT_FOUND. */
int saml_key(struct db *db, enum store_side side, struct buf *blob);
/* A key and its certificate, once; a second time they stay as they are. */
int saml_set_key(struct db *db, enum store_side side, const char *certificate, const struct buf *blob);
/* What was imported; NULL: nothing any more. SOURCE NULL: from a file. */
int saml_propose(struct db *db, enum store_side side, const json_t *idp, const json_t *source);
/* It was fetched again, and is what is believed already. */
int saml_fetched(struct db *db, enum store_side side, const json_t *source);
/* When the last of the identity provider's certificates ends, where people sign in by it; 0: nowhere. */
int saml_ends(struct db *db, enum store_side side, clock_us *at);
#define SAML_ENDS_SOON (30 * CLOCK_DAY)
/* What was imported is believed from now on. ERR_CONFLICT: it is not DIGEST any more. */
int saml_confirm(struct db *db, enum store_side side, const char *digest);
/* SHA-256 of a description, in hexadecimal. The caller frees. */
char *saml_digest(const json_t *idp);
/* BREAK_GLASS NULL: nobody. ERR_CONFLICT: "required" without a local administrator who can sign in, or not "off" without a provider. */
int saml_set(struct db *db, enum store_side side, const char *mode, const json_t *settings, const struct uuid *break_glass);
/* Local administrators who are active and have a password: [{id, name, email}]. */
int saml_administrators(struct db *db, enum store_side side, json_t **out);
int saml_set_test(struct db *db, enum store_side side, const json_t *test);
/* 1 when USER may sign in with a password, 0 when only the identity provider signs people in. */
int saml_password_allowed(struct db *db, enum store_side side, const struct uuid *user);

struct saml_request {
	char *id, *purpose, *return_to;
	struct uuid user;
};
void saml_request_release(struct saml_request *r);
/* USER may be NULL. */
int saml_request_add(struct db *db, enum store_side side, const char *id, const uint8_t browser[static USER_TOKEN_HASH], const char *purpose,
	const struct uuid *user, const char *return_to, clock_us expires);
/* One that this browser made and that was not answered. ERR_NOT_FOUND. USE: it is answered now. */
int saml_request_find(struct db *db, enum store_side side, const char *id, const uint8_t browser[static USER_TOKEN_HASH], int use,
	struct saml_request *out);

/* EXTERNAL_ID of store/user_outside.h for SUBJECT at ISSUER; NULL when they are too long. The caller frees. */
char *identity_external(const char *issuer, const char *subject);
/* An existing local user who was marked for it, by address: from now on the person EXTERNAL_ID is this user, and no password is.
 * ERR_NOT_FOUND: nobody marked, or the last local administrator. */
int identity_link(struct db *db, enum store_side side, const char *external_id, const char *email, struct user *out);
/* Marks a local user so, or no longer. ERR_NOT_FOUND. */
int identity_allow_link(struct db *db, enum store_side side, const struct uuid *id, int allow);

/* A request of ISSUER's to sign out that was verified: ERR_CONFLICT where the one called ID came before. */
int saml_told_once(struct db *db, enum store_side side, const char *issuer, const char *id);
/* A refused sign-in, with the reason's name and text. */
int saml_log_refused(struct db *db, const char *what, const char *reason, const char *text);
int saml_session_add(struct db *db, enum store_side side, const struct uuid *session, const char *issuer, const char *name_id,
	const char *format, const char *index);
/* TO, which goes on where FROM ends, is known there by the same name; nothing where FROM is not. */
int saml_session_carry(struct db *db, enum store_side side, const struct uuid *from, const struct uuid *to);
/* {issuer, name_id, format, index}; ERR_NOT_FOUND. */
int saml_session_get(struct db *db, enum store_side side, const struct uuid *session, json_t **out);
/* Ends the sessions that ISSUER calls so; INDEXES: an array of texts, empty: all of the name. *COUNT of them. */
int saml_session_end(struct db *db, enum store_side side, const char *issuer, const char *name_id, const json_t *indexes, int *count);

#endif
