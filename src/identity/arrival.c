/* arrival.c - what an identity provider said, against the settings. */
#include "identity/arrival.h"

#include <string.h>

#include "base/err.h"
#include "base/json.h"

#define MAIL_MAX 254
#define NAME_MAX 200

static const char *text_of(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));

	return text ? text : "";
}

/* The values of the attribute that is called so; NULL. */
static const json_t *values_of(const json_t *said, const char *wanted)
{
	const json_t *all = json_object_get(said, "attributes"), *direct = json_object_get(all, wanted), *friendly;
	const char *name;

	if (*wanted == '\0' || direct)
		return direct;
	json_object_foreach(json_object_get(said, "friendly"), name, friendly)
		if (json_is_string(friendly) && strcmp(json_string_value(friendly), wanted) == 0)
			return json_object_get(all, name);
	return NULL;
}

static const char *first_of(const json_t *said, const char *attribute)
{
	const char *text = json_string_value(json_array_get(values_of(said, attribute), 0));

	return text ? text : "";
}

/* One that names the same person next time, and no other person ever. */
static int stays(const char *format)
{
	return strstr(format, ":transient") == NULL;
}

static int is_address(const char *mail)
{
	const char *at = strchr(mail, '@');
	size_t len = strlen(mail);

	if (at == NULL || at == mail || at[1] == '\0' || strchr(at + 1, '@') || len > MAIL_MAX)
		return 0;
	for (const char *s = mail; *s; s++)
		if ((unsigned char)*s <= ' ' || *s == 0x7f || strchr("<>\"(),;:\\", *s))
			return 0;
	return 1;
}

static int find_subject(const json_t *settings, const json_t *said, struct arrival *out)
{
	const char *attribute = text_of(settings, "subject");
	const json_t *values = values_of(said, attribute);

	if (*attribute == '\0') {
		out->subject = text_of(said, "name_id");
		if (!stays(text_of(said, "format")))
			return err_set(ERR_FORBIDDEN, "the name identifier is transient: another one each time. Let the identity provider send a persistent one,"
				" or name an attribute that stays");
		return 0;
	}
	if (json_array_size(values) != 1)
		return err_set(ERR_FORBIDDEN, "attribute %s, by which people are known, has %zu values; one is wanted", attribute, json_array_size(values));
	out->subject = first_of(said, attribute);
	return *out->subject ? 0 : err_set(ERR_FORBIDDEN, "attribute %s, by which people are known, is empty", attribute);
}

static int find_mail(const json_t *settings, const json_t *said, struct arrival *out)
{
	const char *attribute = text_of(settings, "mail");

	out->mail = *attribute ? first_of(said, attribute) : text_of(said, "name_id");
	if (is_address(out->mail))
		return 0;
	return *attribute ? err_set(ERR_FORBIDDEN, "attribute %s holds no e-mail address", attribute) :
		err_set(ERR_FORBIDDEN, "the name identifier is no e-mail address, and no attribute is named that holds one");
}

static int find_role(const json_t *settings, const json_t *said, int operator_side, struct arrival *out)
{
	const json_t *values = values_of(said, text_of(settings, "role")), *row;
	const char *otherwise = text_of(settings, "otherwise");
	size_t i;

	json_array_foreach(json_object_get(settings, "roles"), i, row)
		if (json_has_string(values, text_of(row, "value"))) {
			out->value = text_of(row, "value");
			return role_parse(text_of(row, "role"), operator_side, &out->role);
		}
	if (*otherwise)
		return role_parse(otherwise, operator_side, &out->role);
	return err_set(ERR_FORBIDDEN, "none of the values of attribute %s gives a role, and there is no role for everybody else",
		*text_of(settings, "role") ? text_of(settings, "role") : "(none named)");
}

int arrival_decide(const json_t *settings, const json_t *said, int operator_side, struct arrival *out)
{
	int rc, next;

	*out = (struct arrival){ .subject = "", .name = "", .mail = "", .role = ROLE_NONE };
	rc = find_mail(settings, said, out);
	out->name = first_of(said, text_of(settings, "name"));
	if (*out->name == '\0' || strlen(out->name) > NAME_MAX)
		out->name = *out->mail ? out->mail : "?";
	/* All are looked for, so that a trial shows what there is; the first fault of the weightiest is told. */
	next = find_role(settings, said, operator_side, out);
	rc = next < 0 ? next : rc;
	next = find_subject(settings, said, out);
	return next < 0 ? next : rc;
}
