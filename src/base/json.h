/* json.h - reading members of a jansson object that came from outside, with limits; and small helpers for building one.
 *
 * Getters: 0 when the member is there and well-formed, ERR_INVALID with a text naming the member otherwise. The _opt
 * forms accept an absent or null member and then leave *OUT as it was. Strings belong to the object. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/uuid.h"

/* Parses an object of at most MAX bytes, duplicates refused. *OUT is the caller's reference. */
int json_parse_object(const char *text, size_t len, size_t max, json_t **out);
int json_get_string(const json_t *o, const char *name, size_t max, const char **out);
int json_get_string_opt(const json_t *o, const char *name, size_t max, const char **out);
int json_get_int(const json_t *o, const char *name, int64_t least, int64_t most, int64_t *out);
int json_get_int_opt(const json_t *o, const char *name, int64_t least, int64_t most, int64_t *out);
int json_get_bool(const json_t *o, const char *name, int *out);
int json_get_uuid(const json_t *o, const char *name, struct uuid *out);
int json_get_array(const json_t *o, const char *name, size_t max, json_t **out);     /* borrowed */
int json_get_object(const json_t *o, const char *name, json_t **out);                /* borrowed */

/* 1 when LEN bytes can be a JSON string of ours: UTF-8, and no zero byte in it. What is not, json_set_string cannot take. */
int json_is_text(const char *text, size_t len);
/* 1 where VALUE is a member of the array LIST, of which only the strings count; NULL for none. */
int json_has_string(const json_t *list, const char *value);
void json_set_string(json_t *o, const char *name, const char *value);                /* NULL sets null */
void json_set_int(json_t *o, const char *name, int64_t value);
void json_set_bool(json_t *o, const char *name, int value);
void json_set_uuid(json_t *o, const char *name, const struct uuid *value);
/* Compact text with sorted members; the caller frees. */
char *json_text(const json_t *o);

#endif
