/* arrival.h - who somebody is whom an identity provider has sent (IDN-3), decided from what it said and the settings alone. Pure.
 *
 * Settings: {subject, name, mail, role: names of attributes ("" where said), roles: [{value, role}], otherwise: a role or "", create:
 * boolean, skew: seconds, format: of the name identifier that is wished for}. An attribute is found by its name or its friendly name.
 * subject "": the name identifier itself, if it is one that stays. roles: the first whose value is among those of the attribute decides. */
#ifndef IDENTITY_ARRIVAL_H
#define IDENTITY_ARRIVAL_H

#include <jansson.h>

#include "identity/permission.h"

#define ARRIVAL_ROLES_MAX 50
#define ARRIVAL_SKEW 60          /* seconds, where nothing is set */

struct arrival {
	const char *subject, *name, *mail;       /* of SAID; never NULL */
	enum role role;
	const char *value;                       /* that gave the role; NULL: none did, it is the standard one */
};

/* SAID: what the identity provider said (saml/saml.h). ERR_FORBIDDEN with the reason as error text, for the log and for the administrator who
 * tries it out; *OUT has then what there is, "" for the rest. */
int arrival_decide(const json_t *settings, const json_t *said, int operator_side, struct arrival *out);

#endif
