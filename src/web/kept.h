/* kept.h - a form that was sent when its session had ended: what was typed waits, for half an hour, for the same user to sign in again with the same
 * browser, and stands in its form then, to be looked over and sent. It is never carried out by itself, and secrets are not kept. Needs no scripts.
 *
 * It is kept with the session that has ended, which the cookie still names, and goes over to the one that follows it (store/session.h). So nobody
 * else's browser or user has it; where the session was ended on purpose there is nothing left to keep it with. */
#ifndef WEB_KEPT_H
#define WEB_KEPT_H

#include "web/call.h"

#define KEPT_MAX (64 * 1024)             /* bytes of a form */

struct kept {
	char *path, *fields;                     /* where it was sent to, and what: as a form's body */
};

/* C is a POST that has no session any more, of the form on PAGE: keeps it if it may be kept. A failure is no more than that. */
void kept_leave(struct call *c, const char *page);
/* What waits for the page that is asked for; no longer. ERR_NOT_FOUND. */
int kept_take(struct call *c, struct kept *out);
void kept_free(struct kept *k);

#endif
