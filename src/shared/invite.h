/* invite.h - single-use links of both consoles (IDN-1): accept an invitation, choose a new password. Whoever opens such a link is
 * signed in afterwards. An unknown link, a used and an expired one look the same. */
#ifndef SHARED_INVITE_H
#define SHARED_INVITE_H

#include "web/call.h"

int invite_page(struct call *c);
/* JOINED (may be NULL) runs in the transaction that uses the link up, in the user's name: what a first sign-in brings with it. */
int invite_accept(struct call *c, int (*joined)(struct call *c));
extern const struct route_param invite_query[], invite_fields[];

#endif
