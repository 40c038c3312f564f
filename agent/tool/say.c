/* say.c - what keyward-config says: to people in lines, to scripts as one JSON object; and how it is interrupted. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "agent/tool/tool.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/word.h"

#define BAR_WIDTH 30
#define BAR_LEAST 10
#define EXIT_COLUMN 20

static volatile sig_atomic_t interrupted;
static int bar_open;             /* the cursor stands behind a bar */
static int wake = -1, woken = -1;       /* ends of a pipe: a signal has come */

static void on_signal(int number)
{
	interrupted = number;
	/* What waits for the server is ended by this; a full pipe is as good. */
	if (wake >= 0 && write(wake, "", 1) < 0)
		return;
}

void tool_catch_signals(struct tool *t)
{
	/* Once: the second Ctrl-C ends the program as it always does. */
	struct sigaction act = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };
	int ends[2];

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0) {
		wake = ends[1];
		woken = ends[0];
		t->g.wake_fd = ends[0];
	}
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	signal(SIGPIPE, SIG_IGN);
}

int tool_interrupted(void)
{
	return interrupted != 0;
}

/* A signal that comes just before a read would not end it: the pipe is there for that. */
int tool_typed(void)
{
	struct pollfd p[] = { { STDIN_FILENO, POLLIN, 0 }, { woken, POLLIN, 0 } };

	while (!interrupted && poll(p, ARRAY_LEN(p), -1) < 0 && errno == EINTR)
		continue;
	return !interrupted;
}

void tool_nap(int64_t seconds)
{
	struct timespec t = { seconds, 0 };

	if (!interrupted)
		nanosleep(&t, NULL);
}

int tool_may_ask(const struct tool *t)
{
	return isatty(STDIN_FILENO) && !t->o.quiet && !t->o.json;
}

FILE *tool_screen(void)
{
	return isatty(STDOUT_FILENO) || !isatty(STDERR_FILENO) ? stdout : stderr;
}

int tool_columns(int standard)
{
	struct winsize size;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : standard;
}

static int is_silent(const struct tool *t)
{
	return t->o.quiet || t->o.json;
}

void tool_end_bar(void)
{
	if (bar_open)
		putchar('\n');
	bar_open = 0;
	fflush(stdout);
}

void tool_say(const struct tool *t, const char *fmt, ...)
{
	va_list ap;

	if (is_silent(t))
		return;
	tool_end_bar();
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
}

/* In one line, since it can only be drawn again there: where the terminal is too narrow the bar gives way first, then the thing's beginning,
 * which is the same for all of a kind. */
static void draw_bar(const char *thing, const char *stage, int percent)
{
	int room = tool_columns(80) - 1 - (int)strlen(" [] 100 % ") - (int)strlen(stage), name = (int)strlen(thing);
	int width = room - name < BAR_LEAST ? BAR_LEAST : room - name > BAR_WIDTH ? BAR_WIDTH : room - name;
	char bar[BAR_WIDTH + 1];

	name = room - width < 0 ? 0 : room - width < name ? room - width : name;
	memset(bar, '.', sizeof bar);
	memset(bar, '#', (size_t)(percent * width / 100));
	printf("\r\033[K%s [%.*s] %3d %% %s", thing + strlen(thing) - name, width, bar, percent, stage);
}

void tool_progress(const struct tool *t, const char *thing, const char *stage, int percent)
{
	static char shown[PROTO_ID_MAX + 1];
	static int at = -1;

	if (is_silent(t) || (percent == at && strcmp(shown, thing) == 0))
		return;
	if (isatty(STDOUT_FILENO)) {
		draw_bar(thing, stage, percent);
		bar_open = 1;
	} else if (percent / 10 != at / 10 || strcmp(shown, thing) != 0) {
		printf("%s: %s, %d %%\n", thing, stage, percent);
	}
	fflush(stdout);
	at = percent;
	snprintf(shown, sizeof shown, "%s", thing);
}

static const char *exit_name(enum tool_exit code)
{
	switch (code) {
#define X(id, number, name, text) case TOOL_##id: return name;
	TOOL_EXITS(X)
#undef X
	}
	return "failed";
}

static void record(struct tool *t, enum tool_exit code, const char *text, const char *advice)
{
	json_t *error = json_object();

	json_set_string(error, "kind", exit_name(code));
	json_set_string(error, "text", text);
	json_set_string(error, "advice", advice);
	json_object_set_new(t->result, "error", error);
}

enum tool_exit tool_complain(struct tool *t, enum tool_exit code, const char *fmt, ...)
{
	char *line;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&line, fmt, ap) < 0)
		fatal("out of memory");
	va_end(ap);
	/* What was typed may be in it, and need not be text. */
	word_readable(line);
	tool_end_bar();
	fprintf(stderr, "keyward-config: %s\n", line);
	record(t, code, line, NULL);
	free(line);
	return code;
}

static const struct {
	int code;
	enum tool_exit exit;
	const char *advice;
} meanings[] = {
	{ ERR_UNAUTHENTICATED, TOOL_REFUSED,
		"The account ID or the provisioning passphrase is wrong (Account in the console shows"
		" both), or this machine's registration was removed: register again with --force." },
	{ ERR_SUSPENDED, TOOL_REFUSED, "The account is not active: ask your operator." },
	{ ERR_FORBIDDEN, TOOL_REFUSED, "The server does not permit it." },
	{ ERR_TOO_MANY, TOOL_REFUSED, "Too many attempts: wait some minutes." },
	{ ERR_VERSION, TOOL_FAILURE, "Server and agent do not speak the same version: update the older one." },
	{ ERR_INVALID, TOOL_USAGE, NULL },
};

static enum tool_exit meaning(const struct tool *t, int rc, const char **advice)
{
	*advice = NULL;
	if (t->g.link && link_is_down(t->g.link)) {
		*advice = link_advice(t->g.link);
		return TOOL_UNREACHABLE;
	}
	/* What this machine itself does not permit, its text says. */
	if (rc == ERR_FORBIDDEN && t->g.client.refusal.code[0] == '\0')
		return TOOL_FAILURE;
	for (size_t i = 0; i < ARRAY_LEN(meanings); i++)
		if (meanings[i].code == rc) {
			*advice = meanings[i].advice;
			return meanings[i].exit;
		}
	return TOOL_FAILURE;
}

enum tool_exit tool_failed(struct tool *t, int rc, const char *what)
{
	char *text = mem_printf("%s: %s", what, err_text());
	const char *advice;
	enum tool_exit code = meaning(t, rc, &advice);

	if (interrupted) {
		free(text);
		return tool_complain(t, TOOL_INTERRUPTED, "interrupted; what was not finished can be begun again");
	}
	tool_end_bar();
	fprintf(stderr, "keyward-config: %s\n%s%s", text, advice ? advice : "", advice ? "\n" : "");
	record(t, code, text, advice);
	free(text);
	return code;
}

/* A list that a full disk has cut off is no success. */
static enum tool_exit finish_output(enum tool_exit code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	fprintf(stderr, "keyward-config: not all of the output could be written\n");
	return code == TOOL_OK ? TOOL_FAILURE : code;
}

enum tool_exit tool_end(struct tool *t, enum tool_exit code)
{
	char *text;

	tool_end_bar();
	json_set_string(t->result, "result", exit_name(code));
	json_set_int(t->result, "exit", code);
	if (t->o.json) {
		text = json_text(t->result);
		puts(text);
		free(text);
	}
	json_decref(t->result);
	t->result = NULL;
	return finish_output(code);
}

void tool_help(void)
{
	struct buf text = BUF_INIT;

	option_help(&tool_table, &text);
	buf_puts(&text, "\nExit codes:\n");
#define X(id, number, name, meaning) buf_printf(&text, "  %3d  %-12s ", number, name); option_fold(&text, EXIT_COLUMN, meaning);
	TOOL_EXITS(X)
#undef X
	printf("%s", buf_str(&text));
	buf_free(&text);
}
