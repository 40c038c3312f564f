/* ldap_link.h - a connection to a directory: found, encrypted, certificate checked, bound. Every failure is said in words for whoever
 * set the directory up. Referrals are never followed. */
#ifndef SSO_LDAP_LINK_H
#define SSO_LDAP_LINK_H

#include <ldap.h>

#include "base/wire.h"
#include "identity/directory.h"

#define LDAP_LINK_CONNECT_MS 3000        /* to one server; there may be others */
#define LDAP_LINK_ANSWER_S 8             /* for one answer */

struct ldap_link {
	LDAP *ld;
	const struct directory_server *server;
	char address[DIRECTORY_TEXT_MAX];        /* "ldap://host:port", for people */
};

/* To the first server that answers, over checked TLS; not bound yet. ERR_UNAVAILABLE, ERR_TIMEOUT: none can be reached; ERR_CRYPTO: TLS or
 * certificate; ERR_FORBIDDEN: an address that settings must not name. */
int ldap_link_open(const struct directory *d, struct ldap_link *out);
/* As DN with PASSWORD, which is not empty; both empty: anonymous. ERR_UNAUTHENTICATED: refused; ERR_FORBIDDEN: a referral or a rule of
 * the server's; else as above. */
int ldap_link_bind(struct ldap_link *l, const char *dn, struct wire_view password);
/* Entries below BASE; attributes ends with NULL. *RESULT is freed by ldap_msgfree. ERR_NOT_FOUND: there is no BASE. ERR_TOO_MANY: more than
 * MOST, of which *RESULT has those (free it). */
int ldap_link_search(struct ldap_link *l, const char *base, int scope, const char *filter, const char *const *attributes, int most,
	LDAPMessage **result);
void ldap_link_close(struct ldap_link *l);
/* An error code of libldap's in words; CODE as for ldap_link_search. */
int ldap_link_error(struct ldap_link *l, int code, const char *what);

#endif
