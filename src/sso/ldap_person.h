/* ldap_person.h - people and groups of a directory, read into the form of identity/directory.h. What was typed gets into a filter only
 * escaped; what comes back has limits. */
#ifndef SSO_LDAP_PERSON_H
#define SSO_LDAP_PERSON_H

#include "sso/ldap_link.h"

#define LDAP_GROUPS_MAX 500
#define LDAP_GROUP_DEPTH 10

/* The one person whose name LOGIN is, without groups; the caller's reference. ERR_NOT_FOUND; ERR_CONFLICT: several are called so. */
int ldap_person_by_login(struct ldap_link *l, const struct directory *d, const char *login, json_t **out);
/* By the stable id. */
int ldap_person_by_id(struct ldap_link *l, const struct directory *d, const char *id, json_t **out);
/* At most MOST people in whose names or addresses TEXT occurs: an array. *MORE: there are more. */
int ldap_person_like(struct ldap_link *l, const struct directory *d, const char *text, int most, json_t **out, int *more);
/* Adds the member groups, and with it more. */
int ldap_person_groups(struct ldap_link *l, const struct directory *d, json_t *person);
/* {id, dn} of the group that is at DN. ERR_NOT_FOUND. */
int ldap_group_at(struct ldap_link *l, const struct directory *d, const char *dn, json_t **out);

/* FILTER with {login} replaced by VALUE, every byte of which stands for itself; NULL: by "*", anybody. The caller frees. */
char *ldap_person_filter(const char *filter, const char *value);
/* VALUE, LEN bytes, as filters want it. */
void ldap_person_escape(struct buf *out, const void *value, size_t len);

#endif
