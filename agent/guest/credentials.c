/* credentials.c - see credentials.h. */
#include "agent/guest/credentials.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/guest/claims.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"

static int open_sealed(const struct guest *g, struct sealed *one_time, const struct proto_credentials_answer *a, struct secret **out)
{
	struct sealed_expected expected = { .tenant = g->reg.account, .agent = g->reg.agent, .version = (uint32_t)a->version,
		.most = PLUGIN_CREDENTIALS_MAX };
	int rc = claims_read(a->sealed, &expected);

	return rc == 0 ? sealed_open(one_time, a->sealed, strlen(a->sealed), &expected, out) : rc;
}

static int ask(struct guest *g, struct proto_credentials_answer *a, struct secret **out)
{
	struct proto_credentials *m = proto_request_new(PROTO_CREDENTIALS);
	struct sealed *one_time = NULL;
	int rc = guest_recipient(g, PROTO_NO_DEVICE, &one_time, m->recipient_key, m->signature);

	if (rc == 0)
		rc = guest_call(g, PROTO_CREDENTIALS, m, a);
	if (rc == 0 && a->sealed[0])
		rc = open_sealed(g, one_time, a, out);
	sealed_free(one_time);
	proto_request_free(PROTO_CREDENTIALS, m);
	return rc;
}

void credentials_drop(struct guest *g)
{
	secret_free(g->credentials);
	g->credentials = NULL;
	g->credentials_label[0] = '\0';
}

int credentials_fetch(struct guest *g)
{
	struct proto_credentials_answer *a;
	struct secret *found = NULL;
	char version[24];
	int rc, fresh;

	if (g->provider->about.credentials_count == 0)
		return 0;
	a = proto_answer_new(PROTO_CREDENTIALS);
	rc = ask(g, a, &found);
	if (rc == 0 && found && strcmp(a->provider, g->provider->name) != 0) {
		log_warning("the image's credentials are another provider plug-in's", "plugin", a->provider, NULL);
		secret_free(found);
		found = NULL;
	}
	if (rc < 0) {
		proto_answer_free(PROTO_CREDENTIALS, a);
		return rc;
	}
	fresh = a->version != g->credentials_version;
	credentials_drop(g);
	g->credentials = found;
	g->credentials_version = a->version;
	snprintf(g->credentials_label, sizeof g->credentials_label, "%s", a->label);
	snprintf(version, sizeof version, "%lld", (long long)a->version);
	if (fresh)
		log_info(found ? "credentials of the provider received" : "the image has no credentials of the provider", "credentials",
			a->label, "version", version, NULL);
	proto_answer_free(PROTO_CREDENTIALS, a);
	return fresh;
}

int credentials_give(struct guest *g, const struct secret *new, const char *label, int64_t replaces)
{
	struct proto_credentials_set *m;
	int rc;

	if (new->len > PLUGIN_CREDENTIALS_MAX)
		return err_set(ERR_TOO_LARGE, "credentials of more than %d bytes", PLUGIN_CREDENTIALS_MAX);
	m = proto_request_new(PROTO_CREDENTIALS_SET);
	snprintf(m->provider, sizeof m->provider, "%s", g->provider->name);
	snprintf(m->label, sizeof m->label, "%s", label);
	memcpy(m->values, new->data, new->len);
	m->replaces = replaces;
	rc = guest_tell(g, PROTO_CREDENTIALS_SET, m, NULL);
	secret_wipe(m->values, sizeof m->values);
	proto_request_free(PROTO_CREDENTIALS_SET, m);
	return rc;
}

static int field_of(const struct plugin_description *about, const char *name, size_t len)
{
	for (int i = 0; i < about->credentials_count; i++)
		if (strlen(about->credentials[i].name) == len && strncmp(about->credentials[i].name, name, len) == 0)
			return i;
	return -1;
}

static int unknown(const struct plugin_description *about, const char *name, size_t len)
{
	struct buf names = BUF_INIT;

	for (int i = 0; i < about->credentials_count; i++)
		buf_printf(&names, "%s%s", i ? ", " : "", about->credentials[i].name);
	/* Not what was given: where "=" was forgotten it may be the secret itself. */
	err_set(ERR_INVALID, names.len ? "credentials: NAME=VALUE,... is needed with these names: %s" : "this provider has no credentials%s",
		buf_str(&names));
	buf_free(&names);
	return ERR_INVALID;
}

struct value {
	const char *from;
	size_t len;              /* in the list, with its escapes */
};

static int split(const struct plugin_description *about, const char *list, struct value *values)
{
	while (*list) {
		size_t name = strcspn(list, "=,"), len = 0;
		int field = field_of(about, list, name);

		if (list[name] != '=' || field < 0 || values[field].from)
			return unknown(about, list, name);
		list += name + 1;
		while (list[len] && list[len] != ',')
			len += list[len] == '\\' && list[len + 1] ? 2 : 1;
		values[field] = (struct value){ list, len };
		list += len + (list[len] == ',');
	}
	for (int i = 0; i < about->credentials_count; i++)
		if (about->credentials[i].required && (values[i].from == NULL || values[i].len == 0))
			return err_set(ERR_INVALID, "credentials: %s (%s) is missing", about->credentials[i].name, about->credentials[i].help);
	return 0;
}

static size_t put(struct secret *s, size_t at, const char *text, size_t len)
{
	memcpy(s->data + at, text, len);
	return at + len;
}

/* As a JSON string: quotes and backslashes escaped, other control characters not taken. */
static size_t put_value(struct secret *s, size_t at, const struct value *v)
{
	at = put(s, at, "\"", 1);
	for (size_t i = 0; i < v->len; i++) {
		i += v->from[i] == '\\' && i + 1 < v->len;
		if (v->from[i] == '"' || v->from[i] == '\\')
			at = put(s, at, "\\", 1);
		at = put(s, at, v->from + i, 1);
	}
	return put(s, at, "\"", 1);
}

static int check_values(const struct value *v, int count)
{
	for (int i = 0; i < count; i++)
		for (size_t j = 0; j < v[i].len; j++)
			if ((unsigned char)v[i].from[j] < ' ')
				return err_set(ERR_INVALID, "credentials: a value holds a control character");
	return 0;
}

static void take_label(const struct plugin_description *about, const struct value *values, char *label)
{
	label[0] = '\0';
	for (int i = 0; i < about->credentials_count && label[0] == '\0'; i++)
		if (!about->credentials[i].secret && values[i].from)
			snprintf(label, PROTO_TEXT_MAX + 1, "%.*s", (int)values[i].len, values[i].from);
}

int credentials_parse(const struct plugin_description *about, const struct secret *list, struct secret **out, char *label)
{
	struct value values[PLUGIN_FIELDS_MAX] = { { NULL, 0 } };
	const char *text = (const char *)list->data;
	struct secret *all, *fitting;
	size_t at = 0;
	int rc = split(about, text, values);

	if (rc == 0)
		rc = check_values(values, about->credentials_count);
	if (rc < 0)
		return rc;
	/* Twice the list for escapes, names and punctuation. */
	all = secret_new(2 * strlen(text) + 8 * PLUGIN_FIELDS_MAX + 16);
	at = put(all, at, "{", 1);
	for (int i = 0; i < about->credentials_count; i++) {
		const char *name = about->credentials[i].name;

		if (values[i].from == NULL || values[i].len == 0)
			continue;
		at = put(all, at, at > 1 ? ",\"" : "\"", at > 1 ? 2 : 1);
		at = put(all, at, name, strlen(name));
		at = put(all, at, "\":", 2);
		at = put_value(all, at, &values[i]);
	}
	at = put(all, at, "}", 1);
	take_label(about, values, label);
	fitting = secret_new(at);
	memcpy(fitting->data, all->data, at);
	secret_free(all);
	*out = fitting;
	return 0;
}
