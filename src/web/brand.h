/* brand.h - the operator's name, colour and logo as pages and mails show them (WEB-4). Every page has them, so each worker keeps them and looks again after
 * some seconds: they cost a page nothing, and a change is seen everywhere within that time. */
#ifndef WEB_BRAND_H
#define WEB_BRAND_H

#include "store/brand.h"
#include "web/call.h"

#define BRAND_PREFIX "/brand/"
#define BRAND_PATH_SIZE 96

struct web_thread;

struct brand_look {
	struct brand is;
	char css[BRAND_PATH_SIZE];       /* address of the style that the colour makes; "": none */
	char logo[BRAND_PATH_SIZE];      /* address of the logo; "": none */
};

/* What this worker knows; needs nothing and no time. */
void brand_look(struct brand_look *out);
/* Before a request is answered, with no transaction open: asks the database where that is some seconds ago. */
void brand_renew(struct call *c);
/* Asks it in the open transaction: all pages of this worker show what it says from now on. */
int brand_see(struct call *c);
/* 1 when the request was for one of the two addresses and *OUT is the answer. They are named by their content and open to everybody, as the sign-in page
 * needs them. */
int brand_answer(struct web_thread *t, const struct web_request *request, struct web_response *out);

#endif
