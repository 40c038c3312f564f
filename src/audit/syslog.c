/* syslog.c - header, structured data and the three kinds of text. */
#include "audit/syslog.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/json.h"
#include "base/mem.h"

#define PRIORITY (13 * 8 + 5)    /* facility "log audit", severity "notice" */
#define ENTERPRISE "keyward@32473"       /* the number that RFC 5612 keeps for whoever has none */
#define HOST_MAX 255
#define MSGID_MAX 32
#define CEF_SEVERITY 3

static const char *const formats[SYSLOG_FORMAT_COUNT] = { "syslog", "cef", "json" };

/* One field of an entry, its names where they differ, and its text; NULL: it has none. */
struct field {
	const char *name, *cef, *cef_label;
	const char *text;
};

struct message {
	const struct audit_entry *e;
	const char *host, *label, *detail;
	int cut;                     /* the details are left out */
	struct field fields[12];     /* ends with a NULL name */
	char at[CLOCK_TEXT_SIZE], account[UUID_TEXT_SIZE], actor_id[UUID_TEXT_SIZE], object_id[UUID_TEXT_SIZE], number[24], *hash;
};

int syslog_format_find(const char *name)
{
	for (int i = 0; i < SYSLOG_FORMAT_COUNT; i++)
		if (strcmp(formats[i], name) == 0)
			return i;
	return -1;
}

static void fill(struct message *m)
{
	const struct audit_entry *e = m->e;
	const struct field fields[] = {
		{ "account", "cs1", "cs1Label=account", m->account }, { "number", "externalId", NULL, m->number }, { "category", "cat", NULL, e->category },
		{ "actorKind", "sproc", NULL, e->actor_kind }, { "actor", "suser", NULL, e->actor_name },
		{ "actorId", "suid", NULL, e->has_actor_id ? m->actor_id : NULL }, { "objectKind", "cs2", "cs2Label=objectKind", e->object_kind },
		{ "object", "cs3", "cs3Label=object", e->object_name }, { "objectId", "cs4", "cs4Label=objectId", e->has_object_id ? m->object_id : NULL },
		{ "address", e->address && strchr(e->address, ':') ? "c6a2" : "src", NULL, e->address }, { "request", "cs5", "cs5Label=request", e->request },
		{ "hash", "cs6", "cs6Label=hash", m->hash },
	};

	clock_text(e->at, m->at);
	uuid_text(&e->tenant, m->account);
	uuid_text(&e->actor_id, m->actor_id);
	uuid_text(&e->object_id, m->object_id);
	snprintf(m->number, sizeof m->number, "%lld", (long long)e->seq);
	memcpy(m->fields, fields, sizeof fields);
}

/* C in front of which a backslash stands in OUT, of those in ESCAPED. */
static void escape(struct buf *out, const char *text, const char *escaped)
{
	for (; *text; text++) {
		if (strchr(escaped, *text))
			buf_putc(out, '\\');
		buf_putc(out, *text);
	}
}

/* Printable US-ASCII without spaces (RFC 5424, 6); "-": nothing is left. */
static void put_word(struct buf *out, const char *text, size_t most)
{
	size_t from = out->len;

	for (; *text && out->len - from < most; text++)
		buf_putc(out, *text > 32 && *text < 127 ? *text : '_');
	if (out->len == from)
		buf_putc(out, '-');
}

/* For plain text every field; else those by which a receiver knows a message that it has already. */
static void put_structured(const struct message *m, enum syslog_format f, struct buf *out)
{
	buf_puts(out, " [" ENTERPRISE);
	for (size_t i = 0; i < ARRAY_LEN(m->fields); i++) {
		const struct field *field = &m->fields[i];

		if (field->text == NULL || (f != SYSLOG_PLAIN && i > 1))
			continue;
		buf_printf(out, " %s=\"", field->name);
		escape(out, field->text, "\"\\]");
		buf_putc(out, '"');
	}
	if (m->cut)
		buf_puts(out, " cut=\"details\"");
	buf_puts(out, "] ");
}

static void put_plain(const struct message *m, struct buf *out)
{
	buf_puts(out, "\xef\xbb\xbf");
	buf_puts(out, m->label);
	if (m->detail)
		buf_printf(out, " %s", m->detail);
}

/* Line ends are \n in an extension. */
static void put_cef_value(struct buf *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '\n' || *text == '\r') {
			buf_puts(out, *text == '\n' ? "\\n" : "\\r");
			continue;
		}
		if (*text == '\\' || *text == '=')
			buf_putc(out, '\\');
		buf_putc(out, *text);
	}
}

static void put_cef(const struct message *m, struct buf *out)
{
	buf_puts(out, "CEF:0|Keyward|Keyward|1|");
	escape(out, m->e->event, "|\\");
	buf_putc(out, '|');
	escape(out, m->label, "|\\");
	buf_printf(out, "|%d|rt=%lld", CEF_SEVERITY, (long long)(m->e->at / 1000));
	for (size_t i = 0; i < ARRAY_LEN(m->fields); i++) {
		const struct field *field = &m->fields[i];

		if (field->text == NULL)
			continue;
		if (field->cef_label)
			buf_printf(out, " %s", field->cef_label);
		buf_printf(out, " %s=", field->cef);
		put_cef_value(out, field->text);
	}
	if (m->detail) {
		buf_puts(out, " msg=");
		put_cef_value(out, m->detail);
	}
}

static void put_json(const struct message *m, struct buf *out)
{
	json_t *o = json_pack("{s:s, s:s, s:s}", "at", m->at, "event", m->e->event, "label", m->label);
	char *text;

	for (size_t i = 0; i < ARRAY_LEN(m->fields); i++)
		if (m->fields[i].text)
			json_set_string(o, m->fields[i].name, m->fields[i].text);
	json_set_int(o, "number", m->e->seq);
	if (m->detail)
		json_object_set_new(o, "detail", json_loads(m->detail, JSON_DECODE_ANY, NULL));
	if (m->cut)
		json_set_string(o, "cut", "details");
	text = json_text(o);
	buf_puts(out, text);
	free(text);
	json_decref(o);
}

static void put_message(const struct message *m, enum syslog_format f, struct buf *out)
{
	static void (*const put[SYSLOG_FORMAT_COUNT])(const struct message *, struct buf *) = { put_plain, put_cef, put_json };

	buf_printf(out, "<%d>1 %s ", PRIORITY, m->at);
	put_word(out, m->host, HOST_MAX);
	buf_puts(out, " keyward - ");
	put_word(out, m->e->event, MSGID_MAX);
	put_structured(m, f, out);
	put[f](m, out);
}

void syslog_write(const struct audit_entry *e, enum syslog_format f, const char *host, const char *label, struct buf *out)
{
	struct message m = { .e = e, .host = host, .label = label, .detail = e->detail, .hash = encode_hex(e->hash, sizeof e->hash) };
	struct buf text = BUF_INIT;

	fill(&m);
	put_message(&m, f, &text);
	if (text.len > SYSLOG_MESSAGE_MAX) {
		buf_reset(&text);
		m.detail = NULL;
		m.cut = 1;
		put_message(&m, f, &text);
	}
	buf_printf(out, "%zu ", text.len);
	buf_add(out, text.data, text.len);
	buf_free(&text);
	free(m.hash);
}
