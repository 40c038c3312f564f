/* field.h - JSON objects as typed structs, driven by tables: one row per member, read by the encoder, the decoder, the
 * documentation (proto_message_describe) and the fuzz target.
 *
 * Absent and zero are the same thing: a member that is empty (text), 0, false, nil or an empty list is left out when
 * encoding unless it is required, and set so when absent or null. Members that the table does not know are ignored, so
 * that newer peers can send more. A struct is zeroed before decoding and released with proto_fields_clear. */
#ifndef PROTO_FIELD_H
#define PROTO_FIELD_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

enum proto_field_kind {
	PROTO_FIELD_TEXT,        /* char[max + 1], UTF-8, no zero character inside */
	PROTO_FIELD_INT,         /* int64_t, least..most */
	PROTO_FIELD_BOOL,        /* int, 0 or 1 */
	PROTO_FIELD_UUID,        /* struct uuid, as text */
	PROTO_FIELD_BYTES,       /* uint8_t[max], exactly; base64url; absent is all zero */
	PROTO_FIELD_NAME,        /* int, by name from NAMES; a name that is not there reads as 0, "unknown" */
	PROTO_FIELD_LIST,        /* struct[max], with an int count beside it */
	PROTO_FIELD_OBJECT,      /* struct */
	PROTO_FIELD_JSON         /* json_t *, an object: at most MAX bytes printed, PROTO_JSON_DEPTH deep */
};

#define PROTO_JSON_DEPTH 12

struct proto_fields;

struct proto_field {
	const char *name;
	enum proto_field_kind kind;
	int required;
	size_t offset;
	size_t max;                              /* see the kinds */
	int64_t least, most;
	const char *const *names;                /* NULL-terminated; [0] is "unknown" */
	const struct proto_fields *sub;
	size_t count_offset;
};

struct proto_fields {
	const char *name;                        /* of the struct, for messages and documents */
	size_t size;                             /* of the struct */
	const struct proto_field *rows;
	size_t count;
};

/* The struct as a new JSON object. ERR_INVALID names the member that breaks its own limit (a required one missing, a
 * count or a number out of range, text that is not UTF-8). */
int proto_fields_encode(const struct proto_fields *f, const void *in, json_t **out);
/* Zeroes OUT, then fills it; on failure nothing is left in it to release. */
int proto_fields_decode(const struct proto_fields *f, const json_t *in, void *out);
/* Drops the references of JSON members: for a struct that ends with this. Some are large and hold little: not touched more than that. */
void proto_fields_release(const struct proto_fields *f, void *s);
/* The same, and zeroes the struct. */
void proto_fields_clear(const struct proto_fields *f, void *s);

#endif
