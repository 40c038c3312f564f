/* export.c - lines of an exported chain, written and read. */
#include "audit/export.h"

#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/err.h"
#include "base/json.h"

#define FORMAT 1
#define TEXT_MAX (1u << 20)
#define AT_MAX INT64_C(253402300799999999)       /* year 9999 */

static void put_bytes(json_t *o, const char *name, const uint8_t *bytes, size_t len)
{
	char *text = encode_hex(bytes, len);

	json_set_string(o, name, text);
	free(text);
}

static int get_bytes(const json_t *o, const char *name, uint8_t *out, size_t len)
{
	struct buf b = BUF_INIT;
	const char *text;
	int rc = json_get_string(o, name, 2 * len, &text);

	if (rc == 0)
		rc = decode_hex(text, &b);
	if (rc == 0 && b.len != len)
		rc = err_set(ERR_INVALID, "%s: %zu bytes are wanted", name, len);
	if (rc == 0)
		memcpy(out, b.data, len);
	buf_free(&b);
	return rc;
}

static json_t *put_head(const struct audit_line *l)
{
	json_t *o = json_object();

	json_set_int(o, "format", FORMAT);
	json_set_uuid(o, "installation", &l->head.scope.installation);
	json_set_uuid(o, "account", &l->head.scope.account);
	json_set_int(o, "entry", l->head.seq);
	put_bytes(o, "hash", l->head.hash, AUDIT_HASH_SIZE);
	return o;
}

static int get_head(const json_t *o, struct audit_line *l)
{
	int64_t format;
	int rc = json_get_int(o, "format", FORMAT, FORMAT, &format);

	if (rc == 0)
		rc = json_get_uuid(o, "installation", &l->head.scope.installation);
	if (rc == 0)
		rc = json_get_uuid(o, "account", &l->head.scope.account);
	if (rc == 0)
		rc = json_get_int(o, "entry", 0, INT64_MAX, &l->head.seq);
	return rc < 0 ? rc : get_bytes(o, "hash", l->head.hash, AUDIT_HASH_SIZE);
}

static json_t *put_archive(const struct audit_line *l)
{
	const struct audit_archive *a = &l->archive;
	json_t *o = json_object();

	json_set_string(o, "month", a->month);
	json_set_int(o, "first", a->first);
	json_set_int(o, "last", a->last);
	put_bytes(o, "before", a->before, AUDIT_HASH_SIZE);
	put_bytes(o, "after", a->after, AUDIT_HASH_SIZE);
	json_set_int(o, "bytes", a->bytes);
	put_bytes(o, "sha256", a->digest, AUDIT_HASH_SIZE);
	json_set_int(o, "at", a->made);
	put_bytes(o, "signature", a->signature, AUDIT_SIGNATURE_SIZE);
	json_set_bool(o, "removed", a->removed);
	return o;
}

static int get_archive(const json_t *o, struct audit_line *l)
{
	struct audit_archive *a = &l->archive;
	const char *month;
	int rc = json_get_string(o, "month", AUDIT_MONTH_SIZE - 1, &month);

	if (rc == 0)
		memcpy(a->month, month, strlen(month) + 1);
	if (rc == 0)
		rc = json_get_int(o, "first", 1, INT64_MAX - 1, &a->first);
	if (rc == 0)
		rc = json_get_int(o, "last", a->first, INT64_MAX - 1, &a->last);
	if (rc == 0)
		rc = get_bytes(o, "before", a->before, AUDIT_HASH_SIZE);
	if (rc == 0)
		rc = get_bytes(o, "after", a->after, AUDIT_HASH_SIZE);
	if (rc == 0)
		rc = json_get_int(o, "bytes", 0, INT64_MAX, &a->bytes);
	if (rc == 0)
		rc = get_bytes(o, "sha256", a->digest, AUDIT_HASH_SIZE);
	if (rc == 0)
		rc = json_get_int(o, "at", 0, AT_MAX, &a->made);
	if (rc == 0)
		rc = get_bytes(o, "signature", a->signature, AUDIT_SIGNATURE_SIZE);
	return rc < 0 ? rc : json_get_bool(o, "removed", &a->removed);
}

static json_t *put_checkpoint(const struct audit_line *l)
{
	json_t *o = json_object();

	json_set_int(o, "entry", l->checkpoint.seq);
	put_bytes(o, "hash", l->checkpoint.hash, AUDIT_HASH_SIZE);
	json_set_int(o, "at", l->checkpoint.at);
	put_bytes(o, "signature", l->checkpoint.signature, AUDIT_SIGNATURE_SIZE);
	return o;
}

static int get_checkpoint(const json_t *o, struct audit_line *l)
{
	struct audit_checkpoint *c = &l->checkpoint;
	int rc = json_get_int(o, "entry", 1, INT64_MAX - 1, &c->seq);

	if (rc == 0)
		rc = get_bytes(o, "hash", c->hash, AUDIT_HASH_SIZE);
	if (rc == 0)
		rc = json_get_int(o, "at", 0, AT_MAX, &c->at);
	return rc < 0 ? rc : get_bytes(o, "signature", c->signature, AUDIT_SIGNATURE_SIZE);
}

/* Texts of an entry, in the order of the chain's fields. */
static const struct entry_text {
	const char *name;
	size_t offset;
	int required;
} texts[] = {
	{ "category", offsetof(struct audit_entry, category), 1 }, { "event", offsetof(struct audit_entry, event), 1 },
	{ "actor_kind", offsetof(struct audit_entry, actor_kind), 1 }, { "actor", offsetof(struct audit_entry, actor_name), 0 },
	{ "object_kind", offsetof(struct audit_entry, object_kind), 0 }, { "object", offsetof(struct audit_entry, object_name), 0 },
	{ "detail", offsetof(struct audit_entry, detail), 0 }, { "address", offsetof(struct audit_entry, address), 0 },
	{ "request", offsetof(struct audit_entry, request), 0 }, { "written_by", offsetof(struct audit_entry, written_by), 1 },
};

static const char **text_at(struct audit_entry *e, const struct entry_text *t)
{
	return (const char **)(void *)((char *)e + t->offset);
}

static json_t *put_entry(const struct audit_line *l)
{
	struct audit_entry e = l->entry;
	json_t *o = json_object();

	json_set_uuid(o, "account", &e.tenant);
	json_set_int(o, "entry", e.seq);
	json_set_int(o, "at", e.at);
	if (e.has_actor_id)
		json_set_uuid(o, "actor_id", &e.actor_id);
	if (e.has_object_id)
		json_set_uuid(o, "object_id", &e.object_id);
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		json_set_string(o, texts[i].name, *text_at(&e, &texts[i]));
	put_bytes(o, "previous", e.previous, AUDIT_HASH_SIZE);
	put_bytes(o, "hash", e.hash, AUDIT_HASH_SIZE);
	return o;
}

static int get_entry(const json_t *o, struct audit_line *l)
{
	struct audit_entry *e = &l->entry;
	int rc = json_get_uuid(o, "account", &e->tenant);

	if (rc == 0)
		rc = json_get_int(o, "entry", 1, INT64_MAX - 1, &e->seq);
	if (rc == 0)
		rc = json_get_int(o, "at", INT64_MIN, INT64_MAX, &e->at);
	e->has_actor_id = json_object_get(o, "actor_id") != NULL;
	e->has_object_id = json_object_get(o, "object_id") != NULL;
	if (rc == 0 && e->has_actor_id)
		rc = json_get_uuid(o, "actor_id", &e->actor_id);
	if (rc == 0 && e->has_object_id)
		rc = json_get_uuid(o, "object_id", &e->object_id);
	for (size_t i = 0; rc == 0 && i < sizeof texts / sizeof texts[0]; i++)
		rc = (texts[i].required ? json_get_string : json_get_string_opt)(o, texts[i].name, TEXT_MAX, text_at(e, &texts[i]));
	if (rc == 0)
		rc = get_bytes(o, "previous", e->previous, AUDIT_HASH_SIZE);
	return rc < 0 ? rc : get_bytes(o, "hash", e->hash, AUDIT_HASH_SIZE);
}

static const struct {
	const char *name;
	json_t *(*put)(const struct audit_line *l);
	int (*get)(const json_t *o, struct audit_line *l);
} kinds[] = {
	[AUDIT_LINE_HEAD] = { "keyward_log", put_head, get_head },
	[AUDIT_LINE_ARCHIVE] = { "archive", put_archive, get_archive },
	[AUDIT_LINE_CHECKPOINT] = { "checkpoint", put_checkpoint, get_checkpoint },
	[AUDIT_LINE_ENTRY] = { "entry", put_entry, get_entry },
};

void audit_line_put(const struct audit_line *line, struct buf *out)
{
	json_t *o = json_pack("{s:o}", kinds[line->kind].name, kinds[line->kind].put(line));
	char *text = json_text(o);

	buf_printf(out, "%s\n", text);
	free(text);
	json_decref(o);
}

int audit_line_read(const char *text, size_t len, struct audit_line *out)
{
	struct audit_line line = { .json = NULL };
	int rc = json_parse_object(text, len, AUDIT_LINE_MAX, &line.json);

	if (rc < 0)
		return rc;
	rc = err_set(ERR_INVALID, "a line that is no part of an exported log");
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		const json_t *o = json_object_get(line.json, kinds[i].name);

		if (!json_is_object(o))
			continue;
		line.kind = (enum audit_line_kind)i;
		rc = kinds[i].get(o, &line);
		break;
	}
	if (rc < 0)
		audit_line_release(&line);
	else
		*out = line;
	return rc;
}

void audit_line_release(struct audit_line *line)
{
	json_decref(line->json);
	line->json = NULL;
}
