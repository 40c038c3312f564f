/* saml.h - single sign-on by SAML (IDN-3): what was agreed with the identity provider, requests that wait for their answer, sessions
 * that it knows. The same functions serve a tenant and the operator; SIDE says which. */
#ifndef STORE_SAML_H
#define STORE_SAML_H

#include "store/user.h"

#define SAML_KEY_PURPOSE "saml-key"              /* for keyd */
#define SAML_KEY_SETTING "saml.key"              /* of the operator's */
#define SAML_SECOND_KEY_SETTING "saml.second-key"
#define SAML_SECOND_DAYS_MOST 365
#define SAML_REQUEST_LIFE (10 * CLOCK_MINUTE)
#define SAML_TOLD_LIFE (30 * CLOCK_MINUTE)       /* by far longer than a message is good, with all that clocks may differ (saml/logout.c) */

/* {mode, certificate, idp, proposed, source, proposed_source, settings, break_glass, test, tested, second_certificate, second_is, second_until}; "off" and
 * nulls where nothing was set. A SOURCE is {url, ca, fetched}: where metadata were fetched, whom that server's certificate is of ("": anybody whom all believe), when; null: a file. */
int saml_get(struct db *db, enum store_side side, json_t **out);
/* The blob of the private key; SECOND: of the one beside it. ERR_NOT_FOUND. */
int saml_key(struct db *db, enum store_side side, int second, struct buf *blob);
/* A key and its certificate, once; a second time they stay as they are. */
int saml_set_key(struct db *db, enum store_side side, const char *certificate, const struct buf *blob);
/* A second key beside it, for DAYS the "next" one: then, or before, it takes the place of the first, which stands beside it for DAYS more as the "former"
 * one. SHA256: of its certificate, for the log. ERR_CONFLICT: there is one already, or no first. */
int saml_second_add(struct db *db, enum store_side side, const char *certificate, const struct buf *blob, const char *sha256, int days);
/* The two change places; the second one goes. ERR_NOT_FOUND: the one with CERTIFICATE is not the second (any more). */
int saml_second_use(struct db *db, enum store_side side, const char *certificate, const char *sha256);
int saml_second_drop(struct db *db, enum store_side side, const char *certificate, const char *sha256);
/* jobd: tenants where a second key's time is over, [{id}]; and of the side that is bound, its certificate, the caller's, and whether it is the next one.
 * ERR_NOT_FOUND: it is not over. */
int saml_second_tenants(struct db *db, json_t **out);
int saml_second_due(struct db *db, enum store_side side, char **certificate, int *next);
/* How many users sign in by the identity provider, and whether WHO is one of them. */
int saml_people(struct db *db, enum store_side side, const struct uuid *who, int64_t *count, int *is_one);
/* All of it is forgotten; its users become local ones without a password (user_fall_back), whose sessions are over. ERR_NOT_FOUND: there was nothing. */
int saml_remove(struct db *db, enum store_side side);
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
	struct uuid user, session;       /* who asked, as whom; nil: nobody yet */
	clock_us expires;
};
void saml_request_release(struct saml_request *r);
/* USER and SESSION may be NULL. */
int saml_request_add(struct db *db, enum store_side side, const char *id, const uint8_t browser[static USER_TOKEN_HASH], const char *purpose,
	const struct uuid *user, const struct uuid *session, const char *return_to, clock_us expires);
/* One that this browser made and that was not answered. ERR_NOT_FOUND. USE: it is answered now. */
int saml_request_find(struct db *db, enum store_side side, const char *id, const uint8_t browser[static USER_TOKEN_HASH], int use,
	struct saml_request *out);

/* EXTERNAL_ID of store/user_outside.h for SUBJECT at ISSUER; NULL when they are too long. The caller frees. */
char *identity_external(const char *issuer, const char *subject);
/* An existing local user who was marked for it, by address: from now on the person EXTERNAL_ID is this user, and no password is.
 * ERR_NOT_FOUND: nobody marked, or the last local administrator. */
int identity_link(struct db *db, enum store_side side, const char *external_id, const char *email, struct user *out);
/* 1: identity_link would find the user with that address, 0: it would not. */
int identity_may_link(struct db *db, enum store_side side, const char *email);
/* Marks a local user so, or no longer. ERR_NOT_FOUND. */
int identity_allow_link(struct db *db, enum store_side side, const struct uuid *id, int allow);

/* A request of ISSUER's to sign out that was verified: ERR_CONFLICT where the one called ID came before. */
int saml_told_once(struct db *db, enum store_side side, const char *issuer, const char *id);
/* A refused sign-in, with the reason's name and text. */
int saml_log_refused(struct db *db, const char *what, const char *reason, const char *text);
/* As what an identity provider knows a session; INDEX may be NULL. */
struct saml_name {
	const char *issuer, *name_id, *format, *index;
};
int saml_session_add(struct db *db, enum store_side side, const struct uuid *session, const struct saml_name *name);
/* TO, which goes on where FROM ends, is known there by the same name; nothing where FROM is not. */
int saml_session_carry(struct db *db, enum store_side side, const struct uuid *from, const struct uuid *to);
/* {issuer, name_id, format, index}; ERR_NOT_FOUND. */
int saml_session_get(struct db *db, enum store_side side, const struct uuid *session, json_t **out);
/* USER has proven there again, just now, that SESSION is theirs. ERR_NOT_FOUND: it is not, or it has ended. */
int saml_session_prove(struct db *db, enum store_side side, const struct uuid *session, const struct uuid *user);
/* When that was; *AT 0: never since the sign-in. ERR_NOT_FOUND: the session did not come from an identity provider. */
int saml_session_proven(struct db *db, enum store_side side, const struct uuid *session, clock_us *at);
/* Ends the sessions that ISSUER calls so; INDEXES: an array of texts, empty: all of the name. *COUNT of them. */
int saml_session_end(struct db *db, enum store_side side, const char *issuer, const char *name_id, const json_t *indexes, int *count);

#endif
