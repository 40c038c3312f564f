/* plugintest.c - keyward-plugin-test: runs a provider plug-in through the checks of docs/plugins.md. For authors of plug-ins. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/common/host.h"
#include "agent/common/option.h"
#include "agent/provider/conform.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"

#define SETTINGS_MAX PLUGIN_FIELDS_MAX

struct options {
	int help, version;
	const char *plugin, *settings, *credentials, *attach;
};

#define AT(member) offsetof(struct options, member)

static const struct option_row rows[] = {
	{ 'p', "plugin", OPTION_TEXT, AT(plugin), "FILE", "the plug-in", .values = OPTION_FILES },
	{ 'o', "options", OPTION_TEXT, AT(settings), "K=V,...", "its settings" },
	{ 'n', "credentials-file", OPTION_TEXT, AT(credentials), "FILE", "JSON object of credentials that are to pass its check",
		.values = OPTION_FILES },
	{ 'a', "attach", OPTION_TEXT, AT(attach), "ID", "a device that may be attached and detached" },
	{ 'h', "help", OPTION_FLAG, AT(help), NULL, "show this and end" },
	{ 'V', "version", OPTION_FLAG, AT(version), NULL, "show the version and end" },
};

static const struct option_table table = {
	"keyward-plugin-test", "Runs a provider plug-in through the checks of the interface.", rows, ARRAY_LEN(rows), NULL, 0
};

static void told(void *arg, const char *check, int rc, const char *text)
{
	int *passed = arg;

	*passed += rc == 0;
	printf("%-8s %s%s%s\n", rc < 0 ? "FAILED" : rc == CONFORM_SKIPPED ? "skipped" : "ok", check, *text ? ": " : "", text);
	fflush(stdout);
}

static int read_credentials(const char *path, struct secret **out)
{
	struct buf text = BUF_INIT;
	int rc = file_read(path, PLUGIN_CREDENTIALS_MAX, &text);

	while (rc == 0 && text.len > 0 && strchr(" \r\n\t", text.data[text.len - 1]))
		text.len--;
	if (rc == 0)
		*out = secret_take(text.data, text.len);
	buf_free(&text);
	return rc;
}

static int test(const struct options *o)
{
	char *path = o->plugin ? realpath(o->plugin, NULL) : NULL, *list = mem_strdup(o->settings), *rest = list, *item;
	const char *settings[SETTINGS_MAX + 1] = { NULL };
	struct secret *credentials = NULL;
	int passed = 0, failed = 0, count = 0, rc = 0;
	struct conform_wish wish = { path, 0, list ? settings : NULL, NULL, o->attach, told, &passed };

	while ((item = strsep(&rest, ",")) != NULL && count < SETTINGS_MAX)
		settings[count++] = item;
	if (path == NULL)
		rc = err_set(ERR_INVALID, o->plugin ? "%s: there is no such file" : "--plugin is needed", o->plugin);
	if (rc == 0 && o->credentials)
		rc = read_credentials(o->credentials, &credentials);
	wish.credentials = credentials;
	if (rc == 0) {
		failed = conform(&wish);
		printf("%d passed, %d failed\n", passed, failed);
	} else {
		fprintf(stderr, "keyward-plugin-test: %s\n", err_text());
	}
	secret_free(credentials);
	free(path);
	free(list);
	return rc < 0 ? 2 : failed > 0;
}

int main(int argc, char **argv)
{
	struct options o = { 0 };
	struct buf help = BUF_INIT;

	signal(SIGPIPE, SIG_IGN);
	secret_init();
	log_open("plugin-test", LOG_LEVEL_INFO);
	if (option_parse(&table, argc, argv, &o) < 0) {
		fprintf(stderr, "keyward-plugin-test: %s; --help shows the options\n", err_text());
		return 2;
	}
	if (o.version) {
		puts("keyward-plugin-test " HOST_AGENT_VERSION);
		return 0;
	}
	if (!o.help)
		return test(&o);
	option_help(&table, &help);
	fputs(buf_str(&help), stdout);
	buf_free(&help);
	return 0;
}
