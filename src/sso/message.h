/* message.h - what client and ssod say to each other, in base/wire.h encoding over base/ipc.h.
 *
 *     request  u8 SSO_VERSION, u8 type, uuid request, uuid tenant (nil: the operator's side), then the type's fields
 *     answer   u8 SSO_VERSION, u8 status, uuid request, then the type's results (status 0) or string reason
 *
 * A status is an ERR_ code without its sign. A reason is for the administrator and the log; what the person at the sign-in page is told
 * is the console's affair. The answers come from a process that reads strangers' bytes: callers take them as outside bytes too. */
#ifndef SSO_MESSAGE_H
#define SSO_MESSAGE_H

#include "base/ipc.h"

#define SSO_VERSION 1
#define SSO_MESSAGE_MAX IPC_LARGE_MAX
#define SSO_WAIT_MS 8000         /* a question waits so long for its tenant's others; then its own time begins */

/* name, type, milliseconds that its process may take, fields -> results. SAML has the types from 50 on. */
#define SSO_MESSAGES(X) \
	X(status, 1, 0)                      /* -> u32 running, u32 waiting, 4 x u64 since the start: done, failed, too late, refused as too
	                                      * many; u64 start, u32 process, string version. Answered by the
	                                      * service itself */ \
	X(directory_test, 10, 10000)         /* DIRECTORY, string login or "" -> bytes TESTED */ \
	X(directory_sign_in, 11, 10000)      /* DIRECTORY, string login, bytes password -> bytes PERSON or WRONG */ \
	X(directory_find, 12, 10000)         /* DIRECTORY, string text, u8 most -> bytes {"people": [PERSON without groups]} */ \
	X(directory_look, 13, 10000)         /* DIRECTORY, string id -> bytes PERSON */ \
	X(directory_groups, 14, 10000)       /* DIRECTORY, u8 count, count x string DN -> bytes {"groups": [{id, dn} or {error}]} */ \
	X(directory_prove, 15, 10000)        /* DIRECTORY, string id, bytes password -> bytes PERSON or WRONG */ \
	X(saml_metadata, 50, 5000)           /* bytes metadata -> bytes {idp} or REFUSED */ \
	X(saml_describe, 51, 5000)           /* SAML -> bytes {xml}: our own metadata */ \
	X(saml_start, 52, 5000)              /* SAML -> bytes {url, id} */ \
	X(saml_judge, 53, 5000)              /* SAML, bytes response -> bytes {said} or REFUSED */ \
	X(saml_logout, 54, 5000)             /* SAML -> bytes {url, field} */ \
	X(saml_fetch, 56, 15000)             /* string address of metadata, string trusted certificates or "" -> as saml_metadata; REFUSED also by
	                                      * the name of an error of base/err.h, where they cannot be had */ \
	X(saml_told, 55, 5000)               /* SAML, u8 by post, bytes query or field -> bytes {logout, yes: {url, field}, no: {url, field}} or REFUSED */
/* SAML: bytes {sp, idp, ask} (sso/answer_saml.c), bytes our private key, PEM, bytes the one beside it, or none
 * REFUSED: {refused, text}: a reason of saml/saml.h
 * DIRECTORY: bytes settings (identity/directory.h, JSON), bytes password of the bind DN
 * PERSON, TESTED: JSON, identity/directory.h
 * WRONG: {wrong, why}: whose password it was not, by the id: it counts against that person, whatever name was typed */

enum sso_type {
#define X(name, type, ms) SSO_##name = (type),
	SSO_MESSAGES(X)
#undef X
};

#endif
