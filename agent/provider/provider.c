/* provider.c - plug-ins as files, their settings, and the way of a question to one and of its answer back. */
#include "agent/common/container.h"
#include "agent/provider/provider.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/common/registration.h"
#include "agent/provider/block.h"
#include "agent/provider/run.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"

#define MEMORY_MAX 65536

const char *provider_folder(const struct agent_conf *conf)
{
	const char *set = agent_conf_text(conf, AGENT_PLUGINS);

	return *set ? set : KEYWARD_PLUGINS;
}

static int is_name(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return len > 0 && len <= PROTO_WORD_MAX && name[len] == '\0' && name[0] >= 'a';
}

/* What is written to its standard input: the question's members, and the credentials from where they lie. */
static int question_text(const struct provider *p, enum plugin_question q, json_t *args, char **out)
{
	json_t *o = args ? args : json_object();

	json_set_int(o, "keyward", PLUGIN_VERSION);
	json_set_string(o, "question", plugin_questions[q].name);
	json_object_set(o, "settings", p->settings);
	if (p->memo)
		json_object_set(o, "memo", p->memo);
	*out = json_text(o);
	json_decref(o);
	return strlen(*out) > PLUGIN_QUESTION_MAX - PLUGIN_CREDENTIALS_MAX ? err_set(ERR_TOO_LARGE, "the question is too long") : 0;
}

static void log_errors(const struct provider *p, const struct buf *errors)
{
	char *text = mem_strdup(buf_str(errors)), *rest = text, *line;

	while ((line = strsep(&rest, "\n")) != NULL)
		if (*line)
			log_debug("provider plug-in", "plugin", p->name, "says", line, NULL);
	free(text);
}

/* An error answer comes with status 1, any other with 0; whatever else it ends with is a failure of the plug-in. */
static int read_answer(struct provider *p, enum plugin_question q, const struct run_result *r, void *out)
{
	struct plugin_common common;
	int rc;

	if (r->status > 1)
		return err_set(ERR_INTERNAL, r->status > 128 ? "it was ended by signal %d" : "it ended with status %d",
			r->status > 128 ? r->status - 128 : r->status);
	rc = plugin_answer_read(q, buf_str(&r->output), r->output.len, out, &common);
	if (rc < 0)
		return rc;
	if (r->status != 0) {
		json_decref(common.memo);
		return err_set(ERR_INTERNAL, "it answered, but ended with status 1");
	}
	if (common.memo) {
		json_decref(p->memo);
		p->memo = common.memo;
	}
	if (common.warning[0])
		log_warning("the provider plug-in warns", "plugin", p->name, "question", plugin_questions[q].name, "warning", common.warning,
			NULL);
	return 0;
}

static int ask(struct provider *p, const struct secret *credentials, enum plugin_question q, json_t *args, void *out)
{
	struct run run = { .path = p->path, .seconds = plugin_questions[q].seconds, .max = PLUGIN_ANSWER_MAX };
	char middle[] = ",\"credentials\":", end[] = "}", *text = NULL;
	struct run_result result = { BUF_INIT, BUF_INIT, 0, 0 };
	struct iovec input[4];
	int rc = question_text(p, q, args, &text);

	input[0] = (struct iovec){ text, strlen(text) - (credentials != NULL) };
	input[1] = (struct iovec){ middle, strlen(middle) };
	input[2] = credentials ? (struct iovec){ credentials->data, credentials->len } : (struct iovec){ NULL, 0 };
	input[3] = (struct iovec){ end, 1 };
	run.input = input;
	run.input_count = credentials ? 4 : 1;
	if (rc == 0)
		rc = run_program(&run, &result);
	log_errors(p, &result.errors);
	if (rc == 0)
		rc = read_answer(p, q, &result, out);
	free(text);
	run_result_free(&result);
	return rc < 0 ? err_wrap(rc, "provider plug-in %s, %s", p->name[0] ? p->name : p->path, plugin_questions[q].name) : 0;
}

int provider_ask(struct provider *p, const struct provider_context *ctx, enum plugin_question q, json_t *args, void *out)
{
	if (!plugin_answers(&p->about, q)) {
		json_decref(args);
		return err_set(ERR_UNSUPPORTED, "the provider plug-in %s has no \"%s\"", p->name, plugin_questions[q].name);
	}
	return ask(p, ctx->credentials, q, args, out);
}

static void fill_settings(struct provider *p)
{
	for (int i = 0; i < p->about.settings_count; i++)
		if (p->about.settings[i].standard[0])
			json_set_string(p->settings, p->about.settings[i].name, p->about.settings[i].standard);
}

int provider_open_file(const char *path, struct provider **out)
{
	struct provider *p = mem_alloc(sizeof *p);
	int rc;

	p->settings = json_object();
	snprintf(p->path, sizeof p->path, "%.*s", PROTO_PATH_MAX, path);
	rc = ask(p, NULL, PLUGIN_DESCRIBE, NULL, &p->about);
	if (rc == 0 && !is_name(p->about.name))
		rc = err_set(ERR_INVALID, "%s: \"%s\" is no name of a plug-in: small letters, digits and - are", path, p->about.name);
	if (rc < 0) {
		provider_close(p);
		return rc;
	}
	snprintf(p->name, sizeof p->name, "%s", p->about.name);
	fill_settings(p);
	*out = p;
	return 0;
}

void provider_close(struct provider *p)
{
	if (p == NULL)
		return;
	json_decref(p->settings);
	json_decref(p->memo);
	free(p);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_plugin(const struct dirent *d)
{
	return is_name(d->d_name);
}

static int not_found(const char *name, const char *folder)
{
	struct buf names = BUF_INIT;
	struct dirent **list;
	int count = scandir(folder, &list, is_plugin, by_name);

	for (int i = 0; i < count; i++) {
		buf_printf(&names, "%s%s", i ? ", " : "", list[i]->d_name);
		free(list[i]);
	}
	if (count >= 0)
		free(list);
	err_set(ERR_NOT_FOUND, "there is no provider plug-in \"%s\" in %s; there %s%s", name, folder, count > 0 ? "are: " : "is none",
		buf_str(&names));
	buf_free(&names);
	return ERR_NOT_FOUND;
}

int provider_set(struct provider *p, const char *assignment)
{
	const char *equals = strchr(assignment, '=');
	size_t len = equals ? (size_t)(equals - assignment) : 0;
	struct buf names = BUF_INIT;

	for (int i = 0; i < p->about.settings_count; i++) {
		const char *name = p->about.settings[i].name;

		if (equals && strlen(name) == len && strncmp(name, assignment, len) == 0) {
			buf_free(&names);
			json_set_string(p->settings, name, equals + 1);
			return json_object_get(p->settings, name) ? 0 : err_set(ERR_INVALID, "%s: the value is not UTF-8", name);
		}
		buf_printf(&names, "%s%s", i ? ", " : "", name);
	}
	err_set(ERR_INVALID, "the provider plug-in %s has no setting \"%.*s\"; it has %s%s", p->name,
		(int)(equals ? len : strlen(assignment)), assignment, names.len ? "" : "none", buf_str(&names));
	buf_free(&names);
	return ERR_INVALID;
}

/* "name=value,name=value". */
static int take_options(struct provider *p, const char *options)
{
	char *list = mem_strdup(options), *rest = list, *item;
	int rc = 0;

	while (rc == 0 && (item = strsep(&rest, ",")) != NULL)
		if (*item)
			rc = provider_set(p, item);
	free(list);
	return rc;
}

static char *memory_path(const struct provider_context *ctx)
{
	return mem_printf("%s/provider.json", ctx->state_dir);
}

/* What an earlier registration was told, where it was told it for this plug-in. A new object, empty where there is nothing. */
static json_t *remembered(const struct provider *p, const struct provider_context *ctx)
{
	char *path = ctx->state_dir ? memory_path(ctx) : NULL;
	json_t *o = NULL, *settings = NULL;
	struct buf text = BUF_INIT;

	if (path && file_read(path, MEMORY_MAX, &text) == 0 && json_parse_object(buf_str(&text), text.len, MEMORY_MAX, &o) == 0
		&& json_is_string(json_object_get(o, "provider")) && strcmp(json_string_value(json_object_get(o, "provider")), p->name) == 0
		&& json_is_object(json_object_get(o, "settings")))
		settings = json_incref(json_object_get(o, "settings"));
	json_decref(o);
	buf_free(&text);
	free(path);
	return settings ? settings : json_object();
}

static int take_remembered(struct provider *p, const struct provider_context *ctx)
{
	json_t *settings = remembered(p, ctx), *value;
	const char *name;
	int rc = 0;

	json_object_foreach(settings, name, value) {
		char *assignment = rc == 0 && json_is_string(value) ? mem_printf("%s=%s", name, json_string_value(value)) : NULL;

		if (assignment)
			rc = provider_set(p, assignment);
		free(assignment);
	}
	json_decref(settings);
	return rc;
}

int provider_remember(const struct provider *p, const struct provider_context *ctx)
{
	json_t *settings = remembered(p, ctx), *o = json_object();
	char *list = mem_strdup(ctx->options), *rest = list, *item, *text, *path;
	int rc;

	while ((item = strsep(&rest, ",")) != NULL) {
		char *value = item, *name = strsep(&value, "=");

		if (value)
			json_set_string(settings, name, value);
	}
	json_set_string(o, "provider", p->name);
	json_object_set_new(o, "settings", settings);
	text = json_text(o);
	path = memory_path(ctx);
	rc = file_write(path, text, strlen(text), 0600);
	free(path);
	free(text);
	free(list);
	json_decref(o);
	return rc;
}

static int take_file(struct provider *p, const struct agent_conf *conf)
{
	char item[PROTO_PATH_MAX + PROTO_WORD_MAX + 2];
	size_t cursor = 0;
	int rc = 0;

	while (rc == 0 && agent_conf_item(conf, AGENT_PROVIDER_SETTING, &cursor, item, sizeof item))
		rc = provider_set(p, item);
	return rc;
}

int provider_open(const char *name, const struct provider_context *ctx, struct provider **out)
{
	const char *folder = provider_folder(ctx->conf);
	struct provider *p = NULL;
	char path[PATH_MAX];
	int rc;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	if (!is_name(name))
		return not_found(name, folder);
	rc = run_may(path);
	if (rc == ERR_NOT_FOUND)
		return not_found(name, folder);
	if (rc == 0)
		rc = provider_open_file(path, &p);
	if (rc == 0 && strcmp(p->name, name) != 0)
		rc = err_set(ERR_INVALID, "%s: it calls itself \"%s\"", path, p->name);
	if (rc == 0)
		rc = take_remembered(p, ctx);
	if (rc == 0)
		rc = take_file(p, ctx->conf);
	if (rc == 0 && ctx->options)
		rc = take_options(p, ctx->options);
	if (rc == 0)
		*out = p;
	else
		provider_close(p);
	return rc;
}

void provider_each(const struct provider_context *ctx, void (*each)(void *arg, const char *name, const struct provider *p), void *arg)
{
	struct dirent **list;
	int count = scandir(provider_folder(ctx->conf), &list, is_plugin, by_name);

	for (int i = 0; i < count; i++) {
		struct provider *p = NULL;
		char path[PATH_MAX];

		snprintf(path, sizeof path, "%s/%s", provider_folder(ctx->conf), list[i]->d_name);
		if (run_may(path) == 0)
			provider_open_file(path, &p);
		each(arg, list[i]->d_name, p);
		provider_close(p);
		free(list[i]);
	}
	if (count >= 0)
		free(list);
}

static int check_settings(const struct provider *p)
{
	for (int i = 0; i < p->about.settings_count; i++)
		if (p->about.settings[i].required && json_object_get(p->settings, p->about.settings[i].name) == NULL)
			return err_set(ERR_INVALID, "the provider plug-in %s needs the setting \"%s\": %s", p->name, p->about.settings[i].name,
				p->about.settings[i].help);
	return 0;
}

int provider_identify(struct provider *p, const struct provider_context *ctx, struct provider_identity *out)
{
	const char *wanted = agent_conf_text(ctx->conf, AGENT_INSTANCE_ID);
	struct plugin_location location = { "", "" };
	struct plugin_identity identity;
	int rc = check_settings(p);

	if (rc == 0)
		rc = provider_ask(p, ctx, PLUGIN_IDENTIFY, NULL, &identity);
	if (rc == 0 && plugin_answers(&p->about, PLUGIN_LOCATION))
		rc = provider_ask(p, ctx, PLUGIN_LOCATION, NULL, &location);
	if (rc == 0 && *wanted)
		snprintf(identity.instance_id, sizeof identity.instance_id, "%.*s", PROTO_ID_MAX, wanted);
	else if (rc == 0 && identity.instance_id[0] == '\0')
		rc = registration_instance_id(ctx->state_dir, identity.instance_id);
	if (rc < 0)
		return rc;
	memcpy(out->instance_id, identity.instance_id, sizeof out->instance_id);
	memcpy(out->image_id, identity.image_id, sizeof out->image_id);
	memcpy(out->image_name, identity.image_name, sizeof out->image_name);
	memcpy(out->region, location.region, sizeof out->region);
	memcpy(out->zone, location.zone, sizeof out->zone);
	return 0;
}

static int is_listed(const struct proto_device *list, size_t count, const struct proto_device *d)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i].id, d->id) == 0 || strcmp(list[i].path, d->path) == 0)
			return 1;
	return 0;
}

static void take_device(const struct plugin_device *from, struct proto_device *to)
{
	memset(to, 0, sizeof *to);
	memcpy(to->id, from->id, sizeof to->id);
	memcpy(to->name, from->name, sizeof to->name);
	memcpy(to->path, from->path, sizeof to->path);
	to->kind = from->kind;
	to->size_bytes = from->size_bytes;
}

/* Those that are made already. */
static size_t add_containers(const struct provider_context *ctx, struct proto_device *out, size_t count, size_t max)
{
	char item[2 * PROTO_PATH_MAX];
	struct container c;
	size_t cursor = 0;

	while (count < max && agent_conf_item(ctx->conf, AGENT_CONTAINER, &cursor, item, sizeof item))
		if (container_parse(item, &c) == 0 && block_describe(c.path, &out[count]) == 0 && !is_listed(out, count, &out[count]))
			count++;
	return count;
}

/* Container files, say: the same for every provider. */
static size_t add_named(const struct provider_context *ctx, struct proto_device *out, size_t count, size_t max)
{
	char path[PROTO_TEXT_MAX + 1];
	size_t cursor = 0;

	while (count < max && agent_conf_item(ctx->conf, AGENT_DEVICES, &cursor, path, sizeof path)) {
		if (block_describe(path, &out[count]) < 0)
			log_warning("a device of the configuration file is left out", "path", path, "reason", err_text(), NULL);
		else if (!is_listed(out, count, &out[count]))
			count++;
	}
	return add_containers(ctx, out, count, max);
}

int provider_list(struct provider *p, const struct provider_context *ctx, struct proto_device *out, size_t max)
{
	struct plugin_devices *found = mem_alloc(sizeof *found);
	int rc = provider_ask(p, ctx, PLUGIN_LIST, NULL, found);
	size_t count = 0;

	for (int i = 0; rc == 0 && i < found->devices_count && count < max; i++) {
		take_device(&found->devices[i], &out[count]);
		if (is_listed(out, count, &out[count]))
			log_warning("a device that the provider plug-in lists twice is left out", "device", out[count].id, "path", out[count].path,
				NULL);
		else
			count++;
	}
	free(found);
	return rc < 0 ? rc : (int)add_named(ctx, out, count, max);
}
