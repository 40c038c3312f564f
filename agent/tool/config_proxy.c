/* config_proxy.c - keyward-config --proxy-settings: show, set, try and forget the proxy (AGT-7). */
#include <stdio.h>
#include <string.h>

#include "agent/common/private.h"
#include "agent/common/proxy.h"
#include "agent/tool/tool.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"

static const struct {
	const char *name, *text;
} stages[] = {
#define X(id, name, text) { name, text },
	LINK_STAGES(X)
#undef X
};

static const char *source(const struct proxy *p, const char *used)
{
	return p->url[0] ? "settings" : *used ? "environment" : "none";
}

static json_t *describe(const struct proxy *p, const char *used)
{
	json_t *o = json_object();

	json_set_string(o, "source", source(p, used));
	json_set_string(o, "url", p->url[0] ? p->url : *used ? used : NULL);
	json_set_string(o, "user", p->user[0] ? p->user : NULL);
	json_set_bool(o, "has_password", p->password != NULL);
	return o;
}

static void say(const struct tool *t, const struct proxy *p, const char *used)
{
	if (p->url[0])
		tool_say(t, "Proxy: %s%s%s%s", p->url, p->user[0] ? ", login " : "", p->user,
			p->password ? " with a password (not shown)" : p->user[0] ? " without a password" : "");
	else if (*used)
		tool_say(t, "Proxy: %s, from the environment (https_proxy)", used);
	else
		tool_say(t, "No proxy is set.");
}

/* Where the test goes: what is registered, else what the options or the file say; NULL when nobody says. */
static const char *target(const struct tool *t)
{
	if (t->o.url)
		return t->o.url;
	if (t->g.registered)
		return t->g.reg.url;
	return *agent_conf_text(&t->g.conf, AGENT_URL) ? agent_conf_text(&t->g.conf, AGENT_URL) : NULL;
}

static enum tool_exit show(struct tool *t, const struct proxy *p)
{
	char used[PROXY_URL_MAX + 1];

	/* What no name is excepted from. */
	proxy_of_environment("", used);
	say(t, p, used);
	json_object_set_new(t->result, "proxy", describe(p, used));
	return TOOL_OK;
}

static int is_passed(enum link_stage stage, const char *proxy)
{
	if (stage == LINK_PROXY_TLS)
		return strncmp(proxy, "https:", 6) == 0;
	return *proxy || (stage != LINK_LOGIN && stage != LINK_TUNNEL);
}

/* One line for each thing that is on the way, up to the one that failed. */
static json_t *list_stages(const struct tool *t, enum link_stage failed, const char *proxy)
{
	json_t *list = json_array();

	for (size_t i = 0; i < ARRAY_LEN(stages) && i <= failed; i++) {
		if (!is_passed((enum link_stage)i, proxy))
			continue;
		tool_say(t, "  %-24s %s", stages[i].text, i == failed ? "FAILED" : "ok");
		json_array_append_new(list, json_pack("{s:s, s:b}", "stage", stages[i].name, "ok", i != failed));
	}
	return list;
}

static enum tool_exit try(struct tool *t, const struct proxy *p)
{
	const char *url = target(t), *ca = agent_conf_text(&t->g.conf, AGENT_CA_FILE);
	json_t *o;
	int rc;

	if (url == NULL)
		return tool_complain(t, TOOL_USAGE, "a test needs a Web Service to reach: give --url");
	rc = guest_connect(&t->g, url, *ca || !t->g.registered ? ca : t->g.reg.ca_file,
		agent_conf_flag(&t->g.conf, AGENT_IGNORE_SSL_ERRORS));
	if (rc < 0)
		return tool_failed(t, rc, "the proxy cannot be tried");
	rc = link_try(t->g.link);
	say(t, p, link_proxy(t->g.link));
	tool_say(t, "The way to %s:", url);
	o = describe(p, link_proxy(t->g.link));
	json_object_set_new(o, "test", list_stages(t, link_failed_at(t->g.link), link_proxy(t->g.link)));
	json_object_set_new(t->result, "proxy", o);
	if (rc < 0)
		return tool_failed(t, rc, "the Web Service is not reached");
	guest_unlink(&t->g);
	return TOOL_OK;
}

static int take_password(struct tool *t, struct proxy *p)
{
	int rc = private_secret("proxy password", NULL, t->o.proxy_password_file, "KEYWARD_PROXY_PASSWORD", &p->password);

	if (rc == 0 && p->user[0] && p->password == NULL && tool_may_ask(t))
		rc = ask_passphrase("Password of the proxy's login: ", &p->password);
	if (rc == 0 && p->password && !p->user[0])
		rc = err_set(ERR_INVALID, "a password without a login's name (--proxy-user)");
	return rc;
}

/* A word that was mistyped would be taken for the name of a proxy, and cut the machine off. */
static int is_slip(const char *text)
{
	static const struct option_row words[] = { { .name = "show", .kind = OPTION_FLAG }, { .name = "test", .kind = OPTION_FLAG },
		{ .name = "remove", .kind = OPTION_FLAG } };
	static const struct option_table table = { .program = "proxy-settings", .rows = words, .count = ARRAY_LEN(words) };
	const char *meant = strpbrk(text, ".:/@") ? NULL : option_nearest(&table, text);

	if (meant)
		err_set(ERR_INVALID, "\"%s\" is no proxy; did you mean %s? (one of that name: http://%s:3128)", text, meant, text);
	return meant != NULL;
}

static enum tool_exit set(struct tool *t, const char *text)
{
	struct proxy p = { .password = NULL };
	int rc = is_slip(text) ? ERR_INVALID : proxy_parse(text, &p);

	if (rc == 0 && p.password)
		log_warning("a password in the URL can be seen by others with ps; --proxy-user with a file, the environment or a question"
			" keep it out", NULL);
	if (rc == 0 && t->o.proxy_user && strlen(t->o.proxy_user) > PROXY_USER_MAX)
		rc = err_set(ERR_INVALID, "the login's name is too long");
	if (rc == 0 && t->o.proxy_user)
		snprintf(p.user, sizeof p.user, "%s", t->o.proxy_user);
	if (rc == 0)
		rc = take_password(t, &p);
	if (rc == 0)
		rc = proxy_save(t->g.state_dir, &p);
	if (rc == 0) {
		say(t, &p, "");
		tool_say(t, "--proxy-settings test tries it.");
		json_object_set_new(t->result, "proxy", describe(&p, ""));
	}
	proxy_clear(&p);
	return rc < 0 ? tool_failed(t, rc, "the proxy was not set") : TOOL_OK;
}

static enum tool_exit forget(struct tool *t)
{
	struct proxy none = { .password = NULL };

	tool_say(t, proxy_remove(t->g.state_dir) ? "The proxy is removed." : "No proxy was set.");
	json_object_set_new(t->result, "proxy", describe(&none, ""));
	return TOOL_OK;
}

enum tool_exit proxy_settings(struct tool *t)
{
	const char *what = (const char *)t->o.proxy->data;
	struct proxy p = { .password = NULL };
	enum tool_exit code;
	int rc;

	if (strcmp(what, "remove") == 0)
		return forget(t);
	if (strcmp(what, "show") != 0 && strcmp(what, "test") != 0)
		return set(t, what);
	rc = proxy_load(t->g.state_dir, &p);
	if (rc < 0 && rc != ERR_NOT_FOUND)
		return tool_failed(t, rc, "the proxy's settings cannot be read");
	code = strcmp(what, "show") == 0 ? show(t, &p) : try(t, &p);
	proxy_clear(&p);
	return code;
}
