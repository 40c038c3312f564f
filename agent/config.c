/* config.c - keyward-config, the Configuration Tool: registers this machine, publishes its devices, waits for what the
 * console orders. By options for scripts, by questions on a terminal. */
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/host.h"
#include "agent/inventory.h"
#include "agent/option.h"
#include "agent/tool.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"

#define TIMEOUT_STANDARD 720
#define AT(member) offsetof(struct tool_options, member)

static const struct option_row options[] = {
	{ 'h', "help", OPTION_FLAG, AT(help), NULL, "show this and end" },
	{ 'V', "version", OPTION_FLAG, AT(version), NULL, "show the version and end" },
	{ 'r', "register", OPTION_FLAG, AT(register_), NULL, "register this machine with the server" },
	{ 'i', "publish-inventory", OPTION_FLAG, AT(publish), NULL, "tell the server which devices there are" },
	{ 'w', "with-provisioning", OPTION_FLAG, AT(with_provisioning), NULL,
		"wait for devices to be encrypted, and encrypt them" },
	{ 0, "mount", OPTION_FLAG, AT(mount), NULL, "ask for the keys and mount the volumes here" },
	{ 'k', "get-device-list", OPTION_FLAG, AT(device_list), NULL, "list the devices of this machine" },
	{ 0, "status", OPTION_FLAG, AT(status), NULL, "show the registration, the server's answer and the volumes" },
	{ 'l', "list-plugins", OPTION_FLAG, AT(list_plugins), NULL, "list the provider plug-ins" },
	{ 'u', "url", OPTION_TEXT, AT(url), "URL", "Web Service URL, as the console shows it" },
	{ 'g', "guid", OPTION_TEXT, AT(account), "ACCOUNT", "account ID, as the console shows it" },
	{ 'x', "passphrase", OPTION_TEXT, AT(passphrase), "PW",
		"provisioning passphrase; others can see it with ps: prefer the next" },
	{ 0, "passphrase-file", OPTION_TEXT, AT(passphrase_file), "FILE",
		"read it from FILE (- for standard input), or set KEYWARD_PASSPHRASE" },
	{ 'c', "csp", OPTION_TEXT, AT(csp), "ID", "provider plug-in (native)" },
	{ 't', "timeout", OPTION_NUMBER, AT(timeout), "MIN", "wait no longer than so many minutes (720)", 1, 525600 },
	{ 0, "ca-file", OPTION_TEXT, AT(ca_file), "FILE", "trust the certificates in FILE (PEM) instead of the system's" },
	{ 'e', "ignore-ssl-error", OPTION_FLAG, AT(ignore_ssl_error), NULL,
		"do not check the server's certificate; the console shows it" },
	{ 0, "force", OPTION_FLAG, AT(force), NULL, "register anew although this machine is registered" },
	{ 0, "state", OPTION_TEXT, AT(state), "DIR", "folder of the registration (" AGENT_STATE_PATH ")" },
	{ 0, "conf", OPTION_TEXT, AT(conf), "FILE", "configuration file (" AGENT_CONF_PATH ")" },
	{ 0, "json", OPTION_FLAG, AT(json), NULL, "--get-device-list and --status as JSON" },
	{ 'q', "quiet", OPTION_FLAG, AT(quiet), NULL, "say nothing but errors" },
};

void tool_say(const struct tool *t, const char *fmt, ...)
{
	va_list ap;

	if (t->o.quiet || t->o.json)
		return;
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
}

static const struct {
	int code;
	enum tool_exit exit;
	const char *advice;
} meanings[] = {
	{ ERR_UNAUTHENTICATED, TOOL_REFUSED,
		"The account ID or the provisioning passphrase is wrong (User Management in the console shows"
		" both), or this machine's registration was removed: register again with --force." },
	{ ERR_SUSPENDED, TOOL_REFUSED, "The account is suspended: ask your operator." },
	{ ERR_FORBIDDEN, TOOL_REFUSED, "The server does not permit it." },
	{ ERR_TOO_MANY, TOOL_REFUSED, "Too many attempts: wait some minutes." },
	{ ERR_VERSION, TOOL_FAILURE, "Server and agent do not speak the same version: update the older one." },
	{ ERR_INVALID, TOOL_USAGE, NULL },
};

enum tool_exit tool_failed(const struct tool *t, int rc, const char *what)
{
	int down = t->g.link && link_is_down(t->g.link);

	fprintf(stderr, "keyward-config: %s: %s\n", what, err_text());
	if (down)
		return TOOL_UNREACHABLE;
	for (size_t i = 0; i < ARRAY_LEN(meanings); i++) {
		if (meanings[i].code != rc)
			continue;
		if (meanings[i].advice)
			fprintf(stderr, "%s\n", meanings[i].advice);
		return meanings[i].exit;
	}
	return TOOL_FAILURE;
}

enum tool_exit tool_link(struct tool *t)
{
	int rc;

	if (!t->g.registered) {
		fprintf(stderr,
			"keyward-config: this machine is not registered. Use --register with --url, --guid and a passphrase.\n");
		return TOOL_FAILURE;
	}
	if (t->g.link)
		return TOOL_OK;
	rc = guest_link(&t->g);
	return rc < 0 ? tool_failed(t, rc, "the registration cannot be used") : TOOL_OK;
}

static enum tool_exit publish(struct tool *t)
{
	enum tool_exit code = tool_link(t);
	int rc = code == TOOL_OK ? inventory_scan(&t->g) : 0;

	if (code == TOOL_OK && rc == 0)
		rc = inventory_publish(&t->g);
	if (rc < 0)
		return tool_failed(t, rc, "the inventory was not published");
	if (code == TOOL_OK)
		tool_say(t, "Inventory published: %d devices.", t->g.found->devices_count);
	return code;
}

static void help(void)
{
	struct buf text = BUF_INIT;

	option_help(options, ARRAY_LEN(options), &text);
	printf("Usage: keyward-config [OPTION]...\n"
		"Registers this machine with a Keyward server and prepares its devices. Without options, on a terminal, it"
			" asks.\n\n%s"
		"\nExit codes:\n", buf_str(&text));
#define X(id, number, meaning) printf("  %d  %s\n", number, meaning);
	TOOL_EXITS(X)
#undef X
	buf_free(&text);
}

static int wants_nothing(const struct tool_options *o)
{
	return !o->register_ && !o->publish && !o->with_provisioning && !o->mount && !o->device_list && !o->status;
}

/* In the order in which they make sense together; the first that fails is the result. */
static enum tool_exit act(struct tool *t)
{
	const struct { int wanted; enum tool_exit (*run)(struct tool *); } actions[] = {
		{ t->o.register_, enrol },
		{ t->o.publish, publish },
		{ t->o.with_provisioning, await_provisioning },
		{ t->o.mount, await_mounts },
		{ t->o.device_list, show_devices },
		{ t->o.status, show_status },
	};
	enum tool_exit code = TOOL_OK;

	for (size_t i = 0; i < ARRAY_LEN(actions) && code == TOOL_OK; i++)
		if (actions[i].wanted)
			code = actions[i].run(t);
	return code;
}

/* Options go over the file. */
static int apply(struct tool *t)
{
	int rc = 0;

	if (t->o.csp)
		rc = provider_find(t->o.csp, &t->g.provider);
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

static enum tool_exit run(struct tool *t)
{
	int rc = enrol_take_passphrase(t);

	if (rc == 0)
		rc = guest_open(&t->g, t->o.conf, t->o.state);
	if (rc == 0)
		rc = apply(t);
	if (rc < 0)
		return tool_failed(t, rc == ERR_NOT_FOUND ? ERR_INVALID : rc, "cannot begin");
	if (wants_nothing(&t->o)) {
		if (!isatty(STDIN_FILENO) || t->o.quiet) {
			fprintf(stderr, "keyward-config: nothing to do; --help shows the options\n");
			return TOOL_USAGE;
		}
		rc = ask_options(t);
		if (rc < 0)
			return tool_failed(t, rc, "not finished");
	}
	t->until = clock_ticks() + t->o.timeout * CLOCK_MINUTE;
	return act(t);
}

static void harden(void)
{
	static const struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0);
	umask(022);
	signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char **argv)
{
	static struct tool t;
	enum tool_exit code = TOOL_OK;

	harden();
	secret_init();
	t.o.timeout = TIMEOUT_STANDARD;
	if (option_parse(options, ARRAY_LEN(options), argc, argv, &t.o) < 0) {
		fprintf(stderr, "keyward-config: %s; --help shows the options\n", err_text());
		return TOOL_USAGE;
	}
	log_open("config", t.o.quiet ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING);
	if (t.o.help)
		help();
	else if (t.o.version)
		puts("keyward-config " HOST_AGENT_VERSION);
	else if (t.o.list_plugins)
		show_plugins();
	else
		code = run(&t);
	secret_free(t.passphrase);
	guest_close(&t.g);
	return code;
}
