/* directory.c - settings of a directory, and the role that groups give. */
#include "identity/directory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"

#define ATTRIBUTE_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.;_"
#define HOST_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._"

static const char *const nestings[] = { "none", "walk", "chain" };
static const struct { const char *name, *label, *text; } states[] = {
#define X(name, label, text) { #name, label, text },
	DIRECTORY_STATES(X)
#undef X
};

/* What differs between the two; the rest is empty or as in common(). */
static const struct {
	const char *name, *filter, *id, *login, *full_name, *group_filter;
	enum directory_nesting nesting;
} presets[] = {
	{ "ldap", "(&(objectClass=inetOrgPerson)(|(uid={login})(mail={login})))", "entryUUID", "uid", "cn", "(objectClass=groupOfNames)",
		DIRECTORY_WALK },
	{ "active-directory", "(&(objectCategory=person)(objectClass=user)(|(sAMAccountName={login})(userPrincipalName={login})(mail={login})))",
		"objectGUID", "sAMAccountName", "displayName", "(objectClass=group)", DIRECTORY_CHAIN },
};

json_t *directory_preset(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(presets); i++)
		if (strcmp(presets[i].name, name) == 0)
			return json_pack("{s:b, s:b, s:[], s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:[], s:s}", "enabled", 0, "create", 1,
				"servers", "ca", "", "bind_dn", "", "base", "", "filter", presets[i].filter, "id", presets[i].id, "login",
				presets[i].login, "name", presets[i].full_name, "mail", "mail", "group_base", "", "group_filter",
				presets[i].group_filter, "member", "member", "nesting", nestings[presets[i].nesting], "roles", "otherwise", "");
	return NULL;
}

const char *directory_state_name(enum directory_state s)
{
	return states[s].name;
}

const char *directory_state_label(enum directory_state s)
{
	return states[s].label;
}

const char *directory_state_text(enum directory_state s)
{
	return states[s].text;
}

/* Servers */

static int bad_server(const char *url)
{
	return err_set(ERR_INVALID, "\"%.100s\": an address is ldap://host or ldaps://host, with a port from 1 to 65535 if it is not the usual one, and nothing else", url);
}

int directory_server(const char *url, struct directory_server *out)
{
	struct directory_server s = { .tls = strncmp(url, "ldaps://", 8) == 0 };
	const char *host = url + (s.tls ? 8 : 7), *end;
	size_t len;

	if (!s.tls && strncmp(url, "ldap://", 7) != 0)
		return bad_server(url);
	if (*host == '[') {
		host++;
		len = strspn(host, "0123456789abcdefABCDEF:.");
		end = host + len;
		if (*end++ != ']')
			return bad_server(url);
	} else {
		len = strspn(host, HOST_CHARS);
		end = host + len;
	}
	s.port = s.tls ? DIRECTORY_PORT_TLS : DIRECTORY_PORT;
	if (*end == ':') {
		char *rest;
		long port = strtol(end + 1, &rest, 10);

		if (port < 1 || port > 65535 || rest == end + 1 || !strchr("123456789", end[1]))
			return bad_server(url);
		s.port = (int)port;
		end = rest;
	}
	if (strcmp(end, "/") == 0)
		end++;
	if (len == 0 || len >= sizeof s.host || *end)
		return bad_server(url);
	memcpy(s.host, host, len);
	*out = s;
	return 0;
}

static int read_servers(const json_t *settings, struct directory *d)
{
	json_t *list, *url;
	size_t i;
	int rc = json_get_array(settings, "servers", DIRECTORY_SERVERS_MAX, &list);

	if (rc < 0)
		return err_set(ERR_INVALID, "at most %d servers", DIRECTORY_SERVERS_MAX);
	if (json_array_size(list) == 0)
		return err_set(ERR_INVALID, "At least one server's address, such as ldaps://dc1.example.com");
	json_array_foreach(list, i, url) {
		if (!json_is_string(url))
			return err_set(ERR_INVALID, "an address is a text");
		rc = directory_server(json_string_value(url), &d->servers[d->server_count++]);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Texts */

static int check_attribute(const char *text)
{
	if (*text == '\0' || strspn(text, ATTRIBUTE_CHARS) != strlen(text))
		return err_set(ERR_INVALID, "The name of one attribute, such as mail");
	return 0;
}

/* Parentheses that fit; the server says what else is wrong. */
static int check_brackets(const char *text)
{
	int depth = 0;

	for (const char *p = text; *p; p++) {
		depth += (*p == '(') - (*p == ')');
		if (depth < 0 || (depth == 0 && p[1]))
			depth = INT32_MIN / 2;
	}
	if (*text != '(')
		return err_set(ERR_INVALID, "A filter in parentheses, such as (objectClass=person)");
	return depth == 0 ? 0 : err_set(ERR_INVALID, "Parentheses that fit: one is missing here, or too many, or something stands outside of them");
}

static int check_filter(const char *text)
{
	int rc = check_brackets(text);

	if (rc == 0 && strstr(text, "={login}") == NULL)
		return err_set(ERR_INVALID, "={login} has to stand where the name that was typed belongs, as in (uid={login})");
	return rc;
}

static int check_base(const char *text)
{
	return strchr(text, '=') ? 0 : err_set(ERR_INVALID, "A distinguished name, such as ou=people,dc=example,dc=com");
}

static int check_base_or_none(const char *text)
{
	return *text ? check_base(text) : 0;
}

static int check_filter_or_none(const char *text)
{
	return *text ? check_brackets(text) : 0;
}

static int check_ca(const char *text)
{
	return *text == '\0' || strstr(text, "-----BEGIN CERTIFICATE-----") ? 0 :
		err_set(ERR_INVALID, "a certificate in PEM: it begins with -----BEGIN CERTIFICATE-----");
}

static int check_nothing(const char *text)
{
	(void)text;
	return 0;
}

#define MEMBER(name, most, check) { #name, offsetof(struct directory, name), most, check }

static const struct {
	const char *name;
	size_t place, most;
	int (*check)(const char *text);
} members[] = {
	MEMBER(ca, DIRECTORY_CA_MAX, check_ca),
	MEMBER(bind_dn, DIRECTORY_TEXT_MAX, check_nothing),          /* Active Directory takes user@domain too */
	MEMBER(base, DIRECTORY_TEXT_MAX, check_base),
	MEMBER(filter, DIRECTORY_TEXT_MAX, check_filter),
	MEMBER(id, 100, check_attribute),
	MEMBER(login, 100, check_attribute),
	MEMBER(name, 100, check_attribute),
	MEMBER(mail, 100, check_attribute),
	MEMBER(group_base, DIRECTORY_TEXT_MAX, check_base_or_none),
	MEMBER(group_filter, DIRECTORY_TEXT_MAX, check_filter_or_none),
	MEMBER(member, 100, check_attribute),
	MEMBER(otherwise, 100, check_nothing),
};

static int read_member(const json_t *settings, size_t i, struct directory *d)
{
	const char *text;
	int rc = json_get_string(settings, members[i].name, members[i].most, &text);

	if (rc < 0)
		return err_set(ERR_INVALID, "a text of at most %zu bytes is needed", members[i].most);
	rc = members[i].check(text);
	if (rc == 0)
		memcpy((char *)d + members[i].place, &text, sizeof text);
	return rc;
}

static int read_roles(const json_t *settings, struct directory *d)
{
	json_t *roles, *row;
	size_t i;

	if (json_get_array(settings, "roles", DIRECTORY_ROLES_MAX, &roles) < 0)
		return err_set(ERR_INVALID, "at most %d groups", DIRECTORY_ROLES_MAX);
	json_array_foreach(roles, i, row) {
		const char *text;

		if (json_get_string(row, "group", DIRECTORY_ID_MAX, &text) < 0 || *text == '\0' ||
			json_get_string(row, "name", DIRECTORY_TEXT_MAX, &text) < 0 || json_get_string(row, "role", 100, &text) < 0)
			return err_set(ERR_INVALID, "a group needs its id, its name and a role");
	}
	d->roles = roles;
	return 0;
}

static int read_nesting(const json_t *settings, struct directory *d)
{
	const char *text = json_string_value(json_object_get(settings, "nesting"));

	for (size_t i = 0; text && i < ARRAY_LEN(nestings); i++) {
		if (strcmp(nestings[i], text) == 0) {
			d->nesting = (enum directory_nesting)i;
			return 0;
		}
	}
	return err_set(ERR_INVALID, "none, walk or chain");
}

int directory_read(const json_t *settings, struct directory *out, const char **member)
{
	const char *at = "servers";
	struct directory d = { .enabled = json_is_true(json_object_get(settings, "enabled")),
		.create = json_is_true(json_object_get(settings, "create")) };
	int rc = read_servers(settings, &d);

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(members); i++) {
		at = members[i].name;
		rc = read_member(settings, i, &d);
	}
	if (rc == 0) {
		at = "nesting";
		rc = read_nesting(settings, &d);
	}
	if (rc == 0) {
		at = "roles";
		rc = read_roles(settings, &d);
	}
	if (rc == 0)
		*out = d;
	else if (member)
		*member = at;
	return rc;
}

/* Persons */

int directory_person(const json_t *row, struct directory_person *out)
{
	struct directory_person p = { .state = DIRECTORY_STATE_COUNT };
	const char *state;
	json_t *groups = NULL;

	if (json_get_string(row, "id", DIRECTORY_ID_MAX, &p.id) < 0 || *p.id == '\0' || json_get_string(row, "login", DIRECTORY_LOGIN_MAX, &p.login) < 0
		|| json_get_string(row, "name", 200, &p.name) < 0 || json_get_string(row, "mail", DIRECTORY_LOGIN_MAX, &p.mail) < 0
		|| json_get_string(row, "dn", DIRECTORY_TEXT_MAX, &p.dn) < 0 || json_get_string(row, "state", 20, &state) < 0)
		return err_set(ERR_INVALID, "what the directory says of this person makes no sense: %s", err_text());
	if (json_object_get(row, "groups") && json_get_array(row, "groups", 10000, &groups) < 0)
		return ERR_INVALID;
	for (int i = 0; i < DIRECTORY_STATE_COUNT; i++)
		if (strcmp(states[i].name, state) == 0)
			p.state = (enum directory_state)i;
	if (p.state == DIRECTORY_STATE_COUNT)
		return err_set(ERR_INVALID, "no state of a person is called that");
	p.groups = groups;
	p.more = json_is_true(json_object_get(row, "more"));
	*out = p;
	return 0;
}

static int is_in(const json_t *groups, const char *id)
{
	const json_t *group;
	size_t i;

	json_array_foreach(groups, i, group) {
		const char *own = json_string_value(json_object_get(group, "id"));

		if (own && strcmp(own, id) == 0)
			return 1;
	}
	return 0;
}

const char *directory_role(const struct directory *d, const json_t *groups, const json_t **by)
{
	const json_t *row;
	size_t i;

	if (by)
		*by = NULL;
	json_array_foreach(d->roles, i, row) {
		if (!is_in(groups, json_string_value(json_object_get(row, "group"))))
			continue;
		if (by)
			*by = row;
		return json_string_value(json_object_get(row, "role"));
	}
	return d->otherwise;
}
