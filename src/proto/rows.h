/* rows.h - short names for the rows of tables of fields (field.h). For the files that hold such tables; no header includes it.
 * T stands for the struct while its table is written. */
#ifndef PROTO_ROWS_H
#define PROTO_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "proto/field.h"

#define MEMBER_SIZE(type, member) sizeof(((type *)0)->member)

#define TEXT(type, member, required_) \
	{ #member, PROTO_FIELD_TEXT, required_, offsetof(type, member), MEMBER_SIZE(type, member) - 1, 0, 0, NULL, \
		NULL, 0 }
#define INT(type, member, required_, least_, most_) \
	{ #member, PROTO_FIELD_INT, required_, offsetof(type, member), 0, least_, most_, NULL, NULL, 0 }
#define BOOL(type, member) { #member, PROTO_FIELD_BOOL, 0, offsetof(type, member), 0, 0, 0, NULL, NULL, 0 }
#define UUID(type, member, required_) \
	{ #member, PROTO_FIELD_UUID, required_, offsetof(type, member), 0, 0, 0, NULL, NULL, 0 }
#define BYTES(type, member) \
	{ #member, PROTO_FIELD_BYTES, 1, offsetof(type, member), MEMBER_SIZE(type, member), 0, 0, NULL, NULL, 0 }
#define NAME(type, member, required_, names_) \
	{ #member, PROTO_FIELD_NAME, required_, offsetof(type, member), 0, 0, 0, names_, NULL, 0 }
#define LIST(type, member, sub_) \
	{ #member, PROTO_FIELD_LIST, 0, offsetof(type, member), ARRAY_LEN(((type *)0)->member), 0, 0, NULL, sub_, \
		offsetof(type, member##_count) }
#define OBJECT(type, member, sub_) { #member, PROTO_FIELD_OBJECT, 1, offsetof(type, member), 0, 0, 0, NULL, sub_, 0 }
#define JSON(type, member, required_, max_) \
	{ #member, PROTO_FIELD_JSON, required_, offsetof(type, member), max_, 0, 0, NULL, NULL, 0 }
#define REQUIRED 1
#define OPTIONAL 0

#define NUMBER_MAX ((int64_t)1 << 53)            /* what every JSON library keeps exactly */
#define SECONDS_MAX ((int64_t)366 * 86400)

#define FIELDS(name_) \
	static const struct proto_fields name_##_fields = { #name_, sizeof(T), name_##_rows, ARRAY_LEN(name_##_rows) }

#endif
