/* ldap_person.c - searches for people and groups. */
#include "sso/ldap_person.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"

#define PLACE "{login}"
#define PLAIN "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@._-"
#define IN_CHAIN ":1.2.840.113556.1.4.1941:"        /* Active Directory: also through groups in groups */
#define NAME_MAX_BYTES 200
#define GROUPS_PER_QUESTION 20
#define AD_DISABLED 2                    /* in userAccountControl */
#define AD_NEVER INT64_MAX               /* of accountExpires, as 0 */
#define AD_TO_UNIX_S 11644473600LL       /* from 1601 to 1970 */
#define DAY_S 86400

/* Filters */

void ldap_person_escape(struct buf *out, const void *value, size_t len)
{
	const unsigned char *at = value;

	for (size_t i = 0; i < len; i++) {
		if (at[i] && strchr(PLAIN, at[i]))
			buf_putc(out, (char)at[i]);
		else
			buf_printf(out, "\\%02x", at[i]);
	}
}

char *ldap_person_filter(const char *filter, const char *value)
{
	struct buf out = BUF_INIT;
	const char *place;

	while ((place = strstr(filter, PLACE)) != NULL) {
		buf_add(&out, filter, (size_t)(place - filter));
		if (value)
			ldap_person_escape(&out, value, strlen(value));
		else
			buf_putc(&out, '*');
		filter = place + strlen(PLACE);
	}
	buf_puts(&out, filter);
	return buf_take(&out);
}

/* Stable ids */

static int is_guid(const struct directory *d)
{
	return strcasecmp(d->id, "objectGUID") == 0;
}

/* As Active Directory's own tools write it: the first three groups stand the other way round. */
static const unsigned char guid_order[16] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };

static int id_text(const struct directory *d, const struct berval *value, char out[static DIRECTORY_ID_MAX + 1])
{
	struct uuid id;

	if (is_guid(d)) {
		if (value->bv_len != sizeof id.bytes)
			return err_set(ERR_INVALID, "attribute %s has %zu bytes instead of 16", d->id, (size_t)value->bv_len);
		for (size_t i = 0; i < sizeof id.bytes; i++)
			id.bytes[i] = (uint8_t)value->bv_val[guid_order[i]];
		uuid_text(&id, out);
		return 0;
	}
	if (value->bv_len == 0 || value->bv_len > DIRECTORY_ID_MAX)
		return err_set(ERR_INVALID, "attribute %s is empty or too long for an id", d->id);
	for (size_t i = 0; i < value->bv_len; i++)
		if (value->bv_val[i] <= ' ' || value->bv_val[i] > '~')
			return err_set(ERR_INVALID, "attribute %s is no text of letters and digits: choose one such as entryUUID or objectGUID", d->id);
	snprintf(out, DIRECTORY_ID_MAX + 1, "%.*s", (int)value->bv_len, value->bv_val);
	return 0;
}

static int id_filter(const struct directory *d, const char *id, struct buf *out)
{
	unsigned char bytes[16];
	struct uuid guid;

	buf_printf(out, "(%s=", d->id);
	if (is_guid(d)) {
		if (uuid_parse(id, &guid) < 0)
			return err_set(ERR_INVALID, "not an id of this directory");
		for (size_t i = 0; i < sizeof bytes; i++)
			bytes[guid_order[i]] = guid.bytes[i];
		ldap_person_escape(out, bytes, sizeof bytes);
	} else {
		ldap_person_escape(out, id, strlen(id));
	}
	buf_putc(out, ')');
	return 0;
}

/* Attributes */

/* The first value; "" when there is none, or none that is text. */
static void get_text(LDAP *ld, LDAPMessage *entry, const char *name, size_t most, char *out)
{
	struct berval **values = ldap_get_values_len(ld, entry, name);
	json_t *text = values && values[0] && !memchr(values[0]->bv_val, 0, values[0]->bv_len)
		? json_stringn(values[0]->bv_val, values[0]->bv_len) : NULL;
	size_t len = text ? json_string_length(text) : 0;

	/* Not in the middle of a character. */
	while (len > most || (len && len < json_string_length(text) && ((unsigned char)json_string_value(text)[len] & 0xc0) == 0x80))
		len--;
	if (len)
		memcpy(out, json_string_value(text), len);
	out[len] = '\0';
	json_decref(text);
	if (values)
		ldap_value_free_len(values);
}

static int64_t get_number(LDAP *ld, LDAPMessage *entry, const char *name, int64_t otherwise)
{
	char text[32], *end;
	long long n;

	get_text(ld, entry, name, sizeof text - 1, text);
	n = strtoll(text, &end, 10);
	return *text && *end == '\0' ? n : otherwise;
}

static int is_true(LDAP *ld, LDAPMessage *entry, const char *name)
{
	char text[8];

	get_text(ld, entry, name, sizeof text - 1, text);
	return strcasecmp(text, "TRUE") == 0;
}

/* What the kinds of directories say of somebody who must not come in, whatever the password: Active Directory, 389 DS, eDirectory,
 * OpenLDAP's password policy, POSIX. */
static enum directory_state state_of(LDAP *ld, LDAPMessage *entry)
{
	int64_t now = clock_now() / CLOCK_SECOND, expires = get_number(ld, entry, "accountExpires", 0);
	int64_t shadow = get_number(ld, entry, "shadowExpire", -1);
	char locked[40];

	if (get_number(ld, entry, "userAccountControl", 0) & AD_DISABLED || is_true(ld, entry, "nsAccountLock") || is_true(ld, entry, "loginDisabled"))
		return DIRECTORY_disabled;
	if ((expires > 0 && expires != AD_NEVER && expires / 10000000 - AD_TO_UNIX_S <= now) || (shadow >= 0 && shadow <= now / DAY_S))
		return DIRECTORY_expired;
	get_text(ld, entry, "pwdAccountLockedTime", sizeof locked - 1, locked);
	return *locked ? DIRECTORY_locked : DIRECTORY_active;
}

static int get_id(struct ldap_link *l, const struct directory *d, LDAPMessage *entry, char out[static DIRECTORY_ID_MAX + 1])
{
	struct berval **values = ldap_get_values_len(l->ld, entry, d->id);
	int rc = values && values[0] ? id_text(d, values[0], out) :
		err_set(ERR_INVALID, "the directory does not show attribute %s, by which people are known", d->id);

	if (values)
		ldap_value_free_len(values);
	return rc;
}

static int get_dn(struct ldap_link *l, LDAPMessage *entry, char out[static DIRECTORY_TEXT_MAX + 1])
{
	char *dn = ldap_get_dn(l->ld, entry);
	json_t *text = dn && strlen(dn) <= DIRECTORY_TEXT_MAX ? json_string(dn) : NULL;

	if (text)
		snprintf(out, DIRECTORY_TEXT_MAX + 1, "%s", dn);
	ldap_memfree(dn);
	json_decref(text);
	return text ? 0 : err_set(ERR_INVALID, "a distinguished name is too long or no text");
}

static int read_person(struct ldap_link *l, const struct directory *d, LDAPMessage *entry, json_t **out)
{
	char id[DIRECTORY_ID_MAX + 1], dn[DIRECTORY_TEXT_MAX + 1], login[DIRECTORY_LOGIN_MAX + 1], name[NAME_MAX_BYTES + 1],
		mail[DIRECTORY_LOGIN_MAX + 1];
	int rc = get_id(l, d, entry, id);

	if (rc == 0)
		rc = get_dn(l, entry, dn);
	if (rc < 0)
		return rc;
	get_text(l->ld, entry, d->login, DIRECTORY_LOGIN_MAX, login);
	get_text(l->ld, entry, d->name, NAME_MAX_BYTES, name);
	get_text(l->ld, entry, d->mail, DIRECTORY_LOGIN_MAX, mail);
	*out = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "id", id, "login", login, "name", *name ? name : login, "mail", mail, "dn", dn, "state",
		directory_state_name(state_of(l->ld, entry)));
	return *out ? 0 : err_set(ERR_INVALID, "an entry that is no text");
}

/* Searches for people */

static int search_people(struct ldap_link *l, const struct directory *d, const char *filter, int most, LDAPMessage **found)
{
	const char *const attributes[] = { d->id, d->login, d->name, d->mail, "userAccountControl", "accountExpires", "nsAccountLock",
		"loginDisabled", "shadowExpire", "pwdAccountLockedTime", NULL };

	return ldap_link_search(l, d->base, LDAP_SCOPE_SUBTREE, filter, attributes, most, found);
}

static int read_one(struct ldap_link *l, const struct directory *d, const char *filter, json_t **out)
{
	LDAPMessage *found = NULL;
	int rc = search_people(l, d, filter, 2, &found), count;

	if (rc < 0 && rc != ERR_TOO_MANY)
		return rc == ERR_NOT_FOUND ? err_set(ERR_INVALID, "%s: there is no entry at the base %s, or it is not shown", l->address, d->base) : rc;
	count = ldap_count_entries(l->ld, found);
	if (rc == ERR_TOO_MANY || count > 1)
		rc = err_set(ERR_CONFLICT, "several entries have this name: the filter has to find one alone");
	else if (count == 1)
		rc = read_person(l, d, ldap_first_entry(l->ld, found), out);
	else
		rc = err_set(ERR_NOT_FOUND, "no entry below %s has this name", d->base);
	ldap_msgfree(found);
	return rc;
}

int ldap_person_by_login(struct ldap_link *l, const struct directory *d, const char *login, json_t **out)
{
	char *filter = ldap_person_filter(d->filter, login);
	int rc = read_one(l, d, filter, out);

	free(filter);
	return rc;
}

/* Who the settings' filter leaves out is not found by id either. */
int ldap_person_by_id(struct ldap_link *l, const struct directory *d, const char *id, json_t **out)
{
	char *anybody = ldap_person_filter(d->filter, NULL);
	struct buf filter = BUF_INIT;
	int rc;

	buf_printf(&filter, "(&%s", anybody);
	rc = id_filter(d, id, &filter);
	buf_putc(&filter, ')');
	if (rc == 0)
		rc = read_one(l, d, buf_str(&filter), out);
	free(anybody);
	buf_free(&filter);
	return rc;
}

int ldap_person_like(struct ldap_link *l, const struct directory *d, const char *text, int most, json_t **out, int *more)
{
	const char *const where[] = { d->name, d->login, d->mail };
	char *anybody = ldap_person_filter(d->filter, NULL);
	struct buf filter = BUF_INIT;
	LDAPMessage *found = NULL;
	json_t *people = json_array(), *one;
	int rc;

	buf_printf(&filter, "(&%s(|", anybody);
	for (size_t i = 0; i < ARRAY_LEN(where); i++) {
		buf_printf(&filter, "(%s=*", where[i]);
		ldap_person_escape(&filter, text, strlen(text));
		buf_puts(&filter, *text ? "*)" : ")");
	}
	buf_puts(&filter, "))");
	rc = search_people(l, d, buf_str(&filter), most, &found);
	*more = rc == ERR_TOO_MANY;
	rc = *more ? 0 : rc;
	for (LDAPMessage *e = rc == 0 ? ldap_first_entry(l->ld, found) : NULL; e && rc == 0; e = ldap_next_entry(l->ld, e)) {
		rc = read_person(l, d, e, &one);
		if (rc == 0)
			json_array_append_new(people, one);
	}
	if (found)
		ldap_msgfree(found);
	free(anybody);
	buf_free(&filter);
	if (rc == 0)
		*out = people;
	else
		json_decref(people);
	return rc;
}

/* Groups */

/* Groups of which any of NAMES, from FIRST on, is a member. */
static char *member_filter(const struct directory *d, const json_t *names, size_t first)
{
	struct buf out = BUF_INIT;

	buf_printf(&out, "(&%s(|", *d->group_filter ? d->group_filter : "(objectClass=*)");
	for (size_t i = first; i < json_array_size(names) && i < first + GROUPS_PER_QUESTION; i++) {
		const char *name = json_string_value(json_array_get(names, i));

		buf_printf(&out, "(%s%s=", d->member, d->nesting == DIRECTORY_CHAIN ? IN_CHAIN : "");
		ldap_person_escape(&out, name, strlen(name));
		buf_putc(&out, ')');
	}
	buf_puts(&out, "))");
	return buf_take(&out);
}

static int is_known(const json_t *groups, const char *id)
{
	const json_t *group;
	size_t i;

	json_array_foreach(groups, i, group)
		if (strcmp(json_string_value(json_object_get(group, "id")), id) == 0)
			return 1;
	return 0;
}

static int read_group(struct ldap_link *l, const struct directory *d, LDAPMessage *entry, json_t **out)
{
	char id[DIRECTORY_ID_MAX + 1], dn[DIRECTORY_TEXT_MAX + 1];
	int rc = get_id(l, d, entry, id);

	if (rc == 0)
		rc = get_dn(l, entry, dn);
	if (rc == 0)
		*out = json_pack("{s:s, s:s}", "id", id, "dn", dn);
	return rc;
}

/* Adds the groups in FOUND that are new to GROUPS, and their names to NEXT. 1: there are too many. */
static int take_groups(struct ldap_link *l, const struct directory *d, LDAPMessage *found, json_t *groups, json_t *next)
{
	int rc = 0;

	for (LDAPMessage *e = ldap_first_entry(l->ld, found); e && rc == 0; e = ldap_next_entry(l->ld, e)) {
		json_t *group = NULL;

		rc = read_group(l, d, e, &group);
		if (rc == 0 && !is_known(groups, json_string_value(json_object_get(group, "id")))) {
			if (json_array_size(groups) == LDAP_GROUPS_MAX)
				rc = 1;
			else if (json_array_append(groups, group) == 0)
				json_array_append(next, json_object_get(group, "dn"));
		}
		json_decref(group);
	}
	return rc;
}

/* One step outwards: groups of NAMES. */
static int search_groups(struct ldap_link *l, const struct directory *d, const json_t *names, json_t *groups, json_t *next)
{
	const char *const attributes[] = { d->id, NULL };
	const char *base = *d->group_base ? d->group_base : d->base;
	int rc = 0;

	for (size_t first = 0; rc == 0 && first < json_array_size(names); first += GROUPS_PER_QUESTION) {
		char *filter = member_filter(d, names, first);
		LDAPMessage *found = NULL;

		rc = ldap_link_search(l, base, LDAP_SCOPE_SUBTREE, filter, attributes, LDAP_GROUPS_MAX, &found);
		if (rc == 0 || rc == ERR_TOO_MANY) {
			int more = rc == ERR_TOO_MANY;

			rc = take_groups(l, d, found, groups, next);
			rc = rc == 0 && more ? 1 : rc;
			ldap_msgfree(found);
		} else if (rc == ERR_NOT_FOUND) {
			rc = err_set(ERR_INVALID, "%s: there is no entry at the groups' base %s, or it is not shown", l->address, base);
		}
		free(filter);
	}
	return rc;
}

int ldap_person_groups(struct ldap_link *l, const struct directory *d, json_t *person)
{
	const char *by = strcasecmp(d->member, "memberUid") == 0 ? "login" : "dn";
	json_t *groups = json_array(), *names = json_array(), *next;
	int rc = 0, most = d->nesting == DIRECTORY_WALK ? LDAP_GROUP_DEPTH : 1;

	json_array_append(names, json_object_get(person, by));
	for (int depth = 0; rc == 0 && depth < most && json_array_size(names); depth++) {
		next = json_array();
		rc = search_groups(l, d, names, groups, next);
		json_decref(names);
		names = next;
	}
	/* Deeper than is followed: what was left out may have mattered, and the log is to say so. */
	if (rc >= 0)
		json_set_bool(person, "more", rc == 1 || (d->nesting == DIRECTORY_WALK && json_array_size(names)));
	json_decref(names);
	if (rc >= 0)
		json_object_set(person, "groups", groups);
	json_decref(groups);
	return rc < 0 ? rc : 0;
}

int ldap_group_at(struct ldap_link *l, const struct directory *d, const char *dn, json_t **out)
{
	const char *const attributes[] = { d->id, NULL };
	LDAPMessage *found = NULL, *entry;
	int rc = ldap_link_search(l, dn, LDAP_SCOPE_BASE, "(objectClass=*)", attributes, 1, &found);

	if (rc < 0) {
		if (rc == ERR_TOO_MANY)
			ldap_msgfree(found);
		return rc == ERR_NOT_FOUND ? err_set(rc, "there is no entry %.200s, or it is not shown", dn) : rc;
	}
	entry = ldap_first_entry(l->ld, found);
	rc = entry ? read_group(l, d, entry, out) : err_set(ERR_NOT_FOUND, "there is no entry %.200s, or it is not shown", dn);
	ldap_msgfree(found);
	return rc;
}
