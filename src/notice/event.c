/* event.c - the table of events, looked up. */
#include "notice/event.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

const struct notice_event notice_events[] = {
#define X(name, heading, severity, roles, sees, label, help, entry, only, is, template) \
	{ name, heading, NOTICE_##severity, roles, PERMISSION_##sees, label, help, entry, only, is, template },
	NOTICE_EVENTS(X)
#undef X
	{ NULL },
};

static const struct {
	const char *name, *label, *colour;
} severities[] = {
#define X(id, name, label, colour) { name, label, colour },
	NOTICE_SEVERITIES(X)
#undef X
};

int notice_event_of_operator(const struct notice_event *e)
{
	return permission_is_operator(e->sees);
}

const struct notice_event *notice_event_find(const char *name, int operator_side)
{
	for (const struct notice_event *e = notice_events; e->name; e++)
		if (strcmp(e->name, name) == 0 && notice_event_of_operator(e) == operator_side)
			return e;
	return NULL;
}

static const char *text_of(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));

	return text ? text : "";
}

int notice_event_fits(const struct notice_event *e, const json_t *entry)
{
	return strcmp(text_of(entry, "event"), e->entry) == 0 &&
		(e->only == NULL || strcmp(text_of(json_object_get(entry, "detail"), e->only), e->is) == 0);
}

json_t *notice_event_names(const json_t *entry, int operator_side)
{
	json_t *out = json_array();

	for (const struct notice_event *e = notice_events; e->name; e++) {
		if (notice_event_of_operator(e) != operator_side || !notice_event_fits(e, entry))
			continue;
		if (e->only)
			json_array_insert_new(out, 0, json_string(e->name));
		else
			json_array_append_new(out, json_string(e->name));
	}
	return out;
}

char *notice_event_entries(int operator_side)
{
	struct buf out = BUF_INIT;

	buf_puts(&out, "{");
	for (const struct notice_event *e = notice_events; e->name; e++)
		if (notice_event_of_operator(e) == operator_side)
			buf_printf(&out, "%s%s", out.len > 1 ? "," : "", e->entry);
	buf_puts(&out, "}");
	return buf_take(&out);
}

char *notice_event_visible(enum role role)
{
	struct buf out = BUF_INIT;

	buf_puts(&out, "{");
	for (const struct notice_event *e = notice_events; e->name; e++)
		if (role_may(role, e->sees))
			buf_printf(&out, "%s%s", out.len > 1 ? "," : "", e->name);
	buf_puts(&out, "}");
	return buf_take(&out);
}

const char *notice_severity_name(enum notice_severity s)
{
	return severities[s].name;
}

const char *notice_severity_label(enum notice_severity s)
{
	return severities[s].label;
}

const char *notice_severity_colour(enum notice_severity s)
{
	return severities[s].colour;
}

enum notice_severity notice_severity_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(severities); i++)
		if (strcmp(severities[i].name, name) == 0)
			return (enum notice_severity)i;
	return NOTICE_INFO;
}

char *notice_path(const char *kind, const char *id)
{
	static const struct { const char *kind, *path; int of_one; } pages[] = {
		{ "device", "/devices", 1 }, { "request", "/requests", 1 }, { "instance", "/instances", 1 }, { "image", "/images", 1 },
		{ "policy", "/policies", 1 }, { "user", "/users", 1 }, { "report", "/reports", 1 }, { "webhook", "/webhooks", 1 },
		{ "licence", "/licence", 0 }, { "tenant", "/tenants", 1 }, { "key-server", "/account/key-server", 0 }, { "installation-key-server", "/key-server", 0 },
		{ "operator", "/operators", 1 }, { "mail", "/mail", 0 }, { "backup", "/keys", 0 }, { "keys", "/keys", 0 }, { "processes", "/health", 0 },
		{ "queue", "/jobs", 0 }, { "failed-jobs", "/jobs?state=failed", 0 }, { "webhooks", "/health", 0 }, { "disk", "/health", 0 }, { "clock", "/health", 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(pages); i++)
		if (strcmp(pages[i].kind, kind) == 0)
			return pages[i].of_one && *id ? mem_printf("%s/%s", pages[i].path, id) : mem_strdup(pages[i].path);
	return mem_strdup("/notices");
}
