/* certificate.h - certificates that the installation uses, as processes and settings have them, and of which operators were told that they end. */
#ifndef STORE_CERTIFICATE_H
#define STORE_CERTIFICATE_H

#include <jansson.h>

#include "store/db.h"

/* Central and jobs bound to no tenant: the installation's; jobs bound to one: what it has entered. [{place, host, name, pem}]: PLACE: "web" (NAME: the host name that it is served for), "file" (NAME: the setting and
 * the path), "saml", "saml-idp", "key-server", "key-server-ca", "mail-ca", "directory-ca", "log", "log-ca". HOST: the machine that has it; "" for settings. */
int certificates_all(struct db *db, json_t **out);
/* Jobs. 1 when operators, or the administrators of the tenant that is bound, are to be told that no more than LEVEL days are left of the certificate, which is noted; 0: they know. */
int certificate_tell(struct db *db, const char *fingerprint, int level);
/* Tells a tenant's administrators by way of the log (notice/event.h): of a certificate that is used for WHAT. */
int certificate_ends(struct db *db, const char *what, const char *subject, const char *reason);
/* [{email}] of operators who look after the system. */
int system_operators(struct db *db, json_t **out);

#endif
