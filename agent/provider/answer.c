/* answer.c - the table of questions, and answers from text to structs and back. */
#include "agent/provider/answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "proto/rows.h"


#define T struct plugin_field
static const struct proto_field field_rows[] = {
	TEXT(T, name, REQUIRED),
	TEXT(T, help, REQUIRED),
	{ "default", PROTO_FIELD_TEXT, OPTIONAL, offsetof(T, standard), MEMBER_SIZE(T, standard) - 1, 0, 0, NULL, NULL, 0 },
	BOOL(T, required),
	BOOL(T, secret),
};
FIELDS(field);
#undef T

#define T struct plugin_description
static const struct proto_field plugin_description_rows[] = {
	TEXT(T, name, REQUIRED),
	TEXT(T, title, REQUIRED),
	TEXT(T, version, REQUIRED),
	BOOL(T, location),
	BOOL(T, user_data),
	BOOL(T, attach),
	LIST(T, settings, &field_fields),
	LIST(T, credentials, &field_fields),
};
FIELDS(plugin_description);
#undef T

#define T struct plugin_identity
static const struct proto_field plugin_identity_rows[] = {
	TEXT(T, instance_id, OPTIONAL),
	TEXT(T, image_id, OPTIONAL),
	TEXT(T, image_name, OPTIONAL),
};
FIELDS(plugin_identity);
#undef T

#define T struct plugin_location
static const struct proto_field plugin_location_rows[] = {
	TEXT(T, region, OPTIONAL),
	TEXT(T, zone, OPTIONAL),
};
FIELDS(plugin_location);
#undef T

#define T struct plugin_device
static const struct proto_field plugin_device_rows[] = {
	TEXT(T, id, REQUIRED),
	TEXT(T, name, OPTIONAL),
	TEXT(T, path, REQUIRED),
	NAME(T, kind, OPTIONAL, proto_device_kind_names),
	INT(T, size_bytes, OPTIONAL, 0, NUMBER_MAX),
};
FIELDS(plugin_device);
#undef T

#define T struct plugin_devices
static const struct proto_field plugin_devices_rows[] = { LIST(T, devices, &plugin_device_fields) };
FIELDS(plugin_devices);
#undef T

#define T struct plugin_user_data
static const struct proto_field plugin_user_data_rows[] = { TEXT(T, user_data, OPTIONAL) };
FIELDS(plugin_user_data);
#undef T

#define T struct plugin_attached
static const struct proto_field plugin_attached_rows[] = { TEXT(T, path, REQUIRED) };
FIELDS(plugin_attached);
#undef T

static const struct proto_fields plugin_nothing_fields = { "nothing", sizeof(struct plugin_nothing), NULL, 0 };

#define T struct plugin_account
static const struct proto_field plugin_account_rows[] = { TEXT(T, account, OPTIONAL) };
FIELDS(plugin_account);
#undef T

#define T struct plugin_common
static const struct proto_field common_rows[] = {
	JSON(T, memo, OPTIONAL, PLUGIN_MEMO_MAX),
	TEXT(T, warning, OPTIONAL),
};
FIELDS(common);
#undef T

#define T struct plugin_error
static const struct proto_field error_rows[] = {
	TEXT(T, code, REQUIRED),
	TEXT(T, text, REQUIRED),
	TEXT(T, advice, OPTIONAL),
};
FIELDS(error);
#undef T

const struct plugin_row plugin_questions[PLUGIN_QUESTION_COUNT] = {
#define X(id, name, seconds, needs, type) [PLUGIN_##id] = { name, seconds, PLUGIN_NEEDS_##needs, &type##_fields },
	PLUGIN_QUESTIONS(X)
#undef X
};

int plugin_question_find(const char *name)
{
	for (int i = 0; i < PLUGIN_QUESTION_COUNT; i++)
		if (strcmp(plugin_questions[i].name, name) == 0)
			return i;
	return ERR_NOT_FOUND;
}

int plugin_answers(const struct plugin_description *d, enum plugin_question q)
{
	switch (plugin_questions[q].needs) {
	case PLUGIN_NEEDS_LOCATION: return d->location;
	case PLUGIN_NEEDS_USER_DATA: return d->user_data;
	case PLUGIN_NEEDS_ATTACH: return d->attach;
	case PLUGIN_NEEDS_CREDENTIALS: return d->credentials_count > 0;
	default: return 1;
	}
}

/* Text that goes to logs and messages: one line. */
static void one_line(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ')
			*text = ' ';
}

static int read_error(const json_t *o, struct plugin_common *common)
{
	struct plugin_error e;
	int rc = proto_fields_decode(&error_fields, o, &e);

	if (rc < 0)
		return err_wrap(rc, "error");
	one_line(e.text);
	one_line(e.advice);
	rc = err_code(e.code);
	common->refusal = rc ? rc : ERR_INTERNAL;
	return err_set(common->refusal, "%s%s%s", e.text, e.advice[0] ? ". " : "", e.advice);
}

static int read_members(enum plugin_question q, const json_t *o, void *out, struct plugin_common *common)
{
	struct plugin_common found;
	int rc = proto_fields_decode(&common_fields, o, &found);

	if (rc < 0)
		return rc;
	rc = proto_fields_decode(plugin_questions[q].answer, o, out);
	if (rc < 0) {
		proto_fields_clear(&common_fields, &found);
		return rc;
	}
	one_line(found.warning);
	*common = found;
	return 0;
}

int plugin_answer_read(enum plugin_question q, const char *text, size_t len, void *out, struct plugin_common *common)
{
	json_t *o = NULL, *error;
	int64_t version;
	int rc = json_parse_object(text, len, PLUGIN_ANSWER_MAX, &o);

	*common = (struct plugin_common){ NULL, "", 0 };
	if (rc == 0)
		rc = json_get_int(o, "keyward", 1, INT32_MAX, &version);
	if (rc == 0 && version != PLUGIN_VERSION)
		rc = err_set(ERR_VERSION, "it speaks version %d of the plug-in interface, this agent version %d", (int)version,
			PLUGIN_VERSION);
	if (rc == 0 && (error = json_object_get(o, "error")) != NULL)
		rc = json_is_object(error) ? read_error(error, common) : err_set(ERR_INVALID, "error: an object is needed");
	else if (rc == 0)
		rc = read_members(q, o, out, common);
	json_decref(o);
	return rc;
}

int plugin_answer_write(enum plugin_question q, const void *in, json_t **out)
{
	int rc = proto_fields_encode(plugin_questions[q].answer, in, out);

	if (rc == 0)
		json_set_int(*out, "keyward", PLUGIN_VERSION);
	return rc;
}

json_t *plugin_error_write(int code, const char *text, const char *advice)
{
	struct plugin_error e = { "", "", "" };
	json_t *o = json_object(), *members = NULL;

	snprintf(e.code, sizeof e.code, "%s", err_name(code));
	snprintf(e.text, sizeof e.text, "%s", text);
	snprintf(e.advice, sizeof e.advice, "%s", advice ? advice : "");
	json_set_int(o, "keyward", PLUGIN_VERSION);
	if (proto_fields_encode(&error_fields, &e, &members) == 0)
		json_object_set_new(o, "error", members);
	return o;
}
