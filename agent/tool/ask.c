/* ask.c - the questions of keyward-config on a terminal (CFG-1). An empty answer takes what stands in brackets; each answer is checked at
 * once and asked for again with the reason. Nothing is done before the last question, which says what will be. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "agent/tool/tool.h"
#include "base/err.h"
#include "base/mem.h"

#define LINE_MAX_BYTES 1024
#define SECRET_MAX_BYTES 8192    /* a session token of a cloud has some thousand */

/* Where a person sees it, also when what the program says goes into a file. 0, so that it can stand for a result. */
static int put(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static int put(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(tool_screen(), fmt, ap);
	va_end(ap);
	fflush(tool_screen());
	return 0;
}

/* The input's end is no answer; neither is Ctrl-C, which tool_failed knows. */
static int ended(void)
{
	return err_set(ERR_INVALID, tool_interrupted() ? "interrupted" : "the input has ended");
}

static int read_line(char out[static LINE_MAX_BYTES])
{
	int c;

	if (!tool_typed() || fgets(out, LINE_MAX_BYTES, stdin) == NULL || tool_interrupted())
		return ended();
	/* What does not fit is no answer to the next question. */
	if (strchr(out, '\n') == NULL)
		while ((c = getchar()) != '\n' && c != EOF)
			;
	out[strcspn(out, "\r\n")] = '\0';
	return 0;
}

/* Asks until CHECK (NULL: none) finds nothing wrong; it says what is by err_text(). *OUT lives as long as the process, like the options
 * from the command line. */
static int ask_text(struct tool *t, const char *question, const char *standard, int (*check)(struct tool *, const char *),
	const char **out)
{
	/* A copy: what it is taken from may change with the answer. */
	char line[LINE_MAX_BYTES], usual[LINE_MAX_BYTES];
	int rc;

	snprintf(usual, sizeof usual, "%s", standard ? standard : "");
	for (;;) {
		put(*usual ? "%s [%s]: " : "%s: ", question, usual);
		rc = read_line(line);
		if (rc < 0)
			return rc;
		if (line[0] == '\0')
			memcpy(line, usual, sizeof line);
		rc = check ? check(t, line) : 0;
		if (tool_interrupted())
			return ended();
		if (rc == 0)
			break;
		put("  %s\n", err_text());
	}
	*out = mem_strdup(line);
	return 0;
}

/* Of an answer that is no option. */
static void forget(const char *answer)
{
	union { const char *read; char *write; } a = { .read = answer };

	free(a.write);
}

static int ask_yes(const char *question, int standard, int *out)
{
	char line[LINE_MAX_BYTES];
	int rc;

	for (;;) {
		put("%s [%s]: ", question, standard ? "Y/n" : "y/N");
		rc = read_line(line);
		if (rc < 0)
			return rc;
		if (strchr("yYnN", line[0]))
			break;
		put("  Please answer y or n.\n");
	}
	*out = line[0] ? line[0] == 'y' || line[0] == 'Y' : standard;
	return 0;
}

int ask_passphrase(const char *prompt, struct secret **out)
{
	struct termios old, quiet;
	struct secret *s = secret_new(SECRET_MAX_BYTES);
	size_t len = 0;
	ssize_t n = 0;
	int hidden = tcgetattr(STDIN_FILENO, &old) == 0;

	quiet = old;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	/* Before the question, and without throwing away what was typed or pasted ahead. */
	if (hidden)
		tcsetattr(STDIN_FILENO, TCSANOW, &quiet);
	put("%s", prompt);
	/* Not through stdio, whose buffer would keep it. */
	while (len + 1 < s->len && tool_typed() && (n = read(STDIN_FILENO, s->data + len, 1)) == 1 && s->data[len] != '\n')
		len++;
	/* Also when Ctrl-C has ended it: nobody is left with a terminal that shows nothing. */
	if (hidden)
		tcsetattr(STDIN_FILENO, TCSANOW, &old);
	put("\n");
	s->data[len] = '\0';
	if (tool_interrupted())
		n = 0;
	if (n != 1 || len == 0) {
		secret_free(s);
		return n != 1 ? ended() : err_set(ERR_NOT_FOUND, "no passphrase was given");
	}
	*out = s;
	return 0;
}

/* "NAME=VALUE", as --new-credentials takes it. */
static void append_value(struct secret *list, size_t *at, const char *name, const struct secret *value)
{
	size_t len = strlen(name);

	if (*at > 0)
		list->data[(*at)++] = ',';
	memcpy(list->data + *at, name, len);
	*at += len;
	list->data[(*at)++] = '=';
	for (const uint8_t *c = value->data; *c; c++) {
		if (*c == ',' || *c == '\\')
			list->data[(*at)++] = '\\';
		list->data[(*at)++] = *c;
	}
}

/* One part of the credentials; hidden, also what is no secret: nobody has to wonder. *OUT stays NULL where it is left out. */
static int ask_field(const struct plugin_field *f, struct secret **out)
{
	char prompt[PROTO_WORD_MAX + PROTO_TEXT_MAX + 32];
	int rc;

	snprintf(prompt, sizeof prompt, "  %s (%s%s): ", f->name, f->help, f->required ? "" : "; empty: none");
	do
		rc = ask_passphrase(prompt, out);
	while (rc == ERR_NOT_FOUND && f->required);
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* Where the plug-in has any: the image's, which all of its guests will use. Most often another guest has given them, or the provider gives
 * roles to machines. */
static int ask_credentials(struct tool *t)
{
	const struct plugin_description *about = &t->g.provider->about;
	struct secret *list;
	size_t at = 0;
	int give = 0, rc = 0;

	if (about->credentials_count == 0 || t->new_credentials)
		return 0;
	rc = ask_yes("Give the server credentials of the provider, for all machines of this image?", 0, &give);
	if (rc < 0 || !give)
		return rc;
	list = secret_new((size_t)about->credentials_count * (2 * SECRET_MAX_BYTES + PROTO_WORD_MAX + 2) + 1);
	for (int i = 0; rc == 0 && i < about->credentials_count; i++) {
		struct secret *value = NULL;

		rc = ask_field(&about->credentials[i], &value);
		if (rc == 0 && value)
			append_value(list, &at, about->credentials[i].name, value);
		secret_free(value);
	}
	if (rc < 0 || at == 0) {
		secret_free(list);
		return rc;
	}
	list->data[at] = '\0';
	t->new_credentials = list;
	t->o.give_credentials = 1;
	return 0;
}

static int check_provider(struct tool *t, const char *name)
{
	return guest_provider(&t->g, name);
}

static int check_account(struct tool *t, const char *text)
{
	struct uuid id;

	return uuid_parse(text, &id) == 0 ? 0
		: err_set(ERR_INVALID, "That is no account ID: it looks like 0190a5c4-7d10-7abc-8123-456789abcdef, and the console shows it under"
			" Account.");
}

/* 1 when the only thing between us and the server is a certificate, and a file that vouches for it was named; 0 when not. */
static int offer_ca(struct tool *t)
{
	const char *file = NULL;
	int taken = 0;

	if (link_failed_at(t->g.link) != LINK_TLS || !link_advice(t->g.link))
		return 0;
	put("  %s\n  %s\n", err_text(), link_advice(t->g.link));
	if (ask_text(t, "CA file (PEM; empty: another URL)", NULL, NULL, &file) < 0)
		return 0;
	if (*file && (file[0] != '/' || access(file, R_OK) < 0))
		put("  %s cannot be read; its whole path from / is needed.\n", file);
	else if (*file)
		taken = agent_conf_set(&t->g.conf, "ca_file", file) == 0;
	forget(file);
	return taken;
}

/* Whether the agent service is there, and can be trusted. */
static int check_url(struct tool *t, const char *url)
{
	int rc;

	do {
		rc = guest_connect(&t->g, url, agent_conf_text(&t->g.conf, AGENT_CA_FILE),
			agent_conf_flag(&t->g.conf, AGENT_IGNORE_SSL_ERRORS));
		if (rc < 0)
			return rc;
		link_set_limit(t->g.link, LINK_SECONDS, 1);
		rc = link_try(t->g.link);
	} while (rc < 0 && !tool_interrupted() && offer_ca(t));
	guest_unlink(&t->g);
	return rc;
}

static int check_timeout(struct tool *t, const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (end == text || *end || n < 1 || n > 525600)
		return err_set(ERR_INVALID, "A whole number of minutes, from 1 to 525600.");
	t->o.timeout = n;
	return 0;
}

static int ask_registration(struct tool *t)
{
	const char *present = t->o.url ? t->o.url : agent_conf_text(&t->g.conf, AGENT_URL);
	int rc;

	put("Where does this machine run?\n");
	show_plugin_names(t);
	rc = ask_text(t, "Provider plug-in", t->g.provider->name, check_provider, &t->o.csp);
	if (rc == 0)
		rc = ask_text(t, "Account ID", t->o.account ? t->o.account : agent_conf_text(&t->g.conf, AGENT_ACCOUNT), check_account,
			&t->o.account);
	if (rc == 0)
		rc = ask_text(t, "Web Service URL", *present ? present : agent_conf_text(&t->g.conf, AGENT_SAAS_URL), check_url, &t->o.url);
	while (rc == 0 && t->passphrase == NULL) {
		rc = ask_passphrase("Provisioning passphrase: ", &t->passphrase);
		if (rc == ERR_NOT_FOUND)
			rc = put("  The console shows it under Account; nothing is shown while it is typed.\n");
	}
	return rc == 0 ? ask_credentials(t) : rc;
}

static int ask_timeout(struct tool *t)
{
	char standard[16];
	const char *answer = NULL;
	int rc;

	if (!t->o.with_provisioning && !t->o.mount)
		return 0;
	snprintf(standard, sizeof standard, "%ld", t->o.timeout);
	rc = ask_text(t, "Wait at most how many minutes?", standard, check_timeout, &answer);
	forget(answer);
	return rc;
}

/* What will be done, before it is. */
static int confirm(struct tool *t)
{
	int go = 1, rc;

	put("\nThis will be done:\n");
	if (t->o.register_)
		put("  register this machine (%s) with account %s at %s, provider %s%s\n", t->g.who.instance_id, t->o.account, t->o.url,
			t->g.provider->name, t->o.force ? "; its present identity is replaced" : "");
	if (t->o.give_credentials)
		put("  have the provider check its credentials, and give them to the server for the machines of this image\n");
	if (t->o.publish)
		put("  tell the server which devices there are\n");
	if (t->o.with_provisioning)
		put("  wait for devices to be encrypted in the console, and encrypt them, for at most %ld minute%s\n", t->o.timeout,
			t->o.timeout == 1 ? "" : "s");
	if (t->o.mount)
		put("  ask for the keys and mount the volumes\n");
	rc = ask_yes("Go on?", 1, &go);
	return rc < 0 ? rc : go ? 0 : err_set(ERR_INVALID, "nothing was done");
}

int ask_options(struct tool *t)
{
	int rc = 0;

	setvbuf(stdin, NULL, _IONBF, 0);
	t->asks = 1;
	if (t->g.registered) {
		put("This machine is registered already (%s).\n", t->g.reg.url);
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
	if (rc == 0)
		rc = ask_timeout(t);
	return rc == 0 ? confirm(t) : rc;
}
