/* config.c - keyward-config, the Configuration Tool: registers this machine, publishes its devices, waits for what the
 * console orders. By options for scripts, by questions on a terminal. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/common/host.h"
#include "agent/common/private.h"
#include "agent/guest/container_make.h"
#include "agent/guest/inventory.h"
#include "agent/tool/tool.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"

#define TIMEOUT_STANDARD 720

static int on_container(void *ctx, const char *path, int percent)
{
	const struct tool *t = ctx;

	tool_progress(t, path, "writing", percent);
	return tool_interrupted();
}

static enum tool_exit publish(struct tool *t)
{
	enum tool_exit code = tool_link(t);
	int rc = code == TOOL_OK ? container_make_all(&t->g.conf, t->g.state_dir, on_container, t) : 0;

	if (rc >= 0)
		rc = code == TOOL_OK ? inventory_scan(&t->g) : 0;

	if (code == TOOL_OK && rc == 0)
		rc = inventory_publish(&t->g);
	if (rc < 0)
		return tool_failed(t, rc, "the inventory was not published");
	if (code != TOOL_OK)
		return code;
	tool_say(t, "Inventory published: %d device%s.", t->g.found->devices_count, t->g.found->devices_count == 1 ? "" : "s");
	json_set_int(t->result, "published", t->g.found->devices_count);
	return TOOL_OK;
}

/* In the order in which they make sense together; the first that fails is the result. */
static const struct action {
	size_t wanted;                   /* of an int in struct tool_options */
	enum tool_exit (*run)(struct tool *);
} actions[] = {
	{ offsetof(struct tool_options, register_), enrol },
	{ offsetof(struct tool_options, give_credentials), tool_give_credentials },
	{ offsetof(struct tool_options, publish), publish },
	{ offsetof(struct tool_options, batch), batch_propose },
	{ offsetof(struct tool_options, with_provisioning), await_provisioning },
	{ offsetof(struct tool_options, mount), await_mounts },
	{ offsetof(struct tool_options, device_list), show_devices },
	{ offsetof(struct tool_options, status), show_status },
};

static int is_wanted(const struct tool_options *o, const struct action *a)
{
	int wanted;

	memcpy(&wanted, (const char *)o + a->wanted, sizeof wanted);
	return wanted;
}

static int wants_nothing(const struct tool_options *o)
{
	for (size_t i = 0; i < ARRAY_LEN(actions); i++)
		if (is_wanted(o, &actions[i]))
			return 0;
	return o->proxy == NULL && o->devices == NULL && o->new_credentials == NULL && o->new_credentials_file == NULL
		&& !o->update_credentials && o->adopt == NULL && o->hand_over == NULL && o->decrypt == NULL;
}

static enum tool_exit act(struct tool *t)
{
	enum tool_exit code = TOOL_OK;

	t->until = clock_ticks() + t->o.timeout * CLOCK_MINUTE;
	if (t->o.proxy)
		code = proxy_settings(t);
	for (size_t i = 0; i < ARRAY_LEN(actions) && code == TOOL_OK; i++)
		if (is_wanted(&t->o, &actions[i]))
			code = actions[i].run(t);
	if (t->o.adopt && code == TOOL_OK)
		code = adopt_volume(t);
	if (t->o.hand_over && code == TOOL_OK)
		code = hand_over_volume(t);
	if (t->o.decrypt && code == TOOL_OK)
		code = decrypt_volume(t);
	return code;
}

/* The agent is to use them too. */
static int remember_options(struct tool *t)
{
	struct provider_context ctx = guest_provider_context(&t->g);

	return provider_remember(t->g.provider, &ctx);
}

/* Options go over the file. */
static int apply(struct tool *t)
{
	int rc = 0;

	if (t->o.options)
		rc = remember_options(t);
	if (rc == 0 && t->o.saas)
		rc = *agent_conf_text(&t->g.conf, AGENT_SAAS_URL) ? 0 : err_set(ERR_INVALID,
			"--saas: this build knows no hosted service; name it by saas_url in agent.conf, or give --url");
	if (rc == 0 && t->o.saas)
		t->o.url = agent_conf_text(&t->g.conf, AGENT_SAAS_URL);
	if (rc == 0 && t->o.ignore_ssl_error)
		rc = agent_conf_set(&t->g.conf, "ignore_ssl_errors", "yes");
	if (rc == 0 && t->o.ca_file) {
		char *full = realpath(t->o.ca_file, NULL);

		rc = full ? agent_conf_set(&t->g.conf, "ca_file", full)
			: err_set(ERR_INVALID, "the CA file %s cannot be read", t->o.ca_file);
		free(full);
	}
	return rc < 0 ? ERR_INVALID : 0;
}

static int open_all(struct tool *t)
{
	const struct guest_wish wish = { t->o.csp, t->o.options, t->o.register_ && t->o.force };
	int wake = t->g.wake_fd, rc = guest_open(&t->g, t->o.conf, t->o.state, &wish);

	t->g.wake_fd = wake;
	t->g.env.brief = 1;
	if (rc == 0)
		rc = private_secret("passphrase", t->o.passphrase, t->o.passphrase_file, "KEYWARD_PASSPHRASE", &t->passphrase);
	t->o.passphrase = NULL;
	t->o.batch = t->o.devices != NULL;
	if (rc == 0 && t->o.batch)
		rc = batch_read(t);
	if (rc == 0)
		rc = tool_take_credentials(t);
	return rc == 0 ? apply(t) : rc;
}

static enum tool_exit run(struct tool *t)
{
	int rc = open_all(t);

	if (geteuid() != 0 && (rc == ERR_FORBIDDEN || rc == ERR_IO))
		return tool_complain(t, TOOL_FAILURE, "cannot begin: %s. Only root can do this: begin the command with sudo", err_text());
	if (rc < 0)
		return tool_failed(t, rc == ERR_NOT_FOUND ? ERR_INVALID : rc, "cannot begin");
	if (wants_nothing(&t->o)) {
		if (!tool_may_ask(t))
			return tool_complain(t, TOOL_USAGE, "nothing to do; --help shows the options");
		rc = ask_options(t);
		if (rc < 0)
			return tool_failed(t, rc, "not finished");
	}
	return act(t);
}

static void harden(void)
{
	static const struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0);
	umask(022);
}

/* Before the options are understood: a script gets its answer as JSON also when they are not. */
static int wants_json(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--json") == 0)
			return 1;
	return 0;
}

/* What needs nothing of this machine comes first: the plug-in may be the one that the rest is to be done with. */
static enum tool_exit plugins_and_rest(struct tool *t)
{
	enum tool_exit code = TOOL_OK;
	int rc;

	if (t->o.plugin || t->o.list_plugins) {
		rc = guest_conf(&t->g, t->o.conf);
		if (rc < 0)
			code = tool_failed(t, rc == ERR_NOT_FOUND ? ERR_INVALID : rc, "the configuration file cannot be used");
		if (code == TOOL_OK && t->o.plugin)
			code = plugin_install(t);
		if (code == TOOL_OK && t->o.list_plugins)
			code = show_plugins(t);
		agent_conf_free(&t->g.conf);
		if (code != TOOL_OK || wants_nothing(&t->o))
			return code;
	}
	return run(t);
}

static enum tool_exit begin(struct tool *t, int argc, char **argv)
{
	if (option_parse(&tool_table, argc, argv, &t->o) < 0) {
		t->o.json = wants_json(argc, argv);
		return tool_complain(t, TOOL_USAGE, "%s; --help shows the options", err_text());
	}
	log_open_for_people("keyward-config", t->o.quiet ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING, tool_end_bar);
	if (t->o.help)
		tool_help();
	else if (t->o.version)
		puts("keyward-config " HOST_AGENT_VERSION);
	else
		return plugins_and_rest(t);
	t->o.json = 0;
	return TOOL_OK;
}

int main(int argc, char **argv)
{
	static struct tool t;
	enum tool_exit code;

	harden();
	secret_init();
	t.o.timeout = TIMEOUT_STANDARD;
	t.result = json_object();
	tool_catch_signals(&t);
	code = begin(&t, argc, argv);
	code = tool_end(&t, code);
	secret_free(t.passphrase);
	secret_free(t.o.passphrase);
	secret_free(t.o.proxy);
	batch_free(&t);
	secret_free(t.o.new_credentials);
	secret_free(t.o.original_credentials);
	secret_free(t.new_credentials);
	secret_free(t.original_credentials);
	guest_close(&t.g);
	return code;
}
