/* form.h - outside bytes to named fields: query strings and forms (application/x-www-form-urlencoded), JSON bodies, cookies.
 *
 * Nothing here knows a route: types come later (param.h). Limits hold before anything is allocated in number. */
#ifndef WEB_FORM_H
#define WEB_FORM_H

#include <jansson.h>
#include <stddef.h>

#define FORM_FIELDS_MAX 4096     /* of one request, all sources together */
#define FORM_NAME_MAX 64         /* bytes of a field's name */
#define FORM_JSON_MAX (1024 * 1024)

enum form_source { FORM_PATH, FORM_QUERY, FORM_BODY, FORM_JSON };

struct form_field {
	char *name;
	char *value;                     /* decoded; ended by a zero byte */
	size_t len;                      /* a zero byte inside makes it longer than strlen */
	enum form_source source;
	json_t *json;                    /* FORM_JSON: the member itself; then value is NULL */
};

struct form {
	struct form_field *fields;
	size_t count;
};

/* Each appends to F. ERR_INVALID (broken percent sign, overlong name, no JSON object, a member twice), ERR_TOO_LARGE. */
int form_add(struct form *f, const char *name, size_t name_len, const char *encoded, size_t len, enum form_source source);
int form_parse(struct form *f, const char *text, size_t len, enum form_source source);
int form_parse_json(struct form *f, const char *text, size_t len);
void form_free(struct form *f);                              /* wipes the values */

/* Appends the field "name=value" to a query string OUT, percent-encoded, with '&' where needed. */
struct buf;
void form_encode(struct buf *out, const char *text);
void form_append(struct buf *out, const char *name, const char *value);

/* The value of cookie NAME in a Cookie header (RFC 6265, 4.2.1): its place and length, NULL when absent, or when it is there
 * twice (somebody tries to put one in front of ours). */
const char *form_cookie(const char *header, const char *name, size_t *len);

/* 1 when LEN bytes are valid UTF-8 (RFC 3629: no surrogates, no overlong forms); *CHARACTERS counts them. */
int form_utf8(const char *text, size_t len, size_t *characters);

#endif
