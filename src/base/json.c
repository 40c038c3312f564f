/* json.c - reading and building JSON objects on top of jansson. */
#include "base/json.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"

int json_parse_object(const char *text, size_t len, size_t max, json_t **out)
{
	json_error_t error;
	json_t *o;

	if (len > max)
		return err_set(ERR_TOO_LARGE, "more than %zu bytes of JSON", max);
	o = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	if (!json_is_object(o)) {
		json_decref(o);
		return err_set(ERR_INVALID, "not a JSON object");
	}
	*out = o;
	return 0;
}

static int bad(const char *name, const char *want)
{
	return err_set(ERR_INVALID, "%s: %s", name, want);
}

static int is_absent(const json_t *o, const char *name)
{
	const json_t *v = json_object_get(o, name);

	return v == NULL || json_is_null(v);
}

int json_get_string(const json_t *o, const char *name, size_t max, const char **out)
{
	const json_t *v = json_object_get(o, name);

	if (!json_is_string(v))
		return bad(name, "a text is needed");
	if (json_string_length(v) > max)
		return err_set(ERR_INVALID, "%s: at most %zu bytes", name, max);
	if (strlen(json_string_value(v)) != json_string_length(v))
		return bad(name, "contains a zero character");
	*out = json_string_value(v);
	return 0;
}

int json_get_string_opt(const json_t *o, const char *name, size_t max, const char **out)
{
	return is_absent(o, name) ? 0 : json_get_string(o, name, max, out);
}

int json_get_int(const json_t *o, const char *name, int64_t least, int64_t most, int64_t *out)
{
	const json_t *v = json_object_get(o, name);

	if (!json_is_integer(v))
		return bad(name, "a whole number is needed");
	if (json_integer_value(v) < least || json_integer_value(v) > most)
		return err_set(ERR_INVALID, "%s: %lld to %lld", name, (long long)least, (long long)most);
	*out = json_integer_value(v);
	return 0;
}

int json_get_int_opt(const json_t *o, const char *name, int64_t least, int64_t most, int64_t *out)
{
	return is_absent(o, name) ? 0 : json_get_int(o, name, least, most, out);
}

int json_get_bool(const json_t *o, const char *name, int *out)
{
	const json_t *v = json_object_get(o, name);

	if (!json_is_boolean(v))
		return bad(name, "true or false is needed");
	*out = json_is_true(v);
	return 0;
}

int json_get_uuid(const json_t *o, const char *name, struct uuid *out)
{
	const char *text = NULL;
	int rc = json_get_string(o, name, UUID_TEXT_SIZE - 1, &text);

	if (rc < 0)
		return rc;
	return uuid_parse(text, out) < 0 ? bad(name, "a UUID is needed") : 0;
}

int json_get_array(const json_t *o, const char *name, size_t max, json_t **out)
{
	json_t *v = json_object_get(o, name);

	if (!json_is_array(v))
		return bad(name, "a list is needed");
	if (json_array_size(v) > max)
		return err_set(ERR_INVALID, "%s: at most %zu entries", name, max);
	*out = v;
	return 0;
}

int json_get_object(const json_t *o, const char *name, json_t **out)
{
	json_t *v = json_object_get(o, name);

	if (!json_is_object(v))
		return bad(name, "an object is needed");
	*out = v;
	return 0;
}

int json_is_text(const char *text, size_t len)
{
	json_t *probe = json_stringn(text, len);

	json_decref(probe);
	return probe != NULL && memchr(text, '\0', len) == NULL;
}

static void set(json_t *o, const char *name, json_t *value)
{
	if (value == NULL || json_object_set_new(o, name, value) < 0)
		fatal("cannot build JSON member %s", name);
}

void json_set_string(json_t *o, const char *name, const char *value)
{
	set(o, name, value ? json_string(value) : json_null());
}

void json_set_int(json_t *o, const char *name, int64_t value)
{
	set(o, name, json_integer(value));
}

void json_set_bool(json_t *o, const char *name, int value)
{
	set(o, name, json_boolean(value));
}

void json_set_uuid(json_t *o, const char *name, const struct uuid *value)
{
	char text[UUID_TEXT_SIZE];

	uuid_text(value, text);
	set(o, name, json_string(text));
}

int json_has_string(const json_t *list, const char *value)
{
	const json_t *v;
	size_t i;

	json_array_foreach(list, i, v)
		if (json_is_string(v) && strcmp(json_string_value(v), value) == 0)
			return 1;
	return 0;
}

char *json_text(const json_t *o)
{
	char *text = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);

	if (text == NULL)
		fatal("cannot print JSON");
	return text;
}
