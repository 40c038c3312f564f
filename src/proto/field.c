/* field.c - typed structs to JSON objects and back, by table. */
#include "proto/field.h"

#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/uuid.h"

static const void *at_const(const struct proto_field *row, const void *s)
{
	return (const char *)s + row->offset;
}

static void *at(const struct proto_field *row, void *s)
{
	return (char *)s + row->offset;
}

static int wrong(const struct proto_field *row, const char *why)
{
	return err_set(ERR_INVALID, "%s: %s", row->name, why);
}

static int is_zero(const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (data[i])
			return 0;
	return 1;
}

/* How deep V nests, counted to LIMIT and no further. */
static int too_deep(json_t *v, int limit)
{
	const char *name;
	json_t *member;
	size_t i;

	if (!json_is_object(v) && !json_is_array(v))
		return 0;
	if (limit == 0)
		return 1;
	if (json_is_object(v)) {
		json_object_foreach(v, name, member)
			if (too_deep(member, limit - 1))
				return 1;
	} else {
		json_array_foreach(v, i, member)
			if (too_deep(member, limit - 1))
				return 1;
	}
	return 0;
}

static int check_json(const struct proto_field *row, json_t *v)
{
	char *text;
	size_t len;

	if (!json_is_object(v))
		return wrong(row, "an object is needed");
	if (too_deep(v, PROTO_JSON_DEPTH))
		return wrong(row, "nested too deeply");
	text = json_text(v);
	len = strlen(text);
	free(text);
	return len > row->max ? err_set(ERR_TOO_LARGE, "%s: more than %zu bytes", row->name, row->max) : 0;
}

/* Encoding: each function gives a new value, or NULL for "absent", or fails. */

static int encode_text(const struct proto_field *row, const char *text, json_t **out)
{
	if (strnlen(text, row->max + 1) > row->max)
		return wrong(row, "text is too long");
	if (*text && (*out = json_string(text)) == NULL)
		return wrong(row, "text is not UTF-8");
	return 0;
}

static int encode_int(const struct proto_field *row, int64_t v, json_t **out)
{
	/* Zero may lie outside the limits where it means "absent". */
	if ((v != 0 || row->required) && (v < row->least || v > row->most))
		return wrong(row, "number is out of range");
	if (v != 0 || row->required)
		*out = json_integer(v);
	return 0;
}

static int encode_bytes(const struct proto_field *row, const uint8_t *data, json_t **out)
{
	char *text;

	if (is_zero(data, row->max))
		return 0;
	text = encode_base64url(data, row->max);
	*out = json_string(text);
	free(text);
	return 0;
}

static int encode_name(const struct proto_field *row, int v, json_t **out)
{
	int count = 0;

	while (row->names[count])
		count++;
	if (v < 0 || v >= count)
		return wrong(row, "no such name");
	if (v > 0)
		*out = json_string(row->names[v]);
	return 0;
}

static int encode_uuid(const struct uuid *id, json_t **out)
{
	char text[UUID_TEXT_SIZE];

	if (uuid_is_nil(id))
		return 0;
	uuid_text(id, text);
	*out = json_string(text);
	return 0;
}

static int encode_list(const struct proto_field *row, const void *s, json_t **out)
{
	int count = *(const int *)(const void *)((const char *)s + row->count_offset), rc = 0;
	json_t *list, *entry;

	if (count < 0 || (size_t)count > row->max)
		return wrong(row, "too many entries");
	if (count == 0 && !row->required)
		return 0;
	list = json_array();
	for (int i = 0; i < count && rc == 0; i++) {
		rc = proto_fields_encode(row->sub, (const char *)at_const(row, s) + (size_t)i * row->sub->size, &entry);
		if (rc == 0)
			json_array_append_new(list, entry);
	}
	if (rc < 0) {
		json_decref(list);
		return err_wrap(rc, "%s", row->name);
	}
	*out = list;
	return 0;
}

static int encode_json(const struct proto_field *row, json_t *v, json_t **out)
{
	int rc = v ? check_json(row, v) : 0;

	if (rc == 0)
		*out = json_incref(v);
	return rc;
}

static int encode_row(const struct proto_field *row, const void *s, json_t **out)
{
	const void *v = at_const(row, s);

	switch (row->kind) {
	case PROTO_FIELD_TEXT: return encode_text(row, v, out);
	case PROTO_FIELD_INT: return encode_int(row, *(const int64_t *)v, out);
	case PROTO_FIELD_BOOL: *out = *(const int *)v || row->required ? json_boolean(*(const int *)v) : NULL; return 0;
	case PROTO_FIELD_UUID: return encode_uuid(v, out);
	case PROTO_FIELD_BYTES: return encode_bytes(row, v, out);
	case PROTO_FIELD_NAME: return encode_name(row, *(const int *)v, out);
	case PROTO_FIELD_LIST: return encode_list(row, s, out);
	case PROTO_FIELD_OBJECT: return proto_fields_encode(row->sub, v, out);
	case PROTO_FIELD_JSON: return encode_json(row, *(json_t *const *)v, out);
	}
	return err_set(ERR_INTERNAL, "unknown kind of field");
}

int proto_fields_encode(const struct proto_fields *f, const void *in, json_t **out)
{
	json_t *o = json_object();
	int rc = 0;

	for (size_t i = 0; i < f->count && rc == 0; i++) {
		const struct proto_field *row = &f->rows[i];
		json_t *v = NULL;

		rc = encode_row(row, in, &v);
		if (rc == 0 && v == NULL && row->required)
			rc = wrong(row, "missing");
		if (rc == 0 && v)
			json_object_set_new(o, row->name, v);
	}
	if (rc < 0) {
		json_decref(o);
		return rc;
	}
	*out = o;
	return 0;
}

/* Decoding: each function fills its part of a zeroed struct. */

static int decode_text(const struct proto_field *row, const json_t *o, char *out)
{
	const char *text;
	int rc = json_get_string(o, row->name, row->max, &text);

	if (rc == 0 && row->required && !*text)
		return wrong(row, "empty");
	if (rc == 0)
		memcpy(out, text, strlen(text) + 1);
	return rc;
}

static int decode_bytes(const struct proto_field *row, const json_t *o, uint8_t *out)
{
	struct buf b = BUF_INIT;
	const char *text;
	int rc = json_get_string(o, row->name, row->max * 2, &text);

	if (rc == 0 && (decode_base64url(text, &b) < 0 || b.len != row->max))
		rc = err_set(ERR_INVALID, "%s: %zu bytes in base64url are needed", row->name, row->max);
	if (rc == 0)
		memcpy(out, b.data, row->max);
	buf_free(&b);
	return rc;
}

static int decode_name(const struct proto_field *row, const json_t *o, int *out)
{
	const char *text;
	int rc = json_get_string(o, row->name, 64, &text);

	for (int i = 1; rc == 0 && row->names[i]; i++)
		if (strcmp(row->names[i], text) == 0)
			*out = i;
	return rc;
}

static int decode_list(const struct proto_field *row, const json_t *o, void *s)
{
	int *count = (int *)(void *)((char *)s + row->count_offset);
	json_t *list, *entry;
	size_t i;
	int rc = json_get_array(o, row->name, row->max, &list);

	if (rc < 0)
		return rc;
	json_array_foreach(list, i, entry) {
		if (!json_is_object(entry))
			return wrong(row, "objects are needed");
		rc = proto_fields_decode(row->sub, entry, (char *)at(row, s) + i * row->sub->size);
		if (rc < 0)
			return err_wrap(rc, "%s", row->name);
		++*count;
	}
	return 0;
}

static int decode_object(const struct proto_field *row, const json_t *o, void *out)
{
	json_t *v;
	int rc = json_get_object(o, row->name, &v);

	if (rc == 0)
		rc = proto_fields_decode(row->sub, v, out);
	return rc < 0 ? err_wrap(rc, "%s", row->name) : 0;
}

static int decode_json(const struct proto_field *row, const json_t *o, json_t **out)
{
	json_t *v = json_object_get(o, row->name);
	int rc = check_json(row, v);

	if (rc == 0)
		*out = json_incref(v);
	return rc;
}

static int decode_row(const struct proto_field *row, const json_t *o, void *s)
{
	void *v = at(row, s);

	switch (row->kind) {
	case PROTO_FIELD_TEXT: return decode_text(row, o, v);
	case PROTO_FIELD_INT: return json_get_int(o, row->name, row->least, row->most, v);
	case PROTO_FIELD_BOOL: return json_get_bool(o, row->name, v);
	case PROTO_FIELD_UUID: return json_get_uuid(o, row->name, v);
	case PROTO_FIELD_BYTES: return decode_bytes(row, o, v);
	case PROTO_FIELD_NAME: return decode_name(row, o, v);
	case PROTO_FIELD_LIST: return decode_list(row, o, s);
	case PROTO_FIELD_OBJECT: return decode_object(row, o, v);
	case PROTO_FIELD_JSON: return decode_json(row, o, v);
	}
	return err_set(ERR_INTERNAL, "unknown kind of field");
}

int proto_fields_decode(const struct proto_fields *f, const json_t *in, void *out)
{
	int rc = 0;

	memset(out, 0, f->size);
	for (size_t i = 0; i < f->count && rc == 0; i++) {
		const json_t *v = json_object_get(in, f->rows[i].name);

		if (v && !json_is_null(v))
			rc = decode_row(&f->rows[i], in, out);
		else if (f->rows[i].required)
			rc = wrong(&f->rows[i], "missing");
	}
	if (rc < 0)
		proto_fields_clear(f, out);
	return rc;
}

static void release_row(const struct proto_field *row, void *s)
{
	if (row->kind == PROTO_FIELD_JSON)
		json_decref(*(json_t **)at(row, s));
	else if (row->kind == PROTO_FIELD_OBJECT)
		proto_fields_release(row->sub, at(row, s));
	else if (row->kind == PROTO_FIELD_LIST)
		for (size_t i = 0; i < row->max; i++)
			proto_fields_release(row->sub, (char *)at(row, s) + i * row->sub->size);
}

void proto_fields_release(const struct proto_fields *f, void *s)
{
	for (size_t i = 0; i < f->count; i++)
		release_row(&f->rows[i], s);
}

void proto_fields_clear(const struct proto_fields *f, void *s)
{
	proto_fields_release(f, s);
	memset(s, 0, f->size);
}
