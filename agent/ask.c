/* ask.c - the questions of keyward-config on a terminal (CFG-1). An empty answer takes what stands in brackets. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "agent/tool.h"
#include "base/err.h"
#include "base/mem.h"

#define LINE_MAX_BYTES 1024

static int read_line(char out[static LINE_MAX_BYTES])
{
	if (fgets(out, LINE_MAX_BYTES, stdin) == NULL)
		return err_set(ERR_INVALID, "the input has ended");
	out[strcspn(out, "\r\n")] = '\0';
	return 0;
}

/* *OUT stays when the answer is empty and it has a value. */
static int ask_text(const char *question, const char *standard, const char **out)
{
	char line[LINE_MAX_BYTES];
	int rc;

	do {
		printf(standard && *standard ? "%s [%s]: " : "%s: ", question, standard);
		fflush(stdout);
		rc = read_line(line);
	} while (rc == 0 && line[0] == '\0' && !(standard && *standard));
	/* Lives as long as the process, like the options from the command line. */
	if (rc == 0)
		*out = mem_strdup(line[0] ? line : standard);
	return rc;
}

static int ask_yes(const char *question, int standard, int *out)
{
	char line[LINE_MAX_BYTES];
	int rc;

	for (;;) {
		printf("%s [%s]: ", question, standard ? "Y/n" : "y/N");
		fflush(stdout);
		rc = read_line(line);
		if (rc < 0)
			return rc;
		if (strchr("yYnN", line[0]))
			break;
	}
	*out = line[0] ? line[0] == 'y' || line[0] == 'Y' : standard;
	return 0;
}

int ask_passphrase(const char *prompt, struct secret **out)
{
	struct termios old, quiet;
	struct secret *s = secret_new(LINE_MAX_BYTES);
	size_t len = 0;
	int hidden = tcgetattr(STDIN_FILENO, &old) == 0;

	quiet = old;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	/* Before the question, and without throwing away what was typed or pasted ahead. */
	if (hidden)
		tcsetattr(STDIN_FILENO, TCSANOW, &quiet);
	printf("%s", prompt);
	fflush(stdout);
	/* Not through stdio, whose buffer would keep it. */
	while (len + 1 < s->len && read(STDIN_FILENO, s->data + len, 1) == 1 && s->data[len] != '\n')
		len++;
	if (hidden)
		tcsetattr(STDIN_FILENO, TCSANOW, &old);
	putchar('\n');
	s->data[len] = '\0';
	if (len == 0) {
		secret_free(s);
		return err_set(ERR_INVALID, "no passphrase was given");
	}
	*out = s;
	return 0;
}

static int ask_provider(struct tool *t)
{
	int rc;

	show_plugins(t);
	do {
		rc = ask_text("Provider plug-in", t->g.provider->name, &t->o.csp);
		if (rc < 0 || guest_provider(&t->g, t->o.csp) == 0)
			break;
		printf("%s\n", err_text());
	} while (1);
	return rc;
}

static int ask_registration(struct tool *t)
{
	int rc = ask_provider(t);

	if (rc == 0)
		rc = ask_text("Account ID", t->o.account ? t->o.account : agent_conf_text(&t->g.conf, AGENT_ACCOUNT),
			&t->o.account);
	if (rc == 0)
		rc = ask_text("Web Service URL", t->o.url ? t->o.url : agent_conf_text(&t->g.conf, AGENT_URL), &t->o.url);
	while (rc == 0 && t->passphrase == NULL)
		if (ask_passphrase("Provisioning passphrase: ", &t->passphrase) < 0 && feof(stdin))
			rc = ERR_INVALID;
	return rc;
}

int ask_options(struct tool *t)
{
	int rc = 0;

	setvbuf(stdin, NULL, _IONBF, 0);
	if (t->g.registered) {
		printf("This machine is registered already (%s).\n", t->g.reg.url);
		rc = ask_yes("Register anew, with a new identity?", 0, &t->o.force);
	}
	t->o.register_ = !t->g.registered || t->o.force;
	if (rc == 0 && t->o.register_)
		rc = ask_registration(t);
	if (rc == 0)
		rc = ask_yes("Publish the inventory now?", 1, &t->o.publish);
	if (rc == 0)
		rc = ask_yes("Wait for provisioning?", 1, &t->o.with_provisioning);
	if (rc == 0)
		rc = ask_yes("Mount the volumes here?", t->o.with_provisioning, &t->o.mount);
	return rc;
}
