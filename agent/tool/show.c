/* show.c - what keyward-config prints: for people, or as JSON for scripts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/guest/inventory.h"
#include "agent/tool/columns.h"
#include "agent/tool/tool.h"
#include "base/err.h"
#include "base/json.h"
#include "base/size.h"

static void show_fields(const char *kind, const struct plugin_field *f, int count)
{
	for (int i = 0; i < count; i++)
		printf("    %-11s %-22s %s%s%s%s%s\n", i ? "" : kind, f[i].name, f[i].help, f[i].required ? " (needed)" : "",
			f[i].standard[0] ? " [" : "", f[i].standard, f[i].standard[0] ? "]" : "");
}

static void show_plugin(void *arg, const char *name, const struct provider *p)
{
	printf("%-12s %s\n", name, p ? p->about.title : err_text());
	if (p == NULL)
		return;
	show_fields("settings", p->about.settings, p->about.settings_count);
	show_fields("credentials", p->about.credentials, p->about.credentials_count);
}

static void show_plugin_name(void *arg, const char *name, const struct provider *p)
{
	if (p)
		fprintf(arg, "  %-12s %s\n", name, p->about.title);
}

static json_t *names_of(const struct plugin_field *f, int count)
{
	json_t *list = json_array();

	for (int i = 0; i < count; i++) {
		json_t *o = json_object();

		json_set_string(o, "name", f[i].name);
		json_set_string(o, "help", f[i].help);
		json_set_string(o, "default", f[i].standard);
		json_set_bool(o, "required", f[i].required);
		json_set_bool(o, "secret", f[i].secret);
		json_array_append_new(list, o);
	}
	return list;
}

static void add_plugin(void *arg, const char *name, const struct provider *p)
{
	json_t *o = json_object();

	json_set_string(o, "id", name);
	json_set_string(o, "title", p ? p->about.title : "");
	if (p) {
		json_object_set_new(o, "settings", names_of(p->about.settings, p->about.settings_count));
		json_object_set_new(o, "credentials", names_of(p->about.credentials, p->about.credentials_count));
	} else {
		json_set_string(o, "error", err_text());
	}
	json_array_append_new(arg, o);
}

void show_plugin_names(const struct tool *t)
{
	struct provider_context ctx = { &t->g.conf, NULL, NULL };

	provider_each(&ctx, show_plugin_name, tool_screen());
}

enum tool_exit show_plugins(struct tool *t)
{
	struct provider_context ctx = { &t->g.conf, NULL, NULL };
	json_t *list;

	if (!t->o.json)
		provider_each(&ctx, show_plugin, NULL);
	list = json_array();
	if (t->o.json)
		provider_each(&ctx, add_plugin, list);
	json_object_set_new(t->result, "plugins", list);
	return TOOL_OK;
}

static const char *use_text(const struct tool *t, const struct proto_device *d)
{
	for (int i = 0; i < t->g.devices_count; i++)
		if (strcmp(t->g.devices[i].id, d->id) == 0)
			return t->g.devices[i].state == DEVICE_OPEN ? "volume, open" : "volume, closed";
	if (d->system)
		return "system";
	return d->in_use ? "in use" : "free";
}

static json_t *device_json(const struct tool *t, const struct proto_device *d)
{
	json_t *o = json_object();

	json_set_string(o, "id", d->id);
	json_set_string(o, "name", d->name);
	json_set_string(o, "path", d->path);
	json_set_string(o, "kind", proto_device_kind_names[d->kind]);
	json_set_int(o, "size_bytes", d->size_bytes);
	json_set_string(o, "filesystem", d->filesystem);
	json_set_string(o, "luks_uuid", d->luks_uuid);
	json_set_string(o, "key_device", d->key_device);
	json_set_bool(o, "in_use", d->in_use);
	json_set_bool(o, "system", d->system);
	json_set_string(o, "use", use_text(t, d));
	return o;
}

static const char *content_text(const struct proto_device *d, const char *nothing)
{
	return d->filesystem[0] ? d->filesystem : nothing;
}

/* Where the terminal is too narrow for a table the id, which is wanted whole for a batch file, has a line of its own. */
static void print_apart(const struct tool *t, const struct proto_device *d)
{
	char size[SIZE_TEXT_MAX];

	size_text(d->size_bytes, size);
	printf("%s\n    %s, %s, %s, %s, %s\n", d->id, proto_device_kind_names[d->kind], size, use_text(t, d), content_text(d, "empty"), d->path);
}

static void add_row(const struct tool *t, struct columns *c, const struct proto_device *d)
{
	char size[SIZE_TEXT_MAX];

	size_text(d->size_bytes, size);
	columns_add(c, (const char *[]){ d->id, proto_device_kind_names[d->kind], size, use_text(t, d), content_text(d, "-"), d->path });
}

static void print_devices(const struct tool *t)
{
	const struct proto_inventory *inv = t->g.found;
	struct columns c = { .count = 6, .right = 1u << 2 };

	columns_add(&c, (const char *[]){ "ID", "KIND", "SIZE", "USE", "CONTENT", "PATH" });
	for (int i = 0; i < inv->devices_count; i++)
		add_row(t, &c, &inv->devices[i]);
	if (tool_columns(columns_width(&c)) >= columns_width(&c))
		columns_print(&c);
	else
		for (int i = 0; i < inv->devices_count; i++)
			print_apart(t, &inv->devices[i]);
	columns_free(&c);
}

enum tool_exit show_devices(struct tool *t)
{
	int rc = inventory_scan(&t->g);
	json_t *list;

	if (rc < 0)
		return tool_failed(t, rc, "the devices cannot be listed");
	list = json_array();
	for (int i = 0; i < t->g.found->devices_count; i++)
		json_array_append_new(list, device_json(t, &t->g.found->devices[i]));
	if (!t->o.json)
		print_devices(t);
	json_object_set_new(t->result, "devices", list);
	return TOOL_OK;
}

static json_t *volumes_json(const struct tool *t)
{
	json_t *list = json_array();

	for (int i = 0; i < t->g.devices_count; i++) {
		const struct device *d = &t->g.devices[i];
		json_t *o = json_object();

		json_set_string(o, "device", d->id);
		json_set_string(o, "path", d->path);
		json_set_string(o, "state", device_state_name(d->state));
		json_set_string(o, "mounted", d->state == DEVICE_OPEN ? d->mount_point : NULL);
		json_array_append_new(list, o);
	}
	return list;
}

/* Whether the server takes us as who we say we are: the cheapest message there is. */
static int ping(struct tool *t)
{
	struct proto_empty nothing = { 0 };
	struct proto_provisioning_answer *a;
	int rc = tool_link(t) == TOOL_OK ? 0 : err_set(ERR_UNAVAILABLE, "no connection");

	if (rc < 0)
		return rc;
	a = proto_answer_new(PROTO_PROVISIONING);
	rc = guest_call(&t->g, PROTO_PROVISIONING, &nothing, a);
	proto_answer_free(PROTO_PROVISIONING, a);
	return rc;
}

static void print_status(const struct tool *t, const json_t *o)
{
	static const char *const names[] = { "registered", "url", "account", "agent", "provider", "instance",
		"agent_running", "certificate_checks", "server" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		const json_t *v = json_object_get(o, names[i]);

		if (v)
			printf("%-20s %s\n", names[i], json_is_string(v) ? json_string_value(v) : json_is_true(v) ? "yes" : "no");
	}
	for (int i = 0; i < t->g.devices_count; i++)
		printf("volume               %s  %s  %s\n", t->g.devices[i].id, device_state_name(t->g.devices[i].state),
			t->g.devices[i].state == DEVICE_OPEN ? t->g.devices[i].mount_point : "");
}

static enum tool_exit add_registration(struct tool *t)
{
	json_t *o = t->result;
	int rc = ping(t);

	json_set_string(o, "url", t->g.reg.url);
	json_set_uuid(o, "account", &t->g.reg.account);
	json_set_uuid(o, "agent", &t->g.reg.agent);
	json_set_bool(o, "certificate_checks",
		!t->g.reg.ignore_ssl_errors && !agent_conf_flag(&t->g.conf, AGENT_IGNORE_SSL_ERRORS));
	json_set_string(o, "server", rc < 0 ? err_text() : "answers");
	return rc == 0 ? TOOL_OK : tool_failed(t, rc, "the server");
}

enum tool_exit show_status(struct tool *t)
{
	json_t *o = t->result;
	enum tool_exit code = TOOL_OK;

	if (inventory_scan(&t->g) < 0)
		code = tool_failed(t, ERR_IO, "the devices cannot be listed");
	json_set_bool(o, "registered", t->g.registered);
	json_set_string(o, "provider", t->g.provider->name);
	json_set_string(o, "instance", t->g.who.instance_id);
	json_set_bool(o, "agent_running", tool_agent_runs(&t->g));
	if (t->g.registered) {
		enum tool_exit answer = add_registration(t);

		code = code == TOOL_OK ? answer : code;
	}
	json_object_set_new(o, "volumes", volumes_json(t));
	if (!t->o.json)
		print_status(t, o);
	return code;
}
