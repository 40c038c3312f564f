/* steps.h - first steps: what somebody new does, in order, how far it is done, and where the next is taken (part/steps). */
#ifndef SHARED_STEPS_H
#define SHARED_STEPS_H

#include "web/call.h"

struct step {
	const char *title, *text, *url, *button;         /* English; URL is where it is taken */
	enum permission needs;                           /* who can take it */
	const char *area;                                /* of the installation's health (health/judge.h) that tells whether it is done; NULL: none does */
};

/* { list: [{ number, title, text, done, next, url, button, here }] }: the first that is not DONE is next, and has its url for who may take it; here: it is
 * the very first, which may show more. The caller's. */
json_t *steps_shown(const struct call *c, const struct step *steps, size_t count, const int *done);

#endif
