/* invitation.h - single-use links: accept an invitation, choose a new password (IDN-1). Known here only as SHA-256. */
#ifndef STORE_INVITATION_H
#define STORE_INVITATION_H

#include "store/user.h"

/* A link for a new password; earlier ones of the user are void. For an invited user, an invitation again. */
int invitation_create(struct db *db, enum store_side side, const struct uuid *user, const uint8_t token[static USER_TOKEN_HASH],
	clock_us expires);
/* The same for somebody who asks for it without being signed in: earlier links stay good, and there are at most INVITATION_ASKED of them within
 * INVITATION_ASKED_IN. 1; 0 when there are, or U is disabled or signs in elsewhere. Not logged. */
#define INVITATION_ASKED 3
#define INVITATION_ASKED_IN (30 * CLOCK_MINUTE)
int invitation_ask(struct db *db, enum store_side side, const struct user *u, const uint8_t token[static USER_TOKEN_HASH], clock_us expires);
/* For showing the page: {kind: "invite" or "reset", user, email, name}. ERR_NOT_FOUND: no such link, used, or expired. */
int invitation_find(struct db *db, enum store_side side, const uint8_t token[static USER_TOKEN_HASH], json_t **out);
/* Uses the link up: sets the password, makes an invited user active, ends the user's sessions and forgets known browsers but BROWSER (NULL: all). One
 * of two at the same time gets ERR_NOT_FOUND. *USER (may be NULL): whose it was. */
int invitation_use(struct db *db, enum store_side side, const uint8_t token[static USER_TOKEN_HASH], const char *password,
	const uint8_t *browser, struct uuid *user);

#endif
