/* message_code.c - messages to JSON text and back, and the table of messages as documentation. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "proto/message.h"

#define REFUSAL "refusal"

void *proto_request_new(enum proto_message type)
{
	return mem_alloc(proto_messages[type].request->size);
}

void *proto_answer_new(enum proto_message type)
{
	return mem_alloc(proto_messages[type].answer->size);
}

void proto_request_free(enum proto_message type, void *request)
{
	if (request)
		proto_fields_release(proto_messages[type].request, request);
	free(request);
}

void proto_answer_free(enum proto_message type, void *answer)
{
	if (answer)
		proto_fields_release(proto_messages[type].answer, answer);
	free(answer);
}

static int encode(const struct proto_fields *fields, const char *type, const void *in, struct buf *out)
{
	json_t *o;
	char *text;
	size_t len;
	int rc = proto_fields_encode(fields, in, &o);

	if (rc < 0)
		return err_wrap(rc, "%s", type);
	json_set_string(o, "type", type);
	text = json_text(o);
	len = strlen(text);
	json_decref(o);
	if (len <= PROTO_MESSAGE_MAX) {
		buf_reset(out);
		buf_add(out, text, len);
	} else
		rc = err_set(ERR_TOO_LARGE, "%s: more than %d bytes", type, PROTO_MESSAGE_MAX);
	free(text);
	return rc;
}

int proto_request_encode(enum proto_message type, const void *request, struct buf *out)
{
	return encode(proto_messages[type].request, proto_messages[type].name, request, out);
}

int proto_answer_encode(enum proto_message type, const void *answer, struct buf *out)
{
	return encode(proto_messages[type].answer, proto_messages[type].name, answer, out);
}

void proto_refusal_encode(int code, const char *text, int64_t retry_after_s, struct buf *out)
{
	struct proto_refusal r = { .retry_after_s = retry_after_s > 0 ? retry_after_s : 0 };

	strncpy(r.code, err_name(code), sizeof r.code - 1);
	strncpy(r.text, text, sizeof r.text - 1);
	if (encode(&proto_refusal_fields, REFUSAL, &r, out) < 0) {
		/* The words may be cut within a character, or too long a delay: the code is what counts. */
		r.text[0] = '\0';
		r.retry_after_s = 0;
		if (encode(&proto_refusal_fields, REFUSAL, &r, out) < 0)
			fatal("a bare refusal cannot be encoded");
	}
}

static int find(const char *name, enum proto_message *out)
{
	for (int i = 0; i < PROTO_MESSAGE_COUNT; i++) {
		if (strcmp(proto_messages[i].name, name) == 0) {
			*out = (enum proto_message)i;
			return 0;
		}
	}
	return err_set(ERR_UNSUPPORTED, "no such type of message");
}

int proto_request_decode(const void *text, size_t len, enum proto_message *type, void **request)
{
	enum proto_message found = PROTO_MESSAGE_COUNT;
	const char *name;
	json_t *o;
	void *s;
	int rc = json_parse_object(text, len, PROTO_MESSAGE_MAX, &o);

	if (rc < 0)
		return rc;
	rc = json_get_string(o, "type", PROTO_WORD_MAX, &name);
	if (rc == 0)
		rc = find(name, &found);
	if (rc == 0) {
		s = proto_request_new(found);
		rc = proto_fields_decode(proto_messages[found].request, o, s);
		if (rc < 0)
			free(s);
	}
	if (rc == 0) {
		*type = found;
		*request = s;
	}
	json_decref(o);
	return rc;
}

static int read_refusal(const json_t *o, struct proto_refusal *out)
{
	struct proto_refusal r;
	int rc = proto_fields_decode(&proto_refusal_fields, o, &r), code;

	if (rc < 0)
		return rc;
	if (out)
		*out = r;
	code = err_code(r.code);
	return err_set(code ? code : ERR_FORBIDDEN, "the server refuses: %s: %s", r.code, r.text);
}

int proto_answer_decode(
	enum proto_message type, const void *text, size_t len, void *answer, struct proto_refusal *refusal)
{
	const char *name;
	json_t *o;
	int rc = json_parse_object(text, len, PROTO_MESSAGE_MAX, &o);

	if (rc < 0)
		return rc;
	rc = json_get_string(o, "type", PROTO_WORD_MAX, &name);
	if (rc == 0 && strcmp(name, REFUSAL) == 0)
		rc = read_refusal(o, refusal);
	else if (rc == 0 && strcmp(name, proto_messages[type].name) != 0)
		rc = err_set(ERR_INVALID, "answer of another type");
	else if (rc == 0)
		rc = proto_fields_decode(proto_messages[type].answer, o, answer);
	json_decref(o);
	return rc;
}

/* Documentation from the same rows */

static void describe_kind(const struct proto_field *row, struct buf *out)
{
	switch (row->kind) {
	case PROTO_FIELD_TEXT: buf_printf(out, "text, at most %zu bytes", row->max); break;
	case PROTO_FIELD_INT:
		buf_printf(out, "number, %lld to %lld", (long long)row->least, (long long)row->most);
		break;
	case PROTO_FIELD_BOOL: buf_puts(out, "true or false"); break;
	case PROTO_FIELD_UUID: buf_puts(out, "UUID"); break;
	case PROTO_FIELD_BYTES: buf_printf(out, "%zu bytes, base64url", row->max); break;
	case PROTO_FIELD_LIST: buf_printf(out, "list of %s, at most %zu", row->sub->name, row->max); break;
	case PROTO_FIELD_OBJECT: buf_printf(out, "%s", row->sub->name); break;
	case PROTO_FIELD_JSON: buf_printf(out, "object, at most %zu bytes, %d deep", row->max, PROTO_JSON_DEPTH); break;
	case PROTO_FIELD_NAME:
		for (int i = 1; row->names[i]; i++)
			buf_printf(out, "%s`%s`", i > 1 ? ", " : "", row->names[i]);
	}
}

static void describe_fields(const struct proto_fields *f, struct buf *out)
{
	buf_printf(out, "\n### %s\n\n", f->name);
	if (f->count == 0)
		buf_puts(out, "No members.\n");
	else
		buf_puts(out, "| member | needed | value |\n|---|---|---|\n");
	for (size_t i = 0; i < f->count; i++) {
		buf_printf(out, "| `%s` | %s | ", f->rows[i].name, f->rows[i].required ? "yes" : "");
		describe_kind(&f->rows[i], out);
		buf_puts(out, " |\n");
	}
}

#define DESCRIBED_MAX 64

/* F after those it consists of, each once. */
static void describe_once(
	const struct proto_fields *f, const struct proto_fields **done, size_t *count, struct buf *out)
{
	for (size_t i = 0; i < *count; i++)
		if (done[i] == f)
			return;
	if (*count == DESCRIBED_MAX)
		fatal("more message structs than DESCRIBED_MAX");
	done[(*count)++] = f;
	for (size_t i = 0; i < f->count; i++)
		if (f->rows[i].sub)
			describe_once(f->rows[i].sub, done, count, out);
	describe_fields(f, out);
}

void proto_message_describe(struct buf *out)
{
	const struct proto_fields *done[DESCRIBED_MAX];
	size_t count = 0;

	buf_puts(out, "| type | request | answer |\n|---|---|---|\n");
	for (int i = 0; i < PROTO_MESSAGE_COUNT; i++)
		buf_printf(out, "| `%s` | %s | %s |\n", proto_messages[i].name, proto_messages[i].request->name,
			proto_messages[i].answer->name);
	for (int i = 0; i < PROTO_MESSAGE_COUNT; i++) {
		describe_once(proto_messages[i].request, done, &count, out);
		describe_once(proto_messages[i].answer, done, &count, out);
	}
	describe_once(&proto_refusal_fields, done, &count, out);
	describe_once(&proto_description_fields, done, &count, out);
}
