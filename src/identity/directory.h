/* directory.h - the settings of an LDAP directory or Active Directory (IDN-2) as one JSON document: what the console keeps, the sign-on
 * service reads, and pages check; what the service answers about a person; and which role that gives. Pure: no I/O, no clock.
 *
 * Settings are an object of these members (all texts but where said):
 *     enabled, create      booleans: people may sign in; an unknown person of the directory gets a user at the first sign-in
 *     servers              array of 1 to 4 addresses, tried in order: ldap://host[:port] (StartTLS, always) or ldaps://host[:port]
 *     ca                   certificates in PEM that alone are believed; "" the system's authorities
 *     bind_dn              who searches; "" anonymous. Its password is kept apart
 *     base, filter         where and how a person is found; {login} stands for what was typed
 *     id, login, name, mail        the attributes that say who a person is
 *     group_base, group_filter, member     where groups are, which, and the attribute that lists their members
 *     nesting              none; walk: groups of groups are followed; chain: the server does that (Active Directory)
 *     roles                array of {group, name, role}: GROUP is the group's stable id, NAME its DN, for people. The first that fits counts
 *     otherwise            the role of those whom none fits; "" no role, and no way in
 *
 * A person is {id, login, name, mail, dn, state, groups: [{id, dn}], more: boolean}. ID is stable (entryUUID, objectGUID) and what users
 * are known by; STATE one of DIRECTORY_STATES; MORE: too many groups, the rest was left out. */
#ifndef IDENTITY_DIRECTORY_H
#define IDENTITY_DIRECTORY_H

#include <jansson.h>
#include <stddef.h>

#define DIRECTORY_SERVERS_MAX 4
#define DIRECTORY_ROLES_MAX 50
#define DIRECTORY_TEXT_MAX 1000          /* bytes of most members */
#define DIRECTORY_CA_MAX 20000
#define DIRECTORY_SETTINGS_MAX 65536     /* bytes of the document */
#define DIRECTORY_LOGIN_MAX 254
#define DIRECTORY_PASSWORD_MAX 512
#define DIRECTORY_ID_MAX 128             /* of a stable id as text */
#define DIRECTORY_PORT 389
#define DIRECTORY_PORT_TLS 636

/* name, label, how it is said in the log and to whoever has proven the password */
#define DIRECTORY_STATES(X) \
	X(active, "Active", "") \
	X(disabled, "Disabled", "The directory says that this account is disabled.") \
	X(locked, "Locked", "The directory says that this account is locked.") \
	X(expired, "Expired", "The directory says that this account has expired.")

enum directory_state {
#define X(name, label, text) DIRECTORY_##name,
	DIRECTORY_STATES(X)
#undef X
	DIRECTORY_STATE_COUNT
};

enum directory_nesting { DIRECTORY_NONE, DIRECTORY_WALK, DIRECTORY_CHAIN };

struct directory_server {
	char host[256];                      /* without brackets */
	int port, tls;                       /* TLS: from the first byte; else StartTLS */
};

/* Points into the document, which must live as long. */
struct directory {
	int enabled, create;
	size_t server_count;
	struct directory_server servers[DIRECTORY_SERVERS_MAX];
	const char *ca, *bind_dn, *base, *filter, *id, *login, *name, *mail, *group_base, *group_filter, *member;
	enum directory_nesting nesting;
	const json_t *roles;
	const char *otherwise;
};

/* Reads and checks settings. ERR_INVALID with the reason as error text, fit for a page, and *MEMBER (may be NULL) the member at fault. */
int directory_read(const json_t *settings, struct directory *out, const char **member);
/* One server's address. */
int directory_server(const char *url, struct directory_server *out);
/* The settings that new connections begin with, by the name of a preset: "ldap", "active-directory"; NULL for others. The caller's. */
json_t *directory_preset(const char *name);

const char *directory_state_name(enum directory_state s);
const char *directory_state_label(enum directory_state s);
const char *directory_state_text(enum directory_state s);

struct directory_person {
	const char *id, *login, *name, *mail, *dn;
	enum directory_state state;
	const json_t *groups;
	int more;
};

/* Takes apart what the sign-on service has answered. ERR_INVALID. Points into ROW. */
int directory_person(const json_t *row, struct directory_person *out);
/* The role that the settings give to who is in GROUPS; "" for none. Groups are compared by id, never by name. *BY (may be NULL): the row
 * of roles that gave it, or NULL. */
const char *directory_role(const struct directory *d, const json_t *groups, const json_t **by);

#endif
