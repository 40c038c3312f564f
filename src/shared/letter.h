/* letter.h - mails to one person about that person's own user: invitations, links for new passwords, what happened to the sign-in. Queued in
 * the transaction that causes them. Where no mail server is set nothing is queued. */
#ifndef SHARED_LETTER_H
#define SHARED_LETTER_H

#include "store/user.h"
#include "web/call.h"

/* id, template below mail/, subject */
#define LETTERS(X) \
	X(INVITATION, "invitation", "You are invited") \
	X(PASSWORD_LINK, "password_link", "Choose a new password") \
	X(PASSWORD_CHANGED, "password_changed", "Your password was changed") \
	X(NEW_PLACE, "new_place", "New sign-in") \
	X(FACTOR_ADDED, "factor_added", "Second factor set up") \
	X(FACTOR_REMOVED, "factor_removed", "Second factor removed")

enum letter {
#define X(id, template, subject) LETTER_##id,
	LETTERS(X)
#undef X
};

/* 1 or 0: mails can go out. In the open transaction. */
int letter_possible(struct call *c);
/* The member `mail_set` of a page that promises mail (part/no_mail). */
int letter_say(struct call *c);
/* To U, in the open transaction, which is bound to U's tenant. TENANT: its name, NULL for an operator. LINK: path of a single-use link, which the
 * queue holds encrypted; NULL: none. 1: it is queued, 0: no mail is sent here. */
int letter_send(struct call *c, enum letter kind, const struct user *u, const char *tenant, const char *link);
/* By the operator, bound to none: an invitation to the first administrator U of TENANT, whose console LINK leads to. The same results. */
int letter_invite_first(struct call *c, const struct user *u, const char *tenant, const char *link);

#endif
