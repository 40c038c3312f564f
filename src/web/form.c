/* form.c - query strings, forms, JSON bodies and cookies taken apart. */
#include "web/form.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/word.h"

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* A plus sign is a space in forms and queries, itself in paths. */
static int decode(const char *in, size_t len, int plus, char **out, size_t *out_len)
{
	char *text = mem_alloc(len + 1);
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (in[i] == '%') {
			if (len - i < 3 || hex(in[i + 1]) < 0 || hex(in[i + 2]) < 0) {
				secret_wipe(text, n);
				free(text);
				return err_set(ERR_INVALID, "broken percent sign");
			}
			text[n++] = (char)(hex(in[i + 1]) * 16 + hex(in[i + 2]));
			i += 2;
		} else {
			text[n++] = plus && in[i] == '+' ? ' ' : in[i];
		}
	}
	*out = text;
	*out_len = n;
	return 0;
}

static struct form_field *next_field(struct form *f)
{
	/* Grown in steps of 16: most forms fit into the first. */
	if (f->count % 16 == 0)
		f->fields = mem_grow(f->fields, f->count + 16, sizeof *f->fields);
	memset(&f->fields[f->count], 0, sizeof *f->fields);
	return &f->fields[f->count];
}

int form_add(struct form *f, const char *name, size_t name_len, const char *encoded, size_t len, enum form_source source)
{
	struct form_field *field;
	size_t decoded_len;
	int rc;

	if (f->count >= FORM_FIELDS_MAX)
		return err_set(ERR_TOO_LARGE, "more than %d fields", FORM_FIELDS_MAX);
	field = next_field(f);
	rc = decode(name, name_len, source != FORM_PATH, &field->name, &decoded_len);
	if (rc < 0)
		return rc;
	if (decoded_len == 0 || decoded_len > FORM_NAME_MAX || strlen(field->name) != decoded_len)
		rc = err_set(ERR_INVALID, "a field's name has no or too many characters");
	if (rc == 0)
		rc = decode(encoded, len, source != FORM_PATH, &field->value, &field->len);
	if (rc < 0) {
		free(field->name);
		return rc;
	}
	field->source = source;
	f->count++;
	return 0;
}

int form_parse(struct form *f, const char *text, size_t len, enum form_source source)
{
	const char *at = text, *end = text + len;

	while (at < end) {
		const char *stop = memchr(at, '&', (size_t)(end - at)), *equals;
		int rc;

		if (stop == NULL)
			stop = end;
		equals = memchr(at, '=', (size_t)(stop - at));
		if (stop > at) {
			const char *value = equals ? equals + 1 : stop;

			rc = form_add(f, at, (size_t)((equals ? equals : stop) - at), value, (size_t)(stop - value), source);
			if (rc < 0)
				return rc;
		}
		at = stop + 1;
	}
	return 0;
}

int form_parse_json(struct form *f, const char *text, size_t len)
{
	const char *name;
	json_t *body, *value;
	int rc = json_parse_object(text, len, FORM_JSON_MAX, &body);

	if (rc < 0)
		return rc;
	json_object_foreach(body, name, value) {
		struct form_field *field;

		if (f->count >= FORM_FIELDS_MAX)
			rc = err_set(ERR_TOO_LARGE, "more than %d members", FORM_FIELDS_MAX);
		else if (*name == '\0' || strlen(name) > FORM_NAME_MAX)
			rc = err_set(ERR_INVALID, "a member's name has no or too many characters");
		if (rc < 0)
			break;
		field = next_field(f);
		field->name = mem_strdup(name);
		field->json = json_incref(value);
		field->source = FORM_JSON;
		f->count++;
	}
	json_decref(body);
	return rc;
}

void form_free(struct form *f)
{
	for (size_t i = 0; i < f->count; i++) {
		if (f->fields[i].value)
			secret_wipe(f->fields[i].value, f->fields[i].len);
		free(f->fields[i].value);
		free(f->fields[i].name);
		json_decref(f->fields[i].json);
	}
	free(f->fields);
	*f = (struct form){ NULL, 0 };
}

void form_encode(struct buf *out, const char *text)
{
	static const char digits[] = "0123456789ABCDEF";

	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-._~", c)) {
			buf_putc(out, (char)c);
		} else {
			buf_putc(out, '%');
			buf_putc(out, digits[c >> 4]);
			buf_putc(out, digits[c & 15]);
		}
	}
}

void form_append(struct buf *out, const char *name, const char *value)
{
	if (out->len && out->data[out->len - 1] != '?')
		buf_putc(out, '&');
	form_encode(out, name);
	buf_putc(out, '=');
	form_encode(out, value);
}

const char *form_cookie(const char *header, const char *name, size_t *len)
{
	size_t name_len = strlen(name);
	const char *found = NULL;

	for (const char *at = header; at && *at;) {
		const char *end;

		at += strspn(at, " \t;");
		end = at + strcspn(at, ";");
		if ((size_t)(end - at) > name_len && strncmp(at, name, name_len) == 0 && at[name_len] == '=') {
			if (found)
				return NULL;
			found = at + name_len + 1;
			*len = (size_t)(end - found);
			while (*len && (found[*len - 1] == ' ' || found[*len - 1] == '\t'))
				--*len;
		}
		at = end;
	}
	return found;
}

int form_utf8(const char *text, size_t len, size_t *characters)
{
	size_t at = 0, n = 0;

	while (at < len) {
		size_t step = word_character(text + at, len - at);

		if (step == 0)
			return 0;
		at += step;
		n++;
	}
	*characters = n;
	return 1;
}
