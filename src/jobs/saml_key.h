/* saml_key.h - our own keys of single sign-on, renewed by the clock (IDN-3). */
#ifndef JOBS_SAML_KEY_H
#define JOBS_SAML_KEY_H

#include "base/clock.h"
#include "store/db.h"

/* Bound to a tenant, or to none for the operator's: when the time of a second key is over, the next takes over, or the former goes. */
int saml_key_due(struct db *db, clock_us now);

#endif
